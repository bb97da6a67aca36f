/* marks-file.h: what the user put on a recording
 *
 * Bookmarks, markers, the view and how lanes are shown, in NAME.hvs.marks beside the
 * recording, a key file. The recording itself is never changed. Absent is not an
 * error; what is not understood in it is left out.
 */
#pragma once

#include "gui/timeline/document.h"
#include "gui/timeline/view.h"

gboolean marks_file_load(HvsDocument *document, HvsView *view, GError **error);

/* Writes it, or removes it where there is nothing to keep. */
gboolean marks_file_save(HvsDocument *document, HvsView *view, GError **error);

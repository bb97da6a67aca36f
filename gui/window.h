/* window.h: one recording in a window
 *
 * Puts the timeline, the overview, the inspector and the bars around them together
 * and owns what is open. Further pages can be added to its stack: the switcher in
 * the header bar shows once there are two.
 */
#pragma once

#include <gtk/gtk.h>

#define HVS_TYPE_WINDOW (hvs_window_get_type())
G_DECLARE_FINAL_TYPE(HvsWindow, hvs_window, HVS, WINDOW, GtkApplicationWindow)

HvsWindow *hvs_window_new(GtkApplication *application);

/* A recording is shown; a capture (a directory) is decoded first, beside itself. What
 * went wrong is said in the window. */
void hvs_window_open(HvsWindow *self, GFile *file);

/* Shows a second recording below, on the same time axis, as soon as there is a first. */
void hvs_window_compare(HvsWindow *self, const char *path);

/* Connects the stop-mode panel to a target (docs/debug.md) and shows it. `system_path` may
 * be NULL. */
void hvs_window_debug(HvsWindow *self, const char *target, const char *system_path);

/* Adds a page beside the timeline. `name` is its id, `title` what the switcher says. */
void hvs_window_add_page(HvsWindow *self, GtkWidget *page, const char *name, const char *title);

/* Says what went wrong, above the page. */
void hvs_window_say(HvsWindow *self, GtkMessageType type, const char *message);

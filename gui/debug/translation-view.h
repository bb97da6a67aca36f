/* translation-view.h: how an address is translated
 *
 * Each step of both stages. "address" (a text) is asked to be shown as memory.
 */
#pragma once

#include "gui/debug/session.h"

#include <gtk/gtk.h>

#define HVS_TYPE_TRANSLATION_VIEW (hvs_translation_view_get_type())
G_DECLARE_FINAL_TYPE(HvsTranslationView, hvs_translation_view, HVS, TRANSLATION_VIEW, GtkBox)

GtkWidget *hvs_translation_view_new(HvsSession *session);

void hvs_translation_view_go(HvsTranslationView *self, const char *address);

/* window-private.h: what the window's parts share
 *
 * window.c builds it and opens recordings; window-actions.c is what can be done by
 * name; window-find.c the find bar.
 */
#pragma once

#include "gui/decode-job.h"
#include "gui/timeline/inspector.h"
#include "gui/timeline/overview.h"
#include "gui/timeline/timeline.h"
#include "gui/timeline/worker.h"
#include "gui/window.h"

struct _HvsWindow {
	GtkApplicationWindow parent_instance;
	/* From window.ui. */
	GtkWidget *pages, *stack, *switcher, *recent_button, *menu_button;
	GtkWidget *message_bar, *message;
	GtkWidget *decoding_label, *decoding_bar;
	GtkWidget *find_bar, *find_entry, *find_count;
	GtkWidget *chips, *overview_box, *paned, *charts, *inspector_box, *lane_search;
	GtkWidget *coverage, *note;
	GMenuModel *lane_menu;
	GtkWidget *panel; /* HvsPanel; NULL until a target is wanted */

	HvsTimeline *timeline;
	HvsTimeline *second_timeline; /* NULL: no second recording */
	HvsOverview *overview;
	HvsInspector *inspector;
	HvsDocument *document; /* NULL: none open */
	HvsDocument *second;
	HvsView *view;
	gulong failed_handler;
	gulong changed_handler;
	gulong view_handler;
	decode_job *job;
	char *compare_path; /* to be opened below the next recording; NULL: none */
	enum theme_kind theme;
	gint64 focused_ns; /* start of the interval that was last gone to */

	hvs_worker *finder;
	GArray *hits; /* struct find_hit */
	guint hit;    /* index of the current */
};

/* The timeline that has the focus, or the first. */
HvsTimeline *window_timeline(HvsWindow *self);
HvsDocument *window_document(HvsWindow *self);

/* window-debug.c */
void window_debug_init(HvsWindow *self);
void window_debug_update(HvsWindow *self);
/* What is chosen in the timeline is selected in the panel; and the panel is shown. */
void window_debug_follow(HvsWindow *self);
void window_debug_show(HvsWindow *self);

void window_add_actions(HvsWindow *self);
void window_update_actions(HvsWindow *self);
void window_open_second(HvsWindow *self, const char *path);
void window_close(HvsWindow *self);
enum theme_kind window_bright_theme(void);
void window_apply_theme(HvsWindow *self);
void window_go(HvsWindow *self, gint64 start_ns, gint64 end_ns, gint lane);

void window_find_init(HvsWindow *self);
void window_find_clear(HvsWindow *self);
void window_find_step(HvsWindow *self, gint by);

/* Asks where and as what, and exports what is shown. */
void window_export(HvsWindow *self);

/* worker.h: questions about a recording that take time
 *
 * One thread with a reader of its own answers the newest question of each kind;
 * older ones that were not begun are dropped, one that runs is cancelled. Answers
 * come on the main thread. Knows no widget.
 */
#pragma once

#include "analysis/range.h"
#include "gui/timeline/tables.h"

#include <glib-object.h>

typedef struct hvs_worker hvs_worker;

/* Who used the processors in a range, and how long the hypervisor's visits were. */
struct range_answer {
	struct range_account account;
	gboolean has_histogram; /* FALSE: the range has too many spans */
	struct range_histogram histogram;
};

/* `answer` is NULL where `error` is set. Both are valid during the call. */
typedef void (*range_answer_fn)(const struct range_answer *answer, const GError *error,
                                gpointer data);

/* `answer` is NULL where `error` is set. */
typedef void (*tables_answer_fn)(const struct tables *answer, const GError *error, gpointer data);

/* One thing found: a span, or an item of a track (`item`). */
struct find_hit {
	gint64 start_ns;
	guint core;  /* index; of a span */
	guint owner; /* of a span */
	guint track; /* of an item, else G_MAXUINT */
	guint item;
};

/* What to look for: "exit > 50us", "nginx", "lost". */
struct find_query {
	char *text;      /* casefolded; may be empty */
	gint comparison; /* -1 shorter, 1 longer than duration_ns, 0 any */
	gint64 duration_ns;
};

/* FALSE where it has a comparison without a duration. Free with find_query_clear. */
gboolean find_query_parse(const char *text, struct find_query *out, GError **error);
void find_query_clear(struct find_query *self);

enum {
	FIND_HITS_MAX = 5000
};

/* `hits`: struct find_hit in order of time, at most FIND_HITS_MAX. */
typedef void (*find_answer_fn)(const GArray *hits, const GError *error, gpointer data);

hvs_worker *hvs_worker_new(const char *path);
/* No answer comes after this. */
void hvs_worker_free(hvs_worker *self);

/* `owners`: those whose spans the histogram is of, one byte a owner, ended by
 * G_MAXUINT8; copied. */
void hvs_worker_ask_range(hvs_worker *self, gint64 from_ns, gint64 to_ns, const guint8 *owners,
                          range_answer_fn answer, gpointer data);
void hvs_worker_ask_tables(hvs_worker *self, gint64 from_ns, gint64 to_ns, tables_answer_fn answer,
                           gpointer data);
/* `tracks` (struct track) may be NULL; a reference is taken. `query` is copied. */
void hvs_worker_ask_find(hvs_worker *self, const struct find_query *query, GPtrArray *tracks,
                         find_answer_fn answer, gpointer data);

#include "gui/timeline/worker.h"

#include "analysis/picture/axis.h"
#include "analysis/picture/page.h"
#include "analysis/picture/track.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

enum {
	/* More spans than this would take a second to read. */
	HISTOGRAM_SPANS_MAX = 1000000
};

enum question_kind {
	QUESTION_RANGE,
	QUESTION_FIND,
	QUESTION_TABLES,
	QUESTIONS
};

struct question {
	struct hvs_worker *worker;
	enum question_kind kind;
	GCancellable *cancellable;
	gint64 from_ns;
	gint64 to_ns;
	guint8 *owners;
	struct find_query find;
	GPtrArray *tracks;
	void (*answer)(void);
	gpointer data;

	struct range_answer range;
	struct tables tables;
	gboolean answered;
	GArray *hits;
	GError *error;
};

struct hvs_worker {
	gint ref_count; /* the owner's, and one a question */
	gboolean closed;
	char *path;
	recording_reader *reader; /* of the thread */
	GThreadPool *pool;
	struct question *newest[QUESTIONS]; /* of the main thread; for comparison only */
	GCancellable *running[QUESTIONS];   /* of the newest */
};

static gint compare_hits(gconstpointer a, gconstpointer b)
{
	const struct find_hit *hit_a = a;
	const struct find_hit *hit_b = b;

	return (hit_a->start_ns > hit_b->start_ns) - (hit_a->start_ns < hit_b->start_ns);
}

gboolean find_query_parse(const char *text, struct find_query *out, GError **error)
{
	struct find_query query = { .comparison = 0 };
	const char *sign = strpbrk(text, "<>");
	g_autofree char *name =
		sign != NULL ? g_strndup(text, (gsize)(sign - text)) : g_strdup(text);

	if (sign != NULL) {
		g_autofree char *duration = g_strstrip(g_strdup(sign + 1));

		query.comparison = *sign == '>' ? 1 : -1;
		if (!axis_parse(duration, 0, &query.duration_ns) || query.duration_ns < 0) {
			g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
			            _("'%s' is no duration; write it like 50us or 1.5ms"),
			            duration);
			return FALSE;
		}
	}
	query.text = g_utf8_casefold(g_strstrip(name), -1);
	*out = query;
	return TRUE;
}

void find_query_clear(struct find_query *self)
{
	g_clear_pointer(&self->text, g_free);
}

static gboolean duration_fits(const struct find_query *query, gint64 duration_ns)
{
	if (query->comparison > 0)
		return duration_ns > query->duration_ns;
	return query->comparison == 0 || duration_ns < query->duration_ns;
}

static gboolean text_fits(const struct find_query *query, const char *text)
{
	g_autofree char *folded = g_utf8_casefold(text, -1);

	return strstr(folded, query->text) != NULL;
}

struct finding {
	struct question *question;
	guint core;
	const gboolean *owner_fits;
	guint found; /* on this core */
};

static gboolean find_span(const struct row_span *row, gpointer data)
{
	struct finding *self = data;

	if (self->owner_fits[row->owner] &&
	    duration_fits(&self->question->find, row->duration_ns)) {
		const struct find_hit hit = { .start_ns = row->start_ns,
			                      .core = self->core,
			                      .owner = row->owner,
			                      .track = G_MAXUINT };

		g_array_append_val(self->question->hits, hit);
		self->found++;
	}
	return self->found < FIND_HITS_MAX &&
	       !g_cancellable_is_cancelled(self->question->cancellable);
}

static void find_items(struct question *self, guint t)
{
	const struct track *track = self->tracks->pdata[t];
	const gboolean whole =
		text_fits(&self->find, track->name) || g_strcmp0(self->find.text, track->item) == 0;
	guint found = 0;

	for (guint i = 0; i < track->items->len && found < FIND_HITS_MAX; i++) {
		const struct track_item *item = &g_array_index(track->items, struct track_item, i);
		const struct track_key *key =
			&g_array_index(track->keys, struct track_key, item->key);
		const struct find_hit hit = { .start_ns = item->start_ns, .track = t, .item = i };

		/* What the hypervisor did for a vCPU is an exit, and found as that. */
		if (!duration_fits(&self->find, item->duration_ns) ||
		    (track->kind == TRACK_VCPU && g_str_has_prefix(key->id, "hypervisor/")))
			continue;
		if (whole || text_fits(&self->find, key->name) ||
		    (track->texts != NULL && text_fits(&self->find, track->texts->pdata[i]))) {
			g_array_append_val(self->hits, hit);
			found++;
		}
	}
}

static gboolean find_all(struct question *self, recording_reader *reader)
{
	gsize n_owners;
	gsize n_cores;
	const struct row_core *cores = recording_reader_cores(reader, &n_cores);
	g_autofree gboolean *fits = NULL;
	struct finding finding = { .question = self };
	gboolean any = FALSE;

	recording_reader_owners(reader, &n_owners);
	fits = g_new0(gboolean, n_owners + 1);
	for (guint i = 0; i < n_owners; i++) {
		g_autofree char *name = page_owner_name(reader, i);

		fits[i] = text_fits(&self->find, name);
		any = any || fits[i];
	}
	self->hits = g_array_new(FALSE, FALSE, sizeof(struct find_hit));
	for (guint t = 0; self->tracks != NULL && t < self->tracks->len; t++)
		find_items(self, t);
	finding.owner_fits = fits;
	for (finding.core = 0; any && finding.core < n_cores; finding.core++) {
		finding.found = 0;
		if (!recording_reader_spans(reader, cores[finding.core].core, 0, G_MAXINT64,
		                            find_span, &finding, &self->error))
			return FALSE;
	}
	g_array_sort(self->hits, compare_hits);
	g_array_set_size(self->hits, MIN(self->hits->len, FIND_HITS_MAX));
	return !g_cancellable_set_error_if_cancelled(self->cancellable, &self->error);
}

static gboolean sum_range(struct question *self, recording_reader *reader)
{
	guint64 spans = 0;

	if (!range_account_init(&self->range.account, reader, self->from_ns, self->to_ns,
	                        self->cancellable, &self->error))
		return FALSE;
	for (guint i = 0; i < self->range.account.n_owners; i++)
		spans += range_account_owner_spans(&self->range.account, i);
	if (spans > HISTOGRAM_SPANS_MAX)
		return TRUE;
	self->range.has_histogram =
		range_histogram_init(&self->range.histogram, reader, self->owners, self->from_ns,
	                             self->to_ns, self->cancellable, &self->error);
	if (!self->range.has_histogram)
		range_account_deinit(&self->range.account);
	return self->range.has_histogram;
}

static void worker_unref(struct hvs_worker *self)
{
	if (!g_atomic_int_dec_and_test(&self->ref_count))
		return;
	recording_reader_free(self->reader);
	g_free(self->path);
	g_free(self);
}

static void question_free(struct question *self)
{
	if (self->answered && self->kind == QUESTION_RANGE) {
		range_account_deinit(&self->range.account);
		if (self->range.has_histogram)
			range_histogram_deinit(&self->range.histogram);
	}
	if (self->answered && self->kind == QUESTION_TABLES)
		tables_deinit(&self->tables);
	g_clear_pointer(&self->hits, g_array_unref);
	g_clear_pointer(&self->tracks, g_ptr_array_unref);
	g_clear_error(&self->error);
	g_object_unref(self->cancellable);
	find_query_clear(&self->find);
	g_free(self->owners);
	worker_unref(self->worker);
	g_free(self);
}

/* Back on the main thread. */
static gboolean deliver(gpointer data)
{
	struct question *self = data;

	if (!self->worker->closed && self->worker->newest[self->kind] == self) {
		self->worker->newest[self->kind] = NULL;
		if (self->kind == QUESTION_RANGE)
			((range_answer_fn)self->answer)(self->answered ? &self->range : NULL,
			                                self->error, self->data);
		else if (self->kind == QUESTION_TABLES)
			((tables_answer_fn)self->answer)(self->answered ? &self->tables : NULL,
			                                 self->error, self->data);
		else
			((find_answer_fn)self->answer)(self->answered ? self->hits : NULL,
			                               self->error, self->data);
	}
	question_free(self);
	return G_SOURCE_REMOVE;
}

static gboolean work_out(struct question *self, recording_reader *reader)
{
	switch (self->kind) {
	case QUESTION_RANGE:
		return sum_range(self, reader);
	case QUESTION_TABLES:
		return tables_init(&self->tables, reader, self->from_ns, self->to_ns, &self->error);
	case QUESTION_FIND:
	case QUESTIONS:
	default:
		return find_all(self, reader);
	}
}

static void run(gpointer data, gpointer user_data)
{
	struct question *self = data;
	struct hvs_worker *worker = user_data;

	if (!g_cancellable_is_cancelled(self->cancellable)) {
		if (worker->reader == NULL)
			worker->reader = recording_reader_new(worker->path, &self->error);
		if (worker->reader != NULL)
			self->answered = work_out(self, worker->reader);
	}
	g_idle_add(deliver, self);
}

hvs_worker *hvs_worker_new(const char *path)
{
	struct hvs_worker *self = g_new0(struct hvs_worker, 1);

	self->ref_count = 1;
	self->path = g_strdup(path);
	self->pool = g_thread_pool_new(run, self, 1, TRUE, NULL);
	return self;
}

void hvs_worker_free(hvs_worker *self)
{
	if (self == NULL)
		return;
	self->closed = TRUE;
	for (guint i = 0; i < QUESTIONS; i++) {
		if (self->running[i] != NULL)
			g_cancellable_cancel(self->running[i]);
		g_clear_object(&self->running[i]);
	}
	g_thread_pool_free(self->pool, FALSE, TRUE);
	worker_unref(self);
}

static struct question *ask(hvs_worker *self, enum question_kind kind, void (*answer)(void),
                            gpointer data)
{
	struct question *question = g_new0(struct question, 1);

	if (self->running[kind] != NULL)
		g_cancellable_cancel(self->running[kind]);
	g_clear_object(&self->running[kind]);
	g_atomic_int_inc(&self->ref_count);
	question->worker = self;
	question->kind = kind;
	question->cancellable = g_cancellable_new();
	question->answer = answer;
	question->data = data;
	self->running[kind] = g_object_ref(question->cancellable);
	self->newest[kind] = question;
	return question;
}

void hvs_worker_ask_range(hvs_worker *self, gint64 from_ns, gint64 to_ns, const guint8 *owners,
                          range_answer_fn answer, gpointer data)
{
	struct question *question = ask(self, QUESTION_RANGE, (void (*)(void))answer, data);
	gsize n = 0;

	while (owners[n] != G_MAXUINT8)
		n++;
	question->from_ns = from_ns;
	question->to_ns = to_ns;
	question->owners = g_memdup2(owners, n + 1);
	g_thread_pool_push(self->pool, question, NULL);
}

void hvs_worker_ask_tables(hvs_worker *self, gint64 from_ns, gint64 to_ns, tables_answer_fn answer,
                           gpointer data)
{
	struct question *question = ask(self, QUESTION_TABLES, (void (*)(void))answer, data);

	question->from_ns = from_ns;
	question->to_ns = to_ns;
	g_thread_pool_push(self->pool, question, NULL);
}

void hvs_worker_ask_find(hvs_worker *self, const struct find_query *query, GPtrArray *tracks,
                         find_answer_fn answer, gpointer data)
{
	struct question *question = ask(self, QUESTION_FIND, (void (*)(void))answer, data);

	question->find = *query;
	question->find.text = g_strdup(query->text);
	question->tracks = tracks != NULL ? g_ptr_array_ref(tracks) : NULL;
	g_thread_pool_push(self->pool, question, NULL);
}

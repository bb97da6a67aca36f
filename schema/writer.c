#include "schema/writer.h"

#include "schema/lod.h"
#include "schema/writer-private.h"

#include <errno.h>
#include <string.h>

static const char schema_sql[] =
#include "schema/hvscope.sql.h"
	;

/* A recording is made once, in order, in a file that nobody else sees: no journal, no locks,
 * one synchronisation at the commit, one rename. */
static const char setup_sql[] = "PRAGMA page_size=4096;"
				"PRAGMA journal_mode=OFF;"
				"PRAGMA locking_mode=EXCLUSIVE;"
				"PRAGMA synchronous=NORMAL;"
				"PRAGMA temp_store=MEMORY;"
				"PRAGMA cache_size=-65536;";

static const char *const statement_sql[STATEMENTS] = {
	[STATEMENT_META] = "INSERT OR REPLACE INTO meta VALUES (?,?)",
	[STATEMENT_CORE] = "INSERT INTO core VALUES (?,?,?,?,?,?,?)",
	[STATEMENT_MACHINE] = "INSERT INTO machine VALUES (?,?,?,?,?)",
	[STATEMENT_TASK] = "INSERT INTO task VALUES (?,?,?)",
	[STATEMENT_TASK_NAME] = "INSERT INTO task_name VALUES (?,?,?,?,?,?,?,?,?)",
	[STATEMENT_OWNER_NAME] = "INSERT INTO owner_name VALUES (?,?)",
	[STATEMENT_OWNER] = "INSERT INTO owner VALUES (?,?,?,?,?)",
	[STATEMENT_SPANS] = span_vtab_insert_sql,
	[STATEMENT_UNCERTAINTY] = "INSERT INTO uncertainty VALUES (?,?,?,?)",
	[STATEMENT_ACCOUNT] = "INSERT INTO account VALUES (?,?,?,?,?,?)",
	[STATEMENT_LOD] = "INSERT INTO lod VALUES (?,?,?,?,?,?)",
	[STATEMENT_GAP] = "INSERT INTO gap VALUES (?,?,?,?,?,?,?)",
	[STATEMENT_EXCEPTION] = "INSERT INTO exception VALUES (?,?,?,?,?,?,?,?)",
	[STATEMENT_STM] = "INSERT INTO stm VALUES (?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_QUALITY] = "INSERT INTO quality VALUES (?,?,?)",
	[STATEMENT_QUALITY_EVENT] = "INSERT INTO quality_event VALUES (?,?,?,?,?)",
	[STATEMENT_VCPU] = "INSERT INTO vcpu VALUES (?,?,?,?)",
	[STATEMENT_VCPU_RUN] = "INSERT INTO vcpu_run SELECT * FROM hvscope_runs",
	[STATEMENT_EXIT] = "INSERT INTO exit SELECT * FROM hvscope_exits",
	[STATEMENT_PACKED] = "INSERT INTO packed VALUES (?,?,?,?,?)",
	[STATEMENT_FUNCTION] = "INSERT INTO hypervisor_function VALUES (?,?,?)",
	[STATEMENT_CALL] = "INSERT INTO hypervisor_call VALUES (?,?,?,?,?)",
	[STATEMENT_REQUEST] = "INSERT INTO request VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
};

static guint owner_hash(gconstpointer key)
{
	const struct row_owner *owner = key;
	guint hash = (guint)owner->owner_class * 31 + (guint)owner->el;

	hash = hash * 1000003u + g_int64_hash(&owner->vmid);
	hash = hash * 1000003u + owner->task_name;
	return hash * 1000003u + g_int64_hash(&owner->context_id);
}

static gboolean owner_equal(gconstpointer a, gconstpointer b)
{
	const struct row_owner *x = a;
	const struct row_owner *y = b;

	return x->owner_class == y->owner_class && x->el == y->el && x->vmid == y->vmid &&
	       x->context_id == y->context_id && x->task_name == y->task_name;
}

static gboolean database_create(struct recording_writer *self, GError **error)
{
	g_autofree char *identity =
		g_strdup_printf("PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN;",
	                        RECORDING_APPLICATION_ID, RECORDING_SCHEMA_VERSION);

	if (sqlite3_open_v2(self->file.partial_path, &self->db.handle,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_fail(&self->db, "create the recording", error);
	if (!db_exec(&self->db, setup_sql, "create the recording", error) ||
	    !db_exec(&self->db, identity, "create the recording", error) ||
	    !db_exec(&self->db, schema_sql, "create its tables", error))
		return FALSE;
	if (span_vtab_register(self->db.handle, &self->source) != SQLITE_OK)
		return db_fail(&self->db, "register the span source", error);
	if (!writer_batch_register(self, error))
		return FALSE;
	return recording_writer_meta_int(self, "schema_version", RECORDING_SCHEMA_VERSION, error) &&
	       recording_writer_meta(self, "tool_version", HVSCOPE_VERSION, error);
}

struct recording_writer *recording_writer_new(const char *path, GError **error)
{
	g_autoptr(recording_writer) self = g_new0(struct recording_writer, 1);

	self->owners = g_array_new(FALSE, FALSE, sizeof(struct row_owner));
	self->owner_index = g_hash_table_new_full(owner_hash, owner_equal, g_free, NULL);
	self->cores = g_hash_table_new(NULL, NULL);
	self->span_cores = g_hash_table_new(NULL, NULL);
	self->window_ns = -1;
	writer_batch_init(self);
	if (!partial_file_init(&self->file, path, error))
		return NULL;
	self->db.path = self->file.path;
	if (!database_create(self, error))
		return NULL;
	return g_steal_pointer(&self);
}

static void database_close(struct recording_writer *self)
{
	for (guint i = 0; i < STATEMENTS; i++)
		g_clear_pointer(&self->statements[i], sqlite3_finalize);
	g_clear_pointer(&self->db.handle, sqlite3_close);
}

void recording_writer_free(struct recording_writer *self)
{
	if (self == NULL)
		return;
	database_close(self);
	writer_packed_free(self);
	writer_batch_deinit(self);
	partial_file_deinit(&self->file);
	g_array_unref(self->owners);
	g_hash_table_unref(self->owner_index);
	g_hash_table_unref(self->cores);
	g_hash_table_unref(self->span_cores);
	g_free(self);
}

sqlite3_stmt *writer_statement(struct recording_writer *self, enum statement which, GError **error)
{
	if (self->failed || self->db.handle == NULL) {
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS,
		            "%s: nothing more can be written after %s", self->file.path,
		            self->failed ? "an error" : "the recording was finished");
		return NULL;
	}
	if (self->statements[which] == NULL) {
		self->statements[which] = db_prepare(&self->db, statement_sql[which], error);
		self->failed = self->statements[which] == NULL;
	}
	return self->statements[which];
}

gboolean writer_run(struct recording_writer *self, sqlite3_stmt *statement, const char *doing,
                    GError **error)
{
	self->failed = !db_run(&self->db, statement, doing, error);
	return !self->failed;
}

/* NULL stays NULL. */
static void bind_text(sqlite3_stmt *statement, int at, const char *value)
{
	sqlite3_bind_text(statement, at, value, -1, SQLITE_TRANSIENT);
}

gboolean recording_writer_meta(struct recording_writer *self, const char *key, const char *value,
                               GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_META, error);

	if (statement == NULL)
		return FALSE;
	if (strcmp(key, "window_ns") == 0 &&
	    !g_ascii_string_to_signed(value, 10, 0, G_MAXINT64, &self->window_ns, error)) {
		g_prefix_error(error, "%s: cannot set window_ns: ", self->file.path);
		return FALSE;
	}
	bind_text(statement, 1, key);
	bind_text(statement, 2, value);
	return writer_run(self, statement, "write meta", error);
}

gboolean recording_writer_meta_int(struct recording_writer *self, const char *key, gint64 value,
                                   GError **error)
{
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);

	return recording_writer_meta(self, key, text, error);
}

gboolean recording_writer_core(struct recording_writer *self, const struct row_core *row,
                               GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_CORE, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->core);
	bind_text(statement, 2, row->name);
	bind_text(statement, 3, row->type);
	bind_text(statement, 4, row->source);
	bind_text(statement, 5, row->protocol);
	bind_value(statement, 6, row->trace_id);
	bind_int(statement, 7, (gint64)row->trace_bytes);
	g_hash_table_add(self->cores, GUINT_TO_POINTER(row->core + 1));
	return writer_run(self, statement, "write a core", error);
}

gboolean recording_writer_machine(struct recording_writer *self, const struct row_machine *row,
                                  GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_MACHINE, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->machine);
	bind_text(statement, 2, row->name);
	bind_text(statement, 3, row->kind);
	bind_value(statement, 4, row->vmid);
	bind_int(statement, 5, row->vcpus);
	return writer_run(self, statement, "write a machine", error);
}

gboolean recording_writer_task(struct recording_writer *self, const struct row_task *row,
                               GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_TASK, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->machine);
	bind_int(statement, 2, row->context_id);
	bind_text(statement, 3, row->name);
	return writer_run(self, statement, "write a task", error);
}

/* Where time has no such end it is NULL. */
static void bind_time(sqlite3_stmt *statement, int at, gint64 time_ns)
{
	if (time_ns == G_MININT64 || time_ns == G_MAXINT64)
		sqlite3_bind_null(statement, at);
	else
		bind_int(statement, at, time_ns);
}

gboolean recording_writer_task_name(struct recording_writer *self, const struct row_task_name *row,
                                    GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_TASK_NAME, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, self->n_task_names++);
	bind_int(statement, 2, row->machine);
	bind_int(statement, 3, row->context_id);
	bind_text(statement, 4, row->name);
	bind_value(statement, 5, row->pid);
	bind_value(statement, 6, row->cpu);
	bind_time(statement, 7, row->valid_from_ns);
	bind_time(statement, 8, row->valid_to_ns);
	bind_int(statement, 9, row->doubtful ? 1 : 0);
	return writer_run(self, statement, "write a task's name", error);
}

guint recording_writer_owner(struct recording_writer *self, const struct row_owner *owner)
{
	const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(self->owner_index, owner));

	if (known != 0)
		return known - 1;
	g_array_append_val(self->owners, *owner);
	g_hash_table_insert(self->owner_index, g_memdup2(owner, sizeof *owner),
	                    GUINT_TO_POINTER(self->owners->len));
	return self->owners->len - 1;
}

/* What is wrong with a span that follows one that ended at `expected_ns`, or NULL. */
static const char *span_fault(const struct recording_writer *self, const struct row_span *span,
                              guint core, gint64 expected_ns)
{
	if (span->core != core)
		return "it belongs to another core";
	if (span->start_ns < 0 || span->duration_ns < 0 ||
	    span->duration_ns > G_MAXINT64 - span->start_ns)
		return "its start or duration is out of range";
	if (span->start_ns != expected_ns)
		return "it does not start where the one before ended";
	if (span->halted_ns < 0 || span->halted_ns > span->duration_ns)
		return "its halted time is not within its duration";
	if (span->uncertainty_ns < 0)
		return "its uncertainty is negative";
	if (span->owner >= self->owners->len)
		return "its owner was never registered";
	if (span->cycles > G_MAXINT64 || span->trace_offset > G_MAXINT64)
		return "its cycles or trace offset is out of range";
	return NULL;
}

static gboolean spans_check(const struct recording_writer *self, guint core,
                            const struct row_span *spans, gsize n_spans, GError **error)
{
	gint64 expected_ns = n_spans > 0 ? spans[0].start_ns : 0;

	if (g_hash_table_contains(self->span_cores, GUINT_TO_POINTER(core + 1))) {
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
		            "%s: core %u has its spans already", self->file.path, core);
		return FALSE;
	}
	for (gsize i = 0; i < n_spans; i++) {
		const char *fault = span_fault(self, &spans[i], core, expected_ns);

		if (fault != NULL) {
			g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
			            "%s: core %u, span %" G_GSIZE_FORMAT " at %" G_GINT64_FORMAT
			            " ns: %s",
			            self->file.path, core, i, spans[i].start_ns, fault);
			return FALSE;
		}
		expected_ns = spans[i].start_ns + spans[i].duration_ns;
	}
	return TRUE;
}

struct account_sum {
	gint64 time_ns;
	gint64 halted_ns;
	guint64 cycles;
	gint64 spans;
};

static gboolean account_write(struct recording_writer *self, guint core,
                              const struct row_span *spans, gsize n_spans, GError **error)
{
	g_autofree struct account_sum *sums = g_new0(struct account_sum, self->owners->len);
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_ACCOUNT, error);

	if (statement == NULL)
		return FALSE;
	for (gsize i = 0; i < n_spans; i++) {
		struct account_sum *sum = &sums[spans[i].owner];

		sum->time_ns += spans[i].duration_ns;
		sum->halted_ns += spans[i].halted_ns;
		sum->cycles += spans[i].cycles;
		sum->spans++;
	}
	for (guint i = 0; i < self->owners->len; i++) {
		if (sums[i].spans == 0)
			continue;
		bind_int(statement, 1, core);
		bind_int(statement, 2, i);
		bind_int(statement, 3, sums[i].time_ns);
		bind_int(statement, 4, (gint64)sums[i].cycles);
		bind_int(statement, 5, sums[i].halted_ns);
		bind_int(statement, 6, sums[i].spans);
		if (!writer_run(self, statement, "write the account", error))
			return FALSE;
	}
	return TRUE;
}

static gboolean lod_write(const struct row_lod *row, gpointer data, GError **error)
{
	struct recording_writer *self = data;
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_LOD, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->core);
	bind_int(statement, 2, row->level);
	bind_int(statement, 3, row->bucket);
	bind_int(statement, 4, row->owner);
	bind_int(statement, 5, row->time_ns);
	bind_int(statement, 6, (gint64)row->spans);
	return writer_run(self, statement, "write levels of detail", error);
}

static gboolean uncertainty_write(struct recording_writer *self, guint core,
                                  const struct row_span *spans, gsize n_spans, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_UNCERTAINTY, error);
	gint64 max_ns = 0;
	double sum_ns = 0;

	if (statement == NULL)
		return FALSE;
	for (gsize i = 0; i < n_spans; i++) {
		max_ns = MAX(max_ns, spans[i].uncertainty_ns);
		sum_ns += (double)spans[i].uncertainty_ns;
	}
	bind_int(statement, 1, core);
	bind_int(statement, 2, (gint64)n_spans);
	sqlite3_bind_double(statement, 3, sum_ns);
	bind_int(statement, 4, max_ns);
	return writer_run(self, statement, "write how sure times are", error);
}

gboolean recording_writer_spans(struct recording_writer *self, guint core,
                                const struct row_span *spans, gsize n_spans, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_SPANS, error);

	if (statement == NULL || !spans_check(self, core, spans, n_spans, error))
		return FALSE;
	g_hash_table_add(self->span_cores, GUINT_TO_POINTER(core + 1));
	if (n_spans == 0)
		return TRUE;
	self->end_ns =
		MAX(self->end_ns, spans[n_spans - 1].start_ns + spans[n_spans - 1].duration_ns);
	self->source = (struct span_source) { .spans = spans, .n_spans = n_spans };
	if (!writer_run(self, statement, "write spans", error))
		return FALSE;
	self->source = (struct span_source) { .n_spans = 0 };
	return account_write(self, core, spans, n_spans, error) &&
	       uncertainty_write(self, core, spans, n_spans, error) &&
	       lod_build(spans, n_spans, self->owners->len, lod_write, self, error);
}

gboolean recording_writer_gap(struct recording_writer *self, const struct row_gap *row,
                              GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_GAP, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->core);
	bind_int(statement, 2, row->start_ns);
	bind_int(statement, 3, self->sequence++);
	bind_int(statement, 4, row->duration_ns);
	bind_text(statement, 5, row->reason);
	bind_int(statement, 6, (gint64)row->begin_offset);
	bind_int(statement, 7, (gint64)row->end_offset);
	return writer_run(self, statement, "write a gap", error);
}

gboolean recording_writer_exception(struct recording_writer *self, const struct row_exception *row,
                                    GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_EXCEPTION, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, row->core);
	bind_int(statement, 2, row->time_ns);
	bind_int(statement, 3, self->sequence++);
	bind_int(statement, 4, row->type);
	if (row->has_return_address)
		bind_int(statement, 5, (gint64)row->return_address_va);
	else
		sqlite3_bind_null(statement, 5);
	bind_int(statement, 6, row->from_owner);
	bind_int(statement, 7, row->to_owner);
	bind_int(statement, 8, (gint64)row->trace_offset);
	return writer_run(self, statement, "write an exception", error);
}

gboolean recording_writer_stm(struct recording_writer *self, const struct row_stm *row,
                              GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_STM, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, self->sequence++);
	bind_text(statement, 2, row->source);
	if (row->has_time)
		bind_int(statement, 3, row->time_ns);
	else
		sqlite3_bind_null(statement, 3);
	bind_int(statement, 4, (gint64)row->timestamp);
	bind_int(statement, 5, row->master);
	bind_int(statement, 6, row->channel);
	bind_text(statement, 7, row->kind);
	bind_int(statement, 8, row->marked != FALSE);
	/* A NULL pointer would bind NULL: an empty payload is an empty blob. */
	sqlite3_bind_blob64(statement, 9, row->payload_bytes > 0 ? (const void *)row->payload : "",
	                    row->payload_bytes, SQLITE_TRANSIENT);
	bind_int(statement, 10, (gint64)row->trace_offset);
	return writer_run(self, statement, "write an STM message", error);
}

gboolean recording_writer_quality(struct recording_writer *self, const struct row_quality *row,
                                  GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_QUALITY, error);

	if (statement == NULL)
		return FALSE;
	bind_text(statement, 1, row->source);
	bind_text(statement, 2, row->name);
	bind_int(statement, 3, (gint64)row->count);
	return writer_run(self, statement, "write a quality count", error);
}

gboolean recording_writer_quality_event(struct recording_writer *self,
                                        const struct row_quality_event *row, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_QUALITY_EVENT, error);

	if (statement == NULL)
		return FALSE;
	bind_int(statement, 1, self->sequence++);
	bind_text(statement, 2, row->source);
	bind_text(statement, 3, row->name);
	bind_int(statement, 4, (gint64)row->trace_offset);
	bind_text(statement, 5, row->detail);
	return writer_run(self, statement, "write a quality event", error);
}

static gboolean owners_write(struct recording_writer *self, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_OWNER, error);

	if (statement == NULL)
		return FALSE;
	for (guint i = 0; i < self->owners->len; i++) {
		const struct row_owner *owner = &g_array_index(self->owners, struct row_owner, i);

		bind_int(statement, 1, i);
		bind_text(statement, 2, owner_class_name(owner->owner_class));
		bind_value(statement, 3, owner->el);
		bind_value(statement, 4, owner->vmid);
		bind_value(statement, 5, owner->context_id);
		if (!writer_run(self, statement, "write an owner", error))
			return FALSE;
	}
	return TRUE;
}

static gboolean owner_names_write(struct recording_writer *self, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_OWNER_NAME, error);

	if (statement == NULL)
		return FALSE;
	for (guint i = 0; i < self->owners->len; i++) {
		const guint name = g_array_index(self->owners, struct row_owner, i).task_name;

		if (name == 0)
			continue;
		if (name > self->n_task_names) {
			g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
			            "%s: owner %u has name %u, which was never written",
			            self->file.path, i, name - 1);
			return FALSE;
		}
		bind_int(statement, 1, i);
		bind_int(statement, 2, name - 1);
		if (!writer_run(self, statement, "write an owner's name", error))
			return FALSE;
	}
	return TRUE;
}

/* What the tables promise of each other. */
static gboolean finish_check(struct recording_writer *self, GError **error)
{
	GHashTableIter iter;
	gpointer core;

	g_hash_table_iter_init(&iter, self->span_cores);
	while (g_hash_table_iter_next(&iter, &core, NULL)) {
		if (!g_hash_table_contains(self->cores, core)) {
			g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
			            "%s: core %u has spans but was never described",
			            self->file.path, GPOINTER_TO_UINT(core) - 1);
			return FALSE;
		}
	}
	if (self->window_ns < 0)
		return recording_writer_meta_int(self, "window_ns", self->end_ns, error);
	if (self->window_ns < self->end_ns) {
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
		            "%s: spans reach %" G_GINT64_FORMAT
		            " ns, past the window of %" G_GINT64_FORMAT " ns",
		            self->file.path, self->end_ns, self->window_ns);
		return FALSE;
	}
	return TRUE;
}

gboolean recording_writer_finish(struct recording_writer *self, GError **error)
{
	if (!owners_write(self, error) || !owner_names_write(self, error) ||
	    !writer_flush_runs(self, error) || !writer_flush_exits(self, error) ||
	    !writer_packed_finish(self, error) || !finish_check(self, error))
		return FALSE;
	if (!db_exec(&self->db, "COMMIT", "complete the recording", error)) {
		self->failed = TRUE;
		return FALSE;
	}
	database_close(self);
	return partial_file_commit(&self->file, error);
}

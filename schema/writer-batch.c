#include "schema/writer-private.h"

const char batch_runs_sql[] = "CREATE TABLE hvscope_runs (vcpu, start_ns, seq, duration_ns, core, "
			      "state, guest_ns, hypervisor_ns, cycles, exits, known, confidence)";

const char batch_exits_sql[] =
	"CREATE TABLE hvscope_exits (core, start_ns, seq, duration_ns, hypervisor_ns, idle_ns, "
	"idle_hypervisor_ns, cycles, reason, type, return_address_va, resume_address_va, vcpu, "
	"next_vcpu, ended, known, confidence, wake_ns, injection_ns, censored, trace_offset, "
	"instruction, handler)";

/* OWNER_NO_VALUE is NULL. */
static void result(sqlite3_context *context, gint64 value)
{
	if (value != OWNER_NO_VALUE)
		sqlite3_result_int64(context, value);
}

static void run_column(sqlite3_context *context, const void *rows, gsize i, gint64 seq, int column)
{
	const struct row_vcpu_run *row = (const struct row_vcpu_run *)rows + i;
	const gint64 values[] = {
		row->vcpu,           row->start_ns,      seq,           row->duration_ns,
		row->core,           row->state,         row->guest_ns, row->hypervisor_ns,
		(gint64)row->cycles, (gint64)row->exits, row->known,
	};

	if (column < (int)G_N_ELEMENTS(values))
		result(context, values[column]);
	else
		sqlite3_result_double(context, row->confidence);
}

static void exit_address(sqlite3_context *context, gboolean has, guint64 address_va)
{
	if (has)
		sqlite3_result_int64(context, (gint64)address_va);
}

static void exit_column(sqlite3_context *context, const void *rows, gsize i, gint64 seq, int column)
{
	enum {
		RETURN_ADDRESS = 10,
		RESUME_ADDRESS = 11,
		CONFIDENCE = 16
	};
	const struct row_exit *row = (const struct row_exit *)rows + i;
	const gint64 values[] = {
		row->core,
		row->start_ns,
		seq,
		row->duration_ns,
		row->hypervisor_ns,
		row->idle_ns,
		row->idle_hypervisor_ns,
		(gint64)row->cycles,
		row->reason,
		row->type,
		0, /* the addresses: any value is one */
		0,
		row->vcpu,
		row->next_vcpu,
		row->ended,
		row->known,
		0, /* confidence */
		row->wake_ns,
		row->injection_ns,
		row->censored != FALSE,
		(gint64)row->trace_offset,
		row->instruction == INSTRUCTION_UNKNOWN ? (gint64)OWNER_NO_VALUE
							: (gint64)row->instruction,
		(gint64)row->handler - 1,
	};

	if (column == RETURN_ADDRESS)
		exit_address(context, row->has_return_address, row->return_address_va);
	else if (column == RESUME_ADDRESS)
		exit_address(context, row->has_resume_address, row->resume_address_va);
	else if (column == CONFIDENCE)
		sqlite3_result_double(context, row->confidence);
	else
		result(context, values[column]);
}

void writer_batch_init(struct recording_writer *self)
{
	self->pending_runs = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu_run));
	self->pending_exits = g_array_new(FALSE, FALSE, sizeof(struct row_exit));
	self->batch_runs = (struct batch_source) { batch_runs_sql, run_column, NULL, 0, 0 };
	self->batch_exits = (struct batch_source) { batch_exits_sql, exit_column, NULL, 0, 0 };
}

void writer_batch_deinit(struct recording_writer *self)
{
	g_array_unref(self->pending_runs);
	g_array_unref(self->pending_exits);
}

gboolean writer_batch_register(struct recording_writer *self, GError **error)
{
	if (batch_vtab_register(self->db.handle, "hvscope_runs", &self->batch_runs) != SQLITE_OK ||
	    batch_vtab_register(self->db.handle, "hvscope_exits", &self->batch_exits) != SQLITE_OK)
		return db_fail(&self->db, "register the batches of rows", error);
	return TRUE;
}

static gboolean flush(struct recording_writer *self, struct batch_source *source, GArray *pending,
                      enum statement which, const char *doing, GError **error)
{
	sqlite3_stmt *statement;
	gboolean done;

	if (pending->len == 0)
		return TRUE;
	statement = writer_statement(self, which, error);
	if (statement == NULL)
		return FALSE;
	source->rows = pending->data;
	source->n_rows = pending->len;
	source->first_seq = self->sequence;
	self->sequence += pending->len;
	done = writer_run(self, statement, doing, error);
	g_array_set_size(pending, 0);
	return done;
}

gboolean writer_flush_runs(struct recording_writer *self, GError **error)
{
	return flush(self, &self->batch_runs, self->pending_runs, STATEMENT_VCPU_RUN,
	             "write runs of vCPUs", error);
}

gboolean writer_flush_exits(struct recording_writer *self, GError **error)
{
	return flush(self, &self->batch_exits, self->pending_exits, STATEMENT_EXIT, "write exits",
	             error);
}

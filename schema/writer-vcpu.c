#include "schema/writer-private.h"

enum {
	BATCH_ROWS = 4096
};

/* What every row of time must keep to; the reader refuses a recording where one does not. */
static gboolean time_check(struct recording_writer *self, const char *table, gint64 start_ns,
                           gint64 duration_ns, gint64 vcpu, GError **error)
{
	if (start_ns >= 0 && duration_ns >= 0 && duration_ns <= G_MAXINT64 - start_ns &&
	    vcpu >= OWNER_NO_VALUE && vcpu < (gint64)self->n_vcpus)
		return TRUE;
	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
	            "%s: %s at %" G_GINT64_FORMAT " ns for %" G_GINT64_FORMAT
	            " ns, vCPU %" G_GINT64_FORMAT " of %u: out of range",
	            self->file.path, table, start_ns, duration_ns, vcpu, self->n_vcpus);
	return FALSE;
}

gboolean recording_writer_vcpu(struct recording_writer *self, const struct row_vcpu *row,
                               GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_VCPU, error);

	if (statement == NULL)
		return FALSE;
	if (row->vcpu != self->n_vcpus) {
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
		            "%s: vCPU %u comes where %u was expected", self->file.path, row->vcpu,
		            self->n_vcpus);
		return FALSE;
	}
	self->n_vcpus++;
	bind_int(statement, 1, row->vcpu);
	bind_int(statement, 2, row->vmid);
	bind_value(statement, 3, row->number);
	bind_int(statement, 4, row->numbered != FALSE);
	return writer_run(self, statement, "write a vCPU", error);
}

gboolean recording_writer_vcpu_run(struct recording_writer *self, const struct row_vcpu_run *row,
                                   GError **error)
{
	if (writer_statement(self, STATEMENT_VCPU_RUN, error) == NULL ||
	    !time_check(self, "vcpu_run", row->start_ns, row->duration_ns, row->vcpu, error))
		return FALSE;
	g_array_append_vals(self->pending_runs, row, 1);
	return (self->pending_runs->len < BATCH_ROWS || writer_flush_runs(self, error)) &&
	       writer_pack_run(self, row, error);
}

/* `after` is the function's index + 1, 0 for none. */
static gboolean function_check(struct recording_writer *self, const char *table, guint after,
                               GError **error)
{
	if (after <= self->n_functions)
		return TRUE;
	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
	            "%s: %s names function %u of %u: out of range", self->file.path, table,
	            after - 1, self->n_functions);
	return FALSE;
}

gboolean recording_writer_function(struct recording_writer *self, const struct row_function *row,
                                   GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_FUNCTION, error);

	if (statement == NULL)
		return FALSE;
	self->n_functions = MAX(self->n_functions, row->function + 1);
	bind_int(statement, 1, row->function);
	sqlite3_bind_text(statement, 2, row->name, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(statement, 3, row->role, -1, SQLITE_STATIC);
	return writer_run(self, statement, "write a function of the hypervisor", error);
}

gboolean recording_writer_hypervisor_call(struct recording_writer *self,
                                          const struct row_hypervisor_call *row, GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_CALL, error);

	if (statement == NULL ||
	    !function_check(self, "hypervisor_call", row->function + 1, error) ||
	    !time_check(self, "hypervisor_call", row->time_ns, 0, row->vcpu, error))
		return FALSE;
	bind_int(statement, 1, row->core);
	bind_int(statement, 2, row->time_ns);
	bind_int(statement, 3, self->sequence++);
	bind_int(statement, 4, row->function);
	bind_int(statement, 5, row->vcpu);
	return writer_run(self, statement, "write a call in the hypervisor", error);
}

gboolean recording_writer_exit(struct recording_writer *self, const struct row_exit *row,
                               GError **error)
{
	if (writer_statement(self, STATEMENT_EXIT, error) == NULL ||
	    !function_check(self, "exit", row->handler, error) ||
	    !time_check(self, "exit", row->start_ns, row->duration_ns, row->vcpu, error) ||
	    !time_check(self, "exit", row->start_ns, row->duration_ns, row->next_vcpu, error))
		return FALSE;
	g_array_append_vals(self->pending_exits, row, 1);
	return (self->pending_exits->len < BATCH_ROWS || writer_flush_exits(self, error)) &&
	       writer_pack_exit(self, row, error);
}

static gboolean request_check(struct recording_writer *self, const struct row_request *row,
                              GError **error)
{
	if (row_request_is_valid(row))
		return TRUE;
	g_set_error(
		error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
		"%s: request %u: its times go back, or a time that was not seen is called exact",
		self->file.path, row->request);
	return FALSE;
}

gboolean recording_writer_request(struct recording_writer *self, const struct row_request *row,
                                  GError **error)
{
	sqlite3_stmt *statement = writer_statement(self, STATEMENT_REQUEST, error);

	if (statement == NULL || !request_check(self, row, error))
		return FALSE;
	bind_int(statement, 1, row->request);
	bind_int(statement, 2, row->frontend_vmid);
	bind_int(statement, 3, row->backend_vmid);
	bind_value(statement, 4, row->number);
	for (int i = 0; i < REQUEST_STAGES; i++)
		bind_value(statement, 5 + i, row->t_ns[i]);
	bind_int(statement, 14, row->marked);
	bind_int(statement, 15, row->exact);
	bind_int(statement, 16, row->notify);
	bind_int(statement, 17, row->censored != FALSE);
	return writer_run(self, statement, "write a request", error);
}

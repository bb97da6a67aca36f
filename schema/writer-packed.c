#include "schema/writer-private.h"

#include <string.h>

static const char *const kind_names[PACKED_KINDS] = { "vcpu_run", "exit" };

static gboolean flush(struct recording_writer *self, enum packed_kind kind, GError **error)
{
	struct packer *packer = &self->packers[kind];
	sqlite3_stmt *statement;

	if (packer->n_rows == 0)
		return TRUE;
	statement = writer_statement(self, STATEMENT_PACKED, error);
	if (statement == NULL)
		return FALSE;
	sqlite3_bind_text(statement, 1, kind_names[kind], -1, SQLITE_STATIC);
	bind_int(statement, 2, packer->lane);
	bind_int(statement, 3, packer->n_blobs++);
	bind_int(statement, 4, packer->n_rows);
	sqlite3_bind_blob(statement, 5, packer->bytes->data, (int)packer->bytes->len,
	                  SQLITE_TRANSIENT);
	g_byte_array_set_size(packer->bytes, 0);
	packer->n_rows = 0;
	packer->state = (struct packed_state) { 0 };
	return writer_run(self, statement, "write packed rows", error);
}

/* Makes room for one more row. FALSE with *error unset where the rows are not in the order in
 * which they are read: then there are none packed. */
static gboolean begin_row(struct recording_writer *self, enum packed_kind kind, gint64 lane,
                          gint64 start_ns, GError **error)
{
	struct packer *packer = &self->packers[kind];

	if (packer->bytes == NULL) {
		packer->bytes = g_byte_array_new();
		packer->lane = lane;
	}
	packer->unordered = packer->unordered || lane < packer->lane ||
	                    (lane == packer->lane && start_ns < packer->last_ns);
	if (packer->unordered)
		return FALSE;
	if ((lane != packer->lane || packer->n_rows == PACKED_ROWS_MAX) &&
	    !flush(self, kind, error))
		return FALSE;
	packer->lane = lane;
	packer->last_ns = start_ns;
	packer->n_rows++;
	return TRUE;
}

gboolean writer_pack_run(struct recording_writer *self, const struct row_vcpu_run *row,
                         GError **error)
{
	struct packer *packer = &self->packers[PACKED_RUNS];
	GError *failure = NULL;

	if (begin_row(self, PACKED_RUNS, row->vcpu, row->start_ns, &failure))
		packed_add_run(packer->bytes, &packer->state, row);
	if (failure != NULL)
		g_propagate_error(error, failure);
	return failure == NULL;
}

gboolean writer_pack_exit(struct recording_writer *self, const struct row_exit *row, GError **error)
{
	struct packer *packer = &self->packers[PACKED_EXITS];
	GError *failure = NULL;

	if (begin_row(self, PACKED_EXITS, row->core, row->start_ns, &failure))
		packed_add_exit(packer->bytes, &packer->state, row);
	if (failure != NULL)
		g_propagate_error(error, failure);
	return failure == NULL;
}

gboolean writer_packed_finish(struct recording_writer *self, GError **error)
{
	for (guint kind = 0; kind < PACKED_KINDS; kind++) {
		g_autofree char *sql = NULL;

		if (!self->packers[kind].unordered) {
			if (!flush(self, (enum packed_kind)kind, error))
				return FALSE;
			continue;
		}
		sql = g_strdup_printf("DELETE FROM packed WHERE kind='%s'", kind_names[kind]);
		if (!db_exec(&self->db, sql, "write packed rows", error)) {
			self->failed = TRUE;
			return FALSE;
		}
	}
	return TRUE;
}

void writer_packed_free(struct recording_writer *self)
{
	for (guint kind = 0; kind < PACKED_KINDS; kind++)
		g_clear_pointer(&self->packers[kind].bytes, g_byte_array_unref);
}

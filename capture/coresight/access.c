#include "capture/coresight/access.h"

enum {
	LSR = 0xFB4,
	LSR_IMPLEMENTED = 1u << 0,
	LSR_LOCKED = 1u << 1,
	TRCOSLSR = 0x304,
	OSLSR_LOCKED = 1u << 1,
	DEFAULT_WAIT_MS = 1000,
	/* A debug port that does not answer costs a second each time. */
	MAX_FAILURES = 3,
};

struct journal_entry {
	guint component;
	guint16 reg;
	const char *name;
	guint32 old;
};

GQuark coresight_error_quark(void)
{
	return g_quark_from_static_string("hvscope-coresight-error");
}

void access_init(struct access *self, struct link *link, const struct board *board)
{
	*self = (struct access) { .link = link, .board = board, .wait_ms = DEFAULT_WAIT_MS };
	self->journal = g_array_new(FALSE, FALSE, sizeof(struct journal_entry));
	self->log = g_string_new(NULL);
}

void access_deinit(struct access *self)
{
	g_array_unref(self->journal);
	g_string_free(self->log, TRUE);
}

guint64 access_address(const struct access *self, guint component, guint16 reg)
{
	return self->board->window[self->link->view] +
	       board_component(self->board, component)->offset + reg;
}

gboolean access_cancelled(struct access *self, GError **error)
{
	if (self->cancellable == NULL || !g_cancellable_is_cancelled(self->cancellable))
		return FALSE;
	g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_CANCELLED,
	            "ended by the user before a capture was made");
	return TRUE;
}

static gboolean given_up(const struct access *self, const char *what, guint component,
                         const char *name, GError **error)
{
	if (self->n_failures < MAX_FAILURES)
		return FALSE;
	g_set_error(
		error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
		"%s %s.%s: not tried, %s failed %u times in a row; registers may be left as they "
		"are: power-cycle the target before the next capture",
		what, board_component(self->board, component)->name, name, self->link->description,
		self->n_failures);
	return TRUE;
}

/* Keeps LINK_ERROR_LOST as it is: there is nothing to say about a register then. */
static gboolean failed(struct access *self, const char *what, guint component, guint16 reg,
                       const char *name, GError *cause, GError **error)
{
	self->n_failures++;
	if (g_error_matches(cause, LINK_ERROR, LINK_ERROR_LOST))
		g_propagate_prefixed_error(error, cause, "%s %s.%s: ", what,
		                           board_component(self->board, component)->name, name);
	else {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
		            "%s %s.%s (0x%03X): %s; is its clock on and its power domain up "
		            "('hvscope capture probe' shows both)?",
		            what, board_component(self->board, component)->name, name, reg,
		            cause->message);
		g_error_free(cause);
	}
	return FALSE;
}

gboolean access_read(struct access *self, guint component, guint16 reg, const char *name,
                     guint32 *value, GError **error)
{
	GError *cause = NULL;

	if (given_up(self, "reading", component, name, error))
		return FALSE;
	if (!link_read32(self->link, LINK_SPACE_DEBUG, access_address(self, component, reg), value,
	                 &cause))
		return failed(self, "reading", component, reg, name, cause, error);
	self->n_failures = 0;
	return TRUE;
}

gboolean access_poke(struct access *self, guint component, guint16 reg, const char *name,
                     guint32 value, GError **error)
{
	GError *cause = NULL;

	if (given_up(self, "writing", component, name, error))
		return FALSE;
	if (!link_write32(self->link, LINK_SPACE_DEBUG, access_address(self, component, reg), value,
	                  &cause))
		return failed(self, "writing", component, reg, name, cause, error);
	self->n_failures = 0;
	return TRUE;
}

static gboolean raw_write(struct access *self, guint component, guint16 reg, const char *name,
                          guint32 value, GError **error)
{
	g_string_append_printf(self->log, "%s.%s %03X = %08X\n",
	                       board_component(self->board, component)->name, name, reg, value);
	return access_poke(self, component, reg, name, value, error);
}

static void remember(struct access *self, guint component, guint16 reg, const char *name,
                     guint32 old)
{
	struct journal_entry entry = { component, reg, name, old };

	for (guint i = 0; i < self->journal->len; i++) {
		const struct journal_entry *known =
			&g_array_index(self->journal, struct journal_entry, i);

		if (known->component == component && known->reg == reg)
			return;
	}
	g_array_append_val(self->journal, entry);
}

static gboolean run_write(struct access *self, const struct sequence_op *op, GError **error)
{
	guint32 old = 0, value = op->value;

	if (op->kind == SEQUENCE_MODIFY || !op->transient) {
		if (!access_read(self, op->component, op->reg, op->name, &old, error))
			return FALSE;
	}
	if (op->kind == SEQUENCE_MODIFY)
		value |= old & ~op->mask;
	if (!op->transient)
		remember(self, op->component, op->reg, op->name, old);
	return raw_write(self, op->component, op->reg, op->name, value, error);
}

static gboolean run_wait(struct access *self, const struct sequence_op *op, GError **error)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)self->wait_ms * 1000;
	guint32 value = 0;

	for (;;) {
		gboolean last = g_get_monotonic_time() >= end_us;

		if (!access_read(self, op->component, op->reg, op->name, &value, error))
			return FALSE;
		if ((value & op->mask) == op->value)
			return TRUE;
		if (last)
			break;
		g_usleep(500);
	}
	g_set_error(
		error, CORESIGHT_ERROR, CORESIGHT_ERROR_TIMEOUT,
		"%s.%s (0x%03X) did not become 0x%X (mask 0x%X) within %u ms, last read 0x%08X: %s",
		board_component(self->board, op->component)->name, op->name, op->reg, op->value,
		op->mask, self->wait_ms, value, op->hint);
	return FALSE;
}

/* The software lock holds in the CPU's view; LSR is 0 where there is none. */
static gboolean run_unlock(struct access *self, const struct sequence_op *op, GError **error)
{
	guint32 before, after;

	if (!access_read(self, op->component, LSR, "LSR", &before, error) ||
	    !raw_write(self, op->component, op->reg, op->name, op->value, error) ||
	    !access_read(self, op->component, LSR, "LSR", &after, error))
		return FALSE;
	if ((after & LSR_LOCKED) != 0 && (after & LSR_IMPLEMENTED) != 0) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_LOCKED,
		            "%s stays locked: LAR (0xFB0) was given 0x%08X and LSR (0xFB4) reads "
		            "0x%X; another agent locks it, or this address is not a CoreSight "
		            "component",
		            board_component(self->board, op->component)->name, op->value, after);
		return FALSE;
	}
	if ((before & LSR_LOCKED) != 0)
		remember(self, op->component, op->reg, op->name, 0);
	return TRUE;
}

static gboolean run_os_unlock(struct access *self, const struct sequence_op *op, GError **error)
{
	guint32 status;

	if (!access_read(self, op->component, TRCOSLSR, "TRCOSLSR", &status, error))
		return FALSE;
	if ((status & OSLSR_LOCKED) != 0)
		remember(self, op->component, op->reg, op->name, 1);
	return raw_write(self, op->component, op->reg, op->name, op->value, error);
}

gboolean access_run(struct access *self, const struct sequence *program, GError **error)
{
	for (guint i = 0; i < program->ops->len; i++) {
		const struct sequence_op *op = &g_array_index(program->ops, struct sequence_op, i);
		gboolean ok = FALSE;

		if (access_cancelled(self, error))
			return FALSE;
		switch (op->kind) {
		case SEQUENCE_WRITE:
		case SEQUENCE_MODIFY:
			ok = run_write(self, op, error);
			break;
		case SEQUENCE_WAIT:
			ok = run_wait(self, op, error);
			break;
		case SEQUENCE_UNLOCK:
			ok = run_unlock(self, op, error);
			break;
		case SEQUENCE_OS_UNLOCK:
			ok = run_os_unlock(self, op, error);
			break;
		}
		if (!ok)
			return FALSE;
	}
	return TRUE;
}

gboolean access_restore(struct access *self, GError **error)
{
	GError *first = NULL;

	for (guint i = self->journal->len; i > 0; i--) {
		const struct journal_entry *entry =
			&g_array_index(self->journal, struct journal_entry, i - 1);
		GError *cause = NULL;

		if (raw_write(self, entry->component, entry->reg, entry->name, entry->old, &cause))
			continue;
		if (first == NULL)
			first = cause;
		else
			g_error_free(cause);
		if (g_error_matches(first, LINK_ERROR, LINK_ERROR_LOST) ||
		    self->n_failures >= MAX_FAILURES)
			break;
	}
	g_array_set_size(self->journal, 0);
	if (first == NULL)
		return TRUE;
	g_propagate_prefixed_error(error, first, "not everything could be restored: ");
	return FALSE;
}

#include "capture/coresight/sequence.h"

enum {
	LAR = 0xFB0,
	TRCOSLAR = 0x300,
	LOCK_KEY = 0xC5ACCE55u,
};

void sequence_init(struct sequence *self)
{
	self->ops = g_array_new(FALSE, TRUE, sizeof(struct sequence_op));
}

void sequence_deinit(struct sequence *self)
{
	g_clear_pointer(&self->ops, g_array_unref);
}

void sequence_write(struct sequence *self, guint component, guint16 reg, const char *name,
                    guint32 value)
{
	struct sequence_op op = { .kind = SEQUENCE_WRITE,
		                  .component = component,
		                  .reg = reg,
		                  .name = name,
		                  .value = value };

	g_array_append_val(self->ops, op);
}

void sequence_command(struct sequence *self, guint component, guint16 reg, const char *name,
                      guint32 value)
{
	sequence_write(self, component, reg, name, value);
	g_array_index(self->ops, struct sequence_op, self->ops->len - 1).transient = TRUE;
}

void sequence_modify(struct sequence *self, guint component, guint16 reg, const char *name,
                     guint32 mask, guint32 value)
{
	struct sequence_op op = { .kind = SEQUENCE_MODIFY,
		                  .component = component,
		                  .reg = reg,
		                  .name = name,
		                  .mask = mask,
		                  .value = value };

	g_array_append_val(self->ops, op);
}

void sequence_wait(struct sequence *self, guint component, guint16 reg, const char *name,
                   guint32 mask, guint32 value, const char *hint)
{
	struct sequence_op op = { .kind = SEQUENCE_WAIT,
		                  .component = component,
		                  .reg = reg,
		                  .name = name,
		                  .mask = mask,
		                  .value = value,
		                  .hint = hint };

	g_array_append_val(self->ops, op);
}

void sequence_unlock(struct sequence *self, guint component)
{
	struct sequence_op op = { .kind = SEQUENCE_UNLOCK,
		                  .component = component,
		                  .reg = LAR,
		                  .name = "LAR",
		                  .value = LOCK_KEY };

	g_array_append_val(self->ops, op);
}

void sequence_os_unlock(struct sequence *self, guint component)
{
	struct sequence_op op = { .kind = SEQUENCE_OS_UNLOCK,
		                  .component = component,
		                  .reg = TRCOSLAR,
		                  .name = "TRCOSLAR",
		                  .value = 0 };

	g_array_append_val(self->ops, op);
}

char *sequence_text(const struct sequence *self, const struct board *board)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < self->ops->len; i++) {
		const struct sequence_op *op = &g_array_index(self->ops, struct sequence_op, i);

		g_string_append_printf(text, "%s.%s %03X ",
		                       board_component(board, op->component)->name, op->name,
		                       op->reg);
		if (op->kind == SEQUENCE_WAIT)
			g_string_append_printf(text, "wait %08X == %08X\n", op->mask, op->value);
		else if (op->kind == SEQUENCE_MODIFY)
			g_string_append_printf(text, "= old & %08X | %08X\n", ~op->mask, op->value);
		else
			g_string_append_printf(text, "= %08X\n", op->value);
	}
	return g_string_free(text, FALSE);
}

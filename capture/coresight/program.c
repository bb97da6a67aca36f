#include "capture/coresight/program.h"

enum {
	LAR = 0xFB0,
	TRCOSLAR = 0x300,
	LOCK_KEY = 0xC5ACCE55u,
};

void program_init(struct program *self)
{
	self->ops = g_array_new(FALSE, TRUE, sizeof(struct program_op));
}

void program_deinit(struct program *self)
{
	g_clear_pointer(&self->ops, g_array_unref);
}

void program_write(struct program *self, guint component, guint16 reg, const char *name,
                   guint32 value)
{
	struct program_op op = { .kind = PROGRAM_WRITE,
		                 .component = component,
		                 .reg = reg,
		                 .name = name,
		                 .value = value };

	g_array_append_val(self->ops, op);
}

void program_command(struct program *self, guint component, guint16 reg, const char *name,
                     guint32 value)
{
	program_write(self, component, reg, name, value);
	g_array_index(self->ops, struct program_op, self->ops->len - 1).transient = TRUE;
}

void program_modify(struct program *self, guint component, guint16 reg, const char *name,
                    guint32 mask, guint32 value)
{
	struct program_op op = { .kind = PROGRAM_MODIFY,
		                 .component = component,
		                 .reg = reg,
		                 .name = name,
		                 .mask = mask,
		                 .value = value };

	g_array_append_val(self->ops, op);
}

void program_wait(struct program *self, guint component, guint16 reg, const char *name,
                  guint32 mask, guint32 value, const char *hint)
{
	struct program_op op = { .kind = PROGRAM_WAIT,
		                 .component = component,
		                 .reg = reg,
		                 .name = name,
		                 .mask = mask,
		                 .value = value,
		                 .hint = hint };

	g_array_append_val(self->ops, op);
}

void program_unlock(struct program *self, guint component)
{
	struct program_op op = { .kind = PROGRAM_UNLOCK,
		                 .component = component,
		                 .reg = LAR,
		                 .name = "LAR",
		                 .value = LOCK_KEY };

	g_array_append_val(self->ops, op);
}

void program_os_unlock(struct program *self, guint component)
{
	struct program_op op = { .kind = PROGRAM_OS_UNLOCK,
		                 .component = component,
		                 .reg = TRCOSLAR,
		                 .name = "TRCOSLAR",
		                 .value = 0 };

	g_array_append_val(self->ops, op);
}

char *program_text(const struct program *self, const struct board *board)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < self->ops->len; i++) {
		const struct program_op *op = &g_array_index(self->ops, struct program_op, i);

		g_string_append_printf(text, "%s.%s %03X ",
		                       board_component(board, op->component)->name, op->name,
		                       op->reg);
		if (op->kind == PROGRAM_WAIT)
			g_string_append_printf(text, "wait %08X == %08X\n", op->mask, op->value);
		else if (op->kind == PROGRAM_MODIFY)
			g_string_append_printf(text, "= old & %08X | %08X\n", ~op->mask, op->value);
		else
			g_string_append_printf(text, "= %08X\n", op->value);
	}
	return g_string_free(text, FALSE);
}

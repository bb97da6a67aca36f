/* The question on code: instructions by Capstone, and the source where it is here. */
#include "gui/debug/look.h"

#include <capstone/capstone.h>
#include <glib/gi18n.h>
#include <string.h>

enum {
	BEFORE = 12, /* instructions shown before the current one */
	SHOWN = 40,
	SOURCE_BEFORE = 15, /* lines */
	SOURCE_SHOWN = 45,
	SOURCE_MAX_BYTES = 16 << 20,
};

static void free_line(gpointer data)
{
	struct look_line *self = data;

	g_free(self->label);
	g_free(self->text);
	g_free(self);
}

static void free_lines(gpointer data)
{
	struct look_lines *self = data;

	g_ptr_array_unref(self->lines);
	g_ptr_array_unref(self->source);
	g_free(self->gap);
	g_free(self);
}

static void free_place(gpointer data)
{
	struct look_place *self = data;

	g_free(self->space);
	g_free(self->file);
	g_free(self);
}

struct look_place *look_place_new(const char *space, guint64 pc, const char *file, guint line)
{
	struct look_place *self = g_new0(struct look_place, 1);

	self->space = g_strdup(space);
	self->pc = pc;
	self->file = g_strdup(file);
	self->line = line;
	return self;
}

/* "bl #0xffff800080012345" says more with the name of what is there. */
static char *with_symbol(const struct machine *machine, const cs_insn *insn)
{
	const char *hash = strstr(insn->op_str, "#0x");
	gboolean goes = insn->mnemonic[0] == 'b' || strncmp(insn->mnemonic, "cb", 2) == 0 ||
	                strncmp(insn->mnemonic, "tb", 2) == 0 ||
	                strncmp(insn->mnemonic, "adr", 3) == 0;
	g_autofree char *name = NULL;

	if (goes && hash != NULL && machine->has_program)
		name = program_name_address(&machine->program,
		                            (struct va) { g_ascii_strtoull(hash + 1, NULL, 16) });
	return g_strdup_printf("%-7s %s%s%s%s", insn->mnemonic, insn->op_str,
	                       name != NULL ? "  <" : "", name != NULL ? name : "",
	                       name != NULL ? ">" : "");
}

static void add_line(struct look_lines *self, csh capstone, const struct machine *machine,
                     guint64 address, const guint8 *bytes, guint64 pc)
{
	struct look_line *line = g_new0(struct look_line, 1);
	cs_insn *insn = NULL;
	gsize n = cs_disasm(capstone, bytes, 4, address, 1, &insn);
	g_autofree char *name = machine->has_program ? program_name_address(&machine->program,
	                                                                    (struct va) { address })
	                                             : NULL;
	guint32 word;

	memcpy(&word, bytes, sizeof(word));
	line->address = address;
	line->current = address == pc;
	line->text = n == 1 ? with_symbol(machine, insn)
	                    : g_strdup_printf(".word   0x%08x", GUINT32_FROM_LE(word));
	if (name != NULL && (strchr(name, '+') == NULL || self->lines->len == 0))
		line->label = g_steal_pointer(&name);
	if (insn != NULL)
		cs_free(insn, n);
	g_ptr_array_add(self->lines, line);
}

/* The bytes of both sides of a page's end are read apart: one may not be mapped. */
static void disassemble(struct look_lines *self, const struct place *place, guint64 pc)
{
	const guint64 first = pc < BEFORE * 4 ? 0 : pc - BEFORE * 4;
	csh capstone;

	if (cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &capstone) != CS_ERR_OK) {
		self->gap = g_strdup(_("The disassembler cannot be used."));
		return;
	}
	for (guint64 at = first; at < first + SHOWN * 4;) {
		guint8 bytes[SHOWN * 4];
		const gsize chunk = (gsize)MIN(first + SHOWN * 4 - at, 4096 - at % 4096);
		g_autoptr(GError) error = NULL;

		if (space_read(place->space, (struct va) { at }, bytes, chunk, NULL, &error)) {
			for (gsize i = 0; i + 4 <= chunk; i += 4)
				add_line(self, capstone, place->machine, at + i, bytes + i, pc);
		} else if (self->gap == NULL) {
			self->gap = g_strdup(error->message);
		}
		at += chunk;
	}
	cs_close(&capstone);
}

static void read_source(struct look_lines *self, const struct look_place *place)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	gsize n;

	if (place->file == NULL || place->line == 0 ||
	    !g_file_test(place->file, G_FILE_TEST_IS_REGULAR) ||
	    !g_file_get_contents(place->file, &text, &n, NULL) || n > SOURCE_MAX_BYTES)
		return;
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i] != NULL; i++) {
		struct look_line *line;

		if (i + 1 + SOURCE_BEFORE < place->line ||
		    i + 1 > place->line - MIN(SOURCE_BEFORE, place->line) + SOURCE_SHOWN)
			continue;
		line = g_new0(struct look_line, 1);
		line->number = i + 1;
		line->text = g_utf8_make_valid(lines[i], -1);
		line->current = i + 1 == place->line;
		g_ptr_array_add(self->source, line);
	}
}

static gpointer answer_code(struct debug *debug, gpointer argument, GError **error)
{
	const struct look_place *wanted = argument;
	g_autofree char *text =
		g_strdup_printf("%s0x%" G_GINT64_MODIFIER "x", wanted->space, wanted->pc);
	struct look_lines *self;
	struct place place;

	if (!system_find_place(debug->system, text, NULL, &place, error))
		return NULL;
	self = g_new0(struct look_lines, 1);
	self->lines = g_ptr_array_new_with_free_func(free_line);
	self->source = g_ptr_array_new_with_free_func(free_line);
	disassemble(self, &place, wanted->pc & ~(guint64)3);
	read_source(self, wanted);
	place_deinit(&place);
	return self;
}

const struct session_question look_code = {
	.what = N_("the code"),
	.answer = answer_code,
	.free_answer = free_lines,
	.free_argument = free_place,
};

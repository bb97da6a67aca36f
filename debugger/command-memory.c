/* The memory commands of `hvscope debug`: mem, write, translate, pagetable, find,
 * dump. */
#include "debugger/command.h"
#include "base/json.h"

#include "awareness/mmu/tables.h"
#include "awareness/target/core-file.h"

#include <stdio.h>
#include <string.h>

enum {
	MEM_MAX = 1 << 20,
	WRITE_MAX = 4096,
};

static gboolean parse_length(const char *text, uint64_t most, uint64_t *out, GError **error)
{
	if (address_parse_number(text, out) && *out > 0 && *out <= most)
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
	            "'%s' is no length from 1 to %" G_GUINT64_FORMAT " bytes", text, most);
	return FALSE;
}

static gboolean find_place(struct debug *self, const char *text, struct place *place,
                           GError **error)
{
	struct machine *fallback = debug_machine(self, NULL, error);

	return fallback != NULL && system_find_place(self->system, text, fallback, place, error);
}

static void print_line(struct debug *self, uint64_t address, const uint8_t *bytes,
                       const gboolean *known, size_t n)
{
	fprintf(self->out, "0x%016" G_GINT64_MODIFIER "x ", address);
	for (size_t i = 0; i < 16; i++) {
		if (i >= n)
			fprintf(self->out, "   ");
		else if (known[i])
			fprintf(self->out, " %02x", bytes[i]);
		else
			fprintf(self->out, " ??");
	}
	fprintf(self->out, "  ");
	for (size_t i = 0; i < n; i++)
		fputc(known[i] && g_ascii_isprint(bytes[i]) ? bytes[i]
		      : known[i]                            ? '.'
		                                            : '?',
		      self->out);
	fputc('\n', self->out);
}

/* What is not mapped shows as ??; the first reason goes to stderr. */
static gboolean run_mem(struct debug *self, int argc, char **argv, GError **error)
{
	struct place place;
	uint64_t len_bytes;
	g_autofree uint8_t *bytes = NULL;
	g_autofree gboolean *known = NULL;
	g_autoptr(GError) first = NULL;
	uint64_t n_known = 0;

	if (!debug_parse(self, &argc, &argv, NULL, 2, 2, error) ||
	    !parse_length(argv[2], MEM_MAX, &len_bytes, error) ||
	    !find_place(self, argv[1], &place, error))
		return FALSE;
	bytes = g_malloc0(len_bytes);
	known = g_new0(gboolean, len_bytes);
	for (uint64_t done = 0; done < len_bytes;) {
		uint64_t at = place.va.value + done;
		size_t chunk = MIN(len_bytes - done, 64 - at % 64);
		gboolean ok = space_read(place.space, (struct va) { at }, bytes + done, chunk, NULL,
		                         first == NULL ? &first : NULL);

		for (size_t i = 0; i < chunk; i++)
			known[done + i] = ok;
		n_known += ok ? chunk : 0;
		done += chunk;
	}
	if (self->json) {
		JsonBuilder *b = json_builder_new();
		g_autoptr(GString) hex = g_string_new(NULL);

		for (uint64_t i = 0; i < len_bytes; i++)
			g_string_append_printf(hex, known[i] ? "%02x" : "??", bytes[i]);
		json_builder_begin_object(b);
		debug_json_hex(b, "address", place.va.value);
		json_add_text(b, "bytes", hex->str);
		json_add_text(b, "gap", first != NULL ? first->message : NULL);
		json_builder_end_object(b);
		debug_json_print(self, b);
	} else {
		for (uint64_t i = 0; i < len_bytes; i += 16)
			print_line(self, place.va.value + i, bytes + i, known + i,
			           MIN(len_bytes - i, 16));
		if (first != NULL && n_known > 0)
			fprintf(self->notes, "%s\n", first->message);
	}
	place_deinit(&place);
	if (n_known > 0)
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&first), "nothing can be read there: ");
	return FALSE;
}

static gboolean parse_hex(const char *text, GByteArray *out)
{
	for (; *text != '\0'; text += 2) {
		guint8 byte;

		if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
			return FALSE;
		byte = (guint8)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
		g_byte_array_append(out, &byte, 1);
	}
	return out->len > 0 && out->len <= WRITE_MAX;
}

static gboolean run_write(struct debug *self, int argc, char **argv, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree uint8_t *back = NULL;
	struct place place;
	gboolean done;

	if (!debug_parse(self, &argc, &argv, NULL, 2, 2, error))
		return FALSE;
	if (!parse_hex(argv[2], bytes)) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            "'%s' is no row of bytes: write two hexadecimal digits a byte, in the "
		            "order "
		            "of memory, at most %u bytes",
		            argv[2], WRITE_MAX);
		return FALSE;
	}
	if (!find_place(self, argv[1], &place, error))
		return FALSE;
	back = g_malloc(bytes->len);
	done = space_write(place.space, place.va, bytes->data, bytes->len, error) &&
	       space_read(place.space, place.va, back, bytes->len, NULL, error);
	if (done && memcmp(back, bytes->data, bytes->len) != 0) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED,
		            "wrote %u bytes to %s, the target accepted them, but they read back "
		            "differently",
		            bytes->len, argv[1]);
		done = FALSE;
	}
	place_deinit(&place);
	if (done && !self->json)
		fprintf(self->out, "%u bytes written\n", bytes->len);
	return done;
}

static void print_attributes(struct debug *self, const struct vmsa_attributes *a, unsigned stage)
{
	static const char *const ap1[] = { "EL1 rw", "EL0 rw", "EL1 ro", "EL0 ro" };
	static const char *const ap2[] = { "no access", "read", "write", "rw" };

	if (a->size_bytes == 0)
		return;
	fprintf(self->out,
	        "stage %u: %" G_GUINT64_FORMAT
	        " KiB, %s, memory 0x%02x, shareability %u%s%s%s%s%s\n",
	        stage, a->size_bytes / 1024, stage == 1 ? ap1[a->ap & 3] : ap2[a->ap & 3],
	        a->memory, a->shareability, a->execute_never ? ", XN" : "",
	        a->privileged_execute_never ? ", PXN" : "", a->contiguous ? ", contiguous" : "",
	        a->not_global ? ", nG" : "", a->access_flag ? "" : ", access flag clear");
}

static void print_walk(struct debug *self, const struct vmsa_walk *walk, const struct place *place)
{
	for (unsigned i = 0; i < walk->n_steps; i++) {
		const struct vmsa_step *s = &walk->steps[i];

		fprintf(self->out, "%sstage %u level %2d  ", s->for_table ? "    " : "  ", s->stage,
		        s->level);
		if (s->stage == 1 && s->table_ipa != s->pa.value)
			fprintf(self->out, "ipa:0x%" G_GINT64_MODIFIER "x ", s->table_ipa);
		fprintf(self->out,
		        "pa:0x%" G_GINT64_MODIFIER "x  descriptor 0x%016" G_GINT64_MODIFIER "x\n",
		        s->pa.value, s->descriptor);
	}
	if (walk->has_ipa && place->kind == ADDRESS_KIND_VA)
		fprintf(self->out, "ipa:0x%" G_GINT64_MODIFIER "x\n", walk->ipa.value);
	if (walk->fault == VMSA_FAULT_NONE)
		fprintf(self->out, "pa:0x%" G_GINT64_MODIFIER "x\n", walk->pa.value);
	print_attributes(self, &walk->stage1, 1);
	print_attributes(self, &walk->stage2, 2);
}

static void json_walk(struct debug *self, const struct vmsa_walk *walk, const struct place *place)
{
	JsonBuilder *b = json_builder_new();
	g_autofree char *fault = space_describe_fault(walk);

	json_builder_begin_object(b);
	debug_json_hex(b, "address", place->va.value);
	json_builder_set_member_name(b, "steps");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < walk->n_steps; i++) {
		const struct vmsa_step *s = &walk->steps[i];

		json_builder_begin_object(b);
		json_add_int(b, "stage", s->stage);
		json_add_int(b, "level", s->level);
		json_add_bool(b, "for_table", s->for_table);
		debug_json_hex(b, "table_address", s->table_ipa);
		debug_json_hex(b, "pa", s->pa.value);
		debug_json_hex(b, "descriptor", s->descriptor);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	if (walk->has_ipa)
		debug_json_hex(b, "ipa", walk->ipa.value);
	if (walk->fault == VMSA_FAULT_NONE)
		debug_json_hex(b, "pa", walk->pa.value);
	json_add_text(b, "fault", walk->fault != VMSA_FAULT_NONE ? fault : NULL);
	json_builder_end_object(b);
	debug_json_print(self, b);
}

static gboolean run_translate(struct debug *self, int argc, char **argv, GError **error)
{
	struct vmsa_walk walk;
	struct place place;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 1, error) ||
	    !find_place(self, argv[1], &place, error))
		return FALSE;
	space_walk(place.space, place.va, &walk);
	if (self->json)
		json_walk(self, &walk, &place);
	else
		print_walk(self, &walk, &place);
	place_deinit(&place);
	if (walk.fault != VMSA_FAULT_NONE && !self->json) {
		g_autofree char *fault = space_describe_fault(&walk);

		fprintf(self->out, "no translation: %s\n", fault);
	}
	return TRUE;
}

struct mapping_output {
	FILE *text;
	JsonBuilder *builder; /* NULL for text */
	unsigned stage;
};

static gboolean put_mapping(gpointer data, const struct mapping *mapping)
{
	struct mapping_output *out = data;
	const struct vmsa_attributes *a = &mapping->attributes;

	if (out->builder == NULL) {
		fprintf(out->text,
		        "0x%016" G_GINT64_MODIFIER "x-0x%016" G_GINT64_MODIFIER
		        "x  %s:0x%012" G_GINT64_MODIFIER "x  %8" G_GUINT64_FORMAT
		        " KiB  %s%s%s memory 0x%02x\n",
		        mapping->input, mapping->input + (mapping->len_bytes - 1),
		        out->stage == 1 ? "ipa" : "pa", mapping->output, mapping->len_bytes / 1024,
		        (out->stage == 1 ? (a->ap & 2) != 0 : (a->ap & 2) == 0) ? "r-" : "rw",
		        out->stage == 1 && (a->ap & 1) != 0 ? "u" : "-",
		        a->execute_never && (out->stage == 2 || a->privileged_execute_never) ? "-"
		                                                                             : "x",
		        a->memory);
		return TRUE;
	}
	json_builder_begin_object(out->builder);
	json_add_int(out->builder, "stage", out->stage);
	debug_json_hex(out->builder, "input", mapping->input);
	debug_json_hex(out->builder, "bytes", mapping->len_bytes);
	debug_json_hex(out->builder, "output", mapping->output);
	json_add_int(out->builder, "ap", a->ap);
	json_add_int(out->builder, "memory", a->memory);
	json_add_bool(out->builder, "xn", a->execute_never);
	json_add_bool(out->builder, "pxn", a->privileged_execute_never);
	json_builder_end_object(out->builder);
	return TRUE;
}

static void enumerate(struct debug *self, struct space *space, enum tables_which which,
                      JsonBuilder *builder)
{
	struct mapping_output out = { .text = self->out,
		                      .builder = builder,
		                      .stage = which == TABLES_STAGE2 ? 2 : 1 };
	gboolean truncated = FALSE;
	int unreadable = tables_enumerate(space, which, put_mapping, &out, &truncated);

	fflush(self->out);
	if (unreadable > 0)
		fprintf(self->notes, "%d tables could not be read\n", unreadable);
	if (truncated)
		fprintf(self->notes,
		        "more than %u tables: the tables run in a circle, or the rest is left "
		        "out\n",
		        TABLES_MAX);
}

static gboolean run_pagetable(struct debug *self, int argc, char **argv, GError **error)
{
	struct space *space = NULL;
	struct machine *machine;
	JsonBuilder *builder = NULL;
	struct task *task = NULL;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 2, error) ||
	    (machine = debug_machine(self, argv[1], error)) == NULL)
		return FALSE;
	if (argc > 2 && strcmp(argv[2], "stage2") != 0) {
		task = system_find_task(self->system, machine, argv[2], error);
		if (task == NULL || (space = linux_process_space(machine, task, error)) == NULL)
			return FALSE;
	}
	if (argc <= 2 && machine->kernel == NULL) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED,
		            "the kernel's tables of %s are not known", machine->name);
		return FALSE;
	}
	if (self->json) {
		builder = json_builder_new();
		json_builder_begin_array(builder);
	}
	if (argc > 2 && task == NULL) {
		enumerate(self, machine->physical, TABLES_STAGE2, builder);
	} else if (task != NULL) {
		enumerate(self, space, TABLES_STAGE1_LOW, builder);
	} else {
		if (machine->number == 0 || machine->os == NULL)
			enumerate(self, machine->kernel, TABLES_STAGE1_LOW, builder);
		enumerate(self, machine->kernel, TABLES_STAGE1_HIGH, builder);
	}
	space_free(space);
	if (builder != NULL) {
		json_builder_end_array(builder);
		debug_json_print(self, builder);
	}
	return TRUE;
}

/* A search through all that one space maps. */
struct search {
	struct space *space;
	const char *text;
	size_t len_bytes;
	GArray *found; /* of uint64_t */
};

static gboolean search_mapping(gpointer data, const struct mapping *mapping)
{
	struct search *search = data;
	g_autofree uint8_t *page = g_malloc(4096 + search->len_bytes);
	size_t kept = 0; /* the end of the last page, so that no hit is cut */

	for (uint64_t at = 0; at < mapping->len_bytes; at += 4096) {
		uint64_t va = mapping->input + at;
		uint8_t *hit;
		uint8_t *from = page;

		if (!space_read(search->space, (struct va) { va }, page + kept, 4096, NULL, NULL)) {
			kept = 0;
			continue;
		}
		while ((hit = memmem(from, (size_t)(page + kept + 4096 - from), search->text,
		                     search->len_bytes)) != NULL) {
			uint64_t address = va + (uint64_t)(hit - page) - kept;

			g_array_append_val(search->found, address);
			from = hit + 1;
		}
		memmove(page, page + 4096 + kept - (search->len_bytes - 1), search->len_bytes - 1);
		kept = search->len_bytes - 1;
	}
	return search->found->len < 10000;
}

static void print_found(struct debug *self, const struct search *search)
{
	JsonBuilder *b = json_builder_new();

	json_builder_begin_array(b);
	for (guint i = 0; i < search->found->len; i++) {
		uint64_t address = g_array_index(search->found, uint64_t, i);
		g_autofree char *text =
			space_read_string(search->space, (struct va) { address }, 80, NULL);
		struct pa pa = { 0 };

		space_translate(search->space, (struct va) { address }, &pa, NULL);
		json_builder_begin_object(b);
		debug_json_hex(b, "address", address);
		debug_json_hex(b, "pa", pa.value);
		json_add_text(b, "text", text);
		json_builder_end_object(b);
		if (!self->json)
			fprintf(self->out,
			        "0x%" G_GINT64_MODIFIER "x  pa:0x%" G_GINT64_MODIFIER "x  %s\n",
			        address, pa.value, text);
	}
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
}

static gboolean run_find(struct debug *self, int argc, char **argv, GError **error)
{
	struct search search = { 0 };
	struct machine *machine;
	struct task *task = NULL;

	if (!debug_parse(self, &argc, &argv, NULL, 2, 3, error) ||
	    (machine = debug_machine(self, argv[1], error)) == NULL)
		return FALSE;
	search.text = argv[argc - 1];
	search.len_bytes = strlen(search.text);
	if (search.len_bytes == 0 || search.len_bytes > 256) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            "find looks for 1 to 256 characters");
		return FALSE;
	}
	search.found = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	if (argc > 3) {
		task = system_find_task(self->system, machine, argv[2], error);
		search.space = task != NULL ? linux_process_space(machine, task, error) : NULL;
		if (search.space != NULL)
			tables_enumerate(search.space, TABLES_STAGE1_LOW, search_mapping, &search,
			                 NULL);
	} else {
		search.space =
			space_new(system_cache(self->system), space_config_of(machine->physical));
		tables_enumerate(search.space, TABLES_STAGE2, search_mapping, &search, NULL);
	}
	if (search.space != NULL)
		print_found(self, &search);
	g_array_unref(search.found);
	space_free(search.space);
	return *error == NULL;
}

static gboolean parse_region(const char *text, struct target_region *out)
{
	g_auto(GStrv) parts = g_strsplit(text, "+", 2);

	return g_strv_length(parts) == 2 && address_parse_number(parts[0], &out->base.value) &&
	       address_parse_number(parts[1], &out->len_bytes) && out->len_bytes > 0;
}

static gboolean run_dump(struct debug *self, int argc, char **argv, GError **error)
{
	g_autofree char *path = NULL;
	g_autofree char *ram = NULL;
	const GOptionEntry entries[] = {
		{ "output", 'o', 0, G_OPTION_ARG_FILENAME, &path, NULL, NULL },
		{ "ram", 0, 0, G_OPTION_ARG_STRING, &ram, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct target_region region;
	uint64_t unreadable;

	if (!debug_parse(self, &argc, &argv, entries, 0, 0, error))
		return FALSE;
	if (path == NULL || (ram != NULL && !parse_region(ram, &region))) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            path == NULL ? "dump needs -o FILE" : "--ram is BASE+LENGTH");
		return FALSE;
	}
	if (!core_file_write(self->target, ram != NULL ? &region : NULL, 1, path, &unreadable,
	                     error))
		return FALSE;
	if (unreadable > 0)
		fprintf(self->notes,
		        "%" G_GUINT64_FORMAT " bytes could not be read and are zero in the file\n",
		        unreadable);
	if (!self->json)
		fprintf(self->out, "%s written\n", path);
	return TRUE;
}

const struct debug_command debug_commands_memory[] = {
	{ "mem", "ADDRESS LENGTH", "memory, as bytes", run_mem },
	{ "write", "ADDRESS BYTES", "writes memory; BYTES are hexadecimal digits", run_write },
	{ "translate", "ADDRESS", "each step of the walk", run_translate },
	{ "pagetable", "MACHINE [TASK|stage2]", "all that is mapped", run_pagetable },
	{ "find", "MACHINE [TASK] TEXT", "searches a machine's or process's memory", run_find },
	{ "dump", "-o FILE [--ram BASE+LENGTH]", "freezes everything into an ELF core", run_dump },
	{ NULL },
};

/* The questions on memory: bytes, translations, page tables. */
#include "gui/debug/look.h"

#include "awareness/mmu/tables.h"
#include "awareness/os/linux.h"

#include <glib/gi18n.h>
#include <string.h>

static gboolean find_place(struct debug *debug, const char *text, struct place *place,
                           GError **error)
{
	return system_find_place(debug->system, text, NULL, place, error);
}

/* The part of an address as written that says where it is. */
static char *space_part(const char *text)
{
	const char *last = strrchr(text, ':');

	return g_strndup(text, last != NULL ? (gsize)(last + 1 - text) : 0);
}

static void free_bytes(gpointer data)
{
	struct look_bytes *self = data;

	g_free(self->space);
	g_free(self->gap);
	g_free(self);
}

static gpointer answer_memory(struct debug *debug, gpointer argument, GError **error)
{
	g_autoptr(GError) first = NULL;
	struct look_bytes *self;
	struct place place;

	if (!find_place(debug, argument, &place, error))
		return NULL;
	self = g_new0(struct look_bytes, 1);
	self->space = space_part(argument);
	self->address = place.va.value;
	for (gsize done = 0; done < LOOK_MEMORY_BYTES;) {
		guint64 at = place.va.value + done;
		gsize chunk = MIN(LOOK_MEMORY_BYTES - done, 64 - at % 64);
		gboolean ok = space_read(place.space, (struct va) { at }, self->bytes + done, chunk,
		                         NULL, first == NULL ? &first : NULL);

		for (gsize i = 0; i < chunk; i++)
			self->known[done + i] = ok;
		done += chunk;
	}
	self->gap = first != NULL ? g_strdup(first->message) : NULL;
	place_deinit(&place);
	return self;
}

const struct session_question look_memory = {
	.what = N_("memory"),
	.answer = answer_memory,
	.free_answer = free_bytes,
	.free_argument = g_free,
};

static void free_walk(gpointer data)
{
	struct look_walk *self = data;

	g_ptr_array_unref(self->steps);
	g_ptr_array_unref(self->result);
	g_free(self);
}

static void add_attributes(GPtrArray *out, const struct vmsa_attributes *a, guint stage)
{
	static const char *const ap1[] = { N_("EL1 read-write"), N_("EL0 read-write"),
		                           N_("EL1 read-only"), N_("EL0 read-only") };
	static const char *const ap2[] = { N_("no access"), N_("read"), N_("write"),
		                           N_("read-write") };

	if (a->size_bytes == 0)
		return;
	g_ptr_array_add(out,
	                g_strdup_printf(_("stage %u: %" G_GUINT64_FORMAT
	                                  " KiB, %s, memory 0x%02x, shareability %u%s%s%s%s%s"),
	                                stage, a->size_bytes / 1024,
	                                _(stage == 1 ? ap1[a->ap & 3] : ap2[a->ap & 3]), a->memory,
	                                a->shareability, a->execute_never ? ", XN" : "",
	                                a->privileged_execute_never ? ", PXN" : "",
	                                a->contiguous ? _(", contiguous") : "",
	                                a->not_global ? ", nG" : "",
	                                a->access_flag ? "" : _(", access flag clear")));
}

static gpointer answer_translation(struct debug *debug, gpointer argument, GError **error)
{
	struct look_walk *self;
	struct vmsa_walk walk;
	struct place place;

	if (!find_place(debug, argument, &place, error))
		return NULL;
	space_walk(place.space, place.va, &walk);
	self = g_new0(struct look_walk, 1);
	self->steps = g_ptr_array_new_with_free_func(g_free);
	self->result = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < walk.n_steps; i++) {
		const struct vmsa_step *from = &walk.steps[i];
		const struct look_step step = { from->stage,     from->level,    from->for_table,
			                        from->table_ipa, from->pa.value, from->descriptor };

		g_ptr_array_add(self->steps, g_memdup2(&step, sizeof(step)));
	}
	if (walk.has_ipa && place.kind == ADDRESS_KIND_VA)
		g_ptr_array_add(self->result,
		                g_strdup_printf("ipa:0x%" G_GINT64_MODIFIER "x", walk.ipa.value));
	if (walk.fault == VMSA_FAULT_NONE) {
		g_ptr_array_add(self->result,
		                g_strdup_printf("pa:0x%" G_GINT64_MODIFIER "x", walk.pa.value));
	} else {
		g_autofree char *fault = space_describe_fault(&walk);

		g_ptr_array_add(self->result, g_strdup_printf(_("no translation: %s"), fault));
	}
	add_attributes(self->result, &walk.stage1, 1);
	add_attributes(self->result, &walk.stage2, 2);
	place_deinit(&place);
	return self;
}

const struct session_question look_translation = {
	.what = N_("the translation"),
	.answer = answer_translation,
	.free_answer = free_walk,
	.free_argument = g_free,
};

static void free_mapping(gpointer data)
{
	struct look_mapping *self = data;

	g_free(self->attributes);
	g_free(self);
}

static void free_mappings(gpointer data)
{
	struct look_mappings *self = data;

	g_ptr_array_unref(self->mappings);
	g_free(self->space);
	g_free(self->gap);
	g_free(self);
}

struct enumeration {
	struct look_mappings *answer;
	guint64 from;
	gboolean stage2;
};

static gboolean take_mapping(gpointer data, const struct mapping *mapping)
{
	struct enumeration *self = data;
	const struct vmsa_attributes *a = &mapping->attributes;
	struct look_mapping *one;

	if (mapping->input + (mapping->len_bytes - 1) < self->from)
		return TRUE;
	if (self->answer->mappings->len >= LOOK_TABLE_ROWS) {
		self->answer->more = TRUE;
		return FALSE;
	}
	one = g_new0(struct look_mapping, 1);
	one->input = mapping->input;
	one->output = mapping->output;
	one->len_bytes = mapping->len_bytes;
	one->to_ipa = !self->stage2;
	one->attributes = g_strdup_printf(
		"%s%s%s  memory 0x%02x%s",
		(self->stage2 ? (a->ap & 2) == 0 : (a->ap & 2) != 0) ? "r-" : "rw",
		!self->stage2 && (a->ap & 1) != 0 ? "u" : "-",
		a->execute_never && (self->stage2 || a->privileged_execute_never) ? "-" : "x",
		a->memory, a->contiguous ? _("  contiguous") : "");
	g_ptr_array_add(self->answer->mappings, one);
	return TRUE;
}

static void enumerate(struct look_mappings *self, struct space *space, enum tables_which which,
                      guint64 from)
{
	struct enumeration enumeration = { self, from, which == TABLES_STAGE2 };
	gboolean truncated = FALSE;
	gint unreadable;

	if (self->more)
		return;
	unreadable = tables_enumerate(space, which, take_mapping, &enumeration, &truncated);
	if (unreadable <= 0 && !truncated)
		return;
	g_free(self->gap);
	self->gap = truncated ? g_strdup(_("The tables run in a circle, or are too many: the rest "
	                                   "is left out."))
	                      : g_strdup_printf(_("%d tables could not be read."), unreadable);
}

static gpointer answer_tables(struct debug *debug, gpointer argument, GError **error)
{
	const struct look_table_request *request = argument;
	const struct selection selection = { request->machine, -1, request->tid };
	struct look_mappings *self;
	struct machine *machine;
	struct vcpu *vcpu;
	struct task *task;
	struct space *space = NULL;

	if (!selection_find(debug, &selection, &machine, &vcpu, &task, error))
		return NULL;
	if (!request->stage2 && task != NULL && !task->is_kernel) {
		space = linux_process_space(machine, task, error);
		if (space == NULL)
			return NULL;
	} else if (!request->stage2 && machine->kernel == NULL) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED,
		            _("The kernel's tables of %s are not known."), machine->name);
		return NULL;
	}
	self = g_new0(struct look_mappings, 1);
	self->mappings = g_ptr_array_new_with_free_func(free_mapping);
	self->space =
		request->stage2 ? g_strdup_printf("%s:::ipa:", machine->name)
		: space != NULL
			? g_strdup_printf("%s:::%" G_GINT64_FORMAT "::", machine->name, task->tid)
			: g_strdup_printf("%s:::", machine->name);
	if (request->stage2) {
		enumerate(self, machine->physical, TABLES_STAGE2, request->from);
	} else if (space != NULL) {
		enumerate(self, space, TABLES_STAGE1_LOW, request->from);
	} else {
		if (machine->number == 0 || machine->os == NULL)
			enumerate(self, machine->kernel, TABLES_STAGE1_LOW, request->from);
		enumerate(self, machine->kernel, TABLES_STAGE1_HIGH, request->from);
	}
	space_free(space);
	return self;
}

const struct session_question look_tables = {
	.what = N_("the page tables"),
	.answer = answer_tables,
	.free_answer = free_mappings,
	.free_argument = g_free,
};

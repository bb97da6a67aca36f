/* The questions on registers, call chains, waits and breakpoints. */
#include "gui/debug/look.h"

#include "awareness/backtrace.h"
#include "awareness/os/decode.h"
#include "awareness/os/guest-os.h"

#include <glib/gi18n.h>
#include <string.h>

static void free_register(gpointer data)
{
	struct look_register *self = data;

	g_free(self->name);
	g_free(self->symbol);
	g_ptr_array_unref(self->fields);
	g_free(self);
}

static void free_registers(gpointer data)
{
	struct look_register_list *self = data;

	g_ptr_array_unref(self->registers);
	g_free(self);
}

static GPtrArray *decode(const struct register_value *value)
{
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(struct register_field));

	register_decode(value->name, value->value, fields);
	for (guint i = 0; i < fields->len; i++) {
		const struct register_field *f = &g_array_index(fields, struct register_field, i);

		g_ptr_array_add(texts, g_strdup_printf("%s [%u:%u] 0x%" G_GINT64_MODIFIER "x%s%s",
		                                       f->name, f->high, f->low, f->value,
		                                       f->meaning != NULL ? "  " : "",
		                                       f->meaning != NULL ? f->meaning : ""));
	}
	return texts;
}

static void add_register(struct look_register_list *self, const struct machine *machine,
                         const struct register_value *value, const char *group)
{
	struct look_register *one = g_new0(struct look_register, 1);

	one->group = group;
	one->name = g_strdup(value->name);
	one->value = value->value;
	one->source = register_source_name(value->source);
	one->doubtful = value->doubtful;
	one->fields = decode(value);
	if (machine->has_program &&
	    (strcmp(value->name, "pc") == 0 || strcmp(value->name, "x30") == 0))
		one->symbol = program_name_address(&machine->program, (struct va) { value->value });
	g_ptr_array_add(self->registers, one);
}

/* The place first, then general registers, then the system's, which are in capitals. */
static guint rank_of(const char *name)
{
	if (strcmp(name, "pc") == 0 || strcmp(name, "sp") == 0 || strcmp(name, "cpsr") == 0)
		return 0;
	return g_ascii_islower(*name) ? 1 : 2;
}

static void add_registers(struct look_register_list *self, const struct machine *machine,
                          const struct register_set *set, const char *group)
{
	for (guint rank = 0; rank < 3; rank++) {
		for (guint i = 0; i < set->values->len; i++) {
			const struct register_value *value =
				&g_array_index(set->values, struct register_value, i);

			if (rank_of(value->name) == rank)
				add_register(self, machine, value, group);
		}
	}
}

static gpointer answer_registers(struct debug *debug, gpointer argument, GError **error)
{
	struct look_register_list *self;
	struct register_set kernel, user;
	struct machine *machine;
	struct vcpu *vcpu;
	struct task *task;

	if (!selection_find(debug, argument, &machine, &vcpu, &task, error))
		return NULL;
	self = g_new0(struct look_register_list, 1);
	self->registers = g_ptr_array_new_with_free_func(free_register);
	if (vcpu != NULL) {
		add_registers(self, machine, &vcpu->registers, "");
		return self;
	}
	if (task == NULL)
		return self;
	register_set_init(&kernel);
	register_set_init(&user);
	if (machine->os != NULL && machine->os->saved_registers != NULL &&
	    machine->os->saved_registers(machine->os, machine, task, &kernel, &user, error)) {
		add_registers(self, machine, &kernel, "");
		add_registers(self, machine, &user, _("user code"));
	}
	register_set_deinit(&kernel);
	register_set_deinit(&user);
	return self;
}

const struct session_question look_registers = {
	.what = N_("the registers"),
	.answer = answer_registers,
	.free_answer = free_registers,
	.free_argument = g_free,
};

static void free_frame(gpointer data)
{
	struct look_frame *self = data;

	g_free(self->machine);
	g_free(self->space);
	g_free(self->function);
	g_free(self->file);
	g_free(self);
}

static void free_frames(gpointer data)
{
	struct look_frames *self = data;

	g_ptr_array_unref(self->frames);
	g_free(self->end);
	g_free(self);
}

/* Addresses of the lower half are the task's own. */
static char *space_of(const struct machine *machine, const struct task *task, guint64 pc)
{
	if (machine->number != 0 && machine->os != NULL && task != NULL && !task->is_kernel &&
	    (pc >> 55 & 1) == 0)
		return g_strdup_printf("%u:::%" G_GINT64_FORMAT "::", machine->number, task->tid);
	return g_strdup_printf("%u:::", machine->number);
}

static void add_frame(struct look_frames *self, const struct backtrace_frame *f,
                      const struct task *task)
{
	struct look_frame *frame = g_new0(struct look_frame, 1);

	frame->border = f->border == BACKTRACE_GUEST  ? _("guest")
	                : f->border == BACKTRACE_USER ? _("user code")
	                                              : NULL;
	frame->machine = g_strdup(f->machine->name);
	frame->space = space_of(f->machine, task, f->pc);
	frame->pc = f->pc;
	frame->sp = f->sp;
	if (f->function != NULL)
		frame->function = f->inlined || f->offset == 0
		                          ? g_strdup(f->function)
		                          : g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x",
		                                            f->function, f->offset);
	frame->file = g_strdup(f->file);
	frame->line = f->line;
	frame->inlined = f->inlined;
	g_ptr_array_add(self->frames, frame);
}

static gpointer answer_stack(struct debug *debug, gpointer argument, GError **error)
{
	struct look_frames *self;
	struct backtrace chain;
	struct machine *machine;
	struct vcpu *vcpu;
	struct task *task;
	gboolean done;

	if (!selection_find(debug, argument, &machine, &vcpu, &task, error) ||
	    (vcpu == NULL && task == NULL))
		return NULL;
	done = task != NULL ? backtrace_task(debug->system, machine, task, &chain, error)
	                    : backtrace_vcpu(debug->system, machine, vcpu, &chain, error);
	if (!done)
		return NULL;
	if (task == NULL && vcpu->live)
		task = system_current_task(debug->system, machine, vcpu);
	self = g_new0(struct look_frames, 1);
	self->frames = g_ptr_array_new_with_free_func(free_frame);
	for (guint i = 0; i < chain.frames->len; i++)
		add_frame(self, &g_array_index(chain.frames, struct backtrace_frame, i), task);
	self->end = g_strdup(chain.end);
	self->whole = chain.whole;
	backtrace_deinit(&chain);
	return self;
}

const struct session_question look_stack = {
	.what = N_("the call chain"),
	.answer = answer_stack,
	.free_answer = free_frames,
	.free_argument = g_free,
};

static void free_wait(gpointer data)
{
	struct look_wait *self = data;

	g_free(self->machine);
	g_free(self->name);
	g_free(self->state);
	g_free(self->in);
	g_free(self->call);
	g_free(self);
}

static void free_waits(gpointer data)
{
	struct look_wait_list *self = data;

	g_ptr_array_unref(self->waits);
	g_free(self);
}

static const char *member(JsonObject *object, const char *name)
{
	return json_object_get_null_member(object, name)
	               ? NULL
	               : json_object_get_string_member(object, name);
}

/* What a command prints. GLib's allocator is malloc(), so g_free() frees it. */
static char *capture(struct debug *debug, const char *line, GError **error)
{
	char *said = NULL;
	gsize n;
	g_autoptr(GError) failed = NULL;

	debug->out = open_memstream(&said, &n);
	debug->notes = debug->out;
	debug_run_line(debug, line, &failed);
	if (failed != NULL && error == NULL)
		fprintf(debug->out, "%s\n", failed->message);
	fclose(debug->out);
	debug->out = debug->notes = NULL;
	if (failed != NULL)
		g_propagate_error(error, g_steal_pointer(&failed));
	return said;
}

/* The command says it; what it notes beside its answer would spoil the JSON. */
static gpointer answer_waits(struct debug *debug, gpointer argument, GError **error)
{
	struct look_wait_list *self;
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autofree char *said = capture(debug, "waits --json", error);
	const char *array = said != NULL ? strchr(said, '[') : NULL;
	JsonArray *rows;

	(void)argument;
	if (array == NULL || !json_parser_load_from_data(parser, array, -1, NULL))
		return NULL;
	self = g_new0(struct look_wait_list, 1);
	self->waits = g_ptr_array_new_with_free_func(free_wait);
	rows = json_node_get_array(json_parser_get_root(parser));
	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);
		struct look_wait *wait = g_new0(struct look_wait, 1);

		wait->machine = g_strdup(member(row, "machine"));
		wait->name = g_strdup(member(row, "name"));
		wait->state = g_strdup(member(row, "state"));
		wait->in = g_strdup(member(row, "waits_in"));
		wait->call = g_strdup(member(row, "call"));
		wait->tid = json_object_get_int_member(row, "tid");
		g_ptr_array_add(self->waits, wait);
	}
	return self;
}

const struct session_question look_waits = {
	.what = N_("what waits"),
	.answer = answer_waits,
	.free_answer = free_waits,
};

static void free_break(gpointer data)
{
	struct look_break *self = data;

	g_free(self->text);
	g_free(self->kind);
	g_free(self->machine);
	g_free(self->task);
	g_free(self);
}

static void free_breaks(gpointer data)
{
	struct look_break_list *self = data;

	g_ptr_array_unref(self->breaks);
	g_free(self);
}

static void free_change(gpointer data)
{
	struct look_break_change *self = data;

	g_free(self->address);
	g_free(self->task);
	g_free(self);
}

static gboolean add_break(struct debug *debug, const struct look_break_change *change,
                          GError **error)
{
	g_autofree char *number = g_strdup_printf("%d", change->machine);
	struct machine *fallback = system_find_machine(debug->system, number, error);
	struct breakpoint point = { .text = change->address,
		                    .kind = change->kind,
		                    .len_bytes = change->len_bytes,
		                    .once = change->once };
	const struct task *task = NULL;
	struct place place;

	if (fallback == NULL ||
	    !system_find_place(debug->system, change->address, fallback, &place, error))
		return FALSE;
	place_deinit(&place);
	if (place.kind != ADDRESS_KIND_VA) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            _("'%s' is no virtual address: cores compare these only"),
		            change->address);
		return FALSE;
	}
	task = place.task;
	if (change->task != NULL &&
	    (task = system_find_task(debug->system, place.machine, change->task, error)) == NULL)
		return FALSE;
	point.va = place.va;
	point.machine = change->any_machine ? -1 : (int)place.machine->number;
	point.tid = task != NULL ? task->tid : -1;
	breakpoints_add(debug->breakpoints, &point);
	return TRUE;
}

static const char *kind_name(enum target_break_kind kind)
{
	static const char *const names[] = {
		[TARGET_BREAK_SOFTWARE] = N_("software"), [TARGET_BREAK_HARDWARE] = N_("hardware"),
		[TARGET_WATCH_WRITE] = N_("write"),       [TARGET_WATCH_READ] = N_("read"),
		[TARGET_WATCH_ACCESS] = N_("access"),
	};

	return _(names[kind]);
}

static char *machine_name(struct debug *debug, int number)
{
	GPtrArray *machines = system_machines(debug->system);

	for (guint i = 0; i < machines->len; i++) {
		const struct machine *machine = g_ptr_array_index(machines, i);

		if ((int)machine->number == number)
			return g_strdup(machine->name);
	}
	return g_strdup(number < 0 ? _("any") : _("gone"));
}

static gpointer answer_breaks(struct debug *debug, gpointer argument, GError **error)
{
	const struct look_break_change *change = argument;
	struct look_break_list *self;
	GPtrArray *list;

	if (debug->breakpoints == NULL)
		debug->breakpoints = breakpoints_new(debug->system);
	if (change != NULL && change->remove != 0)
		breakpoints_remove(debug->breakpoints, change->remove);
	else if (change != NULL && !add_break(debug, change, error))
		return NULL;
	list = breakpoints_list(debug->breakpoints);
	self = g_new0(struct look_break_list, 1);
	self->breaks = g_ptr_array_new_with_free_func(free_break);
	for (guint i = 0; i < list->len; i++) {
		const struct breakpoint *point = g_ptr_array_index(list, i);
		struct look_break *one = g_new0(struct look_break, 1);

		one->id = point->id;
		one->text = g_strdup(point->text);
		one->kind = g_strdup(kind_name(point->kind));
		one->machine = machine_name(debug, point->machine);
		one->task = point->tid >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, point->tid)
		                            : g_strdup(_("any"));
		one->address = point->va.value;
		one->hits = point->hits;
		one->skipped = point->skipped;
		g_ptr_array_add(self->breaks, one);
	}
	return self;
}

const struct session_question look_breaks = {
	.what = N_("the breakpoints"),
	.answer = answer_breaks,
	.free_answer = free_breaks,
	.free_argument = free_change,
};

static void free_command(gpointer data)
{
	struct look_command *self = data;

	g_free(self->line);
	g_free(self);
}

struct look_command *look_command_new(const char *line, struct selection selection,
                                      gboolean complete)
{
	struct look_command *self = g_new0(struct look_command, 1);

	self->line = g_strdup(line);
	self->selection = selection;
	self->complete = complete;
	return self;
}

static char *complete(struct debug *debug, const char *line)
{
	const char *word = strrchr(line, ' ');
	g_autoptr(GPtrArray) words =
		debug_complete(debug, word != NULL ? word + 1 : line, word == NULL);

	g_ptr_array_add(words, NULL);
	return g_strjoinv("\n", (char **)words->pdata);
}

static gpointer answer_command(struct debug *debug, gpointer argument, GError **error)
{
	const struct look_command *command = argument;
	struct machine *machine;
	struct vcpu *vcpu;
	struct task *task;

	(void)error;
	if (selection_find(debug, &command->selection, &machine, &vcpu, &task, NULL)) {
		g_free(debug->current);
		debug->current = g_strdup(machine->name);
	}
	if (command->complete)
		return complete(debug, command->line);
	return capture(debug, command->line, NULL);
}

const struct session_question look_command = {
	.what = N_("the console's command"),
	.answer = answer_command,
	.free_answer = g_free,
	.free_argument = free_command,
};

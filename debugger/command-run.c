/* Run control of `hvscope debug`: breakpoints, run, step, finish. */
#include "debugger/command.h"
#include "base/json.h"

#include "awareness/backtrace.h"

#include <stdio.h>
#include <string.h>

enum {
	RUN_SECONDS = 10,
};

static struct breakpoints *points(struct debug *self)
{
	if (self->breakpoints == NULL)
		self->breakpoints = breakpoints_new(self->system);
	return self->breakpoints;
}

static const char *reason_text(enum target_stop_reason reason)
{
	static const char *const texts[] = {
		[TARGET_STOP_NONE] = "time is up",  [TARGET_STOP_HALT] = "halted",
		[TARGET_STOP_STEP] = "stepped",     [TARGET_STOP_BREAK] = "breakpoint",
		[TARGET_STOP_WATCH] = "watchpoint", [TARGET_STOP_EXIT] = "the target is gone",
	};

	return texts[reason];
}

/* Says where it stopped, and makes that machine the current one. */
static void show_stop(struct debug *self, const struct stop_place *at)
{
	g_autofree char *where = NULL;

	self->cpu = at->stop.cpu;
	if (self->stopped != NULL)
		self->stopped(self, at);
	if (at->machine != NULL) {
		g_free(self->current);
		self->current = g_strdup(at->machine->name);
		where = debug_describe_address(at->machine, at->pc);
	} else {
		where = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", at->pc.value);
	}
	if (self->json) {
		JsonBuilder *b = json_builder_new();

		json_builder_begin_object(b);
		json_add_text(b, "reason", reason_text(at->stop.reason));
		json_add_int(b, "core", at->stop.cpu);
		json_add_text(b, "machine", at->machine != NULL ? at->machine->name : NULL);
		json_add_int(b, "vcpu", at->vcpu != NULL ? (gint64)at->vcpu->id : -1);
		json_add_text(b, "task", at->task != NULL ? at->task->name : NULL);
		json_add_int(b, "tid", at->task != NULL ? at->task->tid : -1);
		debug_json_hex(b, "pc", at->pc.value);
		json_add_text(b, "where", where);
		json_add_int(b, "breakpoint", at->hit != NULL ? (gint64)at->hit->id : -1);
		json_add_int(b, "skipped", (gint64)at->skipped);
		json_builder_end_object(b);
		debug_json_print(self, b);
		return;
	}
	fprintf(self->out, "%s", reason_text(at->stop.reason));
	if (at->hit != NULL)
		fprintf(self->out, " %u (%s)", at->hit->id, at->hit->text);
	fprintf(self->out, ": core %u, %s", at->stop.cpu,
	        at->machine != NULL ? at->machine->name : "no machine");
	if (at->vcpu != NULL && at->machine->number != 0)
		fprintf(self->out, " vCPU %u", at->vcpu->id);
	if (at->task != NULL)
		fprintf(self->out, ", task %s (%" G_GINT64_FORMAT ")", at->task->name,
		        at->task->tid);
	fprintf(self->out, ", pc %s\n", where);
	if (at->skipped > 0)
		fprintf(self->out,
		        "%" G_GUINT64_FORMAT
		        " stops in other machines or tasks were stepped over\n",
		        at->skipped);
}

/* An address of a break- or watchpoint, with the machine and task that it is in. */
static gboolean resolve_point(struct debug *self, const char *text, struct breakpoint *out,
                              GError **error)
{
	struct machine *fallback = debug_machine(self, NULL, error);
	struct place place;

	if (fallback == NULL || !system_find_place(self->system, text, fallback, &place, error))
		return FALSE;
	out->text = (char *)(uintptr_t)text;
	out->va = place.va;
	out->machine = (int)place.machine->number;
	out->tid = place.task != NULL ? place.task->tid : -1;
	place_deinit(&place);
	if (place.kind == ADDRESS_KIND_VA)
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
	            "'%s' is no virtual address: cores compare these only", text);
	return FALSE;
}

static gboolean run_break(struct debug *self, int argc, char **argv, GError **error)
{
	gboolean software = FALSE, once = FALSE;
	const GOptionEntry entries[] = {
		{ "soft", 0, 0, G_OPTION_ARG_NONE, &software, NULL, NULL },
		{ "once", 0, 0, G_OPTION_ARG_NONE, &once, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct breakpoint point = { .len_bytes = 4 };
	unsigned id;

	if (!debug_parse(self, &argc, &argv, entries, 1, 1, error) ||
	    !resolve_point(self, argv[1], &point, error))
		return FALSE;
	point.kind = software ? TARGET_BREAK_SOFTWARE : TARGET_BREAK_HARDWARE;
	point.once = once;
	id = breakpoints_add(points(self), &point);
	if (!self->json)
		fprintf(self->out, "breakpoint %u at 0x%" G_GINT64_MODIFIER "x\n", id,
		        point.va.value);
	return TRUE;
}

static gboolean run_watch(struct debug *self, int argc, char **argv, GError **error)
{
	gboolean read = FALSE, access = FALSE;
	const GOptionEntry entries[] = {
		{ "read", 0, 0, G_OPTION_ARG_NONE, &read, NULL, NULL },
		{ "access", 0, 0, G_OPTION_ARG_NONE, &access, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct breakpoint point = { .len_bytes = 8 };
	uint64_t len_bytes = 8;
	unsigned id;

	if (!debug_parse(self, &argc, &argv, entries, 1, 2, error) ||
	    !resolve_point(self, argv[1], &point, error))
		return FALSE;
	if (argc > 2 &&
	    (!address_parse_number(argv[2], &len_bytes) || len_bytes == 0 || len_bytes > 8)) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            "a watchpoint covers 1 to 8 bytes");
		return FALSE;
	}
	point.len_bytes = (unsigned)len_bytes;
	point.kind = access ? TARGET_WATCH_ACCESS : read ? TARGET_WATCH_READ : TARGET_WATCH_WRITE;
	id = breakpoints_add(points(self), &point);
	if (!self->json)
		fprintf(self->out, "watchpoint %u at 0x%" G_GINT64_MODIFIER "x\n", id,
		        point.va.value);
	return TRUE;
}

static gboolean run_breaks(struct debug *self, int argc, char **argv, GError **error)
{
	GPtrArray *list = breakpoints_list(points(self));
	JsonBuilder *b;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error))
		return FALSE;
	b = json_builder_new();
	json_builder_begin_array(b);
	for (guint i = 0; i < list->len; i++) {
		const struct breakpoint *point = g_ptr_array_index(list, i);

		json_builder_begin_object(b);
		json_add_int(b, "id", point->id);
		json_add_text(b, "text", point->text);
		debug_json_hex(b, "address", point->va.value);
		json_add_int(b, "hits", (gint64)point->hits);
		json_add_int(b, "skipped", (gint64)point->skipped);
		json_builder_end_object(b);
		if (!self->json)
			fprintf(self->out,
			        "%u  %s  0x%" G_GINT64_MODIFIER "x  %" G_GUINT64_FORMAT
			        " hits, %" G_GUINT64_FORMAT " skipped\n",
			        point->id, point->text, point->va.value, point->hits,
			        point->skipped);
	}
	json_builder_end_array(b);
	if (self->json)
		debug_json_print(self, b);
	else
		g_object_unref(b);
	return TRUE;
}

static gboolean run_delete(struct debug *self, int argc, char **argv, GError **error)
{
	uint64_t id;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 1, error))
		return FALSE;
	if (address_parse_number(argv[1], &id) && breakpoints_remove(points(self), (unsigned)id))
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE, "there is no breakpoint '%s'", argv[1]);
	return FALSE;
}

/* Runs, and takes breakpoints that were meant once away. */
static gboolean go(struct debug *self, unsigned seconds, GError **error)
{
	struct stop_place at;
	unsigned once;

	if (!breakpoints_run(points(self), seconds * 1000, &at, error))
		return FALSE;
	once = at.hit != NULL && at.hit->once ? at.hit->id : 0;
	show_stop(self, &at);
	if (once != 0)
		breakpoints_remove(points(self), once);
	return TRUE;
}

static gboolean run_run(struct debug *self, int argc, char **argv, GError **error)
{
	int seconds = RUN_SECONDS;
	g_autofree char *until = NULL;
	const GOptionEntry entries[] = {
		{ "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, NULL, NULL },
		{ "until", 0, 0, G_OPTION_ARG_STRING, &until, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};
	struct breakpoint point = { .len_bytes = 4, .kind = TARGET_BREAK_HARDWARE, .once = TRUE };
	unsigned id = 0;
	gboolean done;

	if (!debug_parse(self, &argc, &argv, entries, 0, 0, error))
		return FALSE;
	if (until != NULL) {
		if (!resolve_point(self, until, &point, error))
			return FALSE;
		id = breakpoints_add(points(self), &point);
	}
	done = go(self, (unsigned)CLAMP(seconds, 0, 86400), error);
	if (id != 0)
		breakpoints_remove(points(self), id);
	return done;
}

static gboolean run_step(struct debug *self, int argc, char **argv, GError **error)
{
	uint64_t n = 1;
	struct stop_place at;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 1, error))
		return FALSE;
	if (argc > 1 && (!address_parse_number(argv[1], &n) || n == 0 || n > 100000)) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE, "'%s' is no number of steps",
		            argv[1]);
		return FALSE;
	}
	for (uint64_t i = 0; i + 1 < n; i++) {
		if (!target_step(self->target, self->cpu, error))
			return FALSE;
	}
	if (!breakpoints_step(points(self), self->cpu, &at, error))
		return FALSE;
	show_stop(self, &at);
	return TRUE;
}

/* Up to an address of the machine and task that the core stands in. */
static gboolean run_to(struct debug *self, const struct stop_place *from, uint64_t va,
                       GError **error)
{
	struct breakpoint point = {
		.text = (char *)"here",
		.len_bytes = 4,
		.kind = TARGET_BREAK_HARDWARE,
		.once = TRUE,
		.va = { va },
		.machine = (int)from->machine->number,
		.tid = from->task != NULL ? from->task->tid : -1,
	};

	unsigned id = breakpoints_add(points(self), &point);
	gboolean done = go(self, RUN_SECONDS, error);

	/* Something else may have stopped it first. */
	breakpoints_remove(points(self), id);
	return done;
}

static gboolean stands_somewhere(struct debug *self, struct stop_place *at, GError **error)
{
	stop_place_of(self->system, self->cpu, at);
	if (at->machine != NULL && at->vcpu != NULL)
		return TRUE;
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED, "core %u runs no known machine",
	            self->cpu);
	return FALSE;
}

/* Over a call: BL and BLR are the only instructions that come back by themselves. */
static gboolean run_next(struct debug *self, int argc, char **argv, GError **error)
{
	struct stop_place at;
	uint64_t word;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error) ||
	    !stands_somewhere(self, &at, error))
		return FALSE;
	if (at.machine->kernel != NULL &&
	    space_read_uint(at.machine->kernel, at.pc, 4, &word, NULL) &&
	    ((word & 0xfc000000) == 0x94000000 || (word & 0xfffffc1f) == 0xd63f0000))
		return run_to(self, &at, at.pc.value + 4, error);
	if (!breakpoints_step(points(self), self->cpu, &at, error))
		return FALSE;
	show_stop(self, &at);
	return TRUE;
}

/* Up to where the function returns to. */
static gboolean run_finish(struct debug *self, int argc, char **argv, GError **error)
{
	struct stop_place at;
	struct backtrace chain;
	uint64_t caller = 0;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 0, error) ||
	    !stands_somewhere(self, &at, error) ||
	    !backtrace_vcpu(self->system, at.machine, at.vcpu, &chain, error))
		return FALSE;
	for (guint i = 1; i < chain.frames->len && caller == 0; i++) {
		const struct backtrace_frame *f =
			&g_array_index(chain.frames, struct backtrace_frame, i);

		if (f->border != BACKTRACE_SAME)
			break;
		if (f->pc != at.pc.value)
			caller = f->pc;
	}
	backtrace_deinit(&chain);
	if (caller != 0)
		return run_to(self, &at, caller, error);
	g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_FAILED,
	            "the caller of what core %u executes is not known", self->cpu);
	return FALSE;
}

static gboolean run_core(struct debug *self, int argc, char **argv, GError **error)
{
	uint64_t cpu = self->cpu;
	struct stop_place at;

	if (!debug_parse(self, &argc, &argv, NULL, 0, 1, error))
		return FALSE;
	if (argc > 1 &&
	    (!address_parse_number(argv[1], &cpu) || cpu >= target_cpu_count(self->target))) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE, "there is no core '%s'",
		            argv[1]);
		return FALSE;
	}
	stop_place_of(self->system, (unsigned)cpu, &at);
	show_stop(self, &at);
	return TRUE;
}

const struct debug_command debug_commands_run[] = {
	{ "break", "[M:::[T::]]ADDRESS [--once]", "stops when that machine, that task gets there",
	  run_break },
	{ "watch", "ADDRESS [LENGTH] [--read|--access]", "stops at an access", run_watch },
	{ "breaks", "", "break- and watchpoints, with hits and stops skipped", run_breaks },
	{ "delete", "NUMBER", "takes one away", run_delete },
	{ "run", "[--until ADDRESS] [--seconds N]", "lets the target run", run_run },
	{ "step", "[N]", "instructions of the current core", run_step },
	{ "next", "", "one instruction, calls as a whole", run_next },
	{ "finish", "", "until the function returns", run_finish },
	{ "core", "[N]", "where a core stands; makes it the current one", run_core },
	{ NULL },
};

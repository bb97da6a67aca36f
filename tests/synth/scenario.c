#include "tests/synth/scenario.h"

#include <string.h>

#include "capture/etm4-encoder.h"
#include "tests/synth/scenario-trace.h"

G_DEFINE_QUARK(hvscope - scenario - error - quark, scenario_error)

static void read_clock(struct statement *st)
{
	struct scenario *s = st->scenario;

	statement_option_number(st, "timestamp_hz", &s->timestamp_hz);
	statement_option_number(st, "core_hz", &s->core_hz);
	if (s->timestamp_hz == 0 || 1000000000 % s->timestamp_hz != 0) {
		statement_fail(st,
		               "timestamp_hz must divide 1000000000, so that a tick is whole ns");
		return;
	}
	s->ns_per_tick = 1000000000 / s->timestamp_hz;
	if (s->core_hz == 0 || s->core_hz > G_GUINT64_CONSTANT(10000000000))
		statement_fail(st, "core_hz must be 1 to 10000000000");
}

static void read_seed(struct statement *st)
{
	st->scenario->seed = statement_number(st, statement_word(st, 1, "a number"));
}

static void read_duration(struct statement *st)
{
	st->scenario->duration_ticks = statement_ticks(st, statement_word(st, 1, "a time"));
}

static void read_cores(struct statement *st)
{
	const guint64 n = statement_number(st, statement_word(st, 1, "how many"));
	const char *type = statement_option(st, "type");

	if (n < 1 || n > SCENARIO_CORES_MAX)
		statement_fail(st, "cores must be 1 to %d", SCENARIO_CORES_MAX);
	st->scenario->n_cores = (guint)n;
	if (type != NULL) {
		g_free(st->scenario->core_type);
		st->scenario->core_type = g_strdup(type);
	}
}

static void read_hypervisor(struct statement *st)
{
	struct scenario *s = st->scenario;
	const char *scheduler = statement_option(st, "scheduler");

	if (scheduler != NULL) {
		g_free(s->scheduler);
		s->scheduler = g_strdup(scheduler);
	}
	statement_option_ticks(st, "slice", &s->slice_ticks);
	statement_option_range(st, "visit", &s->visit_ticks);
	statement_option_range(st, "switch", &s->switch_ticks);
}

static void read_stm(struct statement *st)
{
	guint64 id = 0x20;
	guint64 master = 0x40;

	statement_option_number(st, "id", &id);
	statement_option_number(st, "master", &master);
	if (id < 1 || id > 0x6F || master > 0xFF)
		statement_fail(st, "stm needs id 1 to 0x6f and master 0 to 0xff");
	st->scenario->stm_id = (gint)id;
	st->scenario->stm_master = (guint)master;
}

static void read_domain(struct statement *st)
{
	struct scenario_domain domain = { .id = (guint)statement_number(
						  st, statement_word(st, 1, "a number")) };
	guint64 vmid = domain.id + 1;
	const char *kind = statement_option(st, "kind");

	statement_option_number(st, "vmid", &vmid);
	if (vmid > 0xFF)
		statement_fail(st, "vmid %" G_GUINT64_FORMAT " does not fit into 8 bits", vmid);
	domain.vmid = (guint32)vmid;
	domain.name = g_strdup(statement_word(st, 2, "a name"));
	domain.kind = g_strdup(kind != NULL ? kind : "linux");
	g_array_append_val(st->scenario->domains, domain);
}

static gint find_domain(const struct scenario *s, guint64 id)
{
	for (guint i = 0; i < s->domains->len; i++) {
		if (g_array_index(s->domains, struct scenario_domain, i).id == id)
			return (gint)i;
	}
	return SCENARIO_NONE;
}

static gint find_vcpu(const struct scenario *s, const char *name)
{
	for (guint i = 0; i < s->vcpus->len; i++) {
		if (strcmp(g_array_index(s->vcpus, struct scenario_vcpu, i).name, name) == 0)
			return (gint)i;
	}
	return SCENARIO_NONE;
}

static gint find_task(const struct scenario *s, const char *name)
{
	for (guint i = 0; i < s->tasks->len; i++) {
		if (strcmp(g_array_index(s->tasks, struct scenario_task, i).name, name) == 0)
			return (gint)i;
	}
	return SCENARIO_NONE;
}

static guint need_vcpu(struct statement *st, const char *name)
{
	const gint vcpu = find_vcpu(st->scenario, name);

	if (vcpu == SCENARIO_NONE)
		statement_fail(st, "no vcpu '%s' above", name);
	return vcpu == SCENARIO_NONE ? 0 : (guint)vcpu;
}

static guint need_task(struct statement *st, const char *name)
{
	const gint task = find_task(st->scenario, name);

	if (task == SCENARIO_NONE)
		statement_fail(st, "no task '%s' above", name);
	return task == SCENARIO_NONE ? 0 : (guint)task;
}

static guint need_core(struct statement *st, const char *text)
{
	const guint64 core = statement_number(st, text);

	if (core >= st->scenario->n_cores)
		statement_fail(st, "there is no core %s", text);
	return (guint)MIN(core, SCENARIO_CORES_MAX - 1);
}

static guint64 read_affinity(struct statement *st, const char *text)
{
	const guint64 all = st->scenario->n_cores >= 64
	                            ? G_MAXUINT64
	                            : (G_GUINT64_CONSTANT(1) << st->scenario->n_cores) - 1;
	guint64 mask = 0;

	if (text == NULL || strcmp(text, "all") == 0)
		return all;

	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	for (guint i = 0; parts[i] != NULL; i++)
		mask |= G_GUINT64_CONSTANT(1) << need_core(st, parts[i]);
	return mask;
}

static void read_vcpu(struct statement *st)
{
	struct scenario *s = st->scenario;
	guint64 id = 0;
	const char *wfi = statement_option(st, "wfi");
	const char *name = statement_word(st, 1, "a name");

	statement_option_number(st, "domain", &id);

	const gint domain = find_domain(s, id);

	if (domain == SCENARIO_NONE) {
		statement_fail(st, "no domain %" G_GUINT64_FORMAT " above", id);
		return;
	}
	if (wfi != NULL && strcmp(wfi, "trap") != 0 && strcmp(wfi, "halt") != 0)
		statement_fail(st, "wfi is trap or halt, not '%s'", wfi);

	struct scenario_vcpu vcpu = {
		.name = g_strdup(name),
		.domain = (guint)domain,
		.cores = read_affinity(st, statement_option(st, "cores")),
		.traps_wfi = wfi == NULL || strcmp(wfi, "trap") == 0,
		.tasks = g_array_new(FALSE, FALSE, sizeof(guint)),
	};

	statement_option_ticks(st, "exits", &vcpu.exit_ticks);
	g_array_append_val(s->vcpus, vcpu);
}

static void read_task(struct statement *st)
{
	struct scenario *s = st->scenario;
	struct scenario_task task = { .notify_task = SCENARIO_NONE, .stm_channel = SCENARIO_NONE };
	const char *vcpu = statement_option(st, "vcpu");
	guint64 context_id = 0;
	guint64 channel = G_MAXUINT64;

	task.name = g_strdup(statement_word(st, 1, "a name"));
	task.vcpu = need_vcpu(st, vcpu != NULL ? vcpu : "");
	statement_option_number(st, "cid", &context_id);
	statement_option_range(st, "burst", &task.burst_ticks);
	statement_option_range(st, "sleep", &task.sleep_ticks);
	statement_option_ticks(st, "syscall", &task.syscall_ticks);
	statement_option_percent(st, "kernel", &task.kernel_percent);
	statement_option_bool(st, "waits", &task.waits);
	statement_option_number(st, "stm", &channel);
	task.notify = g_strdup(statement_option(st, "notify"));
	task.context_id = (guint32)context_id;
	if (channel <= G_MAXUINT16)
		task.stm_channel = (gint)channel;
	if (task.burst_ticks.max == 0)
		task.burst_ticks = (struct scenario_range) { 1000, 10000 };
	g_array_append_val(s->tasks, task);
	if (st->error != NULL)
		return;

	const guint index = s->tasks->len - 1;

	g_array_append_val(g_array_index(s->vcpus, struct scenario_vcpu, task.vcpu).tasks, index);
}

static void read_at(struct statement *st)
{
	struct scenario_event event = { .at_ticks = statement_ticks(
						st, statement_word(st, 1, "a time")) };
	const char *kind = statement_word(st, 4, "what happens");

	if (strcmp(statement_word(st, 2, "a core"), "core") != 0)
		statement_fail(st, "expected: at TIME core N WHAT TIME");
	event.core = need_core(st, statement_word(st, 3, "a core"));
	event.duration_ticks = statement_ticks(st, statement_word(st, 5, "how long"));
	if (strcmp(kind, "overflow") == 0)
		event.kind = SCENARIO_EVENT_OVERFLOW;
	else if (strcmp(kind, "off") == 0)
		event.kind = SCENARIO_EVENT_OFF;
	else if (strcmp(kind, "discard") == 0)
		event.kind = SCENARIO_EVENT_DISCARD;
	else
		statement_fail(st, "what happens is overflow, off or discard, not '%s'", kind);
	g_array_append_val(st->scenario->events, event);
}

static guint read_exception(struct statement *st, const char *name)
{
	static const struct {
		const char *name;
		guint type;
	} exceptions[] = {
		{ "irq", ETM4_EXCEPTION_IRQ },           { "fiq", ETM4_EXCEPTION_FIQ },
		{ "call", ETM4_EXCEPTION_CALL },         { "hvc", ETM4_EXCEPTION_CALL },
		{ "trap", ETM4_EXCEPTION_TRAP },         { "fault", ETM4_EXCEPTION_DATA_FAULT },
		{ "ifault", ETM4_EXCEPTION_INST_FAULT }, { "serror", ETM4_EXCEPTION_SYSTEM_ERROR },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(exceptions); i++) {
		if (strcmp(exceptions[i].name, name) == 0)
			return exceptions[i].type;
	}
	statement_fail(st, "no exception '%s': irq, fiq, call, hvc, trap, fault, ifault or serror",
	               name);
	return 0;
}

/* What follows "core N VERB" of each kind of step. */
static void read_step(struct statement *st)
{
	static const struct {
		const char *verb;
		enum scenario_step_kind kind;
		enum {
			TAKES_TIME,
			TAKES_EXCEPTION,
			TAKES_TASK,
			TAKES_TASK_EL,
			TAKES_STM,
			TAKES_NOTHING
		} takes;
	} verbs[] = {
		{ "enter", SCENARIO_STEP_ENTER, TAKES_TASK_EL },
		{ "run", SCENARIO_STEP_RUN, TAKES_TIME },
		{ "halt", SCENARIO_STEP_HALT, TAKES_TIME },
		{ "exit", SCENARIO_STEP_EXIT, TAKES_EXCEPTION },
		{ "exception", SCENARIO_STEP_EXCEPTION, TAKES_EXCEPTION },
		{ "return", SCENARIO_STEP_RETURN, TAKES_NOTHING },
		{ "task", SCENARIO_STEP_TASK, TAKES_TASK },
		{ "vmid", SCENARIO_STEP_VMID, TAKES_TASK },
		{ "secure", SCENARIO_STEP_SECURE, TAKES_TIME },
		{ "overflow", SCENARIO_STEP_OVERFLOW, TAKES_TIME },
		{ "off", SCENARIO_STEP_OFF, TAKES_TIME },
		{ "stm", SCENARIO_STEP_STM, TAKES_STM },
	};
	struct scenario_step step = { .core = need_core(st, statement_word(st, 1, "a number")) };
	const char *verb = statement_word(st, 2, "a step");
	gsize i = 0;

	while (i < G_N_ELEMENTS(verbs) && strcmp(verbs[i].verb, verb) != 0)
		i++;
	if (i == G_N_ELEMENTS(verbs)) {
		statement_fail(st, "no step '%s'", verb);
		return;
	}
	step.kind = verbs[i].kind;
	switch (verbs[i].takes) {
	case TAKES_TIME:
		step.ticks = statement_ticks(st, statement_word(st, 3, "a time"));
		break;
	case TAKES_EXCEPTION:
		step.exception = read_exception(st, statement_word(st, 3, "an exception"));
		break;
	case TAKES_TASK:
	case TAKES_TASK_EL:
		step.task = need_task(st, statement_word(st, 3, "a task"));
		if (st->error == NULL)
			step.vcpu =
				g_array_index(st->scenario->tasks, struct scenario_task, step.task)
					.vcpu;
		if (verbs[i].takes == TAKES_TASK_EL)
			step.el = strcmp(statement_word(st, 4, "el0 or el1"), "el0") == 0 ? 0 : 1;
		break;
	case TAKES_STM:
		step.channel = (guint)statement_number(st, statement_word(st, 3, "a channel"));
		step.value = statement_number(st, statement_word(st, 4, "a value"));
		break;
	case TAKES_NOTHING:
		break;
	}
	g_array_append_val(st->scenario->steps, step);
}

static void read_fault(struct statement *st)
{
	static const char *const kinds[] = { "truncate", "cut", "zero", "flip" };
	const char *kind = statement_word(st, 1, "a kind");
	struct scenario_fault fault = { .len_bytes = G_MAXUINT64 };
	guint64 value = 0xFF;
	gsize i = 0;

	while (i < G_N_ELEMENTS(kinds) && strcmp(kinds[i], kind) != 0)
		i++;
	if (i == G_N_ELEMENTS(kinds))
		statement_fail(st, "fault is truncate, cut, zero or flip, not '%s'", kind);
	fault.kind = (enum scenario_fault_kind)i;
	statement_option_number(st, "offset", &fault.offset);
	statement_option_number(st, "len", &fault.len_bytes);
	statement_option_number(st, "value", &value);
	fault.value = (guint8)value;
	if (fault.kind != SCENARIO_FAULT_TRUNCATE && fault.len_bytes == G_MAXUINT64)
		statement_fail(st, "fault %s needs len=", kind);
	g_array_append_val(st->scenario->faults, fault);
}

static const struct {
	const char *keyword;
	void (*read)(struct statement *);
} statements[] = {
	{ "clock", read_clock },
	{ "seed", read_seed },
	{ "duration", read_duration },
	{ "cores", read_cores },
	{ "hypervisor", read_hypervisor },
	{ "trace", scenario_trace_read },
	{ "stm", read_stm },
	{ "domain", read_domain },
	{ "vcpu", read_vcpu },
	{ "task", read_task },
	{ "at", read_at },
	{ "core", read_step },
	{ "fault", read_fault },
};

static void read_line(struct scenario *scenario, const char *file, guint line, char *text,
                      GError **error)
{
	char *comment = strchr(text, '#');

	if (comment != NULL)
		*comment = '\0';

	g_auto(GStrv) parts = g_strsplit_set(text, " \t\r", -1);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	struct statement st = { scenario, file, line, words, options, known, NULL };

	for (guint i = 0; parts[i] != NULL; i++) {
		const char *equals = strchr(parts[i], '=');

		if (equals != NULL)
			g_hash_table_insert(options,
			                    g_strndup(parts[i], (gsize)(equals - parts[i])),
			                    g_strdup(equals + 1));
		else if (*parts[i] != '\0')
			g_ptr_array_add(words, parts[i]);
	}
	if (words->len == 0)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(statements); i++) {
		if (strcmp(statements[i].keyword, words->pdata[0]) != 0)
			continue;
		statements[i].read(&st);
		statement_check_options(&st);
		if (st.error != NULL)
			g_propagate_error(error, st.error);
		return;
	}
	g_set_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX, "%s:%u: no statement '%s'", file,
	            line, (const char *)words->pdata[0]);
}

static void clear_domain(gpointer data)
{
	struct scenario_domain *domain = data;

	g_free(domain->name);
	g_free(domain->kind);
}

static void clear_vcpu(gpointer data)
{
	struct scenario_vcpu *vcpu = data;

	g_free(vcpu->name);
	g_array_unref(vcpu->tasks);
}

static void clear_task(gpointer data)
{
	struct scenario_task *task = data;

	g_free(task->name);
	g_free(task->notify);
}

static struct scenario *scenario_new(void)
{
	struct scenario *s = g_new0(struct scenario, 1);

	s->timestamp_hz = 100000000;
	s->core_hz = 1200000000;
	s->ns_per_tick = 10;
	s->n_cores = 1;
	s->core_type = g_strdup("Cortex-A53");
	s->scheduler = g_strdup("credit2");
	s->slice_ticks = 1000000;
	s->visit_ticks = (struct scenario_range) { 100, 400 };
	s->switch_ticks = (struct scenario_range) { 200, 500 };
	s->stm_id = SCENARIO_NONE;
	s->trace = (struct scenario_trace) {
		.timestamps = SCENARIO_TIMESTAMPS_SWITCH,
		.vmid = TRUE,
		.context_id = TRUE,
		.sync_bytes = 4096,
		.address_percent = 20,
	};
	s->domains = g_array_new(FALSE, FALSE, sizeof(struct scenario_domain));
	s->vcpus = g_array_new(FALSE, FALSE, sizeof(struct scenario_vcpu));
	s->tasks = g_array_new(FALSE, FALSE, sizeof(struct scenario_task));
	s->events = g_array_new(FALSE, FALSE, sizeof(struct scenario_event));
	s->steps = g_array_new(FALSE, FALSE, sizeof(struct scenario_step));
	s->faults = g_array_new(FALSE, FALSE, sizeof(struct scenario_fault));
	g_array_set_clear_func(s->domains, clear_domain);
	g_array_set_clear_func(s->vcpus, clear_vcpu);
	g_array_set_clear_func(s->tasks, clear_task);
	return s;
}

void scenario_free(struct scenario *self)
{
	if (self == NULL)
		return;
	g_array_unref(self->domains);
	g_array_unref(self->vcpus);
	g_array_unref(self->tasks);
	g_array_unref(self->events);
	g_array_unref(self->steps);
	g_array_unref(self->faults);
	g_free(self->core_type);
	g_free(self->scheduler);
	g_free(self);
}

static gint compare_events(gconstpointer a, gconstpointer b)
{
	const struct scenario_event *first = a;
	const struct scenario_event *second = b;

	return (first->at_ticks > second->at_ticks) - (first->at_ticks < second->at_ticks);
}

/* Tasks may notify tasks that come later in the file. */
static gboolean link_tasks(struct scenario *s, const char *name, GError **error)
{
	for (guint i = 0; i < s->tasks->len; i++) {
		struct scenario_task *task = &g_array_index(s->tasks, struct scenario_task, i);

		if (task->notify == NULL)
			continue;
		task->notify_task = find_task(s, task->notify);
		if (task->notify_task == SCENARIO_NONE) {
			g_set_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX,
			            "%s: task '%s' notifies '%s', which is no task", name,
			            task->name, task->notify);
			return FALSE;
		}
	}
	return TRUE;
}

struct scenario *scenario_parse(const char *text, const char *name, GError **error)
{
	g_autoptr(Scenario) s = scenario_new();
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (guint i = 0; lines[i] != NULL; i++) {
		GError *local = NULL;

		read_line(s, name, i + 1, lines[i], &local);
		if (local != NULL) {
			g_propagate_error(error, local);
			return NULL;
		}
	}
	if (!link_tasks(s, name, error) || !scenario_trace_check(&s->trace, name, error))
		return NULL;
	if (s->duration_ticks == 0) {
		g_set_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX,
		            "%s: no duration: add a line such as 'duration 100ms'", name);
		return NULL;
	}
	g_array_sort(s->events, compare_events);
	return g_steal_pointer(&s);
}

struct scenario *scenario_read(const char *path, GError **error)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return NULL;
	return scenario_parse(text, path, error);
}

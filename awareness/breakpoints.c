#include "awareness/breakpoints.h"

struct breakpoints {
	struct system *system;
	struct target *target;
	GPtrArray *list; /* of struct breakpoint * */
	unsigned last_id;
};

static void free_breakpoint(gpointer data)
{
	struct breakpoint *self = data;

	g_free(self->text);
	g_free(self);
}

struct breakpoints *breakpoints_new(struct system *system)
{
	struct breakpoints *self = g_new0(struct breakpoints, 1);

	self->system = system;
	self->target = system_target(system);
	self->list = g_ptr_array_new_with_free_func(free_breakpoint);
	return self;
}

void breakpoints_free(struct breakpoints *self)
{
	if (self == NULL)
		return;
	g_ptr_array_unref(self->list);
	g_free(self);
}

unsigned breakpoints_add(struct breakpoints *self, const struct breakpoint *what)
{
	struct breakpoint *copy = g_memdup2(what, sizeof(*what));

	copy->id = ++self->last_id;
	copy->text = g_strdup(what->text);
	copy->hits = 0;
	copy->skipped = 0;
	g_ptr_array_add(self->list, copy);
	return copy->id;
}

gboolean breakpoints_remove(struct breakpoints *self, unsigned id)
{
	for (guint i = 0; i < self->list->len; i++) {
		if (((struct breakpoint *)g_ptr_array_index(self->list, i))->id == id) {
			g_ptr_array_remove_index(self->list, i);
			return TRUE;
		}
	}
	return FALSE;
}

GPtrArray *breakpoints_list(struct breakpoints *self)
{
	return self->list;
}

static gboolean read_register(struct target *target, unsigned cpu, const char *name, uint64_t *out)
{
	struct target_register value;

	if (!target_register_get(target, cpu, name, &value, NULL))
		return FALSE;
	*out = value.low;
	return TRUE;
}

/* The number of the machine whose code the core executes; -1 where it is not known. */
static int machine_of_core(struct breakpoints *self, unsigned cpu)
{
	uint64_t cpsr, vttbr;

	if (!read_register(self->target, cpu, "cpsr", &cpsr))
		return -1;
	if (system_xen(self->system) == NULL)
		return 1;
	if ((cpsr >> 2 & 3) >= 2 && (cpsr & 0x10) == 0)
		return 0;
	return read_register(self->target, cpu, "VTTBR_EL2", &vttbr) ? (int)(vttbr >> 48) : -1;
}

/* What the target is to compare for `b`. Where it can, it leaves other guests alone. */
static struct target_break break_of(struct breakpoints *self, const struct breakpoint *b)
{
	gboolean is_linked = b->machine > 0 && system_xen(self->system) != NULL &&
	                     (target_capabilities(self->target) & TARGET_CAN_BREAK_VMID) != 0;

	return (struct target_break) {
		.kind = b->kind,
		.va = b->va,
		.len_bytes = b->len_bytes,
		.only_vmid = is_linked,
		.vmid = is_linked ? (uint16_t)b->machine : 0,
	};
}

static gboolean same_place(const struct target_break *a, const struct target_break *b)
{
	return a->va.value == b->va.value && a->kind == b->kind && a->len_bytes == b->len_bytes &&
	       a->only_vmid == b->only_vmid && a->vmid == b->vmid;
}

/* Sets or clears all on the target, each comparison once. */
static gboolean arm(struct breakpoints *self, gboolean set, GError **error)
{
	for (guint i = 0; i < self->list->len; i++) {
		const struct breakpoint *b = g_ptr_array_index(self->list, i);
		struct target_break what = break_of(self, b);
		gboolean before = FALSE;

		for (guint n = 0; n < i && !before; n++) {
			struct target_break other =
				break_of(self, g_ptr_array_index(self->list, n));

			before = same_place(&what, &other);
		}
		if (before)
			continue;
		if (!(set ? target_break_set(self->target, &what, error)
		          : target_break_clear(self->target, &what, error))) {
			g_prefix_error(error, "breakpoint %u (%s): ", b->id, b->text);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean covers(const struct breakpoint *b, const struct target_stop *stop, struct va pc)
{
	if (b->kind == TARGET_BREAK_SOFTWARE || b->kind == TARGET_BREAK_HARDWARE)
		return b->va.value == pc.value;
	/* A watchpoint may report the start of what it watches or the access itself. */
	return stop->reason == TARGET_STOP_WATCH && stop->watch_va.value + 16 > b->va.value &&
	       stop->watch_va.value < b->va.value + b->len_bytes;
}

/* Cores that stand on a breakpoint would hit it at once: they make one step with none
 * set. */
static gboolean step_off(struct breakpoints *self, GError **error)
{
	for (unsigned cpu = 0; cpu < target_cpu_count(self->target); cpu++) {
		uint64_t pc;

		if (!read_register(self->target, cpu, "pc", &pc))
			continue;
		for (guint i = 0; i < self->list->len; i++) {
			const struct breakpoint *b = g_ptr_array_index(self->list, i);

			if (b->va.value != pc)
				continue;
			if (!target_step(self->target, cpu, error))
				return FALSE;
			break;
		}
	}
	return TRUE;
}

void stop_place_of(struct system *system, unsigned cpu, struct stop_place *out)
{
	GPtrArray *machines = system_machines(system);
	struct target *target = system_target(system);
	struct stop_place place = { .stop = { .reason = TARGET_STOP_HALT, .cpu = cpu } };
	uint64_t cpsr = 0;

	read_register(target, cpu, "pc", &place.pc.value);
	read_register(target, cpu, "cpsr", &cpsr);
	for (guint i = 0; i < machines->len && place.vcpu == NULL; i++) {
		struct machine *machine = g_ptr_array_index(machines, i);
		gboolean hypervisor = machine->number == 0;

		if (hypervisor != ((cpsr >> 2 & 3) >= 2))
			continue;
		for (guint n = 0; n < machine->vcpus->len && place.vcpu == NULL; n++) {
			struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, n);

			if (vcpu->live && vcpu->live_cpu == cpu) {
				place.machine = machine;
				place.vcpu = vcpu;
			}
		}
	}
	if (place.vcpu != NULL)
		place.task = system_current_task(system, place.machine, place.vcpu);
	*out = place;
}

/* The task on a core that stands in a guest, from the three registers that tell it: a
 * whole refresh at every stop would be slower than what it filters. FALSE where the
 * guest does not say it that way. */
static gboolean quick_task(struct breakpoints *self, unsigned cpu, int number, int64_t *tid)
{
	static const char *const names[] = { "TPIDR_EL1", "SP_EL0", "cpsr" };
	GPtrArray *machines = system_machines(self->system);
	struct machine *machine = NULL;
	struct vcpu vcpu = { 0 };
	struct va task;
	gboolean known;

	for (guint i = 0; i < machines->len; i++) {
		struct machine *one = g_ptr_array_index(machines, i);

		if ((int)one->number == number)
			machine = one;
	}
	if (machine == NULL || machine->os == NULL || machine->os->current == NULL ||
	    machine->os->tid_of == NULL)
		return FALSE;
	register_set_init(&vcpu.registers);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		uint64_t value;

		if (read_register(self->target, cpu, names[i], &value))
			register_set_put(&vcpu.registers, names[i], value, REGISTER_SOURCE_CORE,
			                 FALSE);
	}
	known = machine->os->current(machine->os, machine, &vcpu, &task, NULL) &&
	        machine->os->tid_of(machine->os, machine, task, tid);
	register_set_deinit(&vcpu.registers);
	return known;
}

/* The breakpoint that means this stop, or NULL; those at the address that do not mean
 * it are counted. Refreshes the system only for what may be meant. */
static struct breakpoint *judge(struct breakpoints *self, const struct target_stop *stop,
                                gboolean *any, GError **error)
{
	int machine = machine_of_core(self, stop->cpu);
	struct breakpoint *meant = NULL;
	struct va pc = { 0 };

	*any = FALSE;
	read_register(self->target, stop->cpu, "pc", &pc.value);
	for (guint i = 0; i < self->list->len && meant == NULL; i++) {
		struct breakpoint *b = g_ptr_array_index(self->list, i);
		struct stop_place place;
		int64_t tid = -1;

		if (!covers(b, stop, pc))
			continue;
		*any = TRUE;
		if (b->machine < 0 || b->machine == machine) {
			if (b->tid < 0) {
				meant = b;
				break;
			}
			if (!quick_task(self, stop->cpu, machine, &tid)) {
				if (!system_refresh(self->system, error))
					return NULL;
				stop_place_of(self->system, stop->cpu, &place);
				tid = place.task != NULL ? place.task->tid : -1;
			}
			if (tid == b->tid) {
				meant = b;
				break;
			}
		}
		b->skipped++;
	}
	return meant;
}

static gboolean go_until(struct breakpoints *self, gint64 deadline, struct target_stop *stop,
                         GError **error)
{
	gint64 left_ms = (deadline - g_get_monotonic_time()) / 1000;

	if (!step_off(self, error) || !arm(self, TRUE, error) ||
	    !target_continue(self->target, error) ||
	    !target_wait(self->target, (unsigned)MAX(left_ms, 0), stop, error))
		return FALSE;
	if (stop->reason == TARGET_STOP_NONE && !target_halt(self->target, error))
		return FALSE;
	return arm(self, FALSE, error);
}

gboolean breakpoints_run(struct breakpoints *self, unsigned timeout_ms, struct stop_place *out,
                         GError **error)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	struct breakpoint *hit = NULL;
	struct target_stop stop;
	uint64_t skipped = 0;
	g_autoptr(GError) failed = NULL;

	for (;;) {
		gboolean any;

		if (!go_until(self, deadline, &stop, error))
			return FALSE;
		if (stop.reason != TARGET_STOP_BREAK && stop.reason != TARGET_STOP_WATCH)
			break;
		hit = judge(self, &stop, &any, &failed);
		if (failed != NULL) {
			g_propagate_error(error, g_steal_pointer(&failed));
			return FALSE;
		}
		/* A stop at no address of ours is somebody else's: shown as it is. */
		if (hit != NULL || !any)
			break;
		skipped++;
	}
	if (!system_refresh(self->system, error))
		return FALSE;
	stop_place_of(self->system, stop.cpu, out);
	out->stop = stop;
	out->skipped = skipped;
	out->hit = hit;
	if (hit != NULL)
		hit->hits++;
	return TRUE;
}

gboolean breakpoints_step(struct breakpoints *self, unsigned cpu, struct stop_place *out,
                          GError **error)
{
	if (!target_step(self->target, cpu, error) || !system_refresh(self->system, error))
		return FALSE;
	stop_place_of(self->system, cpu, out);
	out->stop.reason = TARGET_STOP_STEP;
	return TRUE;
}

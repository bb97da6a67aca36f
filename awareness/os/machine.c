#include "awareness/os/machine.h"

#include "awareness/os/guest-os.h"

static void vcpu_free(gpointer data)
{
	struct vcpu *self = data;

	register_set_deinit(&self->registers);
	g_free(self);
}

struct machine *machine_new(unsigned number, enum machine_kind kind)
{
	struct machine *self = g_new0(struct machine, 1);

	self->number = number;
	self->kind = kind;
	self->domain_id = -1;
	self->vcpus = g_ptr_array_new_with_free_func(vcpu_free);
	self->gaps = g_ptr_array_new_with_free_func(g_free);
	return self;
}

void machine_free(struct machine *self)
{
	if (self == NULL)
		return;
	if (self->os != NULL)
		self->os->free(self->os);
	g_clear_pointer(&self->tasks, g_ptr_array_unref);
	g_ptr_array_unref(self->vcpus);
	g_ptr_array_unref(self->gaps);
	space_free(self->physical);
	space_free(self->kernel);
	g_free(self->name);
	g_free(self->state);
	g_free(self->uuid);
	g_free(self);
}

struct vcpu *machine_add_vcpu(struct machine *self, unsigned id)
{
	struct vcpu *vcpu = g_new0(struct vcpu, 1);

	vcpu->id = id;
	vcpu->pcpu = -1;
	vcpu->state = VCPU_STATE_UNKNOWN;
	register_set_init(&vcpu->registers);
	g_ptr_array_add(self->vcpus, vcpu);
	return vcpu;
}

struct task *task_new(void)
{
	struct task *self = g_new0(struct task, 1);

	self->parent = -1;
	self->vcpu = -1;
	self->state = TASK_UNKNOWN;
	return self;
}

void task_free(struct task *self)
{
	if (self == NULL)
		return;
	g_free(self->name);
	g_free(self->waits_for);
	g_free(self);
}

void machine_add_gap(struct machine *self, const char *format, ...)
{
	va_list args;
	g_autofree char *text = NULL;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	for (guint i = 0; i < self->gaps->len; i++) {
		if (g_str_equal(g_ptr_array_index(self->gaps, i), text))
			return;
	}
	g_ptr_array_add(self->gaps, g_steal_pointer(&text));
}

const char *vcpu_state_name(enum vcpu_state state)
{
	static const char *const names[] = {
		[VCPU_RUNNING] = "running",       [VCPU_RUNNABLE] = "runnable",
		[VCPU_BLOCKED] = "blocked",       [VCPU_OFFLINE] = "offline",
		[VCPU_STATE_UNKNOWN] = "unknown",
	};

	return names[state];
}

static const struct {
	const char *letter;
	const char *name;
} task_states[] = {
	[TASK_RUNNING] = { "R", "running" },
	[TASK_SLEEPING] = { "S", "sleeping" },
	[TASK_DISK_SLEEP] = { "D", "disk sleep" },
	[TASK_STOPPED] = { "T", "stopped" },
	[TASK_TRACED] = { "t", "tracing stop" },
	[TASK_DEAD] = { "X", "dead" },
	[TASK_ZOMBIE] = { "Z", "zombie" },
	[TASK_PARKED] = { "P", "parked" },
	[TASK_IDLE] = { "I", "idle" },
	[TASK_BLOCKED] = { "B", "blocked" },
	[TASK_SUSPENDED] = { "U", "suspended" },
	[TASK_UNKNOWN] = { "?", "unknown" },
};

const char *task_state_letter(enum task_state state)
{
	return task_states[state].letter;
}

const char *task_state_name(enum task_state state)
{
	return task_states[state].name;
}

gboolean vcpu_stage1(const struct vcpu *vcpu, struct vmsa_stage1 *out)
{
	uint64_t sctlr, tcr, ttbr0, ttbr1, mair;
	uint64_t hcr = 0;

	if (!register_set_get(&vcpu->registers, "SCTLR_EL1", &sctlr) ||
	    !register_set_get(&vcpu->registers, "TCR_EL1", &tcr) ||
	    !register_set_get(&vcpu->registers, "TTBR0_EL1", &ttbr0) ||
	    !register_set_get(&vcpu->registers, "TTBR1_EL1", &ttbr1) ||
	    !register_set_get(&vcpu->registers, "MAIR_EL1", &mair))
		return FALSE;
	register_set_get(&vcpu->registers, "HCR_EL2", &hcr);
	vmsa_stage1_from_el1(out, sctlr, tcr, ttbr0, ttbr1, mair, hcr);
	return TRUE;
}

#include "analysis/names.h"

#include "base/system-file.h"

#include <string.h>

static const struct row_machine *machine_of_vmid(const struct names *self, gint64 vmid)
{
	gsize n;
	const struct row_machine *machines = recording_reader_machines(self->reader, &n);

	for (gsize i = 0; i < n; i++) {
		if (machines[i].vmid == vmid && vmid != OWNER_NO_VALUE)
			return &machines[i];
	}
	return NULL;
}

static const struct row_machine *machine_of_number(const struct names *self, guint number)
{
	gsize n;
	const struct row_machine *machines = recording_reader_machines(self->reader, &n);

	for (gsize i = 0; i < n; i++) {
		if (machines[i].machine == number)
			return &machines[i];
	}
	return NULL;
}

/* The machine whose tasks run under this owner. User code without a VMID belongs to the
 * hypervisor where that is a VHE host, unless a machine claims VMID 0. */
static const struct row_machine *machine_of(const struct names *self, const struct row_owner *owner)
{
	if (owner->owner_class == OWNER_GUEST)
		return machine_of_vmid(self, owner->vmid);
	if (owner->owner_class == OWNER_HOST)
		return self->has_vmid_0 ? machine_of_vmid(self, 0) : machine_of_number(self, 0);
	return NULL;
}

void names_init(struct names *self, const recording_reader *reader)
{
	const char *hypervisor = recording_reader_meta(reader, "hypervisor");

	*self = (struct names) { .reader = reader, .is_xen = g_strcmp0(hypervisor, "xen") == 0 };
	self->has_vmid_0 = machine_of_vmid(self, 0) != NULL;
}

const char *names_hypervisor(const struct names *self)
{
	const struct row_machine *machine = machine_of_number(self, 0);

	if (machine != NULL && machine->name != NULL)
		return machine->name;
	return self->is_xen ? "Xen" : "hypervisor";
}

char *names_domain(const struct names *self, const struct row_owner *owner)
{
	const struct row_machine *machine = machine_of(self, owner);

	if (machine != NULL && machine->name != NULL)
		return g_strdup(machine->name);
	if (owner->owner_class == OWNER_GUEST)
		return label_of_vmid(owner->vmid, self->is_xen);
	if (owner->owner_class == OWNER_HYPERVISOR)
		return g_strdup(names_hypervisor(self));
	return g_strdup(owner_class_name(owner->owner_class));
}

/* An ended task's name has a question mark from the moment it was seen last. */
static char *task_name_label(const struct names *self, guint index)
{
	gsize n;
	const struct row_task_name *names = recording_reader_task_names(self->reader, &n);

	return g_strconcat(names[index].name, names[index].doubtful ? "?" : "", NULL);
}

char *names_task(const struct names *self, const struct row_owner *owner)
{
	const struct row_machine *machine = machine_of(self, owner);
	const struct row_task *tasks;
	gsize n;

	if ((owner->owner_class != OWNER_GUEST && owner->owner_class != OWNER_HOST) ||
	    owner->context_id == OWNER_NO_VALUE)
		return NULL;
	if (owner->task_name != 0)
		return task_name_label(self, owner->task_name - 1);
	/* Where names have periods, an owner without one was nobody known. */
	recording_reader_task_names(self->reader, &n);
	if (n > 0)
		return label_of_context(owner->context_id);
	tasks = recording_reader_tasks(self->reader, &n);
	for (gsize i = 0; machine != NULL && i < n; i++) {
		if (tasks[i].machine == machine->machine &&
		    tasks[i].context_id == owner->context_id)
			return g_strdup(tasks[i].name);
	}
	return label_of_context(owner->context_id);
}

char *names_core(const struct row_core *core)
{
	return core->name != NULL ? g_strdup(core->name) : g_strdup_printf("core %u", core->core);
}

#include "decode/task-names.h"

static guint64 key_of(guint machine, gint64 context_id)
{
	return (guint64)machine << 32 | (guint32)context_id;
}

/* A tick of the trace's timestamp in the window; the ends of time stay. */
static gint64 window_ns(const struct timebase_config *time, gint64 origin_ns, gint64 ticks)
{
	const guint unused_bits = 64 - time->timestamp_bits;
	__int128_t ns;

	if (ticks == G_MININT64 || ticks == G_MAXINT64)
		return ticks;
	/* The difference is right even where the timestamp has wrapped. */
	ns = (gint64)(((guint64)ticks - time->reference_ticks) << unused_bits) >> unused_bits;
	ns = ns * 1000000000 / (gint64)time->timestamp_hz - origin_ns;
	return (gint64)CLAMP(ns, (__int128_t)G_MININT64 + 1, (__int128_t)G_MAXINT64 - 1);
}

static void add_row(struct task_names *self, const struct row_task_name *row)
{
	g_autofree guint64 *key = g_new(guint64, 1);

	*key = key_of(row->machine, row->context_id);
	g_array_append_val(self->rows, *row);
	if (!g_hash_table_contains(self->first, key))
		g_hash_table_insert(self->first, g_steal_pointer(&key),
		                    GUINT_TO_POINTER(self->rows->len));
}

static void add_machine(struct task_names *self, const struct system_machine *machine,
                        const struct timebase_config *time, gint64 origin_ns)
{
	const gboolean timed = time->basis == TIME_BASIS_TIMESTAMPS;

	for (guint i = 0; i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);
		const gboolean is_last =
			i + 1 == machine->tasks->len || task[1].context_id != task->context_id;
		struct row_task_name row = {
			.machine = machine->machine,
			.context_id = task->context_id,
			.name = task->name,
			.pid = task->pid,
			.cpu = task->cpu,
			.valid_from_ns = G_MININT64,
			.valid_to_ns = G_MAXINT64,
			.doubtful = task->doubtful,
		};

		if (timed) {
			row.valid_from_ns = window_ns(time, origin_ns, task->from_ticks);
			row.valid_to_ns = window_ns(time, origin_ns, task->to_ticks);
		}
		if (timed ? row.valid_from_ns < row.valid_to_ns : is_last)
			add_row(self, &row);
	}
}

void task_names_init(struct task_names *self, const struct system_file *system,
                     const struct timebase_config *time, gint64 origin_ns)
{
	*self = (struct task_names) {
		.rows = g_array_new(FALSE, TRUE, sizeof(struct row_task_name)),
		.system = system,
		.first = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
		.has_vmid_0 = system_file_machine_of_vmid(system, 0) != NULL,
	};
	for (guint i = 0; system != NULL && i < system->machines->len; i++)
		add_machine(self, system->machines->pdata[i], time, origin_ns);
}

void task_names_deinit(struct task_names *self)
{
	g_array_unref(self->rows);
	g_hash_table_unref(self->first);
}

/* User code without a VMID belongs to the hypervisor where that is a VHE host, unless a
 * machine claims VMID 0. */
static const struct system_machine *machine_of(const struct task_names *self,
                                               const struct row_owner *owner)
{
	if (owner->owner_class == OWNER_GUEST)
		return system_file_machine_of_vmid(self->system, owner->vmid);
	if (owner->owner_class == OWNER_HOST)
		return self->has_vmid_0 ? system_file_machine_of_vmid(self->system, 0)
		                        : system_file_machine(self->system, 0);
	return NULL;
}

/* A span that began when the task was known to be there is that task's to its end. */
static gboolean began_before_doubt(const struct row_task_name *row, gint64 begin_ns)
{
	const struct row_task_name *before = &row[-1];

	return row->doubtful && !before->doubtful && before->machine == row->machine &&
	       before->context_id == row->context_id && before->valid_to_ns == row->valid_from_ns &&
	       begin_ns < before->valid_to_ns;
}

guint task_names_find(const struct task_names *self, const struct row_owner *owner, gint64 begin_ns,
                      gint64 end_ns)
{
	const gint64 middle_ns = begin_ns + (end_ns - begin_ns) / 2;
	const struct system_machine *machine;
	guint64 key;
	guint first;

	if (self->rows->len == 0 || owner->context_id == OWNER_NO_VALUE)
		return 0;
	machine = machine_of(self, owner);
	if (machine == NULL)
		return 0;
	key = key_of(machine->machine, owner->context_id);
	first = GPOINTER_TO_UINT(g_hash_table_lookup(self->first, &key));
	for (guint i = first; i != 0 && i <= self->rows->len; i++) {
		const struct row_task_name *row =
			&g_array_index(self->rows, struct row_task_name, i - 1);

		if (row->machine != machine->machine || row->context_id != owner->context_id)
			return 0;
		if (middle_ns >= row->valid_from_ns && middle_ns < row->valid_to_ns)
			return i > first && began_before_doubt(row, begin_ns) ? i - 1 : i;
	}
	return 0;
}

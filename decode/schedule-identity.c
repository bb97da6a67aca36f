#include "decode/schedule-identity.h"

#include <stdlib.h>

enum {
	MARKER_SLACK_NS = 2000, /* a marker's way to the STM */
	DOMAIN_SHIFT = 8,       /* of a marker's id: domain << 8 | vCPU */
	VCPU_MASK = 0xff
};

/* A dump that was taken later says too little of how the trace ended. */
static const gint64 dump_delay_max_ns = 100000000;

/* Whether what is said of a task holds in all of the window. */
static gboolean is_whole(const struct schedule_given *given, const struct system_task *task)
{
	if (task->doubtful)
		return FALSE;
	if (!given->has_ticks)
		return task->from_ticks == G_MININT64 && task->to_ticks == G_MAXINT64;
	return task->from_ticks <= given->begin_ticks && task->to_ticks >= given->end_ticks;
}

static GHashTable *find_beacons(const struct schedule_given *given,
                                const struct system_machine *machine)
{
	GHashTable *beacons = g_hash_table_new(NULL, NULL);

	for (guint i = 0; machine != NULL && i < machine->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(machine->tasks, struct system_task, i);
		gint cpu = identity_cpu_of_task(task->name);

		/* A thread of the kernel that is bound by something else than its name. */
		if (cpu == IDENTITY_NO_NUMBER && task->is_kernel && task->cpu < IDENTITY_VCPUS_MAX)
			cpu = task->cpu;
		if (cpu >= 0 && task->context_id != 0 && is_whole(given, task))
			g_hash_table_insert(beacons, GUINT_TO_POINTER(task->context_id),
			                    GINT_TO_POINTER(cpu + 1));
	}
	return beacons;
}

/* The vCPUs that no core had when the target was halted, soon after the trace ended. */
static GArray *find_ends(const struct schedule_given *given, const struct system_machine *machine)
{
	GArray *ends = g_array_new(FALSE, FALSE, sizeof(struct identity_end));

	for (guint i = 0; machine != NULL && given->has_ticks && i < machine->vcpu_states->len;
	     i++) {
		const struct system_vcpu *vcpu =
			&g_array_index(machine->vcpu_states, struct system_vcpu, i);
		const gint64 delay_ticks = vcpu->taken_ticks - given->end_ticks;
		const struct identity_end end = {
			.number = vcpu->number,
			.context_id = vcpu->context_id,
			.has_pc = vcpu->has_pc,
			.pc_va = vcpu->pc_va,
		};

		if (vcpu->live || !vcpu->has_taken || vcpu->number >= IDENTITY_VCPUS_MAX ||
		    delay_ticks < 0 ||
		    (double)delay_ticks / (double)given->timestamp_hz >
		            (double)dump_delay_max_ns / 1e9)
			continue;
		if (ends->len > 0 &&
		    g_array_index(ends, struct identity_end, ends->len - 1).number == end.number)
			g_array_set_size(ends, ends->len - 1);
		g_array_append_val(ends, end);
	}
	return ends;
}

static int compare_markers(const void *a, const void *b)
{
	const struct schedule_marker *x = a, *y = b;

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

gboolean schedule_marker_parse(guint32 channel, guint64 value, struct schedule_marker *marker)
{
	enum {
		PORTS = 16, /* of page 0, the hypervisor's; a port a core */
		SWITCH = 1
	};
	const guint32 id = (guint32)value & 0x0fffffff;

	if (channel >= PORTS || value >> 28 != SWITCH || (id & VCPU_MASK) >= IDENTITY_VCPUS_MAX)
		return FALSE;
	marker->core = channel;
	marker->vmid = (gint64)(id >> DOMAIN_SHIFT) + 1; /* VMID n+1 is Xen's domain n */
	marker->number = (gint)(id & VCPU_MASK);
	return TRUE;
}

/* The last marker of that core in [begin_ns, end_ns], or NULL. */
static const struct schedule_marker *find_marker(const GArray *markers, guint core, gint64 begin_ns,
                                                 gint64 end_ns)
{
	const struct schedule_marker key = { .core = core, .time_ns = end_ns };
	const struct schedule_marker *found;
	guint low = 0, high = markers->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (compare_markers(&g_array_index(markers, struct schedule_marker, middle),
		                    &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	found = &g_array_index(markers, struct schedule_marker, low - 1);
	return found->core == core && found->time_ns >= begin_ns ? found : NULL;
}

gint *schedule_marked(const struct schedule_given *given, const struct exit_list *list)
{
	gint *marked = g_new(gint, MAX(list->pieces->len, 1));
	g_autoptr(GArray) markers = NULL;

	for (guint i = 0; i < list->pieces->len; i++)
		marked[i] = IDENTITY_NO_NUMBER;
	if (given->markers == NULL || given->markers->len == 0 ||
	    !system_file_is_xen(given->system))
		return marked;
	markers = g_array_copy(given->markers);
	qsort(markers->data, markers->len, sizeof(struct schedule_marker), compare_markers);
	for (guint i = 0; i < list->visits->len; i++) {
		const struct hypervisor_visit *visit =
			&g_array_index(list->visits, struct hypervisor_visit, i);
		const struct schedule_marker *marker = find_marker(
			markers, visit->core, visit->begin_ns, visit->end_ns + MARKER_SLACK_NS);

		/* A dropped marker leaves an older one: it is none of this visit's. */
		if (marker != NULL && visit->to != PIECE_NONE &&
		    marker->vmid ==
		            g_array_index(list->pieces, struct guest_piece, (guint)visit->to).vmid)
			marked[visit->to] = marker->number;
	}
	return marked;
}

void schedule_tell_apart(const struct schedule_given *given, const struct exit_list *list,
                         const gint *marked, gint64 vmid, struct identity *identities,
                         struct identity_summary *summary)
{
	const struct system_file *system = given->system;
	const struct system_machine *machine = system_file_machine_of_vmid(system, vmid);
	g_autoptr(GHashTable) beacons = find_beacons(given, machine);
	g_autoptr(GArray) ends = find_ends(given, machine);
	const struct identity_config config = {
		.vmid = vmid,
		.n_vcpus = machine != NULL ? machine->vcpus : 0,
		.unique_contexts = machine != NULL && machine->kind == MACHINE_KIND_LINUX,
		.pinned = system != NULL && g_strcmp0(system->scheduler, "null") == 0,
		.beacons = beacons,
		.marked = marked,
		.ends = (const struct identity_end *)(const void *)ends->data,
		.n_ends = ends->len,
	};

	identity_settle(&config, list, identities, summary);
}

#include "decode/requests-private.h"

#include <string.h>

enum {
	TYPE_CALL = 2,  /* ETMv4 exception type */
	INSTRUCTION = 4 /* bytes of an A64 instruction */
};

guint request_call_after(const GArray *calls, gint64 time_ns)
{
	guint low = 0, high = calls->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (g_array_index(calls, struct request_call, middle).begin_ns < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const char *role_of(const struct schedule *schedule, guint call)
{
	const guint function =
		g_array_index(schedule->calls, struct row_hypervisor_call, call).function;

	return g_array_index(schedule->functions, struct row_function, function).role;
}

/* The first of the hypervisor's calls on `core` at or after `time_ns`. */
static guint function_from(const struct schedule *schedule, guint core, gint64 time_ns)
{
	guint low = 0, high = schedule->calls->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;
		const struct row_hypervisor_call *call =
			&g_array_index(schedule->calls, struct row_hypervisor_call, middle);

		if (call->core < core || (call->core == core && call->time_ns < time_ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the visit sent an event, and when that woke the other side: the wake that follows,
 * else its interrupt made pending (it was awake), else the event itself. What comes after a
 * switch or an interrupt has another reason. */
static gboolean find_wake(const struct schedule *schedule, const struct row_exit *exit,
                          gint64 *wake_ns)
{
	static const char *const steps[] = { "notify", "inject", "wake" };
	guint best = 0;

	for (guint i = function_from(schedule, exit->core, exit->start_ns);
	     i < schedule->calls->len; i++) {
		const struct row_hypervisor_call *call =
			&g_array_index(schedule->calls, struct row_hypervisor_call, i);
		const char *role = role_of(schedule, i);

		if (call->core != exit->core ||
		    call->time_ns > exit->start_ns + exit->duration_ns ||
		    strcmp(role, "switch") == 0 || (best > 0 && strcmp(role, "interrupt") == 0))
			break;
		for (guint step = best; step < G_N_ELEMENTS(steps); step++) {
			if (strcmp(role, steps[step]) == 0 && (best > 0 || step == 0)) {
				*wake_ns = call->time_ns;
				best = step + 1;
			}
		}
	}
	return best > 0;
}

/* Where the calls that notify come from. Without the key `notify` it is the place that calls
 * most: a guest has one stub for each hypercall, and event channels are what it calls for. */
static gboolean is_notify(const struct system_machine *machine, const struct row_exit *exit,
                          gboolean has_usual, guint64 usual_va)
{
	if (machine->notify_va->len == 0)
		return !has_usual || !exit->has_return_address ||
		       exit->return_address_va == usual_va;
	for (guint i = 0; i < machine->notify_va->len; i++) {
		const guint64 address_va = g_array_index(machine->notify_va, guint64, i);

		if (exit->has_return_address &&
		    (exit->return_address_va == address_va + INSTRUCTION ||
		     exit->return_address_va == address_va))
			return TRUE;
	}
	return FALSE;
}

static gboolean is_call_of(const struct schedule *schedule, const struct row_exit *exit,
                           const struct system_machine *machine)
{
	return exit->type == TYPE_CALL &&
	       g_array_index(schedule->vcpus, struct row_vcpu, exit->vcpu).vmid == machine->vmid;
}

/* The return address of most of the machine's calls. */
static gboolean find_usual(const struct schedule *schedule, const struct system_machine *machine,
                           guint64 *usual_va)
{
	g_autoptr(GHashTable) counts =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	guint most = 0;

	for (guint i = 0; i < schedule->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(schedule->exits, struct row_exit, i);
		guint count;

		if (!exit->has_return_address || !is_call_of(schedule, exit, machine))
			continue;
		count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, &exit->return_address_va)) + 1;
		g_hash_table_insert(
			counts, g_memdup2(&exit->return_address_va, sizeof exit->return_address_va),
			GUINT_TO_POINTER(count));
		if (count > most) {
			most = count;
			*usual_va = exit->return_address_va;
		}
	}
	return most > 0;
}

/* Whether the hypervisor's own functions tell which calls notify: `notify` in the system file
 * is a narrower choice and goes before. */
static gboolean sends_events(const struct schedule *schedule, const struct system_machine *machine)
{
	gint64 wake_ns;

	for (guint i = 0; machine->notify_va->len == 0 && i < schedule->exits->len; i++) {
		const struct row_exit *exit = &g_array_index(schedule->exits, struct row_exit, i);

		if (is_call_of(schedule, exit, machine) && find_wake(schedule, exit, &wake_ns))
			return TRUE;
	}
	return FALSE;
}

static gint compare_calls(gconstpointer a, gconstpointer b)
{
	const struct request_call *x = a, *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

/* `serving`: only those that a serving task made, by the context that ran before the exit. */
GArray *request_pair_calls(const struct request_pair *pair, const struct system_machine *machine,
                           gboolean serving)
{
	GArray *calls = g_array_new(FALSE, FALSE, sizeof(struct request_call));
	const GArray *exits = pair->schedule->exits;
	guint64 usual_va = 0;
	const gboolean has_usual = find_usual(pair->schedule, machine, &usual_va);
	const gboolean by_function = sends_events(pair->schedule, machine);

	for (guint i = 0; i < exits->len; i++) {
		const struct row_exit *exit = &g_array_index(exits, struct row_exit, i);
		struct request_call call = { exit->start_ns, exit->start_ns + exit->duration_ns,
			                     OWNER_NO_VALUE, exit->vcpu };
		const struct request_slice *slice;
		gboolean sends;

		if (!is_call_of(pair->schedule, exit, machine))
			continue;
		sends = find_wake(pair->schedule, exit, &call.wake_ns);
		if (by_function ? !sends : !is_notify(machine, exit, has_usual, usual_va))
			continue;
		slice = serving ? request_slice_from(pair->list, exit->core, exit->start_ns - 1)
		                : NULL;
		if (serving && (slice == NULL || slice->begin_ns > exit->start_ns ||
		                !request_pair_serves(pair, slice->context_id)))
			continue;
		g_array_append_val(calls, call);
	}
	g_array_sort(calls, compare_calls);
	return calls;
}

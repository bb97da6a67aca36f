#include "schema/rows.h"

static const char *const class_names[OWNER_CLASSES] = {
	[OWNER_UNKNOWN] = "unknown",       [OWNER_GUEST] = "guest",   [OWNER_HOST] = "host",
	[OWNER_HYPERVISOR] = "hypervisor", [OWNER_SECURE] = "secure", [OWNER_IDLE] = "idle",
	[OWNER_UNTRACED] = "untraced",     [OWNER_LOST] = "lost",
};

const char *owner_class_name(enum owner_class owner_class)
{
	g_return_val_if_fail((guint)owner_class < OWNER_CLASSES, "unknown");
	return class_names[owner_class];
}

const char *how_known_name(enum how_known known)
{
	static const char *const names[KNOWN_WAYS] = { "unknown", "inferred", "exact" };

	g_return_val_if_fail((guint)known < KNOWN_WAYS, "unknown");
	return names[known];
}

const char *run_state_name(enum run_state state)
{
	static const char *const names[RUN_STATES] = { "running", "runnable", "blocked",
		                                       "unknown" };

	g_return_val_if_fail((guint)state < RUN_STATES, "unknown");
	return names[state];
}

const char *exit_reason_name(enum exit_reason reason)
{
	static const char *const names[EXIT_REASONS] = { "unknown",    "call",       "trap",
		                                         "wfi",        "irq",        "fiq",
		                                         "inst-abort", "data-abort", "serror",
		                                         "debug",      "other" };

	g_return_val_if_fail((guint)reason < EXIT_REASONS, "unknown");
	return names[reason];
}

const char *exit_instruction_name(enum exit_instruction instruction)
{
	static const char *const names[INSTRUCTIONS] = { NULL,  "hvc",    "smc",  "wfi",
		                                         "wfe", "sysreg", "other" };

	return names[instruction];
}

const char *exit_end_name(enum exit_end end)
{
	static const char *const names[EXIT_ENDS] = { "same", "other", "idle", "lost" };

	g_return_val_if_fail((guint)end < EXIT_ENDS, "lost");
	return names[end];
}

gboolean row_request_is_valid(const struct row_request *row)
{
	guint seen = 0;
	gint64 last_ns = 0;

	for (guint i = 0; i < REQUEST_STAGES; i++) {
		if (row->t_ns[i] == OWNER_NO_VALUE)
			continue;
		if (row->t_ns[i] < last_ns)
			return FALSE;
		last_ns = row->t_ns[i];
		seen |= 1u << i;
	}
	return seen != 0 && (row->exact & ~seen) == 0 && (row->marked & ~row->exact) == 0;
}

/* backtrace.h: call chains across levels
 *
 * Goes from where a core, vCPU or task stands to the end of its chain: through the
 * hypervisor's frames into the guest's kernel, from there into user code, each border
 * labelled. Names, files and lines where the symbols know them, inlined functions as
 * frames of their own. What ends a chain early is said and never guessed over.
 */
#pragma once

#include "awareness/system.h"

enum backtrace_border {
	BACKTRACE_SAME,  /* no border before this frame */
	BACKTRACE_GUEST, /* here the hypervisor was entered from the guest */
	BACKTRACE_USER,  /* here the kernel was entered from user code */
};

struct backtrace_frame {
	enum backtrace_border border;
	const struct machine *machine;
	uint64_t pc;
	uint64_t sp;
	char *function;  /* NULL where no symbol covers it */
	uint64_t offset; /* of pc in the function; 0 for inlined ones */
	char *file;      /* NULL where it is not known */
	unsigned line;
	gboolean inlined;
	const char *how; /* "start", "CFI", "frame record", "link register" */
};

struct backtrace {
	GArray *frames; /* of struct backtrace_frame */
	char *end;      /* why it ended, in words */
	gboolean whole; /* it ended at a known root */
};

void backtrace_deinit(struct backtrace *self);

/* Errors: OS_ERROR_NOT_FOUND where there are no registers to begin with. */
gboolean backtrace_vcpu(struct system *system, struct machine *machine, const struct vcpu *vcpu,
                        struct backtrace *out, GError **error);
gboolean backtrace_task(struct system *system, struct machine *machine, const struct task *task,
                        struct backtrace *out, GError **error);

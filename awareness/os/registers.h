/* registers.h: the registers of a vCPU or a task, each with where it came from
 *
 * The same register of a guest may sit in the core, in the frame that the
 * hypervisor pushed, in the hypervisor's structures or on a task's stack; which
 * copy is true depends on what was running. A set holds one value a name and says
 * which copy it is. It reads nothing itself.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum register_source {
	REGISTER_SOURCE_CORE,       /* the halted core itself */
	REGISTER_SOURCE_FRAME,      /* what the hypervisor pushed on entry from the guest */
	REGISTER_SOURCE_SAVED_VCPU, /* what the hypervisor saved when it took the vCPU off */
	REGISTER_SOURCE_SAVED_TASK, /* what the kernel saved when it took the task off */
	REGISTER_SOURCE_PT_REGS,    /* what the kernel pushed on entry from the task */
};

struct register_value {
	const char *name; /* architectural; static or interned */
	uint64_t value;
	enum register_source source;
	/* The copy is being written or not yet loaded at this very moment. */
	gboolean doubtful;
};

struct register_set {
	GArray *values; /* of struct register_value, in the order they were added */
};

void register_set_init(struct register_set *self);
void register_set_deinit(struct register_set *self);

/* Adds or replaces. `name` is interned. */
void register_set_put(struct register_set *self, const char *name, uint64_t value,
                      enum register_source source, gboolean doubtful);

/* NULL where the set has none of that name (case counts not). */
const struct register_value *register_set_find(const struct register_set *self, const char *name);

/* Returns FALSE and leaves *value where there is none. */
gboolean register_set_get(const struct register_set *self, const char *name, uint64_t *value);

/* "core", "hypervisor frame", "saved vCPU", "saved task", "pt_regs". */
const char *register_source_name(enum register_source source);

/* target-fake.h: a target that lives in this process, for tests
 *
 * Holds pieces of memory and registers that the test puts there, and can be told
 * to fail: every N-th read, or a range of addresses. It can be written, and it
 * runs by the test's own hand: a queue of stops that target_wait() hands out one
 * by one. It counts like any other target.
 */
#pragma once

#include "awareness/target/target.h"

struct target *target_fake_new(unsigned n_cpus);

/* Adds zeroed memory; returns the bytes, owned by the target. */
uint8_t *target_fake_add_memory(struct target *target, struct pa base, uint64_t len_bytes);

/* Sets a register; call before target_fake_seal(), and for core 0 first. */
void target_fake_set_register(struct target *target, unsigned cpu, const char *name,
                              uint64_t value);

/* No more memory and no new registers from here on; call once. */
void target_fake_seal(struct target *target);

/* Every n-th piece of memory fails from now on; 0 turns it off. */
void target_fake_fail_every(struct target *target, unsigned n);

/* From now on the address of each piece that is read is kept; see below. */
void target_fake_record(struct target *target);

/* The pieces read since, of struct target_region; owned by the target. */
const GArray *target_fake_recorded(struct target *target);

/* What the next target_wait() returns after target_continue(). `registers_changed`
 * is called at that moment (may be NULL) to set up the registers of the stop. */
void target_fake_push_stop(struct target *target, const struct target_stop *stop,
                           void (*registers_changed)(struct target *target, gpointer data),
                           gpointer data);

/* From now on it says that it compares VMIDs by itself (TARGET_CAN_BREAK_VMID). */
void target_fake_compare_vmid(struct target *target);

/* The breakpoint that was set last; all 0 before the first. Owned by the target. */
const struct target_break *target_fake_last_break(struct target *target);

/* As target_fake_set_register(), after sealing, by the test's hand and not the
 * user's: counts as the target having run. */
void target_fake_poke_register(struct target *target, unsigned cpu, const char *name,
                               uint64_t value);

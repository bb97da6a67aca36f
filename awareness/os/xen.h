/* xen.h: what Xen on Arm says about its domains
 *
 * Reads Xen's own structures through its EL2 tables: domains, their vCPUs, what
 * runs where, and the registers of each vCPU from the copy that is true at this
 * moment. Identity comes from `curr_vcpu` and never from VTTBR_EL2 alone, which may
 * hold VMID 0 or the previous vCPU's while the idle vCPU runs. Needs Xen's symbols
 * and types (DWARF or a layout profile). Knows no guest operating system.
 */
#pragma once

#include "awareness/os/machine.h"

struct xen;

/* Attaches to the Xen that runs on `target`'s cores. `cache` and `image` are
 * borrowed. Fills `machine` (number 0) with the physical cores and Xen's space.
 * Errors: OS_ERROR_SYMBOLS, also where the image's build id is not the running
 * one's; OS_ERROR_MEMORY. */
struct xen *xen_new(struct machine *machine, struct pagecache *cache, struct image *image,
                    GError **error);
void xen_free(struct xen *self);

/* Appends a struct machine * for each domain, in the order of Xen's list. What
 * cannot be read becomes a gap of `hypervisor`. */
void xen_list_domains(struct xen *self, struct machine *hypervisor, GPtrArray *machines);

/* "4.17", or NULL where Xen does not say. A new string. */
char *xen_version(struct xen *self);

/* The bounds of the stack that `va` lies in: Xen aligns stacks to their size.
 * FALSE where the size of a stack is not known. */
gboolean xen_stack(struct xen *self, struct va va, struct va *low, struct va *high);

/* What the domain's counter is behind the system's: CNTVCT_EL0 = CNTPCT_EL0 - *ticks.
 * FALSE where Xen's types do not tell. */
gboolean xen_counter_offset(struct xen *self, const struct machine *domain, uint64_t *ticks);

/* A value of the system's counter that has passed: when Xen last changed the state of
 * one of the domain's vCPUs. FALSE where its types and symbols do not tell. */
gboolean xen_last_change(struct xen *self, const struct machine *domain, uint64_t *ticks);

/* Where Xen left a vCPU that does not run: the registers that its next switch loads.
 * FALSE for one that is live, and where it cannot be read. */
struct unwind_registers;
gboolean xen_saved_context(struct xen *self, const struct vcpu *vcpu, struct unwind_registers *out);

/* The names and values of the physical cores' registers, from the target. */
void cores_read(struct machine *machine, struct target *target);

/* The EL2 translation of a core. FALSE where the target has no system registers. */
gboolean core_el2_space(struct target *target, unsigned cpu, struct space_config *out);

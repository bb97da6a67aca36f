/* Xen's and its domains' counters. */
#include "awareness/os/xen-private.h"

static const double ns_per_ms = 1e6;

gboolean xen_counter_offset(struct xen *self, const struct machine *domain, uint64_t *ticks)
{
	uint64_t offset_bytes;

	return domain->va.value != 0 &&
	       types_offset(self->program.types, "struct domain", "arch.virt_timer_base.offset",
	                    &offset_bytes, NULL) &&
	       space_read_uint(self->program.space, (struct va) { domain->va.value + offset_bytes },
	                       8, ticks, NULL);
}

/* Xen's NOW() is nanoseconds since boot_count, at cpu_khz ticks a millisecond
 * (xen/arch/arm/time.c). */
gboolean xen_last_change(struct xen *self, const struct machine *domain, uint64_t *ticks)
{
	uint64_t boot_ticks, khz, offset_bytes, last_ns = 0;

	if (!program_read_variable(&self->program, "boot_count", 8, &boot_ticks, NULL) ||
	    !program_read_variable(&self->program, "cpu_khz", 8, &khz, NULL) ||
	    !types_offset(self->program.types, "struct vcpu", "runstate.state_entry_time",
	                  &offset_bytes, NULL))
		return FALSE;
	for (guint i = 0; i < domain->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(domain->vcpus, i);
		uint64_t entry_ns;

		if (vcpu->va.value != 0 &&
		    space_read_uint(self->program.space,
		                    (struct va) { vcpu->va.value + offset_bytes }, 8, &entry_ns,
		                    NULL))
			last_ns = MAX(last_ns, entry_ns);
	}
	if (last_ns == 0 || last_ns > G_MAXINT64 || khz == 0 || khz > G_MAXUINT32)
		return FALSE;
	*ticks = boot_ticks + (uint64_t)((double)last_ns * (double)khz / ns_per_ms);
	return TRUE;
}

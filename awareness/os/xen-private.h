/* xen-private.h: shared by xen.c and xen-vcpu.c only */
#pragma once

#include "awareness/os/xen.h"

enum xen_domain_field {
	DOMAIN_ID,
	DOMAIN_MAX_VCPUS,
	DOMAIN_VCPU,
	DOMAIN_NEXT,
	DOMAIN_IS_DYING,
	DOMAIN_IS_SHUTTING_DOWN,
	DOMAIN_IS_SHUT_DOWN,
	DOMAIN_SHUTDOWN_CODE,
	DOMAIN_PAUSE_COUNT,
	DOMAIN_HANDLE,
	DOMAIN_VTTBR,
	DOMAIN_VMID,
	DOMAIN_FIELDS,
};

enum xen_vcpu_field {
	VCPU_ID,
	VCPU_PROCESSOR,
	VCPU_DOMAIN,
	VCPU_RUNSTATE,
	VCPU_IS_RUNNING,
	VCPU_PAUSE_FLAGS,
	VCPU_CPU_INFO,
	VCPU_STACK,
	VCPU_FIELDS,
};

enum xen_limits {
	XEN_DOMAINS_MAX = 4096,
	XEN_VCPUS_MAX = 512,
};

/* One core as Xen sees it. */
struct xen_core {
	struct va curr_vcpu; /* 0 where it could not be read */
	unsigned el;         /* exception level that the core is halted in */
	uint64_t vttbr;
	/* The guest's registers are still in the core, or on their way to the frame:
	 * it stands in the exception vectors. */
	gboolean entering;
	/* Xen is changing vCPUs on it: what the core holds is partly the last one's, and
	 * all of curr_vcpu is still where it was saved. */
	gboolean switching;
};

struct xen {
	struct pagecache *cache;
	struct program program; /* in machine 0's space */
	struct layout domain;
	struct layout vcpu;
	struct layout saved; /* system registers in struct vcpu */
	struct layout frame; /* struct cpu_user_regs */
	uint64_t frame_in_cpu_info;
	uint64_t vtcr;
	unsigned n_cores;
	struct xen_core *cores;
};

/* The system registers that Xen saves, in the order of self->saved. */
extern const char *const xen_saved_names[];
extern const struct field xen_saved_fields[];
extern const size_t xen_n_saved_fields;
extern const struct field xen_frame_fields[];
extern const size_t xen_n_frame_fields;

/* Fills in vcpu->live and vcpu->registers. `fields` are those of self->vcpu. */
void xen_read_vcpu_registers(struct xen *self, struct machine *machine, struct vcpu *vcpu,
                             const uint64_t *fields);

#include "awareness/os/xen-private.h"

#include <string.h>

static const struct field domain_fields[] = {
	[DOMAIN_ID] = { "domain_id", FALSE },
	[DOMAIN_MAX_VCPUS] = { "max_vcpus", FALSE },
	[DOMAIN_VCPU] = { "vcpu", FALSE },
	[DOMAIN_NEXT] = { "next_in_list", FALSE },
	[DOMAIN_IS_DYING] = { "is_dying", FALSE },
	[DOMAIN_IS_SHUTTING_DOWN] = { "is_shutting_down", FALSE },
	[DOMAIN_IS_SHUT_DOWN] = { "is_shut_down", TRUE },
	[DOMAIN_SHUTDOWN_CODE] = { "shutdown_code", TRUE },
	[DOMAIN_PAUSE_COUNT] = { "pause_count.counter|pause_count", TRUE },
	[DOMAIN_HANDLE] = { "handle", TRUE },
	[DOMAIN_VTTBR] = { "arch.p2m.vttbr", FALSE },
	[DOMAIN_VMID] = { "arch.p2m.vmid", FALSE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(domain_fields) == DOMAIN_FIELDS);

static const struct field vcpu_fields[] = {
	[VCPU_ID] = { "vcpu_id", FALSE },
	[VCPU_PROCESSOR] = { "processor", FALSE },
	[VCPU_DOMAIN] = { "domain", FALSE },
	[VCPU_RUNSTATE] = { "runstate.state", FALSE },
	[VCPU_IS_RUNNING] = { "is_running", FALSE },
	[VCPU_PAUSE_FLAGS] = { "pause_flags", FALSE },
	[VCPU_CPU_INFO] = { "arch.cpu_info", FALSE },
	[VCPU_STACK] = { "arch.stack", FALSE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(vcpu_fields) == VCPU_FIELDS);

enum switch_limits {
	/* Of the stack above SP: schedule_tail()'s callees are shallow. */
	SWITCH_STACK_WORDS = 128,
	ENTRY_WORDS = 128, /* of code before the first call */
};

static gboolean resolve_layouts(struct xen *self, GError **error)
{
	const struct program *p = &self->program;

	if (!layout_init(&self->domain, p, "struct domain", domain_fields, DOMAIN_FIELDS, error) ||
	    !layout_init(&self->vcpu, p, "struct vcpu", vcpu_fields, VCPU_FIELDS, error) ||
	    !layout_init(&self->saved, p, "struct vcpu", xen_saved_fields, xen_n_saved_fields,
	                 error) ||
	    !layout_init(&self->frame, p, "struct cpu_user_regs", xen_frame_fields,
	                 xen_n_frame_fields, error))
		return FALSE;
	return types_offset(p->types, "struct cpu_info", "guest_cpu_user_regs",
	                    &self->frame_in_cpu_info, error);
}

/* The running Xen carries its build id; an image of another build would give
 * nonsense that looks like sense. */
static gboolean check_build(struct xen *self, GError **error)
{
	const char *expected = image_build_id(self->program.image);
	uint8_t note[64];
	struct va va;
	g_autoptr(GString) found = g_string_new(NULL);
	uint32_t name_bytes, desc_bytes;

	if (expected == NULL ||
	    !program_address(&self->program, "__note_gnu_build_id_start", &va, NULL))
		return TRUE;
	if (!space_read(self->program.space, va, note, sizeof(note), NULL, error)) {
		g_prefix_error(error, "cannot read Xen's build id where %s has it: ",
		               image_name(self->program.image));
		return FALSE;
	}
	memcpy(&name_bytes, note, 4);
	memcpy(&desc_bytes, note + 4, 4);
	for (uint32_t i = 0; name_bytes == 4 && i < desc_bytes && 16 + i < sizeof(note); i++)
		g_string_append_printf(found, "%02x", note[16 + i]);
	if (g_ascii_strcasecmp(found->str, expected) == 0)
		return TRUE;
	g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
	            "%s (build id %s) is not the Xen that runs here (%s): give the symbols of "
	            "that build",
	            image_name(self->program.image), expected,
	            found->len > 0 ? found->str : "no build id found at its place");
	return FALSE;
}

/* Whether the core stands in code that is just storing the guest's registers: in the
 * vectors, or in what they branch to (arch/arm/arm64/entry.S) before its first call. */
static gboolean is_entering(const struct xen *self, uint64_t pc)
{
	static const char *const names[] = {
		"guest_sync",         "guest_sync_slowpath",
		"guest_irq",          "guest_fiq_invalid",
		"guest_error",        "guest_sync_compat",
		"guest_irq_compat",   "guest_fiq_invalid_compat",
		"guest_error_compat",
	};
	uint32_t words[ENTRY_WORDS];
	uint64_t offset_bytes;
	const struct symbol *symbol =
		symbols_by_address(self->program.symbols, pc - self->program.slide, &offset_bytes);
	gboolean is_entry = FALSE;

	if (symbol == NULL)
		return FALSE;
	if (strcmp(symbol->name, "hyp_traps_vector") == 0)
		return TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		is_entry = is_entry || strcmp(symbol->name, names[i]) == 0;
	if (!is_entry || offset_bytes > sizeof(words) ||
	    !space_read(self->program.space, (struct va) { pc - offset_bytes }, words, offset_bytes,
	                NULL, NULL))
		return FALSE;
	for (size_t i = 0; i < offset_bytes / 4; i++) {
		/* BL */
		if ((GUINT32_FROM_LE(words[i]) & 0xfc000000) == 0x94000000)
			return FALSE;
	}
	return TRUE;
}

static gboolean is_in(const struct xen *self, uint64_t pc, const char *function)
{
	uint64_t offset_bytes;
	const struct symbol *symbol =
		symbols_by_address(self->program.symbols, pc - self->program.slide, &offset_bytes);

	return symbol != NULL && strcmp(symbol->name, function) == 0;
}

/* Between set_current() and the end of schedule_tail() (arch/arm/domain.c) curr_vcpu and
 * the core are of two vCPUs, even where both have one VTTBR: on the stack of another vCPU
 * than curr_vcpu, or on its own below schedule_tail(). */
static gboolean is_switching(const struct xen *self, struct va curr_vcpu,
                             const struct register_set *set)
{
	uint64_t fields[LAYOUT_FIELDS_MAX], words[SWITCH_STACK_WORDS], pc = 0, lr = 0, sp = 0;
	struct va low, high;
	gsize n_bytes;
	size_t n_read = 0;

	register_set_get(set, "pc", &pc);
	register_set_get(set, "x30", &lr);
	if (!register_set_get(set, "sp", &sp) ||
	    !xen_stack((struct xen *)(gpointer)self, (struct va) { sp }, &low, &high) ||
	    !layout_read(&self->vcpu, self->program.space, curr_vcpu, fields, NULL))
		return FALSE;
	if (fields[VCPU_STACK] != low.value)
		return TRUE;
	if (is_in(self, pc, "schedule_tail") || is_in(self, lr, "schedule_tail"))
		return TRUE;
	n_bytes = MIN(sizeof(words), high.value - sp) & ~(gsize)7;
	space_read(self->program.space, (struct va) { sp }, words, n_bytes, &n_read, NULL);
	for (size_t i = 0; i < n_read / 8; i++) {
		if (is_in(self, GUINT64_FROM_LE(words[i]), "schedule_tail"))
			return TRUE;
	}
	return FALSE;
}

static void read_core(struct xen *self, struct machine *machine, unsigned cpu)
{
	struct xen_core *core = &self->cores[cpu];
	const struct register_set *set =
		&((struct vcpu *)g_ptr_array_index(machine->vcpus, cpu))->registers;
	uint64_t cpsr = 0, pc = 0, offset = 0, current;
	struct va va;
	g_autoptr(GError) error = NULL;

	register_set_get(set, "cpsr", &cpsr);
	register_set_get(set, "pc", &pc);
	register_set_get(set, "VTTBR_EL2", &core->vttbr);
	core->el = (cpsr & 0x10) != 0 ? 0 : (unsigned)(cpsr >> 2 & 3);
	core->entering = core->el == 2 && is_entering(self, pc);
	if (!register_set_get(set, "TPIDR_EL2", &offset) ||
	    !program_address(&self->program, "per_cpu__curr_vcpu", &va, &error) ||
	    !space_read_uint(self->program.space, (struct va) { va.value + offset }, 8, &current,
	                     &error)) {
		machine_add_gap(machine, "core %u: which vCPU it runs is not known: %s", cpu,
		                error != NULL ? error->message : "the target has no TPIDR_EL2");
		return;
	}
	core->curr_vcpu.value = current;
	core->switching =
		core->el == 2 && !core->entering && is_switching(self, core->curr_vcpu, set);
}

static gboolean make_space(struct machine *machine, struct pagecache *cache, GError **error)
{
	struct target *target = pagecache_target(cache);
	struct space_config config;

	for (unsigned cpu = 0; cpu < target_cpu_count(target); cpu++) {
		if (!core_el2_space(target, cpu, &config) || !config.stage1.enabled)
			continue;
		machine->kernel = space_new(cache, &config);
		config.stage1.enabled = FALSE;
		machine->physical = space_new(cache, &config);
		return TRUE;
	}
	g_set_error(
		error, OS_ERROR, OS_ERROR_MEMORY,
		"no core of %s has an active EL2 translation (TTBR0_EL2, TCR_EL2, SCTLR_EL2.M): "
		"is Xen up, and does the target show system registers?",
		target_describe(target));
	return FALSE;
}

static void read_vtcr(struct xen *self)
{
	struct target_register value;

	if (target_register_get(pagecache_target(self->cache), 0, "VTCR_EL2", &value, NULL) &&
	    value.low != 0)
		self->vtcr = value.low;
	else
		program_read_variable(&self->program, "vtcr", 8, &self->vtcr, NULL);
}

struct xen *xen_new(struct machine *machine, struct pagecache *cache, struct image *image,
                    GError **error)
{
	struct xen *self = g_new0(struct xen, 1);

	self->cache = cache;
	self->n_cores = target_cpu_count(pagecache_target(cache));
	self->cores = g_new0(struct xen_core, self->n_cores);
	cores_read(machine, pagecache_target(cache));
	if (!make_space(machine, cache, error) ||
	    !program_init(&self->program, image, machine->kernel, 0, error) ||
	    !check_build(self, error) || !resolve_layouts(self, error)) {
		xen_free(self);
		return NULL;
	}
	machine->program = self->program;
	machine->has_program = TRUE;
	read_vtcr(self);
	for (unsigned cpu = 0; cpu < self->n_cores; cpu++)
		read_core(self, machine, cpu);
	return self;
}

void xen_free(struct xen *self)
{
	if (self == NULL)
		return;
	g_free(self->cores);
	g_free(self);
}

char *xen_version(struct xen *self)
{
	uint64_t major, minor;

	if (!program_read_variable(&self->program, "major_version", 4, &major, NULL) ||
	    !program_read_variable(&self->program, "minor_version", 4, &minor, NULL))
		return NULL;
	return g_strdup_printf("%u.%u", (unsigned)major, (unsigned)minor);
}

static char *format_uuid(struct xen *self, struct va domain)
{
	uint8_t b[16];

	if (!self->domain.found[DOMAIN_HANDLE] ||
	    !space_read(self->program.space, layout_member(&self->domain, domain, DOMAIN_HANDLE), b,
	                sizeof(b), NULL, NULL))
		return NULL;
	return g_strdup_printf(
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

/* Xen's public shutdown codes (public/sched.h, SHUTDOWN_*). */
static char *domain_state(const uint64_t *fields)
{
	static const char *const codes[] = { "poweroff", "reboot",   "suspend",
		                             "crash",    "watchdog", "soft reset" };

	if (fields[DOMAIN_IS_DYING] != 0)
		return g_strdup(fields[DOMAIN_IS_DYING] == 1 ? "dying" : "dead");
	if (fields[DOMAIN_IS_SHUT_DOWN] != 0 || fields[DOMAIN_IS_SHUTTING_DOWN] != 0) {
		uint64_t code = fields[DOMAIN_SHUTDOWN_CODE];

		return g_strdup_printf(
			"%s (%s)", fields[DOMAIN_IS_SHUT_DOWN] != 0 ? "shut down" : "shutting down",
			code < G_N_ELEMENTS(codes) ? codes[code] : "reason unknown");
	}
	if ((int32_t)fields[DOMAIN_PAUSE_COUNT] > 0)
		return g_strdup("paused");
	return g_strdup("running");
}

static void read_vcpu(struct xen *self, struct machine *machine, unsigned index, struct va va)
{
	uint64_t fields[LAYOUT_FIELDS_MAX];
	g_autoptr(GError) error = NULL;
	struct vcpu *vcpu;

	if (!layout_read(&self->vcpu, self->program.space, va, fields, &error)) {
		machine_add_gap(machine, "vCPU %u: %s", index, error->message);
		return;
	}
	if (fields[VCPU_ID] != index) {
		machine_add_gap(machine,
		                "vCPU %u: the structure at 0x%" G_GINT64_MODIFIER
		                "x calls itself %" G_GUINT64_FORMAT,
		                index, va.value, fields[VCPU_ID]);
		return;
	}
	vcpu = machine_add_vcpu(machine, index);
	vcpu->va = va;
	vcpu->state = fields[VCPU_RUNSTATE] < VCPU_STATE_UNKNOWN
	                      ? (enum vcpu_state)fields[VCPU_RUNSTATE]
	                      : VCPU_STATE_UNKNOWN;
	vcpu->pcpu = (int)fields[VCPU_PROCESSOR];
	vcpu->pause_flags = fields[VCPU_PAUSE_FLAGS];
	xen_read_vcpu_registers(self, machine, vcpu, fields);
}

static void read_vcpus(struct xen *self, struct machine *machine, const uint64_t *fields)
{
	uint64_t n = MIN(fields[DOMAIN_MAX_VCPUS], XEN_VCPUS_MAX);

	if (n < fields[DOMAIN_MAX_VCPUS])
		machine_add_gap(machine, "max_vcpus is %" G_GUINT64_FORMAT "; looked at %u",
		                fields[DOMAIN_MAX_VCPUS], XEN_VCPUS_MAX);
	for (unsigned i = 0; i < n; i++) {
		g_autoptr(GError) error = NULL;
		uint64_t pointer;

		if (!space_read_uint(self->program.space,
		                     (struct va) { fields[DOMAIN_VCPU] + i * 8 }, 8, &pointer,
		                     &error)) {
			machine_add_gap(machine, "vCPU %u: %s", i, error->message);
			return;
		}
		/* A vCPU that was never created. */
		if (pointer != 0)
			read_vcpu(self, machine, i, (struct va) { pointer });
	}
}

static void make_physical(struct xen *self, struct machine *machine)
{
	struct space_config config = *space_config_of(self->program.space);

	config.stage1 = (struct vmsa_stage1) { .enabled = FALSE };
	config.stage2 = (struct vmsa_stage2) {
		.enabled = TRUE,
		.vtcr = self->vtcr,
		.vttbr = machine->vttbr,
	};
	machine->physical = space_new(self->cache, &config);
}

static struct machine *read_domain(struct xen *self, struct va va, const uint64_t *fields)
{
	struct machine *machine = machine_new((unsigned)fields[DOMAIN_VMID], MACHINE_KIND_UNSAID);

	machine->domain_id = (int)(fields[DOMAIN_ID] & 0xffff);
	machine->name = g_strdup_printf("dom%d", machine->domain_id);
	machine->vmid = (unsigned)fields[DOMAIN_VMID];
	machine->vttbr = fields[DOMAIN_VTTBR];
	machine->va = va;
	machine->state = domain_state(fields);
	machine->uuid = format_uuid(self, va);
	make_physical(self, machine);
	read_vcpus(self, machine, fields);
	return machine;
}

void xen_list_domains(struct xen *self, struct machine *hypervisor, GPtrArray *machines)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
	g_autoptr(GError) error = NULL;
	uint64_t next;

	if (!program_read_variable(&self->program, "domain_list", 8, &next, &error)) {
		machine_add_gap(hypervisor, "the list of domains: %s", error->message);
		return;
	}
	while (next != 0) {
		uint64_t fields[LAYOUT_FIELDS_MAX];

		if (!g_hash_table_add(seen, GSIZE_TO_POINTER(next))) {
			machine_add_gap(
				hypervisor,
				"the list of domains runs in a circle at 0x%" G_GINT64_MODIFIER
				"x; domains may be missing",
				next);
			return;
		}
		if (machines->len >= XEN_DOMAINS_MAX) {
			machine_add_gap(hypervisor, "more than %u domains; the rest is left out",
			                XEN_DOMAINS_MAX);
			return;
		}
		if (!layout_read(&self->domain, self->program.space, (struct va) { next }, fields,
		                 &error)) {
			machine_add_gap(hypervisor, "the list of domains breaks off after %u: %s",
			                machines->len, error->message);
			return;
		}
		g_ptr_array_add(machines, read_domain(self, (struct va) { next }, fields));
		next = fields[DOMAIN_NEXT];
	}
}

gboolean xen_stack(struct xen *self, struct va va, struct va *low, struct va *high)
{
	uint64_t size_bytes = 0;

	/* cpu_info sits at the top of a stack, and init's stack is a variable whose
	 * size is that of every stack. */
	const struct symbol *symbol = symbols_by_name(self->program.symbols, "cpu0_boot_stack");

	if (symbol != NULL)
		size_bytes = symbol->size_bytes;
	if (size_bytes == 0 || (size_bytes & (size_bytes - 1)) != 0)
		return FALSE;
	low->value = va.value & ~(size_bytes - 1);
	high->value = low->value + size_bytes;
	return TRUE;
}

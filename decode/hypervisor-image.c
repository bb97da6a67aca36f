#include "decode/hypervisor-image.h"

#include "decode/decode-error.h"

#include <fcntl.h>
#include <gelf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum {
	EL_HYPERVISOR = 2,
	EL_KERNEL = 1,
	FUNCTIONS_MAX = 1 << 20,
	SEGMENT_BYTES_MAX = 1 << 28
};

/* Some bytes of one machine's memory. */
struct region {
	guint el;
	gint64 vmid; /* 0 for the hypervisor */
	guint64 address_va;
	GBytes *bytes;
};

struct hypervisor_image {
	GArray *regions;   /* struct region, by EL, VMID and address */
	GArray *segments;  /* struct region, of the file, by address */
	GArray *functions; /* struct hypervisor_function, by address */
	GStringChunk *names;
};

static void region_clear(gpointer data)
{
	g_bytes_unref(((struct region *)data)->bytes);
}

static gint compare_regions(gconstpointer a, gconstpointer b)
{
	const struct region *x = a, *y = b;

	if (x->el != y->el)
		return x->el < y->el ? -1 : 1;
	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	return x->address_va < y->address_va ? -1 : x->address_va > y->address_va;
}

static gint compare_functions(gconstpointer a, gconstpointer b)
{
	const struct hypervisor_function *x = a, *y = b;

	if (x->address_va != y->address_va)
		return x->address_va < y->address_va ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* "EL1N vmid=2 cid=95": a space of the Snapshot format, and whose it was. */
static gboolean parse_space(const char *space, struct region *region)
{
	const char *vmid = space != NULL ? strstr(space, "vmid=") : NULL;

	if (space == NULL || !g_str_has_prefix(space, "EL") || !g_ascii_isdigit(space[2]))
		return FALSE;
	region->el = (guint)(space[2] - '0');
	region->vmid = vmid != NULL ? g_ascii_strtoll(vmid + strlen("vmid="), NULL, 10) : 0;
	return region->el == EL_HYPERVISOR || region->el == EL_KERNEL;
}

static void read_dumps(struct hypervisor_image *self, const struct snapshot *snapshot)
{
	for (guint core = 0; core < snapshot->n_cores; core++) {
		const struct snapshot_device *device = snapshot->cores[core];

		for (guint i = 0; i < device->n_dumps; i++) {
			struct region region = { .address_va = device->dumps[i].address };

			if (!parse_space(device->dumps[i].space, &region))
				continue;
			/* A file that is not there has been noted by the snapshot's reader. */
			region.bytes = snapshot_dump_map(&device->dumps[i], NULL);
			if (region.bytes != NULL)
				g_array_append_val(self->regions, region);
		}
	}
	g_array_sort(self->regions, compare_regions);
}

/* Names of Xen on Arm (xen/arch/arm and xen/common, 4.17), and those that other hypervisors
 * share with it. A name that ends in '*' is a prefix. */
static const struct {
	const char *name;
	enum function_role role;
} roles[] = {
	{ "vcpu_wake", ROLE_WAKE },
	{ "evtchn_send", ROLE_NOTIFY },
	{ "send_guest_*", ROLE_NOTIFY },
	{ "vgic_inject_irq", ROLE_INJECT },
	{ "context_switch", ROLE_SWITCH },
	{ "do_trap_*", ROLE_NONE },
	{ "do_softirq", ROLE_NONE },
	{ "do_IRQ", ROLE_NONE },
	{ "do_tasklet*", ROLE_NONE },
	{ "do_memory_op", ROLE_HANDLER },
	{ "do_*_op", ROLE_HANDLER },
	{ "do_console_io", ROLE_HANDLER },
	{ "do_xen_version", ROLE_HANDLER },
	{ "do_multicall", ROLE_HANDLER },
	{ "do_*ctl", ROLE_HANDLER },
	{ "do_psci_*", ROLE_HANDLER },
	{ "vsmccc_handle_call", ROLE_HANDLER },
	{ "vgic_*_mmio_read", ROLE_HANDLER },
	{ "vgic_*_mmio_write", ROLE_HANDLER },
	{ "vgic_v3_emulate_reg", ROLE_NONE },
	{ "vgic_v3_emulate_*", ROLE_HANDLER },
	{ "vtimer_emulate", ROLE_HANDLER },
	{ "vpl011_mmio_*", ROLE_HANDLER },
	{ "do_cp15_*", ROLE_HANDLER },
	{ "do_sysreg", ROLE_NONE },
	{ "p2m_resolve_translation_fault", ROLE_HANDLER },
	{ "htimer_interrupt", ROLE_INTERRUPT },
	{ "vtimer_interrupt", ROLE_INTERRUPT },
	{ "timer_interrupt", ROLE_INTERRUPT },
	{ "maintenance_interrupt", ROLE_INTERRUPT },
	{ "do_sgi", ROLE_INTERRUPT },
	{ "gic_handle_sgi", ROLE_INTERRUPT },
};

static enum function_role role_of(const char *name)
{
	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++) {
		if (g_pattern_match_simple(roles[i].name, name))
			return roles[i].role;
	}
	return ROLE_NONE;
}

/* A part that the compiler made of a function (f.part.0, f.constprop.1) is that function. */
static const char *whole_name(struct hypervisor_image *self, const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL && dot > name ? g_string_chunk_insert_len(self->names, name, dot - name)
	                                 : g_string_chunk_insert(self->names, name);
}

static void read_symbols(struct hypervisor_image *self, Elf *elf, Elf_Scn *section,
                         const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	for (int i = 0; data != NULL && self->functions->len < FUNCTIONS_MAX &&
	                gelf_getsym(data, i, &symbol) != NULL;
	     i++) {
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
		struct hypervisor_function function = { .address_va = symbol.st_value };

		if (name == NULL || *name == '\0' || GELF_ST_TYPE(symbol.st_info) != STT_FUNC ||
		    !g_utf8_validate(name, -1, NULL))
			continue;
		function.name = whole_name(self, name);
		function.is_part = strcmp(function.name, name) != 0;
		function.role = role_of(function.name);
		g_array_append_val(self->functions, function);
	}
}

static void read_segments(struct hypervisor_image *self, Elf *elf)
{
	size_t n = 0, file_bytes = 0;
	const char *file = elf_rawfile(elf, &file_bytes);

	if (elf_getphdrnum(elf, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr header;
		struct region region = { .el = EL_HYPERVISOR };

		if (gelf_getphdr(elf, (int)i, &header) == NULL || header.p_type != PT_LOAD ||
		    (header.p_flags & PF_X) == 0 || header.p_offset > file_bytes ||
		    header.p_filesz > MIN(file_bytes - header.p_offset, SEGMENT_BYTES_MAX))
			continue;
		region.address_va = header.p_vaddr;
		region.bytes = g_bytes_new(file + header.p_offset, header.p_filesz);
		g_array_append_val(self->segments, region);
	}
	g_array_sort(self->segments, compare_regions);
}

static gboolean fail(GError **error, const char *path, const char *what)
{
	g_set_error(
		error, DECODE_ERROR, DECODE_ERROR_UNSUPPORTED,
		"%s, the hypervisor's symbols: %s; name its ELF file with symbols (xen-syms), or "
		"leave out the key 'symbols' of [machine 0]",
		path, what);
	return FALSE;
}

static gboolean read_elf(struct hypervisor_image *self, Elf *elf, const char *path, GError **error)
{
	Elf_Scn *section = NULL;
	GElf_Ehdr header;

	if (elf == NULL || elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == NULL)
		return fail(error, path, "no ELF file");
	if (header.e_machine != EM_AARCH64)
		return fail(error, path, "not for AArch64");
	while ((section = elf_nextscn(elf, section)) != NULL) {
		GElf_Shdr section_header;

		if (gelf_getshdr(section, &section_header) != NULL &&
		    section_header.sh_type == SHT_SYMTAB)
			read_symbols(self, elf, section, &section_header);
	}
	if (self->functions->len == 0)
		return fail(error, path, "it has no symbol table");
	g_array_sort(self->functions, compare_functions);
	read_segments(self, elf);
	return TRUE;
}

static gboolean read_file(struct hypervisor_image *self, const char *path, GError **error)
{
	const int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
	gboolean done;
	Elf *elf;

	if (fd < 0)
		return fail(error, path, g_strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	done = read_elf(self, elf, path, error);
	elf_end(elf);
	close(fd);
	return done;
}

struct hypervisor_image *hypervisor_image_new(const struct snapshot *snapshot,
                                              const struct system_file *system, GError **error)
{
	g_autoptr(HypervisorImage) self = g_new0(struct hypervisor_image, 1);
	const struct system_machine *machine = system_file_machine(system, 0);

	self->regions = g_array_new(FALSE, FALSE, sizeof(struct region));
	g_array_set_clear_func(self->regions, region_clear);
	self->segments = g_array_new(FALSE, FALSE, sizeof(struct region));
	g_array_set_clear_func(self->segments, region_clear);
	self->functions = g_array_new(FALSE, FALSE, sizeof(struct hypervisor_function));
	self->names = g_string_chunk_new(4096);
	read_dumps(self, snapshot);
	if (machine != NULL && machine->symbols != NULL &&
	    !read_file(self, machine->symbols, error))
		return NULL;
	return g_steal_pointer(&self);
}

void hypervisor_image_free(struct hypervisor_image *self)
{
	if (self == NULL)
		return;
	g_array_unref(self->regions);
	g_array_unref(self->segments);
	g_array_unref(self->functions);
	g_string_chunk_free(self->names);
	g_free(self);
}

gboolean hypervisor_image_has_functions(const struct hypervisor_image *self)
{
	return self->functions->len > 0;
}

guint hypervisor_image_n_functions(const struct hypervisor_image *self)
{
	return self->functions->len;
}

const struct hypervisor_function *hypervisor_image_function(const struct hypervisor_image *self,
                                                            guint i)
{
	return &g_array_index(self->functions, struct hypervisor_function, i);
}

gboolean hypervisor_image_entry(const struct hypervisor_image *self, guint64 address_va, guint *i)
{
	guint low = 0, high = self->functions->len;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (hypervisor_image_function(self, middle)->address_va < address_va)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == self->functions->len ||
	    hypervisor_image_function(self, low)->address_va != address_va)
		return FALSE;
	*i = low;
	return TRUE;
}

/* The word in the last region that begins at or before the address; 0 is none. */
static gboolean find_word(const GArray *regions, guint el, gint64 vmid, guint64 address_va,
                          guint32 *word)
{
	const struct region key = { el, vmid, address_va, NULL };
	const struct region *region;
	const guint8 *bytes;
	guint low = 0, high = regions->len;
	gsize n_bytes;

	while (low < high) {
		const guint middle = low + (high - low) / 2;

		if (compare_regions(&g_array_index(regions, struct region, middle), &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return FALSE;
	region = &g_array_index(regions, struct region, low - 1);
	bytes = g_bytes_get_data(region->bytes, &n_bytes);
	if (region->el != el || region->vmid != vmid || n_bytes < sizeof *word ||
	    address_va - region->address_va > n_bytes - sizeof *word)
		return FALSE;
	memcpy(word, bytes + (address_va - region->address_va), sizeof *word);
	*word = GUINT32_FROM_LE(*word);
	return *word != 0;
}

gboolean hypervisor_image_word(const struct hypervisor_image *self, guint64 address_va,
                               guint32 *word)
{
	return find_word(self->regions, EL_HYPERVISOR, 0, address_va, word) ||
	       find_word(self->segments, EL_HYPERVISOR, 0, address_va, word);
}

gboolean hypervisor_image_guest_word(const struct hypervisor_image *self, gint64 vmid,
                                     guint64 address_va, guint32 *word)
{
	return find_word(self->regions, EL_KERNEL, vmid, address_va, word);
}

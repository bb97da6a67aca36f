#include "awareness/target/core-file.h"
#include "awareness/target/core-layout.h"
#include "awareness/target/target-frozen.h"

#include <elf.h>
#include <string.h>

/* The file as mapped; everything in it is untrusted. */
struct core {
	const uint8_t *bytes;
	uint64_t len_bytes;
	const char *path;
};

static gboolean bad(const struct core *core, const char *what, GError **error)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
	            "cannot read %s as an AArch64 ELF core: %s", core->path, what);
	return FALSE;
}

static gboolean inside(const struct core *core, uint64_t offset, uint64_t len_bytes)
{
	return offset <= core->len_bytes && len_bytes <= core->len_bytes - offset;
}

static gboolean read_header(const struct core *core, Elf64_Ehdr *header, GError **error)
{
	if (!inside(core, 0, sizeof(*header)))
		return bad(core, "it is shorter than an ELF header", error);
	memcpy(header, core->bytes, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return bad(core, "it does not begin with an ELF header", error);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_AARCH64 || header->e_type != ET_CORE)
		return bad(core, "it is another kind of ELF file", error);
	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    !inside(core, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return bad(core, "its program headers lie outside the file", error);
	return TRUE;
}

static void add_prstatus(struct target_frozen *self, const uint8_t *desc)
{
	GHashTable *cpu = register_file_add_cpu(&self->registers);

	for (unsigned i = 0; i < CORE_PRSTATUS_N_REGS; i++) {
		static const char *const tail[] = { "sp", "pc", "cpsr" };
		g_autofree char *name = i < 31 ? g_strdup_printf("x%u", i) : g_strdup(tail[i - 31]);
		struct target_register value = { 0 };

		memcpy(&value.low, desc + CORE_PRSTATUS_REGS + i * 8, 8);
		register_file_set(&self->registers, cpu, name, &value);
	}
}

/* Our note replaces what NT_PRSTATUS says, which is a part of it. */
static gboolean add_note(struct target_frozen *self, const Elf64_Nhdr *note, const char *owner,
                         const uint8_t *desc, const char *path, GError **error)
{
	gboolean ours = note->n_type == CORE_NOTE_REGISTERS && strcmp(owner, CORE_NOTE_OWNER) == 0;

	if (ours) {
		register_file_deinit(&self->registers);
		register_file_init(&self->registers);
		self->target.capabilities |= TARGET_HAS_SYSTEM_REGISTERS;
		return register_file_parse(&self->registers, (const char *)desc, note->n_descsz,
		                           path, error);
	}
	if (note->n_type == NT_PRSTATUS && strcmp(owner, "CORE") == 0 &&
	    note->n_descsz >= CORE_PRSTATUS_BYTES &&
	    (self->target.capabilities & TARGET_HAS_SYSTEM_REGISTERS) == 0 &&
	    self->registers.cpus->len < TARGET_CPUS_MAX)
		add_prstatus(self, desc);
	return TRUE;
}

static gboolean read_notes(struct target_frozen *self, const struct core *core, uint64_t offset,
                           uint64_t len_bytes, GError **error)
{
	uint64_t end = offset + len_bytes;

	if (!inside(core, offset, len_bytes))
		return bad(core, "its notes lie outside the file", error);
	while (end - offset >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		char owner[32] = "";
		uint64_t name_bytes, desc_bytes;

		memcpy(&note, core->bytes + offset, sizeof(note));
		offset += sizeof(note);
		name_bytes = ((uint64_t)note.n_namesz + 3) & ~3ull;
		desc_bytes = ((uint64_t)note.n_descsz + 3) & ~3ull;
		if (name_bytes > end - offset || note.n_descsz > end - offset - name_bytes)
			return bad(core, "a note is longer than its segment", error);
		memcpy(owner, core->bytes + offset, MIN(note.n_namesz, sizeof(owner) - 1));
		if (!add_note(self, &note, owner, core->bytes + offset + name_bytes, core->path,
		              error))
			return FALSE;
		offset += name_bytes + MIN(desc_bytes, end - offset - name_bytes);
	}
	return TRUE;
}

static gboolean read_segment(struct target_frozen *self, const struct core *core,
                             const Elf64_Phdr *segment, GError **error)
{
	uint64_t file_bytes = segment->p_filesz;

	if (segment->p_type == PT_NOTE)
		return read_notes(self, core, segment->p_offset, file_bytes, error);
	if (segment->p_type != PT_LOAD)
		return TRUE;
	if (!inside(core, segment->p_offset, file_bytes) ||
	    segment->p_paddr + file_bytes < segment->p_paddr)
		return bad(core, "a segment lies outside the file; is it cut short?", error);
	target_frozen_add(self, (struct pa) { segment->p_paddr },
	                  (uint8_t *)(uintptr_t)core->bytes + segment->p_offset, file_bytes);
	return TRUE;
}

static gboolean read_core(struct target_frozen *self, const struct core *core, GError **error)
{
	Elf64_Ehdr header;

	if (!read_header(core, &header, error))
		return FALSE;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, core->bytes + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (!read_segment(self, core, &segment, error))
			return FALSE;
	}
	if (self->registers.cpus->len == 0)
		return bad(core, "it holds no registers (no NT_PRSTATUS, no HVSCOPE note)", error);
	if (self->segments->len == 0)
		return bad(core, "it holds no memory", error);
	return TRUE;
}

struct target *target_core_open(const char *where, GError **error)
{
	g_autofree char *description = g_strconcat("core:", where, NULL);
	GMappedFile *map = target_frozen_map(where, error);
	struct target_frozen *self;
	struct core core;

	if (map == NULL)
		return NULL;
	self = g_new0(struct target_frozen, 1);
	target_frozen_init(self, &target_frozen_ops, description);
	g_ptr_array_add(self->maps, map);
	core = (struct core) {
		.bytes = (const uint8_t *)g_mapped_file_get_contents(map),
		.len_bytes = g_mapped_file_get_length(map),
		.path = where,
	};
	if (!read_core(self, &core, error)) {
		target_free(&self->target);
		return NULL;
	}
	target_frozen_seal(self);
	return &self->target;
}

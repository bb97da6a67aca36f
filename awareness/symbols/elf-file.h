/* elf-file.h: a linked program as a file
 *
 * Maps an ELF64 little-endian file and finds its sections and its build id. The
 * file is mapped, never loaded: opening 300 MB costs what is touched. A name that
 * ends in .zst is decompressed into an unnamed file in memory first. It reads no
 * symbols and no debug information: symbols.h, dwarf.h and btf.h do, and hold a
 * reference while they live.
 *
 * Immutable once open, so threads may share it; reference counts are atomic. What
 * it hands out belongs to it and is untrusted. The file must not be truncated
 * while it is mapped.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct elf_file;

struct elf_section {
	const char *name;     /* "" where the file has none */
	const uint8_t *bytes; /* NULL for a section without contents (.bss) */
	uint64_t size_bytes;
	uint64_t address; /* as linked */
	unsigned type;    /* SHT_* */
	uint64_t flags;   /* SHF_* */
	unsigned link;    /* section index, as in sh_link */
	uint64_t entry_bytes;
};

/* Errors: SYMBOL_ERROR_OPEN, _DAMAGED, _UNSUPPORTED (32-bit, big-endian). */
struct elf_file *elf_file_open(const char *path, GError **error);

/* The same from bytes in memory; `path` is for messages only. */
struct elf_file *elf_file_new_from_bytes(GBytes *bytes, const char *path, GError **error);

struct elf_file *elf_file_ref(struct elf_file *self);
void elf_file_unref(struct elf_file *self);
typedef struct elf_file elf_file_t; /* for g_autoptr(elf_file_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(elf_file_t, elf_file_unref)

const char *elf_file_path(const struct elf_file *self);

/* Lower-case hexadecimal digits of the NT_GNU_BUILD_ID note, or NULL. */
const char *elf_file_build_id(const struct elf_file *self);

/* EM_*, and the entry address as linked. */
unsigned elf_file_machine(const struct elf_file *self);
uint64_t elf_file_entry(const struct elf_file *self);

/* Sections by index (0 is the ELF null section) and by name. Compressed sections
 * are decompressed when they are first asked for by name. */
size_t elf_file_section_count(const struct elf_file *self);
const struct elf_section *elf_file_section_at(const struct elf_file *self, size_t index);
const struct elf_section *elf_file_section(const struct elf_file *self, const char *name);

/* `len_bytes` of initialised data at a linked address, or NULL where no allocated
 * section holds all of them. */
const uint8_t *elf_file_data_at(const struct elf_file *self, uint64_t address, size_t len_bytes);

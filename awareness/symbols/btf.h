/* btf.h: BTF, the kernel's own small form of its types
 *
 * From an ELF's .BTF section or a blob out of a guest's memory (between
 * __start_BTF and __stop_BTF). Pure: it takes bytes and gives types. It reads
 * kinds up to ENUM64 (Linux Documentation/bpf/btf.rst); a blob of a module, which
 * refers to the kernel's own, is refused.
 */
#pragma once

#include "awareness/symbols/elf-file.h"
#include "awareness/symbols/types.h"

#include <glib.h>

/* Keeps a reference to the bytes. Errors: SYMBOL_ERROR_DAMAGED, _UNSUPPORTED. */
struct types *btf_types_new(GBytes *blob, GError **error);

/* From the .BTF section; keeps the file referenced. SYMBOL_ERROR_NOT_FOUND where
 * there is none. */
struct types *btf_types_from_elf(struct elf_file *file, GError **error);

/* A variable of BTF's .data..percpu section. The name belongs to the types. */
struct btf_variable {
	const char *name;
	uint32_t offset_bytes; /* from __per_cpu_start */
	uint32_t size_bytes;
};

/* All of them (struct btf_variable); empty where `types` is no BTF. */
GArray *btf_percpu_variables(struct types *types);

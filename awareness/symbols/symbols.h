/* symbols.h: names of addresses, and addresses of names
 *
 * A table of symbols as linked: from an ELF's .symtab, or filled by hand (a
 * running kernel's kallsyms). It knows nothing of where the program was loaded:
 * add or subtract the slide (KASLR) around it. It knows no types.
 *
 * Indexes are built at the first look-up of each kind; after
 * symbols_freeze() it is immutable and threads may share it, before it belongs to
 * one thread. Symbols and names belong to the table.
 */
#pragma once

#include "awareness/symbols/elf-file.h"

#include <glib.h>
#include <stdint.h>

enum symbol_kind {
	SYMBOL_OTHER, /* a label of assembly code, a linker script's value */
	SYMBOL_FUNCTION,
	SYMBOL_OBJECT,
};

struct symbol {
	const char *name;
	uint64_t address;    /* as linked */
	uint64_t size_bytes; /* 0 where the table does not say (assembly, kallsyms) */
	enum symbol_kind kind;
	gboolean is_global; /* FALSE: static, the name may not be unique */
};

struct symbols;

/* Reads .symtab, or .dynsym where there is no other. A file without either gives
 * SYMBOL_ERROR_NOT_FOUND. The names stay in the file, which is kept referenced. */
struct symbols *symbols_new_from_elf(struct elf_file *file, GError **error);

/* An empty one, to be filled by symbols_add(), which copies the name. */
struct symbols *symbols_new(void);
void symbols_add(struct symbols *self, const struct symbol *symbol);

void symbols_free(struct symbols *self);
typedef struct symbols symbols_t; /* for g_autoptr(symbols_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(symbols_t, symbols_free)

/* Builds every index now. */
void symbols_freeze(struct symbols *self);

size_t symbols_count(const struct symbols *self);

/* By index, sorted by address. */
const struct symbol *symbols_at(struct symbols *self, size_t index);

/* The symbol of that name, or NULL. Of several the global one, else the one with
 * the lowest address. */
const struct symbol *symbols_by_name(struct symbols *self, const char *name);

/* The address of that name. Returns FALSE where there is none: then *address is
 * as before. */
gboolean symbols_address(struct symbols *self, const char *name, uint64_t *address);

/* What `address` lies in: [address, address + size), or for symbols without a
 * size up to the next symbol, at most SYMBOLS_REACH bytes. Of several at one
 * address functions come first, then global ones. NULL where it lies in nothing.
 * `offset_bytes` (may be NULL) is how far into the symbol. */
enum symbols_limits {
	SYMBOLS_REACH_BYTES = 1 << 20
};
const struct symbol *symbols_by_address(struct symbols *self, uint64_t address,
                                        uint64_t *offset_bytes);

/* Appends to `names` (of const char *, owned by the table) those that begin with
 * `prefix`, at most `max` of them, in alphabetical order: for completion. */
void symbols_complete(struct symbols *self, const char *prefix, size_t max, GPtrArray *names);

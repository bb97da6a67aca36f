/* image.h: everything known about one linked program
 *
 * A hypervisor, a kernel, a bare-metal program or a user program: its symbols, its
 * types (DWARF, else BTF, else a layout profile that names its build id), its call
 * frame information and its lines, each opened when first asked for. Addresses are
 * as linked; whoever knows where the program was loaded adds the slide.
 *
 * One thread at a time. What it hands out belongs to it.
 */
#pragma once

#include "awareness/symbols/cfi.h"
#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/elf-file.h"
#include "awareness/symbols/symbols.h"
#include "awareness/symbols/types.h"

#include <glib.h>

struct symbol_cache;
struct image;

/* Opens an ELF file (.zst too). `cache` may be NULL: then nothing is remembered
 * from one run to the next; else it must outlive the image. Errors:
 * SYMBOL_ERROR_OPEN, _DAMAGED, _UNSUPPORTED. */
struct image *image_open(const char *path, struct symbol_cache *cache, GError **error);

/* From what was found in a guest's memory; takes both. `build_id` may be NULL. */
struct image *image_new_from_parts(const char *name, const char *build_id, struct symbols *symbols,
                                   struct types *types);

void image_free(struct image *self);
typedef struct image image_t; /* for g_autoptr(image_t) only */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_t, image_free)

/* Uses a layout profile (profile.h) for the types where the file has none of its
 * own. Takes it. */
void image_set_types(struct image *self, struct types *types);

const char *image_name(const struct image *self);

/* NULL where it has none. */
const char *image_build_id(const struct image *self);

/* The file, or NULL for an image from parts. */
struct elf_file *image_elf(struct image *self);

/* Errors: SYMBOL_ERROR_NOT_FOUND where the file has none, and as their own
 * headers say. */
struct symbols *image_symbols(struct image *self, GError **error);
struct types *image_types(struct image *self, GError **error);
struct dwarf *image_dwarf(struct image *self, GError **error);

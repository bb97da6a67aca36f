/* program.h: a linked program in the memory of a running machine
 *
 * Ties an image (names, types, as linked) to the address space that it runs in and
 * to the slide between the two (KASLR). Layouts ask for members of structures by
 * name, once, and then read them for many instances: no offset is ever written in
 * a source. It knows no operating system. One thread.
 */
#pragma once

#include "awareness/mmu/space.h"
#include "awareness/symbols/image.h"

#define OS_ERROR (os_error_quark())
GQuark os_error_quark(void);

enum os_error {
	OS_ERROR_SYMBOLS,     /* the symbols lack something, or belong to another build */
	OS_ERROR_MEMORY,      /* what should be there cannot be read */
	OS_ERROR_NONSENSE,    /* what was read contradicts itself */
	OS_ERROR_NOT_FOUND,   /* no such machine, vCPU, task or register */
	OS_ERROR_UNSUPPORTED, /* this machine has no such thing */
};

struct program {
	struct image *image; /* borrowed */
	struct symbols *symbols;
	struct types *types; /* NULL where the image has none */
	uint64_t slide;      /* loaded address = linked address + slide */
	struct space *space; /* borrowed */
};

/* Errors: OS_ERROR_SYMBOLS for an image without symbols. */
gboolean program_init(struct program *self, struct image *image, struct space *space,
                      uint64_t slide, GError **error);

/* Where `name` is loaded. Errors: OS_ERROR_SYMBOLS. */
gboolean program_address(const struct program *self, const char *name, struct va *out,
                         GError **error);
gboolean program_has(const struct program *self, const char *name);

/* Reads the integer or pointer that the variable `name` holds. */
gboolean program_read_variable(const struct program *self, const char *name, size_t len_bytes,
                               uint64_t *out, GError **error);

/* "function+0x10", or NULL where no symbol covers the address. A new string. */
char *program_name_address(const struct program *self, struct va va);

enum layout_limits {
	LAYOUT_FIELDS_MAX = 48
};

/* One member. `path` may name alternatives of several versions, parted by '|'. */
struct field {
	const char *path;
	gboolean optional; /* may be missing from this version; then it reads as 0 */
};

/* Where the fields of one structure lie in this program. */
struct layout {
	const char *type;
	size_t n_fields;
	const struct field *fields;
	gboolean found[LAYOUT_FIELDS_MAX];
	uint64_t offset_bytes[LAYOUT_FIELDS_MAX];
	uint64_t size_bytes[LAYOUT_FIELDS_MAX];
	uint64_t struct_bytes; /* 0 where the size is not known */
};

/* Looks up every field. Errors: OS_ERROR_SYMBOLS naming the member. */
gboolean layout_init(struct layout *self, const struct program *program, const char *type,
                     const struct field *fields, size_t n_fields, GError **error);

/* Reads all fields of the instance at `at` into `values` (n_fields of them; members
 * wider than 8 bytes read as 0: take their address from offset_bytes). One go over
 * the link. Errors: SPACE_ERROR, TARGET_ERROR. */
gboolean layout_read(const struct layout *self, struct space *space, struct va at, uint64_t *values,
                     GError **error);

/* Fetches the fields of many instances in one go. */
void layout_prefetch(const struct layout *self, struct space *space, const struct va *at,
                     size_t n_at);

struct va layout_member(const struct layout *self, struct va at, size_t field);

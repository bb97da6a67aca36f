/* dwarf-worker.h: the far side of dwarf.h's wall
 *
 * Private to dwarf*.c. What runs in the forked worker: libdwarf over the parent's
 * mapping of the file, asked through a socket. It may crash; it must not hang on
 * a lock that another thread held at the fork, so beyond libdwarf it uses libc
 * alone (no GLib but for inline macros and types).
 */
#pragma once

#include "awareness/symbols/cfi.h"
#include "awareness/symbols/elf-file.h"
#include "awareness/symbols/types-source.h"

#include <stddef.h>
#include <stdint.h>

#include <libdwarf.h>

enum worker_op {
	WORKER_FIND,   /* argument: enum type_space; text: the name. Answer: uint64_t id */
	WORKER_LOAD,   /* argument: id. Answer: a type record */
	WORKER_CFI,    /* argument: address. Answer: struct cfi_row */
	WORKER_FRAMES, /* argument: address. Answer: struct worker_frame and strings, repeated */
	WORKER_NAMES,  /* argument: enum type_space. Answer: every name, each with its NUL */
};

enum worker_status {
	WORKER_OK,
	WORKER_NOT_FOUND,
	WORKER_DAMAGED, /* the answer is libdwarf's message, without NUL */
	WORKER_UNSUPPORTED,
};

struct worker_request {
	uint32_t op;
	uint32_t text_bytes;
	uint64_t argument;
};

struct worker_reply {
	uint32_t status;
	uint32_t zero;
	uint64_t len_bytes;
};

enum worker_limits {
	WORKER_TEXT_MAX = 4096,
	WORKER_REPLY_MAX = 64 << 20,
	WORKER_FRAMES_MAX = 64,
};

/* Followed by the function's name and the file's, without NUL. */
struct worker_frame {
	uint32_t function_bytes;
	uint32_t file_bytes;
	uint32_t line;
};

/* A reply under construction: malloc()ed. */
struct worker_buffer {
	uint8_t *bytes;
	size_t len;
	size_t room;
};

/* One name of the index; see dwarf-names.c. */
struct worker_name {
	const char *name; /* in the file's mapping */
	uint64_t offset;  /* of the DIE */
	uint32_t space;
	uint32_t is_declaration;
};

struct worker_names {
	struct worker_name *slots; /* open addressing, a power of two of them */
	size_t n_slots;
	size_t n_used;
};

struct worker_cu_lines; /* dwarf-lines.c */

struct worker {
	struct elf_file *file;
	int fd;
	Dwarf_Debug dbg;
	uint64_t *cu_dies; /* offsets of the compilation units' DIEs */
	size_t n_cus;
	size_t cus_named;      /* how many the index of names covers */
	size_t cus_enumerated; /* the same for enumerators */
	gboolean cus_listed;
	struct worker_names names;
	Dwarf_Fde *fdes;
	Dwarf_Signed n_fdes;
	gboolean fdes_tried;
	struct worker_cu_lines *lines; /* what the last looked-up units' lines are */
	struct worker_range *ranges;   /* which unit covers which addresses; sorted */
	size_t n_ranges;
	gboolean ranges_tried;
};

struct worker_range {
	uint64_t start;
	uint64_t end;
	uint64_t cu_die;
};

/* Serves requests until the other side closes `fd`. Does not return. */
void worker_run(struct elf_file *file, int fd) G_GNUC_NORETURN;

/* Each answers one kind of request: fills `out` and gives the status. `error` is
 * libdwarf's, and freed by the caller. */
enum worker_status worker_find(struct worker *self, unsigned space, const char *name,
                               struct worker_buffer *out, Dwarf_Error *error);
enum worker_status worker_names_list(struct worker *self, unsigned space, struct worker_buffer *out,
                                     Dwarf_Error *error);
enum worker_status worker_load(struct worker *self, uint64_t id, struct worker_buffer *out,
                               Dwarf_Error *error);
enum worker_status worker_cfi(struct worker *self, uint64_t address, struct worker_buffer *out,
                              Dwarf_Error *error);
enum worker_status worker_frames(struct worker *self, uint64_t address, struct worker_buffer *out,
                                 Dwarf_Error *error);

/* Appends; the worker ends where memory does. */
void worker_put(struct worker_buffer *buffer, const void *bytes, size_t len);

/* Fills self->cu_dies. */
int worker_list_cus(struct worker *self, Dwarf_Error *error);

/* An attribute as a number, as a global DIE offset; FALSE where there is none. */
gboolean worker_attr_number(struct worker *self, Dwarf_Die die, Dwarf_Half name, uint64_t *value);
gboolean worker_attr_signed(struct worker *self, Dwarf_Die die, Dwarf_Half name, int64_t *value);
gboolean worker_attr_reference(struct worker *self, Dwarf_Die die, Dwarf_Half name,
                               uint64_t *offset);
gboolean worker_has_attr(Dwarf_Die die, Dwarf_Half name);

/* The DIE's own name, or NULL. In the mapping: not to be freed. */
const char *worker_die_name(Dwarf_Die die);

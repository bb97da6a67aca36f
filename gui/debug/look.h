/* look.h: what the views of the panel ask of a target
 *
 * Each is a question of session.h with plain values as its answer. Arguments and answers
 * are freed by the question's own functions. Knows no widget.
 */
#pragma once

#include "gui/debug/session.h"

/* struct selection -> struct look_registers */
extern const struct session_question look_registers;

struct look_field {
	char *text; /* "EC [31:26] 0x15  SVC" */
};

struct look_register {
	const char *group; /* "", or "user code" */
	char *name;
	guint64 value;
	char *symbol; /* of pc and x30; NULL where none covers it */
	const char *source;
	gboolean doubtful;
	GPtrArray *fields; /* char *; empty where there is nothing to take apart */
};

struct look_register_list {
	GPtrArray *registers; /* struct look_register */
};

/* struct selection -> struct look_stack */
extern const struct session_question look_stack;

struct look_frame {
	const char *border; /* "guest", "user code", or NULL */
	char *machine;
	char *space; /* what an address of it is written with: "dom1:::45::" */
	guint64 pc, sp;
	char *function; /* "do_nanosleep+0x90", NULL where no symbol covers it */
	char *file;     /* NULL where it is not known */
	guint line;
	gboolean inlined;
};

struct look_frames {
	GPtrArray *frames; /* struct look_frame */
	char *end;         /* why it ended */
	gboolean whole;
};

/* struct look_place -> struct look_code */
extern const struct session_question look_code;

/* What is at `space` + `pc`. */
struct look_place {
	char *space;
	guint64 pc;
	char *file; /* NULL: no source known */
	guint line;
};
struct look_place *look_place_new(const char *space, guint64 pc, const char *file, guint line);

struct look_line {
	guint64 address; /* of an instruction; 0 for a line of source */
	guint number;    /* of a line of source; 0 for an instruction */
	char *label;     /* "function+0x10" where a function begins or the list does, or NULL */
	char *text;
	gboolean current;
};

struct look_lines {
	GPtrArray *lines;  /* struct look_line: instructions */
	GPtrArray *source; /* struct look_line; empty where the file is not here */
	char *gap;         /* why there are none, or NULL */
};

/* char * (an address as a user writes it) -> struct look_memory */
extern const struct session_question look_memory;

enum {
	LOOK_MEMORY_BYTES = 512,
	LOOK_TABLE_ROWS = 1000
};

struct look_bytes {
	char *space; /* what stands before the address: "dom1:::45::" */
	guint64 address;
	guint8 bytes[LOOK_MEMORY_BYTES];
	gboolean known[LOOK_MEMORY_BYTES];
	char *gap; /* why some are not known, or NULL */
};

/* char * -> struct look_walk */
extern const struct session_question look_translation;

struct look_step {
	guint stage;
	gint level;
	gboolean for_table; /* stage 2 of a stage 1 table's address */
	guint64 ipa;        /* of the descriptor, stage 1 under stage 2; else its PA */
	guint64 pa;
	guint64 descriptor;
};

struct look_walk {
	GPtrArray *steps;  /* struct look_step */
	GPtrArray *result; /* char *: output, attributes, or the fault */
};

/* struct look_table_request -> struct look_tables */
extern const struct session_question look_tables;

struct look_table_request {
	gint machine;
	gint64 tid; /* -1: the kernel's */
	gboolean stage2;
	guint64 from; /* first input address wanted */
};

struct look_mapping {
	guint64 input, output, len_bytes;
	char *attributes;
	gboolean to_ipa;
};

struct look_mappings {
	char *space;         /* what an input address is written with */
	GPtrArray *mappings; /* struct look_mapping, at most LOOK_TABLE_ROWS */
	gboolean more;
	char *gap;
};

/* NULL -> struct look_waits */
extern const struct session_question look_waits;

struct look_wait {
	char *machine, *name, *state, *in, *call;
	gint64 tid;
};

struct look_wait_list {
	GPtrArray *waits; /* struct look_wait */
};

/* struct look_break_change or NULL (only list) -> struct look_breaks */
extern const struct session_question look_breaks;

struct look_break_change {
	guint remove; /* its id; 0: adds */
	char *address;
	gint machine; /* number of the machine meant where `address` names none */
	gboolean any_machine;
	char *task; /* pid or name, or NULL */
	enum target_break_kind kind;
	guint len_bytes;
	gboolean once;
};

struct look_break {
	guint id;
	char *text, *kind, *machine, *task;
	guint64 address, hits, skipped;
};

struct look_break_list {
	GPtrArray *breaks; /* struct look_break */
};

/* struct look_command -> char *, what it printed; errors are printed too. */
extern const struct session_question look_command;

struct look_command {
	char *line;
	struct selection selection; /* whose machine is meant where none is written */
	gboolean complete; /* do not run it: the answer is what it can become, a line each */
};
struct look_command *look_command_new(const char *line, struct selection selection,
                                      gboolean complete);

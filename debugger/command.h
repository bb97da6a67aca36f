/* command.h: the commands of `hvscope debug`
 *
 * A command is a word, its arguments and a function that prints. The same table
 * serves the command line, the script, the prompt and the window's console: all
 * output goes to the two streams of struct debug. Each command prints text, or one
 * JSON value with --json; what it could not see goes to `notes` in text, and to a
 * member "gaps" where the JSON has a place for it. It reads no terminal and opens
 * no target. One thread.
 */
#pragma once

#include "awareness/breakpoints.h"
#include "awareness/system.h"
#include "awareness/target/target.h"
#include "base/system-file.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

struct debug {
	FILE *out, *notes; /* the caller's: the answer, and what goes beside it */
	struct target *target;
	struct system *system;
	struct system_file *file; /* NULL without --system */
	gboolean json;
	char *current; /* name of the machine meant where none is written; NULL: the first */
	unsigned cpu;  /* the core that steps */
	struct breakpoints *breakpoints; /* NULL until the first one */
	unsigned depth;                  /* of scripts that call scripts */
	/* Called at each stop that a command brings about, before it is printed; NULL: nobody
	 * wants to know. `at` is valid during the call. */
	void (*stopped)(struct debug *self, const struct stop_place *at);
	gpointer stopped_data;
};

struct debug_command {
	const char *name;
	const char *arguments; /* as in help: "ADDRESS LENGTH" */
	const char *summary;
	/* argv[0] is the command's name. Returns FALSE with an error. */
	gboolean (*run)(struct debug *self, int argc, char **argv, GError **error);
};

#define DEBUG_ERROR (debug_error_quark())
GQuark debug_error_quark(void);

enum debug_error {
	DEBUG_ERROR_USAGE,
	DEBUG_ERROR_FAILED,
};

/* Takes the command's options (--json is among them always) out of argv and checks
 * that n_min to n_max words are left after the name. */
gboolean debug_parse(struct debug *self, int *argc, char ***argv, const GOptionEntry *entries,
                     int n_min, int n_max, GError **error);

/* Runs one command: words[0] is its name. */
gboolean debug_run(struct debug *self, char **words, GError **error);

/* One line, with the shell's quotes; empty ones and those that begin with # do nothing. */
gboolean debug_run_line(struct debug *self, const char *line, GError **error);

/* Errors: DEBUG_ERROR_USAGE, with the nearest known name. */
const struct debug_command *debug_find_command(const char *name, GError **error);

/* What `text`, the word that ends where the user types, may become: a command where it
 * is the line's first word, else machines and symbols. New array of char *. */
GPtrArray *debug_complete(struct debug *self, const char *text, gboolean is_first);

/* All commands with their arguments, for --help. A new string. */
char *debug_describe_commands(void);

/* New NULL-terminated array of the commands' names. */
char **debug_command_names(void);

/* The machine named, or the current one for NULL. */
struct machine *debug_machine(struct debug *self, const char *name, GError **error);

/* Beside json.h: addresses are strings, "0x1234". */
void debug_json_hex(JsonBuilder *builder, const char *name, uint64_t value);
void debug_json_gaps(JsonBuilder *builder, const struct machine *machine);

/* Prints the value that the builder holds, and frees the builder. */
void debug_json_print(struct debug *self, JsonBuilder *builder);

/* "0x1234 <function+0x4>" where the machine's symbols know. A new string. */
char *debug_describe_address(const struct machine *machine, struct va va);

/* "dom1:1" is vCPU 1 of dom1, "xen:0" core 0, "1" vCPU 1 of the current machine. */
struct vcpu *debug_find_vcpu(struct debug *self, const char *text, struct machine **machine,
                             GError **error);

/* "dom1:::45" or "dom1:::init": a task as it is written in addresses. */
struct task *debug_find_task(struct debug *self, const char *text, struct machine **machine,
                             GError **error);

/* Says in the notes what a listing could not see. */
void debug_print_gaps(struct debug *self, const struct machine *machine);

extern const struct debug_command debug_commands_list[];   /* ends with name NULL */
extern const struct debug_command debug_commands_memory[]; /* likewise */
extern const struct debug_command debug_commands_backtrace[];
extern const struct debug_command debug_commands_print[];
extern const struct debug_command debug_commands_script[];
extern const struct debug_command debug_commands_run[];
extern const struct debug_command debug_commands_registers[];

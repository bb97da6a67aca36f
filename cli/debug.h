/* debug.h: what the commands of `hvscope debug` share
 *
 * A command is a word, its arguments and a function that prints. The same table
 * serves the command line, the script and the prompt. Each command prints text, or
 * one JSON value with --json; what it could not see is said on stderr in text, and
 * in a member "gaps" where the JSON has a place for it.
 */
#pragma once

#include "awareness/breakpoints.h"
#include "awareness/system.h"
#include "awareness/target/target.h"
#include "base/system-file.h"

#include <json-glib/json-glib.h>

struct debug {
	struct target *target;
	struct system *system;
	struct system_file *file; /* NULL without --system */
	gboolean json;
	char *current; /* name of the machine meant where none is written; NULL: the first */
	unsigned cpu;  /* the core that steps */
	struct breakpoints *breakpoints; /* NULL until the first one */
	unsigned depth;                  /* of scripts that call scripts */
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

/* New NULL-terminated array of the commands' names. */
char **debug_command_names(void);

/* Reads commands from the terminal until the end of the input. */
gboolean debug_prompt(struct debug *self, GError **error);

/* The machine named, or the current one for NULL. */
struct machine *debug_machine(struct debug *self, const char *name, GError **error);

/* Beside json.h: addresses are strings, "0x1234". */
void debug_json_hex(JsonBuilder *builder, const char *name, uint64_t value);
void debug_json_gaps(JsonBuilder *builder, const struct machine *machine);

/* Prints the value that the builder holds, and frees the builder. */
void debug_json_print(JsonBuilder *builder);

/* "0x1234 <function+0x4>" where the machine's symbols know. A new string. */
char *debug_describe_address(const struct machine *machine, struct va va);

/* "dom1:1" is vCPU 1 of dom1, "xen:0" core 0, "1" vCPU 1 of the current machine. */
struct vcpu *debug_find_vcpu(struct debug *self, const char *text, struct machine **machine,
                             GError **error);

/* "dom1:::45" or "dom1:::init": a task as it is written in addresses. */
struct task *debug_find_task(struct debug *self, const char *text, struct machine **machine,
                             GError **error);

/* Says on stderr what a listing could not see. */
void debug_print_gaps(const struct machine *machine);

extern const struct debug_command debug_commands_list[];   /* ends with name NULL */
extern const struct debug_command debug_commands_memory[]; /* likewise */
extern const struct debug_command debug_commands_backtrace[];
extern const struct debug_command debug_commands_print[];
extern const struct debug_command debug_commands_prompt[];
extern const struct debug_command debug_commands_run[];
extern const struct debug_command debug_commands_registers[];

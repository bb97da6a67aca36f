/* cli-run.h: runs hvscope as a user would
 *
 * For the tests of the command line: arguments in, exit code and both outputs
 * back. Finds the program through HVSCOPE_BUILD_ROOT.
 */
#pragma once

#include <json-glib/json-glib.h>

struct cli_run {
	int code;
	char *out;
	char *err;
};

/* The arguments after the program's name, ended by NULL. */
void cli_run(struct cli_run *self, const char *first, ...) G_GNUC_NULL_TERMINATED;
void cli_run_clear(struct cli_run *self);

/* Asserts the exit code, that nothing came on stdout, and that stderr is one line
 * that matches `pattern`. */
void cli_run_assert_failed(const struct cli_run *self, int code, const char *pattern);

/* The output as a JSON object; asserts that it is one. Unref the result. */
JsonObject *cli_run_json(const struct cli_run *self);

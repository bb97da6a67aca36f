#include "tests/awareness/live-lab.h"

#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/elf-file.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EXIT_SKIP = 77,
};

gboolean live_lab_init(struct live_lab *self, const char *scenario, char **skip)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests", "lab", "boot", NULL);
	g_autofree char *gdb = NULL;
	g_autofree char *spec = NULL;
	g_autofree char *system_path = NULL;
	g_autofree char *line = NULL;
	g_autofree char *xen = NULL;
	struct elf_file *elf;
	g_autoptr(GDataInputStream) output = NULL;
	g_autoptr(GError) error = NULL;

	self->dir = g_dir_make_tmp("hvscope-live-XXXXXX", NULL);
	self->socket = g_build_filename(self->dir, "gdb", NULL);
	gdb = g_strconcat("unix:", self->socket, NULL);
	spec = g_strconcat("gdb:", gdb, NULL);
	self->boot = g_subprocess_new(
		G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
		"/usr/bin/python3", program, scenario, "--gdb", gdb, "--dir", self->dir, NULL);
	g_assert_no_error(error);
	output = g_data_input_stream_new(g_subprocess_get_stdout_pipe(self->boot));
	line = g_data_input_stream_read_line(output, NULL, NULL, NULL);
	if (line == NULL || !g_str_has_prefix(line, "ready")) {
		g_subprocess_wait(self->boot, NULL, NULL);
		g_assert_true(g_subprocess_get_if_exited(self->boot));
		g_assert_cmpint(g_subprocess_get_exit_status(self->boot), ==, EXIT_SKIP);
		*skip = g_strdup("the lab cannot run here; its own words are above");
		return FALSE;
	}
	xen = g_build_filename(self->dir, "symbols", "xen-syms", NULL);
	elf = elf_file_open(xen, NULL);
	if (elf == NULL || !dwarf_is_present(elf)) {
		elf_file_unref(elf);
		*skip = g_strdup("the lab's Xen is a binary without types");
		return FALSE;
	}
	elf_file_unref(elf);
	system_path = g_build_filename(self->dir, "system.ini", NULL);
	self->file = system_file_load(system_path, &error);
	g_assert_no_error(error);
	self->target = target_open(spec, &error);
	g_assert_no_error(error);
	self->system = system_new(self->target, self->file, &error);
	g_assert_no_error(error);
	return TRUE;
}

void live_lab_deinit(struct live_lab *self)
{
	g_autofree char *quoted = g_shell_quote(self->dir);
	g_autofree char *command = g_strconcat("rm -rf -- ", quoted, NULL);

	system_free(self->system);
	target_free(self->target);
	g_clear_pointer(&self->file, system_file_free);
	g_output_stream_close(g_subprocess_get_stdin_pipe(self->boot), NULL, NULL);
	g_subprocess_wait(self->boot, NULL, NULL);
	g_object_unref(self->boot);
	g_assert_cmpint(system(command), ==, 0);
	g_free(self->dir);
	g_free(self->socket);
}

void live_lab_run(struct live_lab *self, unsigned us)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(target_continue(self->target, &error));
	g_usleep(us);
	target_halt(self->target, &error);
	g_assert_no_error(error);
	system_refresh(self->system, &error);
	g_assert_no_error(error);
}

/* Xen's lines come whole, and in the middle of Dom0's, whose console hands over 16
 * characters at a time. A DomU's are lines of Xen's. */
static void split_line(GString *out, const char *line, gsize len, unsigned domain)
{
	const char *xen = g_strstr_len(line, (gssize)len, "(XEN)");
	g_autofree char *prefix = g_strdup_printf("(XEN) DOM%u: ", domain);

	if (domain == 0)
		g_string_append_len(out, line, xen != NULL ? xen - line : (gssize)len + 1);
	else if (xen != NULL && g_str_has_prefix(xen, prefix))
		g_string_append_len(out, xen + strlen(prefix),
		                    (gssize)(len + 1) - (xen - line) - (gssize)strlen(prefix));
}

char *live_lab_console(struct live_lab *self, unsigned domain)
{
	g_autofree char *path = g_build_filename(self->dir, "console.log", NULL);
	g_autofree char *raw = NULL;
	GString *text = g_string_new(NULL);
	gsize n_raw, n = 0;
	char *last;

	g_assert_true(g_file_get_contents(path, &raw, &n_raw, NULL));
	for (gsize i = 0; i < n_raw; i++) {
		if (raw[i] != '\r' && raw[i] != '\0')
			raw[n++] = raw[i];
	}
	raw[n] = '\0';
	for (const char *line = raw, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		split_line(text, line, (gsize)(end - line), domain);
	last = strrchr(text->str, '\n');
	g_string_truncate(text, last != NULL ? (gsize)(last + 1 - text->str) : 0);
	return g_string_free(text, FALSE);
}

int64_t live_lab_task(struct live_lab *self, unsigned domain, const char *kind)
{
	g_autofree char *text = live_lab_console(self, domain);
	g_autofree char *pattern = g_strdup_printf("(?m)^task \\S+ %s\\S* pid (\\d+)$", kind);
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autoptr(GMatchInfo) info = NULL;
	g_autofree char *pid = NULL;

	if (!g_regex_match(regex, text, 0, &info))
		return -1;
	pid = g_match_info_fetch(info, 1);
	return atoi(pid);
}

static void free_listing(gpointer data)
{
	g_hash_table_unref(((struct proc_listing *)data)->tids);
}

static void take_words(struct proc_listing *listing, const char *words)
{
	g_auto(GStrv) tids = g_strsplit(words, " ", -1);

	for (gsize i = 0; tids[i] != NULL; i++) {
		if (tids[i][0] != '\0')
			g_hash_table_add(listing->tids, GINT_TO_POINTER(atoi(tids[i])));
	}
}

GArray *live_lab_listings(struct live_lab *self, unsigned domain)
{
	g_autofree char *text = live_lab_console(self, domain);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GArray *listings = g_array_new(FALSE, TRUE, sizeof(struct proc_listing));
	struct proc_listing *last = NULL;

	g_array_set_clear_func(listings, free_listing);
	for (gsize i = 0; lines[i] != NULL; i++) {
		unsigned number;
		int at = 0;

		if (sscanf(lines[i], "proc %*s %u%n", &number, &at) != 1)
			continue;
		if (strcmp(lines[i] + at, " begin") == 0) {
			struct proc_listing one = {
				.number = number,
				.tids = g_hash_table_new(g_direct_hash, g_direct_equal),
			};

			g_array_append_val(listings, one);
			last = &g_array_index(listings, struct proc_listing, listings->len - 1);
		} else if (last != NULL && strcmp(lines[i] + at, " end") == 0) {
			last->whole = TRUE;
		} else if (last != NULL && lines[i][at] == ':') {
			take_words(last, lines[i] + at + 1);
		}
	}
	return listings;
}

int live_lab_last_listing(struct live_lab *self, unsigned domain)
{
	g_autoptr(GArray) listings = live_lab_listings(self, domain);

	return listings->len == 0
	               ? -1
	               : (int)g_array_index(listings, struct proc_listing, listings->len - 1)
	                         .number;
}

#include "capture/qemu-run.h"

#include <signal.h>
#include <string.h>

enum {
	RANGES_MAX = 4, /* an A53's address range comparators */
	ACATR_CONTEXT_ID = 1 << 2,
	ACATR_VMID = 2 << 2,
	POLL_US = 5000,
};

G_DEFINE_QUARK(qemu - run - error - quark, qemu_run_error)

/* A comma ends an option of QEMU's; two stand for one. */
static void append_path(GString *text, const char *key, const char *path)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	g_auto(GStrv) parts = g_strsplit(absolute, ",", -1);
	g_autofree char *doubled = g_strjoinv(",,", parts);

	g_string_append_printf(text, "%s%s", key, doubled);
}

static void append_edge(GString *text, const char *key, const struct qemu_edge *edge)
{
	static const char *const kinds[] = {
		[QEMU_EDGE_INSTRUCTIONS] = "insn",
		[QEMU_EDGE_TIME_NS] = "time",
		[QEMU_EDGE_ADDRESS_VA] = "va",
	};

	if (edge->kind == QEMU_EDGE_NONE)
		return;
	g_string_append_printf(text, ",%s=%s%s:%" G_GUINT64_FORMAT, key, edge->relative ? "+" : "",
	                       kinds[edge->kind], edge->value);
	if (edge->kind == QEMU_EDGE_ADDRESS_VA && edge->el >= 0)
		g_string_append_printf(text, "@%d", edge->el);
}

static void append_range(GString *text, guint pair, const struct etm4_range *range, guint acatr)
{
	g_string_append_printf(text,
	                       ",acvr%u=0x%" G_GINT64_MODIFIER "x,acvr%u=0x%" G_GINT64_MODIFIER
	                       "x,acatr%u=%u,acatr%u=%u",
	                       2 * pair, range->start_va, 2 * pair + 1, range->last_va, 2 * pair,
	                       acatr, 2 * pair + 1, acatr);
}

/* A VMID or context ID is compared by the address comparators, so alone it takes one that
 * has all addresses. */
static gboolean append_filters(GString *text, const struct etm4_config *etm, GError **error)
{
	static const struct etm4_range everything = { 0, G_MAXUINT64 };
	const guint acatr = etm->filter == ETM4_FILTER_VMID         ? ACATR_VMID
	                    : etm->filter == ETM4_FILTER_CONTEXT_ID ? ACATR_CONTEXT_ID
	                                                            : 0;
	const gboolean whole = etm->n_ranges == 0 && acatr != 0;
	const guint n_ranges = whole ? 1 : etm->n_ranges;

	if (n_ranges > RANGES_MAX) {
		g_set_error(error, QEMU_RUN_ERROR, QEMU_RUN_ERROR_CONFIG,
		            "%u address ranges are asked for, the trace unit has %d; give fewer",
		            n_ranges, RANGES_MAX);
		return FALSE;
	}
	for (guint i = 0; i < n_ranges; i++)
		append_range(text, i, whole ? &everything : &etm->ranges[i], acatr);
	if (n_ranges > 0)
		g_string_append_printf(text, ",viiectlr=%u", (1u << n_ranges) - 1);
	if (etm->filter == ETM4_FILTER_VMID)
		g_string_append_printf(text, ",vmidcvr=%" G_GUINT64_FORMAT, etm->filter_value);
	else if (etm->filter == ETM4_FILTER_CONTEXT_ID)
		g_string_append_printf(text, ",cidcvr=%" G_GUINT64_FORMAT, etm->filter_value);
	return TRUE;
}

char *qemu_run_plugin_option(const struct qemu_run_config *config, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const struct etm4_config *etm = &config->etm;

	append_path(text, "", config->plugin);
	append_path(text, ",out=", config->out_dir);
	g_string_append_printf(text, ",shift=%u,exit=%s,configr=0x%x,victlr=0x%x,syncpr=%u",
	                       config->icount_shift, config->at_end != NULL ? "off" : "on",
	                       etm->config | 1u, etm->view_inst, etm->sync_log2);
	if ((etm->config & ETM4_CYCLE_COUNT) != 0)
		g_string_append_printf(text, ",ccctlr=%u", etm->cycle_threshold);
	if (etm->trace_id != 0)
		g_string_append_printf(text, ",traceidr=%u", etm->trace_id);
	append_edge(text, "start", &config->start);
	append_edge(text, "stop", &config->stop);
	if (config->max_bytes != 0)
		g_string_append_printf(text, ",max-bytes=%" G_GUINT64_FORMAT, config->max_bytes);
	if (config->stm_bytes != 0)
		g_string_append_printf(text,
		                       ",stm=0x%" G_GINT64_MODIFIER "x:0x%" G_GINT64_MODIFIER "x",
		                       config->stm_pa, config->stm_bytes);
	if (!append_filters(text, etm, error))
		return NULL;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

char **qemu_run_command(const struct qemu_run_config *config, GError **error)
{
	g_autofree char *plugin = qemu_run_plugin_option(config, error);
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	if (plugin == NULL)
		return NULL;
	g_ptr_array_add(words, g_strdup(config->program));
	for (const char *const *word = config->arguments; *word != NULL; word++)
		g_ptr_array_add(words, g_strdup(*word));
	if (config->give_icount) {
		g_ptr_array_add(words, g_strdup("-icount"));
		g_ptr_array_add(words, g_strdup_printf("shift=%u,sleep=off", config->icount_shift));
	}
	if (config->gdb_socket != NULL) {
		GString *socket = g_string_new(NULL);

		append_path(socket, "unix:", config->gdb_socket);
		g_string_append(socket, ",server=on,wait=off");
		g_ptr_array_add(words, g_strdup("-gdb"));
		g_ptr_array_add(words, g_string_free(socket, FALSE));
	}
	g_ptr_array_add(words, g_strdup("-plugin"));
	g_ptr_array_add(words, g_steal_pointer(&plugin));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* The plugin renames the capture directory when it is whole. Where QEMU ends before, the
 * machine that could be looked at is gone. */
static void wait_for_window(const struct qemu_run_config *config, GSubprocess *process)
{
	g_autofree char *snapshot = g_build_filename(config->out_dir, "snapshot.ini", NULL);

	while (g_subprocess_get_identifier(process) != NULL &&
	       !g_file_test(snapshot, G_FILE_TEST_EXISTS))
		g_usleep(POLL_US);
	if (g_subprocess_get_identifier(process) == NULL)
		return;
	config->at_end(config->at_end_data);
	g_subprocess_send_signal(process, SIGTERM);
}

/* Ctrl-C is QEMU's: it ends in its own time and the plugin keeps what it has. */
static gboolean run_in_foreground(const struct qemu_run_config *config, char **command,
                                  GError **error)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	g_autoptr(GSubprocess) process = NULL;
	g_autoptr(GError) start_error = NULL;
	gboolean waited;

	process = g_subprocess_newv((const char *const *)command, G_SUBPROCESS_FLAGS_STDIN_INHERIT,
	                            &start_error);
	if (process == NULL) {
		g_set_error(error, QEMU_RUN_ERROR, QEMU_RUN_ERROR_START,
		            "cannot start '%s': %s; it comes with Debian's package "
		            "qemu-system-arm of bookworm-backports, or give --qemu PROGRAM",
		            command[0], start_error->message);
		return FALSE;
	}
	sigaction(SIGINT, &ignore, &before);
	if (config->at_end != NULL)
		wait_for_window(config, process);
	waited = g_subprocess_wait(process, NULL, error);
	sigaction(SIGINT, &before, NULL);
	if (!waited)
		return FALSE;
	if (g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) != 0) {
		g_set_error(error, QEMU_RUN_ERROR, QEMU_RUN_ERROR_FAILED,
		            "'%s' ended with status %d, see above; the plugin needs QEMU 9.1 or "
		            "later (Debian 12 has 10.0 in bookworm-backports)",
		            command[0], g_subprocess_get_exit_status(process));
		return FALSE;
	}
	return TRUE;
}

gboolean qemu_run(const struct qemu_run_config *config, GError **error)
{
	g_auto(GStrv) command = qemu_run_command(config, error);
	g_autofree char *snapshot = g_build_filename(config->out_dir, "snapshot.ini", NULL);

	if (command == NULL || !run_in_foreground(config, command, error))
		return FALSE;
	if (g_file_test(snapshot, G_FILE_TEST_EXISTS))
		return TRUE;
	g_set_error(error, QEMU_RUN_ERROR, QEMU_RUN_ERROR_FAILED,
	            "QEMU ended and there is no capture in '%s': did the window's start come?",
	            config->out_dir);
	return FALSE;
}

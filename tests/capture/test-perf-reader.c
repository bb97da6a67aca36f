/* Linux's own perf as a judge of the perf.data files that the other tests import: it reads them,
 * and its decoder finds every packet that is in the capture they were made of. */
#include "tests/capture/perf-file.h"

#include <glib/gstdio.h>
#include <string.h>

/* Standard output of a program, or NULL where it is not installed. */
static char *run(const char *const *argv)
{
	g_autofree char *program = g_find_program_in_path(argv[0]);
	g_autoptr(GError) error = NULL;
	char *out = NULL;
	gint status;

	if (program == NULL)
		return NULL;
	g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
	             NULL, NULL, &out, NULL, &status, &error);
	g_assert_no_error(error);
	if (!g_spawn_check_wait_status(status, &error))
		g_error("%s: %s", argv[0], error->message);
	return out;
}

/* The packets of a listing: its lines that begin with "Idx:", whatever stands before. */
static GPtrArray *packets(char *text)
{
	GPtrArray *found = g_ptr_array_new();
	char *next;

	for (char *line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		while (*line == '\t')
			line++;
		if (g_str_has_prefix(line, "Idx:"))
			g_ptr_array_add(found, line);
	}
	return found;
}

static struct snapshot *open_capture(const char *name, char **path)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "../shared/data", NULL);

	*path = g_build_filename(data != NULL ? data : fallback, "captures", name, NULL);
	return snapshot_open(*path, NULL);
}

static void test_packets(gconstpointer data)
{
	/* Metadata v2 is younger than Debian's perf. */
	struct perf_file_options options = { .version = GPOINTER_TO_UINT(data), .whole = TRUE };
	g_autofree char *capture = NULL;
	g_autoptr(Snapshot) snapshot = open_capture("juno-uname-002", &capture);
	g_autofree char *dir = g_dir_make_tmp("hvscope-perf-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(dir, "perf.data", NULL);
	g_autofree char *log = g_build_filename(dir, "packets.log", NULL);
	const char *const perf[] = { "perf", "report", "-D", "-i", file, NULL };
	const char *const lister[] = { "trc_pkt_lister", "-ss_dir", capture,
		                       "-logfilename",   log,       NULL };

	if (snapshot == NULL) {
		g_test_skip("the captures are not here (HVSCOPE_DATA)");
		g_rmdir(dir);
		return;
	}
	g_autoptr(GByteArray) bytes = perf_file_from_snapshot(snapshot, &options);

	g_assert_true(
		g_file_set_contents(file, (const char *)bytes->data, (gssize)bytes->len, NULL));
	g_autofree char *listed = run(lister);
	g_autofree char *reported = run(perf);
	g_autofree char *wanted = NULL;

	if (listed == NULL || reported == NULL || strstr(reported, "CoreSight ETM") == NULL) {
		g_test_skip("needs perf (linux-perf, with OpenCSD) and trc_pkt_lister "
		            "(libopencsd-bin)");
	} else {
		g_assert_true(g_file_get_contents(log, &wanted, NULL, NULL));
		g_autoptr(GPtrArray) theirs = packets(reported);
		g_autoptr(GPtrArray) ours = packets(wanted);

		g_assert_cmpuint(ours->len, >, 50000);
		g_assert_cmpuint(theirs->len, ==, ours->len);
		for (guint i = 0; i < ours->len; i++)
			g_assert_cmpstr(g_ptr_array_index(theirs, i), ==,
			                g_ptr_array_index(ours, i));
	}
	g_remove(file);
	g_remove(log);
	g_rmdir(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/capture/perf-reader/v0", GUINT_TO_POINTER(0), test_packets);
	g_test_add_data_func("/capture/perf-reader/v1", GUINT_TO_POINTER(1), test_packets);
	return g_test_run();
}

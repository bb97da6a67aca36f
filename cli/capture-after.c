#include "cli/capture-after.h"

#include "cli/format.h"
#include "cli/names-write.h"

#include <string.h>

void capture_names_take(gpointer data, const struct session_stopped *stopped)
{
	struct capture_names *self = data;
	g_autoptr(GPtrArray) gaps = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *path = g_build_filename(stopped->dir, "names.ini", NULL);
	struct names_job job = {
		.target = self->target,
		.system = self->system,
		.output = path,
		.run_on = self->run_on,
		.has_taken = stopped->has_ticks,
		.taken_ticks = (gint64)stopped->ticks,
		.offset_ticks = stopped->offset_ticks,
		.other_clock = !stopped->has_offset,
		.gaps = gaps,
	};
	struct names_counts counts;

	if (!names_write(&job, &counts, &self->error)) {
		g_prefix_error(&self->error, "names of %s: ", self->target);
		return;
	}
	g_autofree char *text = names_counts_text(&counts);

	for (guint i = 0; i < gaps->len; i++) {
		g_autofree char *gap = format_text(g_ptr_array_index(gaps, i));

		g_printerr("note: names: %s\n", gap);
	}
	if (!stopped->has_offset)
		g_printerr("note: names: trace timestamps and the system counter could not be "
		           "compared, so when tasks started is left out\n");
	g_print("names    %s\n", text);
}

/* Beside this program, as built or as installed, else wherever PATH finds it. */
static char *find_window(void)
{
	static const char *const places[] = { "hvscope-gui", "../gui/hvscope-gui" };
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *dir = self != NULL ? g_path_get_dirname(self) : NULL;

	for (gsize i = 0; dir != NULL && i < G_N_ELEMENTS(places); i++) {
		g_autofree char *path = g_build_filename(dir, places[i], NULL);

		if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
			return g_steal_pointer(&path);
	}
	return g_find_program_in_path("hvscope-gui");
}

gboolean capture_window_open(const char *dir, GError **error)
{
	g_autofree char *program = find_window();
	const char *argv[] = { program, dir, NULL };

	if (program == NULL) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
		            "--open: there is no hvscope-gui; the capture is in %s", dir);
		return FALSE;
	}
	/* Whoever reads our output shall not have to wait for the window to close. */
	return g_spawn_async(NULL, (char **)argv, NULL,
	                     G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
	                     NULL, error);
}

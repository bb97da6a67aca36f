/* report html: self-contained, complete, and something that a browser draws. */
#include "tests/cli/cli-run.h"

#include <cairo.h>
#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *directory, *recording, *html;
};

static void setup(struct fixture *self, gconstpointer data)
{
	g_autofree char *capture =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "samples", "overcommit", NULL);
	g_autofree char *system = g_build_filename(capture, "system.ini", NULL);
	struct cli_run run;

	(void)data;
	self->directory = g_dir_make_tmp("hvscope-html-XXXXXX", NULL);
	self->recording = g_build_filename(self->directory, "a.hvs", NULL);
	self->html = g_build_filename(self->directory, "a.html", NULL);
	cli_run(&run, "decode", capture, "--system", system, "-o", self->recording, NULL);
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
	cli_run(&run, "report", "html", self->recording, "-o", self->html, NULL);
	g_assert_cmpstr(run.err, ==, "");
	g_assert_cmpint(run.code, ==, 0);
	cli_run_clear(&run);
}

static void teardown(struct fixture *self, gconstpointer data)
{
	(void)data;
	g_unlink(self->recording);
	g_unlink(self->html);
	g_rmdir(self->directory);
	g_free(self->directory);
	g_free(self->recording);
	g_free(self->html);
}

static void test_content(struct fixture *self, gconstpointer data)
{
	static const char *const wanted[] = { "<svg",
		                              "linux1/1",
		                              "Method and limits",
		                              "Capture settings",
		                              "wake-to-guest",
		                              "Where a request spends its time",
		                              "service, ",
		                              "@media print",
		                              "name='viewport'",
		                              "</html>" };
	static const char *const unwanted[] = { "<script", "<link", "src=", "@import", "url(http" };
	g_autofree char *text = NULL;

	(void)data;
	g_assert_true(g_file_get_contents(self->html, &text, NULL, NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
		if (strstr(text, wanted[i]) == NULL)
			g_error("the report lacks '%s'", wanted[i]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(unwanted); i++)
		g_assert_null(strstr(text, unwanted[i]));
}

/* Renders at a width; returns the share of pixels that are not the page's white. */
static double inked(const struct fixture *self, const char *chromium, const char *window)
{
	g_autofree char *png = g_build_filename(self->directory, "shot.png", NULL);
	g_autofree char *profile = g_build_filename(self->directory, "profile", NULL);
	g_autofree char *screenshot = g_strconcat("--screenshot=", png, NULL);
	g_autofree char *size = g_strconcat("--window-size=", window, NULL);
	g_autofree char *user = g_strconcat("--user-data-dir=", profile, NULL);
	g_autofree char *url = g_filename_to_uri(self->html, NULL, NULL);
	const char *const argv[] = { chromium,
		                     "--headless",
		                     "--no-sandbox",
		                     "--disable-gpu",
		                     "--disable-dev-shm-usage",
		                     user,
		                     screenshot,
		                     size,
		                     url,
		                     NULL };
	g_autoptr(GSubprocess) process =
		g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL);
	cairo_surface_t *image;
	guint64 n = 0;
	int width, height;

	g_assert_nonnull(process);
	g_assert_true(g_subprocess_wait_check(process, NULL, NULL));
	image = cairo_image_surface_create_from_png(png);
	g_assert_cmpint(cairo_surface_status(image), ==, CAIRO_STATUS_SUCCESS);
	width = cairo_image_surface_get_width(image);
	height = cairo_image_surface_get_height(image);
	for (int y = 0; y < height; y++) {
		const guint32 *row =
			(const guint32
		                 *)(const void *)(cairo_image_surface_get_data(image) +
		                                  (gsize)y * (gsize)cairo_image_surface_get_stride(
								     image));

		for (int x = 0; x < width; x++)
			n += (row[x] & 0xffffff) != 0xffffff;
	}
	cairo_surface_destroy(image);
	g_unlink(png);
	return (double)n / ((double)width * height);
}

static void remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
			remove_tree(child);
		else
			g_unlink(child);
	}
	g_rmdir(path);
}

static void test_rendered(struct fixture *self, gconstpointer data)
{
	g_autofree char *chromium = g_find_program_in_path("chromium");
	g_autofree char *profile = g_build_filename(self->directory, "profile", NULL);

	(void)data;
	if (chromium == NULL) {
		g_test_skip("chromium is not installed");
		return;
	}
	g_assert_cmpfloat(inked(self, chromium, "1000,1400"), >, 0.05);
	g_assert_cmpfloat(inked(self, chromium, "390,844"), >, 0.05);
	remove_tree(profile);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/cli/html/content", struct fixture, NULL, setup, test_content, teardown);
	g_test_add("/cli/html/rendered", struct fixture, NULL, setup, test_rendered, teardown);
	return g_test_run();
}

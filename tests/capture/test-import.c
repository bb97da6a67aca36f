#include "capture/import.h"
#include "tests/capture/perf-file.h"

#include <glib/gstdio.h>
#include <string.h>

struct fixture {
	char *dir, *perf, *out;
};

static void fixture_init(struct fixture *self)
{
	self->dir = g_dir_make_tmp("hvscope-import-XXXXXX", NULL);
	g_assert_nonnull(self->dir);
	self->perf = g_build_filename(self->dir, "perf.data", NULL);
	self->out = g_build_filename(self->dir, "out", NULL);
}

static void remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		if (g_file_test(child, G_FILE_TEST_IS_DIR))
			remove_tree(child);
		else
			g_remove(child);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

static void fixture_deinit(struct fixture *self)
{
	remove_tree(self->dir);
	g_free(self->dir);
	g_free(self->perf);
	g_free(self->out);
}

static struct snapshot *open_capture(const char *name)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	const char *root = g_getenv("HVSCOPE_SOURCE_ROOT");
	g_autofree char *fallback =
		g_build_filename(root != NULL ? root : ".", "../shared/data", NULL);
	g_autofree char *path =
		g_build_filename(data != NULL ? data : fallback, "captures", name, NULL);
	g_autoptr(GError) error = NULL;
	struct snapshot *snapshot = snapshot_open(path, &error);

	if (snapshot == NULL)
		g_test_skip("the recorded captures are not here (HVSCOPE_DATA)");
	return snapshot;
}

static void write_perf(const struct fixture *f, const struct snapshot *snapshot,
                       const struct perf_file_options *options)
{
	g_autoptr(GByteArray) bytes = perf_file_from_snapshot(snapshot, options);

	g_assert_true(
		g_file_set_contents(f->perf, (const char *)bytes->data, (gssize)bytes->len, NULL));
}

/* The registers and links of the sources that have trace are as they were. */
static void assert_same_sources(const struct snapshot *was, const struct snapshot *is)
{
	static const char *const names[] = { "TRCCONFIGR", "TRCTRACEIDR", "TRCIDR0",
		                             "TRCIDR1",    "TRCIDR2",     "TRCIDR8" };

	for (guint i = 0; i < is->n_sources; i++) {
		gboolean found = FALSE;

		for (guint k = 0; k < was->n_sources && !found; k++) {
			guint64 a, b;

			if (was->sources[k].core != is->sources[i].core ||
			    was->sources[k].protocol != SNAPSHOT_PROTOCOL_ETM4)
				continue;
			found = TRUE;
			for (guint n = 0; n < G_N_ELEMENTS(names); n++) {
				g_assert_true(
					snapshot_device_reg(is->sources[i].device, names[n], &a));
				g_assert_true(
					snapshot_device_reg(was->sources[k].device, names[n], &b));
				g_assert_cmphex(a, ==, b);
			}
		}
		g_assert_true(found);
	}
}

/* The trace without the barriers that stand where records meet. */
static void assert_same_trace(const struct snapshot *was, const struct snapshot *is,
                              guint64 record_bytes)
{
	g_autoptr(GMappedFile) old = snapshot_buffer_map(&was->buffers[0], NULL);
	g_autoptr(GMappedFile) new = snapshot_buffer_map(&is->buffers[0], NULL);
	gsize len = g_mapped_file_get_length(old), step = record_bytes != 0 ? record_bytes : len;
	const char *from = g_mapped_file_get_contents(old), *to = g_mapped_file_get_contents(new);
	gsize n_barriers = (len - 1) / step, at_new = 0;

	g_assert_cmpuint(g_mapped_file_get_length(new), ==, len + 16 * n_barriers);
	for (gsize at = 0; at < len; at += step) {
		if (at > 0) {
			g_assert_cmpint(memcmp(to + at_new, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8),
			                ==, 0);
			at_new += 16;
		}
		g_assert_cmpint(memcmp(to + at_new, from + at, MIN(step, len - at)), ==, 0);
		at_new += MIN(step, len - at);
	}
}

static void test_perf(void)
{
	static const struct {
		const char *capture;
		struct perf_file_options options;
	} cases[] = {
		{ "juno_r1_1", { 0, FALSE, 0, 0, FALSE } },
		{ "juno_r1_1", { 1, FALSE, 8192, 0, FALSE } },
		{ "juno_r1_1", { 2, FALSE, 8192, 1, FALSE } },
		{ "juno_r1_1", { 2, TRUE, 4096, 0, FALSE } },
		{ "juno-uname-002", { 1, TRUE, 0, 0, TRUE } },
		{ "xen-1s", { 1, FALSE, 1 << 20, 0, FALSE } },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Snapshot) was = open_capture(cases[i].capture);
		g_autoptr(GError) error = NULL;
		struct import_result result;
		struct fixture f;

		if (was == NULL)
			return;
		fixture_init(&f);
		write_perf(&f, was, &cases[i].options);
		import_perf(f.perf, f.out, 0, &result, &error);
		g_assert_no_error(error);
		g_autoptr(Snapshot) is = snapshot_open(f.out, &error);

		g_assert_no_error(error);
		g_assert_cmpuint(is->n_buffers, ==, 1);
		assert_same_sources(was, is);
		assert_same_trace(was, is, cases[i].options.record_bytes);
		if (cases[i].options.aux_flags != 0)
			g_assert_cmpuint(result.n_gaps, ==, 7);
		import_result_clear(&result);
		fixture_deinit(&f);
	}
}

/* Cut anywhere, or with any byte of the head changed: an error or a capture, never more. */
static void test_perf_damaged(void)
{
	g_autoptr(Snapshot) was = open_capture("juno_r1_1");
	struct perf_file_options options = { 1, FALSE, 8192, 0, FALSE };
	struct fixture f;

	if (was == NULL)
		return;
	fixture_init(&f);
	g_autoptr(GByteArray) whole = perf_file_from_snapshot(was, &options);

	for (guint i = 0; i < 140; i++) {
		g_autoptr(GError) error = NULL;
		struct import_result result;
		g_autofree guint8 *bytes = g_memdup2(whole->data, whole->len);
		guint len = i < 40 ? whole->len * i / 40 : whole->len;

		if (i >= 40)
			bytes[(gsize)(i - 40) * 4] ^= (guint8)(1u << i % 8 | 0x80);
		g_assert_true(g_file_set_contents(f.perf, (const char *)bytes, len, NULL));
		if (!import_perf(f.perf, f.out, 0, &result, &error))
			g_assert_nonnull(error);
		import_result_clear(&result);
		remove_tree(f.out);
	}
	fixture_deinit(&f);
}

static void add_source(GArray *sources, const char *type, gint core, const char *name,
                       guint64 value)
{
	struct import_source source = { type, core, "Cortex-A53",
		                        g_array_new(FALSE, FALSE, sizeof(struct import_register)) };
	struct import_register regs[] = { { "TRCCONFIGR", 0x8D1 },
		                          { "TRCIDR0", 0x28000EA1 },
		                          { "TRCIDR2", 0x488 },
		                          { name, value } };

	g_array_append_vals(source.registers, core < 0 ? &regs[3] : regs, core < 0 ? 1 : 4);
	g_array_append_val(sources, source);
}

static void source_clear(gpointer data)
{
	g_array_unref(((struct import_source *)data)->registers);
}

static void test_raw(void)
{
	g_autoptr(Snapshot) stm = open_capture("stm_only");
	g_autoptr(GArray) sources = g_array_new(FALSE, FALSE, sizeof(struct import_source));
	g_autoptr(GError) error = NULL;
	struct import_raw raw = { .format = SNAPSHOT_FORMAT_CORESIGHT, .sources = sources };
	struct import_result result;
	struct fixture f;

	if (stm == NULL)
		return;
	fixture_init(&f);
	g_array_set_clear_func(sources, source_clear);
	raw.path = stm->buffers[0].paths[0];
	g_assert_false(import_raw(&raw, f.out, &result, &error));
	g_assert_error(error, IMPORT_ERROR, IMPORT_ERROR_VALUE);
	g_clear_error(&error);
	import_result_clear(&result);
	add_source(sources, "STM", -1, "STMTCSR", 0x200003);
	add_source(sources, "ETM4", 1, "TRCTRACEIDR", 0x11);
	import_raw(&raw, f.out, &result, &error);
	g_assert_no_error(error);
	g_autoptr(Snapshot) is = snapshot_open(f.out, &error);

	g_assert_no_error(error);
	g_assert_cmpuint(is->n_sources, ==, 2);
	g_assert_cmpuint(is->buffers[0].size_bytes, ==, stm->buffers[0].size_bytes);
	import_result_clear(&result);
	raw.format = SNAPSHOT_FORMAT_SOURCE_DATA;
	g_assert_false(import_raw(&raw, f.out, &result, &error));
	g_assert_error(error, IMPORT_ERROR, IMPORT_ERROR_VALUE);
	import_result_clear(&result);
	fixture_deinit(&f);
}

static void test_not_perf(void)
{
	struct fixture f;
	struct import_result result;
	g_autoptr(GError) error = NULL;

	fixture_init(&f);
	g_assert_true(g_file_set_contents(f.perf, "2ELIFREP-------------------", -1, NULL));
	g_assert_false(import_perf(f.perf, f.out, 0, &result, &error));
	g_assert_error(error, IMPORT_ERROR, IMPORT_ERROR_MALFORMED);
	import_result_clear(&result);
	fixture_deinit(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/import/perf", test_perf);
	g_test_add_func("/capture/import/perf-damaged", test_perf_damaged);
	g_test_add_func("/capture/import/raw", test_raw);
	g_test_add_func("/capture/import/not-perf", test_not_perf);
	return g_test_run();
}

#include "analysis/quality.h"
#include "tests/schema/sample-recording.h"

#include <glib/gstdio.h>

static void test_sample(void)
{
	g_autofree char *directory = g_dir_make_tmp("hvscope-quality-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "a.hvs", NULL);
	recording_reader *reader;
	struct quality quality;
	const struct quality_gaps *gaps;
	const struct row_quality *count;
	const struct row_quality_event *event;

	sample_recording_write(path, "measured");
	reader = recording_reader_new(path, NULL);
	g_assert_true(quality_init(&quality, reader, NULL));
	recording_reader_free(reader);

	g_assert_cmpuint(quality.gaps->len, ==, 1);
	gaps = &g_array_index(quality.gaps, struct quality_gaps, 0);
	g_assert_cmpstr(gaps->reason, ==, "overflow");
	g_assert_cmpuint(gaps->count, ==, 1);
	g_assert_cmpint(gaps->time_ns, ==, 50001);
	g_assert_cmpint(gaps->longest_ns, ==, 50001);
	g_assert_cmpuint(gaps->bytes, ==, 20);
	g_assert_cmpuint(quality.counts->len, ==, 2);
	count = &g_array_index(quality.counts, struct row_quality, 1);
	g_assert_cmpstr(count->source, ==, "etm_1");
	g_assert_cmpuint(count->count, ==, 2);
	g_assert_cmpuint(quality.n_events, ==, 1);
	event = &g_array_index(quality.events, struct row_quality_event, 0);
	g_assert_cmpuint(event->trace_offset, ==, 310);
	g_assert_cmpuint(quality.uncertainty[0].spans, ==, 6);
	g_assert_cmpint(quality.uncertainty[0].mean_ns, ==, 10);
	g_assert_cmpint(quality.uncertainty[1].max_ns, ==, 25);
	g_assert_cmpuint(quality.uncertainty[2].spans, ==, 0);
	quality_deinit(&quality);
	g_unlink(path);
	g_rmdir(directory);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/analysis/quality/sample", test_sample);
	return g_test_run();
}

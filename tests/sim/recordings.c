#include "tests/sim/recordings.h"

#include "tests/sim/streams.h"

static char *data_path(const char *name)
{
	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "../shared/data", NULL);

	return g_build_filename(data != NULL ? data : fallback, "captures", name, NULL);
}

/* What each source emits: one ID's bytes of a recording of real hardware. */
static const struct {
	const char *file;
	guint source;
	guint8 id;
} recordings[] = {
	{ "juno-uname-002/trace.bin", 0, 0x16 },
	{ "juno_r1_1/cstrace.bin", 1, 0x10 },
	{ "juno_r1_1/cstrace.bin", 2, 0x13 },
	{ "juno_r1_1/cstrace.bin", 3, 0x11 },
	{ "stm_only/cstraceitm.bin", SIM_SOURCE_STM, 0x20 },
};

gboolean recordings_feed(struct fixture *f, gsize max_bytes)
{
	for (guint i = 0; i < G_N_ELEMENTS(recordings); i++) {
		g_autofree char *path = data_path(recordings[i].file);
		g_autofree char *bytes = NULL;
		gsize len_bytes;
		struct streams streams;

		if (!g_file_get_contents(path, &bytes, &len_bytes, NULL)) {
			g_test_skip("the recorded captures are not here (HVSCOPE_DATA)");
			return FALSE;
		}
		streams_init(&streams);
		streams_split(&streams, (const guint8 *)bytes, len_bytes);

		const GByteArray *stream = streams.of_id[recordings[i].id];
		g_autoptr(GBytes) fed = g_bytes_new(stream->data, MIN(stream->len, max_bytes));

		g_assert_cmpuint(stream->len, >, 0);
		g_mutex_lock(&f->soc->lock);
		sim_soc_feed(f->soc, recordings[i].source, fed, FALSE);
		g_mutex_unlock(&f->soc->lock);
		streams_deinit(&streams);
	}
	return TRUE;
}

#include "tests/capture/perf-file.h"

#include <string.h>

enum {
	PMU_TYPE = 9,
	SAMPLE_TYPE = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 16, /* TID TIME CPU IDENTIFIER */
	ATTR_BYTES = 136, /* the event's attributes, and where its IDs stand in the file */
	FILE_HEADER_BYTES = 104,
	EVENT_ID = 77,
};

static void put32(GByteArray *out, guint32 value)
{
	value = GUINT32_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

static void put64(GByteArray *out, guint64 value)
{
	value = GUINT64_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

static void put_header(GByteArray *out, guint32 type, guint size)
{
	put32(out, type);
	put32(out, size << 16);
}

static void put_sample_id(GByteArray *out, guint32 cpu)
{
	put64(out, 0x100000064); /* pid, tid */
	put64(out, 123456789);
	put64(out, cpu);
	put64(out, EVENT_ID);
}

/* `ids_at`: where the IDs of the event stand; 0: behind the attributes, as in a pipe. */
static void put_attr(GByteArray *out, guint64 ids_at)
{
	guint start = out->len;

	put32(out, PMU_TYPE);
	put32(out, ATTR_BYTES - 16);
	put64(out, 0);
	put64(out, 1);
	put64(out, SAMPLE_TYPE);
	put64(out, 0);
	put64(out, 1 << 18); /* sample_id_all */
	while (out->len - start < ATTR_BYTES - 16)
		put64(out, 0);
	if (ids_at != 0) {
		put64(out, ids_at);
		put64(out, 8);
	} else {
		put64(out, EVENT_ID);
	}
}

static guint64 reg(const struct snapshot_source *source, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(source->device, name, &value);
	return value;
}

static void put_info(GByteArray *out, const struct snapshot *snapshot,
                     const struct perf_file_options *options)
{
	static const char *const names[] = { "TRCCONFIGR", "TRCTRACEIDR", "TRCIDR0",      "TRCIDR1",
		                             "TRCIDR2",    "TRCIDR8",     "TRCAUTHSTATUS" };
	guint per_cpu = (guint)G_N_ELEMENTS(names) + (options->version == 0 ? 2 : 3);
	guint n = 0;

	for (guint i = 0; i < snapshot->n_sources; i++)
		n += snapshot->sources[i].protocol == SNAPSHOT_PROTOCOL_ETM4;
	put_header(out, 70, 16 + (3 + n * per_cpu) * 8);
	put32(out, 3);
	put32(out, 0);
	put64(out, options->version);
	put64(out, (guint64)PMU_TYPE << 32 | n);
	put64(out, 0);
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];

		if (source->protocol != SNAPSHOT_PROTOCOL_ETM4)
			continue;
		put64(out, 0x4040404040404040);
		put64(out, (guint64)source->core);
		if (options->version > 0)
			put64(out, G_N_ELEMENTS(names));
		/* From v2 on the ID is elsewhere; what stands here is not valid. */
		for (guint k = 0; k < G_N_ELEMENTS(names); k++)
			put64(out,
			      k == 1 && options->version == 2 ? 0x80000000 : reg(source, names[k]));
	}
}

static void put_hw_ids(GByteArray *out, const struct snapshot *snapshot)
{
	for (guint i = 0; i < snapshot->n_sources; i++) {
		const struct snapshot_source *source = &snapshot->sources[i];

		if (source->protocol != SNAPSHOT_PROTOCOL_ETM4)
			continue;
		put_header(out, 21, 8 + 8 + 32);
		put64(out, reg(source, "TRCTRACEIDR") | (guint64)1 << 60);
		put_sample_id(out, (guint32)source->core);
	}
}

/* A record of AUX data, `len_bytes` from `offset` on. */
static void put_auxtrace(GByteArray *out, const guint8 *bytes, guint64 offset, guint64 len_bytes,
                         const struct perf_file_options *options)
{
	put_header(out, 71, 48);
	put64(out, len_bytes);
	put64(out, offset);
	put64(out, 0);
	put32(out, 0);
	put32(out, 100);
	put32(out, options->per_thread ? 0xFFFFFFFF : 0);
	put32(out, 0);
	g_byte_array_append(out, bytes + offset, (guint)len_bytes);
}

static void put_trace(GByteArray *out, const guint8 *bytes, guint64 len_bytes,
                      const struct perf_file_options *options)
{
	guint64 step = options->record_bytes != 0 ? options->record_bytes : len_bytes;
	guint64 half = len_bytes / 2 / 16 * 16; /* whole frames, as a driver gives them */

	for (guint64 at = 0; at < len_bytes; at += step) {
		put_header(out, 11, 8 + 24 + 32);
		put64(out, at);
		put64(out, MIN(step, len_bytes - at));
		put64(out, at > 0 ? options->aux_flags : 0);
		put_sample_id(out, options->per_thread && (at / step) % 2 == 1 ? 1 : 0);
	}
	if (options->whole) {
		put_auxtrace(out, bytes, 0, len_bytes, options);
		return;
	}
	/* Two records that cut across the above. */
	put_auxtrace(out, bytes, 0, half, options);
	put_auxtrace(out, bytes, half, len_bytes - half, options);
}

GByteArray *perf_file_from_snapshot(const struct snapshot *snapshot,
                                    const struct perf_file_options *options)
{
	g_autoptr(GMappedFile) trace = snapshot_buffer_map(&snapshot->buffers[0], NULL);
	GByteArray *out = g_byte_array_new();
	g_autoptr(GByteArray) data = g_byte_array_new();

	g_assert_nonnull(trace);
	if (options->pipe) {
		put_header(data, 64, 8 + ATTR_BYTES - 8);
		put_attr(data, 0);
	}
	put_info(data, snapshot, options);
	if (options->version == 2)
		put_hw_ids(data, snapshot);
	put_trace(data, (const guint8 *)g_mapped_file_get_contents(trace),
	          g_mapped_file_get_length(trace), options);
	g_byte_array_append(out, (const guint8 *)"PERFILE2", 8);
	put64(out, options->pipe ? 16 : FILE_HEADER_BYTES);
	if (!options->pipe) {
		put64(out, ATTR_BYTES);
		put64(out, FILE_HEADER_BYTES + 8);
		put64(out, ATTR_BYTES);
		put64(out, FILE_HEADER_BYTES + 8 + ATTR_BYTES);
		put64(out, data->len);
		for (guint i = 0; i < 6; i++)
			put64(out, 0);
		put64(out, EVENT_ID);
		put_attr(out, FILE_HEADER_BYTES);
	}
	g_byte_array_append(out, data->data, data->len);
	return out;
}

#include "tests/synth/output.h"

#include <errno.h>
#include <string.h>
#include <gio/gio.h>

enum {
	STM_SYNC_BYTES = 4096
};

static void check(struct synth_output *self, gboolean written)
{
	if (written || self->failed)
		return;
	self->failed = TRUE;
	self->write_errno = errno;
}

static void on_frames(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct synth_output *self = data;

	check(self, fwrite(bytes, 1, len_bytes, self->trace) == len_bytes);
}

static void on_stm(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct synth_output *self = data;

	synth_output_trace(self, (guint8)self->scenario->stm_id, bytes, len_bytes);
}

static FILE *open_file(const char *dir, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	FILE *file = fopen(path, "wb");

	if (file == NULL) {
		const int code = errno;

		g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot write %s: %s",
		            path, g_strerror(code));
	}
	return file;
}

static FILE **files(struct synth_output *self, guint index)
{
	FILE **const all[] = { &self->trace, &self->truth, &self->marks, &self->messages };

	return index < G_N_ELEMENTS(all) ? all[index] : NULL;
}

static void close_files(struct synth_output *self)
{
	FILE **file;

	for (guint i = 0; (file = files(self, i)) != NULL; i++) {
		if (*file != NULL)
			check(self, fclose(*file) == 0);
		*file = NULL;
	}
}

gboolean synth_output_open(struct synth_output *self, const struct scenario *scenario,
                           const char *dir, GError **error)
{
	static const char *const names[] = { SYNTH_TRACE_FILE, SYNTH_TRUTH_FILE, SYNTH_MARKS_FILE,
		                             SYNTH_MESSAGES_FILE };
	const struct cs_formatter_options options = {
		.fsync_frames = (unsigned)scenario->trace.fsync_frames,
	};

	memset(self, 0, sizeof *self);
	self->scenario = scenario;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		*files(self, i) = open_file(dir, names[i], error);
		if (*files(self, i) == NULL) {
			close_files(self);
			return FALSE;
		}
	}
	cs_formatter_init(&self->formatter, &options, on_frames, self);
	stp_encoder_init(&self->stm, STP_TIMESTAMPS_BINARY, on_stm, self);
	fputs("core,start_ns,duration_ns,cycles,class,el,vmid,context_id,vcpu\n", self->truth);
	fputs("core,offset,time_ns,mark\n", self->marks);
	fputs("time_ns,master,channel,value\n", self->messages);
	return TRUE;
}

gboolean synth_output_close(struct synth_output *self, GError **error)
{
	stp_encoder_flush(&self->stm);
	cs_formatter_flush(&self->formatter);
	close_files(self);
	if (!self->failed)
		return TRUE;
	g_set_error(error, G_IO_ERROR, g_io_error_from_errno(self->write_errno),
	            "cannot write the capture: %s", g_strerror(self->write_errno));
	return FALSE;
}

void synth_output_trace(struct synth_output *self, guint8 trace_id, const guint8 *bytes,
                        gsize len_bytes)
{
	cs_formatter_write(&self->formatter, trace_id, bytes, len_bytes);
}

void synth_output_mark(struct synth_output *self, guint core, enum synth_mark mark,
                       guint64 at_ticks)
{
	static const char *const names[] = { "sync", "timestamp", "overflow", "discard" };

	check(self, fprintf(self->marks, "%u,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%s\n",
	                    core, cs_formatter_position(&self->formatter),
	                    at_ticks * self->scenario->ns_per_tick, names[mark]) > 0);
}

void synth_output_truth(struct synth_output *self, const struct synth_truth *truth)
{
	const guint64 ns = self->scenario->ns_per_tick;

	check(self, fprintf(self->truth,
	                    "%u,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
	                    ",%s,%u,%u,%u,%s\n",
	                    truth->core, truth->start_ticks * ns,
	                    (truth->end_ticks - truth->start_ticks) * ns, truth->cycles,
	                    truth->owner_class, truth->el, truth->vmid, truth->context_id,
	                    truth->vcpu) > 0);
}

void synth_output_stm(struct synth_output *self, guint64 at_ticks, guint channel, guint64 value)
{
	const struct scenario *scenario = self->scenario;
	const struct stp_data data = {
		.master = (guint8)scenario->stm_master,
		.channel = (guint16)channel,
		.bits = 32,
		.value = value & G_MAXUINT32,
		.marked = true,
		.has_timestamp = true,
		.timestamp = scenario->trace.timestamp_start + at_ticks,
	};

	if (scenario->stm_id == SCENARIO_NONE)
		return;
	if (!self->stm_started ||
	    self->stm.written_bytes - self->stm_bytes_at_sync > STM_SYNC_BYTES) {
		stp_encoder_sync(&self->stm);
		stp_encoder_frequency(&self->stm, (guint32)scenario->timestamp_hz);
		self->stm_bytes_at_sync = self->stm.written_bytes;
		self->stm_started = TRUE;
	}
	stp_encoder_data(&self->stm, &data);
	check(self, fprintf(self->messages, "%" G_GUINT64_FORMAT ",%u,%u,%u\n",
	                    at_ticks * scenario->ns_per_tick, scenario->stm_master, channel,
	                    (guint32)data.value) > 0);
}

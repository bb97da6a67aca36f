#include "capture/session-internal.h"

#include "capture/snapshot-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Set free before the small files are written, so that a full disk still leaves a
	 * whole capture of what was drained. */
	BALLAST_BYTES = 256 << 10,
	FRAME_BYTES = 16,
};

void session_report(struct session *self, enum session_phase phase, guint64 done, guint64 total)
{
	if (self->progress != NULL)
		self->progress(self->progress_data, phase, done, total);
}

void session_note(struct session *self, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(self->result->notes, g_strdup_vprintf(format, args));
	va_end(args);
}

const struct session_source *session_source_at(const struct session *self, guint i)
{
	return &g_array_index(self->plan->sources, struct session_source, i);
}

const char *session_name_of(const struct session *self, guint component)
{
	return board_component(self->plan->board, component)->name;
}

static void save_register(struct session *self, guint component, guint16 reg, const char *name)
{
	struct saved_register saved = { component, name, 0 };
	guint32 value;

	if (!access_read(&self->access, component, reg, name, &value, NULL))
		return;
	saved.value = value;
	g_array_append_val(self->registers, saved);
}

static void save_etm_registers(struct session *self, const struct session_source *source)
{
	static const struct {
		guint16 reg;
		const char *name;
	} plain[] = {
		{ 0x010, "TRCCONFIGR" },    { 0x040, "TRCTRACEIDR" }, { 0x02C, "TRCSTALLCTLR" },
		{ 0x030, "TRCTSCTLR" },     { 0x034, "TRCSYNCPR" },   { 0x038, "TRCCCCTLR" },
		{ 0x080, "TRCVICTLR" },     { 0x084, "TRCVIIECTLR" }, { 0x088, "TRCVISSCTLR" },
		{ 0xFB8, "TRCAUTHSTATUS" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(plain); i++)
		save_register(self, source->component, plain[i].reg, plain[i].name);
	for (guint i = 0; i < G_N_ELEMENTS(source->ids.idr); i++) {
		struct saved_register saved = { source->component, NULL, source->ids.idr[i] };
		g_autofree char *name = g_strdup_printf("TRCIDR%u", i);

		saved.name = g_intern_string(name);
		g_array_append_val(self->registers, saved);
	}
	for (guint i = 0; i < 2 * source->etm.n_ranges; i++) {
		g_autofree char *value = g_strdup_printf("TRCACVR%u", i);
		g_autofree char *type = g_strdup_printf("TRCACATR%u", i);
		const struct etm4_range *range = &source->etm.ranges[i / 2];
		struct saved_register saved = { source->component, g_intern_string(value),
			                        i % 2 == 0 ? range->start_va : range->last_va };

		g_array_append_val(self->registers, saved);
		save_register(self, source->component, (guint16)(0x480 + 8 * i),
		              g_intern_string(type));
	}
	if (source->etm.filter == ETM4_FILTER_VMID)
		save_register(self, source->component, 0x640, "TRCVMIDCVR0");
	if (source->etm.filter == ETM4_FILTER_CONTEXT_ID)
		save_register(self, source->component, 0x600, "TRCCIDCVR0");
}

void session_save_registers(struct session *self)
{
	for (guint i = 0; i < self->plan->sources->len; i++) {
		const struct session_source *source = session_source_at(self, i);

		if (source->core >= 0) {
			save_etm_registers(self, source);
			continue;
		}
		save_register(self, source->component, 0xE80, "STMTCSR");
		save_register(self, source->component, 0xE8C, "STMTSFREQR");
		save_register(self, source->component, 0xE90, "STMSYNCR");
	}
}

gboolean session_store(gpointer data, const guint8 *bytes, gsize len_bytes, GError **error)
{
	struct session *self = data;

	while (len_bytes > 0) {
		ssize_t n = write(self->trace_fd, bytes, len_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno),
			            "writing %s after %" G_GUINT64_FORMAT " bytes: %s",
			            self->trace_path, self->result->trace_bytes, g_strerror(errno));
			return FALSE;
		}
		bytes += n;
		len_bytes -= (gsize)n;
		self->result->trace_bytes += (guint64)n;
	}
	session_report(self, SESSION_DRAIN, self->result->trace_bytes, self->status.used_bytes);
	return TRUE;
}

gboolean session_open_trace(struct session *self, GError **error)
{
	const char *sink = session_name_of(self, self->plan->sink);
	g_autofree char *file = g_strdup_printf("%s.bin", sink);

	self->trace_path = snapshot_writer_path(self->writer, file);
	self->ballast_path = snapshot_writer_path(self->writer, "ballast");
	self->trace_fd = open(self->trace_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
	if (self->trace_fd < 0) {
		g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno), "%s: %s",
		            self->trace_path, g_strerror(errno));
		return FALSE;
	}
	int ballast = open(self->ballast_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (ballast >= 0) {
		if (posix_fallocate(ballast, 0, BALLAST_BYTES) != 0)
			session_note(self, "the disk is nearly full");
		close(ballast);
	}
	return TRUE;
}

static void write_registers(struct session *self, guint component, guint device)
{
	for (guint i = 0; i < self->registers->len; i++) {
		const struct saved_register *saved =
			&g_array_index(self->registers, struct saved_register, i);

		if (saved->component == component)
			snapshot_writer_reg(self->writer, device, saved->name, saved->value);
	}
}

static void property(struct session *self, const char *key, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

static void property(struct session *self, const char *key, const char *format, ...)
{
	va_list args;
	g_autofree char *value = NULL;

	va_start(args, format);
	value = g_strdup_vprintf(format, args);
	va_end(args);
	/* What has a meaning of its own in an ini file. */
	g_strdelimit(value, "\r\n\t;#\"'", ' ');
	g_strstrip(value);
	snapshot_writer_property(self->writer, key, value);
}

static void write_properties(struct session *self)
{
	g_autoptr(GDateTime) started = g_date_time_new_from_unix_utc(self->wall_start_us / 1000000);
	g_autofree char *text = started != NULL ? g_date_time_format_iso8601(started) : NULL;

	property(self, "board", "%s", self->plan->board->name);
	property(self, "preset", "%s", session_preset_name(self->config->preset));
	property(self, "link", "%s", self->access.link->description);
	property(self, "sink", "%s", session_name_of(self, self->plan->sink));
	if (text != NULL)
		property(self, "started", "%s", text);
	if (board_component(self->plan->board, self->plan->sink)->kind != BOARD_TPIU) {
		property(self, "sink_sts", "0x%X", self->status.sts);
		property(self, "sink_rrp", "0x%" G_GINT64_MODIFIER "x", self->status.read_pointer);
		property(self, "sink_rwp", "0x%" G_GINT64_MODIFIER "x", self->status.write_pointer);
		property(self, "wrapped", "%s", self->status.full ? "yes" : "no");
	}
	if (self->plan->tsgen >= 0) {
		property(self, "tsgen_start", "%" G_GUINT64_FORMAT, self->tsgen_start);
		property(self, "tsgen_end", "%" G_GUINT64_FORMAT, self->tsgen_end);
	}
	if (self->counter_start != 0 || self->counter_end != 0) {
		property(self, "counter_start", "%" G_GUINT64_FORMAT, self->counter_start);
		property(self, "counter_end", "%" G_GUINT64_FORMAT, self->counter_end);
	}
	if (self->result->incomplete != NULL)
		property(self, "incomplete", "%s", self->result->incomplete);
	snapshot_writer_rates(self->writer, self->tsgen_hz, 0);
	snapshot_writer_time(self->writer, SNAPSHOT_TIME_MEASURED);
}

gboolean session_write_capture(struct session *self, GError **error)
{
	const struct board *board = self->plan->board;
	enum board_kind kind = board_component(board, self->plan->sink)->kind;
	g_autofree char *file = g_strdup_printf("%s.bin", session_name_of(self, self->plan->sink));
	g_autofree char *buffer_name = g_ascii_strup(session_name_of(self, self->plan->sink), -1);
	guint buffer;

	session_report(self, SESSION_WRITE, 0, 0);
	unlink(self->ballast_path);
	/* Half a frame would shift all that is read after it. */
	if (kind != BOARD_TPIU && self->result->trace_bytes % FRAME_BYTES != 0) {
		self->result->trace_bytes -= self->result->trace_bytes % FRAME_BYTES;
		if (ftruncate(self->trace_fd, (off_t)self->result->trace_bytes) != 0)
			session_note(self, "%s: %s", self->trace_path, g_strerror(errno));
	}
	close(self->trace_fd);
	self->trace_fd = -1;
	buffer = snapshot_writer_buffer(self->writer, buffer_name, file,
	                                kind == BOARD_TPIU ? SNAPSHOT_FORMAT_DSTREAM_CORESIGHT
	                                                   : SNAPSHOT_FORMAT_CORESIGHT);
	for (guint i = 0; i < self->plan->sources->len; i++) {
		const struct session_source *source = session_source_at(self, i);
		g_autofree char *name = g_ascii_strup(session_name_of(self, source->component), -1);
		guint device = snapshot_writer_device(self->writer, SNAPSHOT_CLASS_TRACE_SOURCE,
		                                      name, source->core < 0 ? "STM" : "ETM4");

		write_registers(self, source->component, device);
		snapshot_writer_link_buffer(self->writer, device, buffer);
		if (source->core >= 0) {
			g_autofree char *core = g_strdup_printf("cpu_%d", source->core);
			guint core_device = snapshot_writer_device(
				self->writer, SNAPSHOT_CLASS_CORE, core, board->core_type);

			snapshot_writer_link_core(self->writer, core_device, device);
		}
	}
	write_properties(self);
	return snapshot_writer_finish(self->writer, error);
}

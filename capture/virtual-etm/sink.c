/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/sink.h"

#include "capture/cs-formatter.h"
#include "capture/snapshot-writer.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#define TRACE_FILE "cstrace.bin"
#define CODE_FILE  "code.bin"

enum {
	FILE_BUFFER_BYTES = 1 << 20,
	PENDING_BYTES = 1024,
	AUTHSTATUS_NON_SECURE = 0xCC, /* invasive and not, implemented and enabled */
	STMTCSR_ENABLED = 5,          /* EN, TSEN */
};

struct sink {
	struct snapshot_writer *writer;
	struct cs_formatter formatter;
	FILE *trace;
	char *trace_path;
	int write_errno; /* of the first failure */

	/* Packets of one source on their way to the formatter, which is quicker with many
	 * bytes at a time. */
	uint8_t pending[PENDING_BYTES];
	size_t n_pending;
	uint8_t pending_id;
};

static void write_file(FILE *file, const uint8_t *bytes, size_t len_bytes, int *write_errno)
{
	if (fwrite(bytes, 1, len_bytes, file) != len_bytes && *write_errno == 0)
		*write_errno = errno != 0 ? errno : EIO;
}

static void write_frame(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct sink *self = data;

	write_file(self->trace, bytes, len_bytes, &self->write_errno);
}

static gboolean set_file_error(GError **error, const char *path, int number)
{
	g_set_error(error, G_IO_ERROR, g_io_error_from_errno(number),
	            "virtual ETM: cannot write '%s': %s", path, g_strerror(number));
	return FALSE;
}

struct sink *sink_new(const char *dir, GError **error)
{
	struct snapshot_writer *writer = snapshot_writer_new(dir, error);

	if (writer == NULL)
		return NULL;

	struct sink *self = g_new0(struct sink, 1);

	self->writer = writer;
	self->trace_path = snapshot_writer_path(writer, TRACE_FILE);
	self->trace = fopen(self->trace_path, "wb");
	if (self->trace == NULL) {
		set_file_error(error, self->trace_path, errno);
		sink_free(self);
		return NULL;
	}
	setvbuf(self->trace, NULL, _IOFBF, FILE_BUFFER_BYTES);
	cs_formatter_init(&self->formatter, NULL, write_frame, self);
	return self;
}

void sink_free(struct sink *self)
{
	if (self == NULL)
		return;
	if (self->trace != NULL)
		fclose(self->trace);
	g_clear_pointer(&self->writer, snapshot_writer_free);
	g_free(self->trace_path);
	g_free(self);
}

static void write_pending(struct sink *self)
{
	if (self->n_pending > 0)
		cs_formatter_write(&self->formatter, self->pending_id, self->pending,
		                   self->n_pending);
	self->n_pending = 0;
}

void sink_write(struct sink *self, uint8_t id, const uint8_t *bytes, size_t len_bytes)
{
	if (id != self->pending_id || self->n_pending + len_bytes > PENDING_BYTES)
		write_pending(self);
	self->pending_id = id;
	if (len_bytes > PENDING_BYTES) {
		cs_formatter_write(&self->formatter, id, bytes, len_bytes);
		return;
	}
	memcpy(&self->pending[self->n_pending], bytes, len_bytes);
	self->n_pending += len_bytes;
}

uint64_t sink_size(const struct sink *self)
{
	return self->formatter.written_bytes + self->n_pending;
}

struct code_writer {
	struct sink *sink;
	guint device;
	FILE *file;
	int write_errno;
	gboolean any;
};

static void write_code_page(void *data, const uint8_t *bytes, size_t len_bytes)
{
	struct code_writer *self = data;

	write_file(self->file, bytes, len_bytes, &self->write_errno);
}

static void write_code_region(void *data, const struct code_image_region *region)
{
	struct code_writer *self = data;

	snapshot_writer_dump(self->sink->writer, self->device, CODE_FILE, region->va,
	                     region->offset_bytes, region->len_bytes, region->space);
}

/* The cores share their memory: the code hangs on the first one. */
static gboolean write_code(struct sink *self, guint device, const struct code_image *code,
                           GError **error)
{
	g_autofree char *path = snapshot_writer_path(self->writer, CODE_FILE);
	struct code_writer writer = { .sink = self, .device = device, .file = fopen(path, "wb") };

	if (writer.file == NULL)
		return set_file_error(error, path, errno);
	code_image_write(code, write_code_page, write_code_region, &writer);
	if (fclose(writer.file) != 0 && writer.write_errno == 0)
		writer.write_errno = errno;
	return writer.write_errno == 0 || set_file_error(error, path, writer.write_errno);
}

static void add_registers(struct sink *self, guint device,
                          const struct trace_unit_registers *registers, uint32_t traceidr)
{
	const struct view_registers *view = &registers->view;
	const struct {
		const char *name;
		uint32_t value;
	} list[] = {
		{ "TRCCONFIGR", registers->encoder.configr },
		{ "TRCTRACEIDR", traceidr },
		{ "TRCAUTHSTATUS", AUTHSTATUS_NON_SECURE },
		{ "TRCIDR0", registers->encoder.idr0 },
		{ "TRCIDR1", registers->encoder.idr1 },
		{ "TRCIDR2", registers->encoder.idr2 },
		{ "TRCIDR8", registers->encoder.idr8 },
		{ "TRCCCCTLR", registers->encoder.cc_threshold },
		{ "TRCSYNCPR", registers->syncpr },
		{ "TRCVICTLR", view->victlr },
		{ "TRCVIIECTLR", view->viiectlr },
		{ "TRCVISSCTLR", 0 },
		{ "TRCCIDCVR0", view->cidcvr },
		{ "TRCVMIDCVR0", view->vmidcvr },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
		snapshot_writer_reg(self->writer, device, list[i].name, list[i].value);
	for (unsigned i = 0; i < VIEW_COMPARATORS; i++) {
		g_autofree char *value = g_strdup_printf("TRCACVR%u", i);
		g_autofree char *type = g_strdup_printf("TRCACATR%u", i);

		if (view->acvr[i] == 0 && view->acatr[i] == 0)
			continue;
		snapshot_writer_reg(self->writer, device, value, view->acvr[i]);
		snapshot_writer_reg(self->writer, device, type, view->acatr[i]);
	}
}

/* Returns the handle of the first core. */
static guint add_cores(struct sink *self, const struct sink_capture *capture, guint buffer)
{
	guint first = 0;

	for (unsigned i = 0; i < capture->flow->n_cores; i++) {
		const struct trace_unit *unit = &capture->units[i];
		g_autofree char *core_name = g_strdup_printf("cpu_%u", i);
		g_autofree char *unit_name = g_strdup_printf("ETM_%u", i);
		const guint core = snapshot_writer_device(self->writer, SNAPSHOT_CLASS_CORE,
		                                          core_name, "Cortex-A53");
		const guint etm = snapshot_writer_device(self->writer, SNAPSHOT_CLASS_TRACE_SOURCE,
		                                         unit_name, "ETM4");

		if (i == 0)
			first = core;
		snapshot_writer_reg(self->writer, core, "CPSR", 0x3C9);
		add_registers(self, etm, &unit->registers, unit->registers.traceidr + i);
		snapshot_writer_link_core(self->writer, core, etm);
		snapshot_writer_link_buffer(self->writer, etm, buffer);
	}
	return first;
}

static void add_stm(struct sink *self, const struct options *options, guint buffer)
{
	if (options->stm_len_bytes == 0)
		return;

	const guint stm =
		snapshot_writer_device(self->writer, SNAPSHOT_CLASS_TRACE_SOURCE, "STM_0", "STM");

	snapshot_writer_reg(self->writer, stm, "STMTCSR",
	                    (uint32_t)options->stm_id << 16 | STMTCSR_ENABLED);
	snapshot_writer_link_buffer(self->writer, stm, buffer);
}

static void add_figure(struct sink *self, const char *key, uint64_t value)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

	snapshot_writer_property(self->writer, key, text);
}

static void add_figures(struct sink *self, const struct sink_capture *capture)
{
	const struct flow *flow = capture->flow;
	uint64_t instructions = 0, filtered = 0, lost = 0, overflows = 0, exceptions = 0;

	for (unsigned i = 0; i < flow->n_cores; i++) {
		instructions += capture->units[i].n_instructions;
		filtered += capture->units[i].n_filtered;
		lost += capture->units[i].n_lost;
		overflows += capture->units[i].n_overflows;
		exceptions += capture->units[i].n_exceptions;
	}
	snapshot_writer_property(self->writer, "source", "virtual-etm");
	add_figure(self, "instructions_traced", instructions);
	add_figure(self, "instructions_filtered", filtered);
	add_figure(self, "instructions_lost", lost);
	add_figure(self, "overflows", overflows);
	add_figure(self, "exceptions", exceptions);
	add_figure(self, "first_instruction", capture->first_insn);
	add_figure(self, "last_instruction", capture->last_insn);
	add_figure(self, "stm_writes", capture->n_stm);
	add_figure(self, "flow_gaps", flow->n_gaps);
	add_figure(self, "flow_restarts", flow->n_restarts);
	add_figure(self, "flow_mmio_restarts", flow->n_mmio_restarts);
	add_figure(self, "flow_nested_exceptions", flow->n_nested);
	add_figure(self, "time_corrections", flow->n_corrections);
	add_figure(self, "time_correction_max_ns", flow->correction_max_ns);
	add_figure(self, "code_conflicts", code_image_conflicts(capture->code));
}

static gboolean close_trace(struct sink *self, GError **error)
{
	write_pending(self);
	cs_formatter_flush(&self->formatter);
	if (fclose(self->trace) != 0 && self->write_errno == 0)
		self->write_errno = errno;
	self->trace = NULL;
	return self->write_errno == 0 || set_file_error(error, self->trace_path, self->write_errno);
}

gboolean sink_finish(struct sink *self, const struct sink_capture *capture, GError **error)
{
	if (!close_trace(self, error))
		return FALSE;

	const guint buffer = snapshot_writer_buffer(self->writer, "ETB_0", TRACE_FILE,
	                                            SNAPSHOT_FORMAT_CORESIGHT);
	const guint core = add_cores(self, capture, buffer);

	add_stm(self, capture->options, buffer);
	snapshot_writer_rates(self->writer, capture->timestamp_hz,
	                      UINT64_C(1000000000) >> capture->options->shift);
	snapshot_writer_time(self->writer, SNAPSHOT_TIME_MODELLED);
	add_figures(self, capture);
	return write_code(self, core, capture->code, error) &&
	       snapshot_writer_finish(self->writer, error);
}

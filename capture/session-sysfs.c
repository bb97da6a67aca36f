#include "capture/session-sysfs.h"

#include "capture/snapshot-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	/* `mode` of the ETMv4 driver: cycle counts, context ID, VMID, timestamps, return stack. */
	ETM_MODE = 1 << 4 | 1 << 6 | 1 << 7 | 1 << 11 | 1 << 12,
	MAX_CPUS = 64,
	POLL_MS = 20,
	CHUNK_BYTES = 1 << 16,
};

struct source {
	guint cpu;
	char *dir;
	char *old_mode;
	gboolean enabled;
};

struct sysfs {
	const struct session_sysfs_config *config;
	struct session_result *result;
	session_progress_fn progress;
	gpointer progress_data;
	char *devices;  /* ROOT/sys/bus/coresight/devices */
	char *sink;     /* the kernel's name */
	char *old_size; /* of the ETR's buffer, or NULL */
	gboolean sink_enabled;
	GArray *sources; /* struct source */
};

static void source_clear(gpointer data)
{
	struct source *source = data;

	g_free(source->dir);
	g_free(source->old_mode);
}

static gboolean sysfs_write(const char *dir, const char *file, const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int code = errno;

	if (fd >= 0 && close(fd) != 0 && n >= 0) {
		code = errno;
		n = -1;
	}
	if (n == (ssize_t)strlen(text))
		return TRUE;
	g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
	            "writing %s to %s: %s; run as root, with the kernel's coresight drivers loaded "
	            "and nobody else tracing",
	            text, path, g_strerror(code));
	return FALSE;
}

static char *sysfs_read(const char *dir, const char *file, GError **error)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return NULL;
	return g_strstrip(text);
}

static gboolean sysfs_number(const char *dir, const char *file, guint64 *value)
{
	g_autofree char *text = sysfs_read(dir, file, NULL);
	char *end;

	if (text == NULL)
		return FALSE;
	*value = g_ascii_strtoull(text, &end, 0);
	return end != text;
}

static char *kernel_name(const char *sink)
{
	if (strcmp(sink, "etr") == 0)
		return g_strdup("tmc_etr0");
	if (strcmp(sink, "etf1") == 0)
		return g_strdup("tmc_etf0");
	if (strcmp(sink, "etf2") == 0)
		return g_strdup("tmc_etf1");
	return g_strdup(sink);
}

static gint compare_sources(gconstpointer a, gconstpointer b)
{
	return (gint)((const struct source *)a)->cpu - (gint)((const struct source *)b)->cpu;
}

static gboolean find_sources(struct sysfs *self, GError **error)
{
	GDir *dir = g_dir_open(self->devices, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		struct source source = { 0 };
		guint64 cpu, in_use;

		if (!g_str_has_prefix(name, "etm") || !g_ascii_isdigit(name[3]))
			continue;
		source.dir = g_build_filename(self->devices, name, NULL);
		if (!sysfs_number(source.dir, "cpu", &cpu))
			cpu = g_ascii_strtoull(name + 3, NULL, 10);
		if (cpu >= MAX_CPUS ||
		    (self->config->cores != 0 && (self->config->cores >> cpu & 1) == 0)) {
			source_clear(&source);
			continue;
		}
		source.cpu = (guint)cpu;
		if (sysfs_number(source.dir, "enable_source", &in_use) && in_use != 0) {
			g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_IN_USE,
			            "%s is on already: perf or somebody else traces", name);
			source_clear(&source);
			g_dir_close(dir);
			return FALSE;
		}
		g_array_append_val(self->sources, source);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_array_sort(self->sources, compare_sources);
	if (self->sources->len > 0)
		return TRUE;
	g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN,
	            "no trace unit under %s: does the kernel have CORESIGHT_SOURCE_ETM4X, and the "
	            "device tree its nodes (docs/zcu102.md)?",
	            self->devices);
	return FALSE;
}

static gboolean enable_sink(struct sysfs *self, const char *dir, GError **error)
{
	if (self->config->buffer_bytes != 0) {
		g_autofree char *size =
			g_strdup_printf("0x%" G_GINT64_MODIFIER "x", self->config->buffer_bytes);

		self->old_size = sysfs_read(dir, "buffer_size", error);
		if (self->old_size == NULL || !sysfs_write(dir, "buffer_size", size, error))
			return FALSE;
	}
	self->sink_enabled = sysfs_write(dir, "enable_sink", "1", error);
	return self->sink_enabled;
}

static gboolean enable(struct sysfs *self, GError **error)
{
	g_autofree char *sink_dir = g_build_filename(self->devices, self->sink, NULL);
	g_autofree char *mode = g_strdup_printf("0x%x", ETM_MODE);

	if (!g_file_test(sink_dir, G_FILE_TEST_IS_DIR)) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN, "no sink %s under %s",
		            self->sink, self->devices);
		return FALSE;
	}
	if (!enable_sink(self, sink_dir, error))
		return FALSE;
	for (guint i = 0; i < self->sources->len; i++) {
		struct source *source = &g_array_index(self->sources, struct source, i);

		source->old_mode = sysfs_read(source->dir, "mode", error);
		if (source->old_mode == NULL || !sysfs_write(source->dir, "mode", mode, error) ||
		    !sysfs_write(source->dir, "enable_source", "1", error))
			return FALSE;
		source->enabled = TRUE;
	}
	return TRUE;
}

static void disable_sources(struct sysfs *self)
{
	for (guint i = 0; i < self->sources->len; i++) {
		struct source *source = &g_array_index(self->sources, struct source, i);
		g_autoptr(GError) error = NULL;

		if (source->enabled && !sysfs_write(source->dir, "enable_source", "0", &error))
			g_ptr_array_add(self->result->notes, g_strdup(error->message));
		source->enabled = FALSE;
	}
}

/* After the drain: a sink that is switched off forgets what it holds. */
static void restore(struct sysfs *self)
{
	g_autofree char *sink_dir = g_build_filename(self->devices, self->sink, NULL);
	g_autoptr(GError) error = NULL;

	disable_sources(self);
	for (guint i = 0; i < self->sources->len; i++) {
		const struct source *source = &g_array_index(self->sources, struct source, i);
		g_autofree char *mode = NULL;

		/* The driver prints hexadecimal without 0x. */
		if (source->old_mode == NULL)
			continue;
		mode = g_str_has_prefix(source->old_mode, "0x")
		               ? g_strdup(source->old_mode)
		               : g_strconcat("0x", source->old_mode, NULL);
		sysfs_write(source->dir, "mode", mode, NULL);
	}
	if (self->sink_enabled && !sysfs_write(sink_dir, "enable_sink", "0", &error))
		g_ptr_array_add(self->result->notes, g_strdup(error->message));
	if (self->old_size != NULL)
		sysfs_write(sink_dir, "buffer_size", self->old_size, NULL);
}

static void wait_for_end(struct sysfs *self, GCancellable *stop)
{
	gint64 start_us = g_get_monotonic_time();

	for (;;) {
		guint64 elapsed_us = (guint64)(g_get_monotonic_time() - start_us);

		if (self->progress != NULL)
			self->progress(self->progress_data, SESSION_RUN, elapsed_us,
			               self->config->for_us);
		if ((stop != NULL && g_cancellable_is_cancelled(stop)) ||
		    (self->config->for_us != 0 && elapsed_us >= self->config->for_us))
			return;
		g_usleep((gulong)POLL_MS * 1000);
	}
}

static gboolean copy_trace(struct sysfs *self, SnapshotWriter *writer, GError **error)
{
	g_autofree char *device = g_build_filename(
		self->config->root[0] != '\0' ? self->config->root : "/", "dev", self->sink, NULL);
	g_autofree char *path = snapshot_writer_path(writer, "trace.bin");
	g_autofree guint8 *chunk = g_malloc(CHUNK_BYTES);
	int in = open(device, O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ssize_t n = in >= 0 && out >= 0 ? 0 : -1;
	gint64 start_us = g_get_monotonic_time();

	while (n >= 0 && (n = read(in, chunk, CHUNK_BYTES)) > 0) {
		if (write(out, chunk, (size_t)n) != n)
			n = -1;
		else
			self->result->trace_bytes += (guint64)n;
		if (self->progress != NULL)
			self->progress(self->progress_data, SESSION_DRAIN,
			               self->result->trace_bytes, 0);
	}
	if (n < 0)
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
		            "reading %s into %s: %s", device, path, g_strerror(errno));
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	self->result->drain_us = (guint64)(g_get_monotonic_time() - start_us);
	return n >= 0;
}

/* What sysfs shows of a trace unit, under the snapshot's names. The mgmt values are those of the
 * registers while the source is on. */
static void add_registers(SnapshotWriter *writer, const struct source *source, guint device)
{
	static const struct {
		const char *file, *name;
	} files[] = {
		{ "mgmt/trcconfig", "TRCCONFIGR" },        { "mgmt/trctraceid", "TRCTRACEIDR" },
		{ "mgmt/trcauthstatus", "TRCAUTHSTATUS" }, { "trcidr/trcidr0", "TRCIDR0" },
		{ "trcidr/trcidr1", "TRCIDR1" },           { "trcidr/trcidr2", "TRCIDR2" },
		{ "trcidr/trcidr3", "TRCIDR3" },           { "trcidr/trcidr4", "TRCIDR4" },
		{ "trcidr/trcidr5", "TRCIDR5" },           { "trcidr/trcidr8", "TRCIDR8" },
		{ "trcidr/trcidr9", "TRCIDR9" },           { "trcidr/trcidr10", "TRCIDR10" },
		{ "trcidr/trcidr11", "TRCIDR11" },         { "trcidr/trcidr12", "TRCIDR12" },
		{ "trcidr/trcidr13", "TRCIDR13" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		guint64 value;

		if (sysfs_number(source->dir, files[i].file, &value))
			snapshot_writer_reg(writer, device, files[i].name, value);
	}
}

static void add_devices(struct sysfs *self, SnapshotWriter *writer)
{
	guint buffer =
		snapshot_writer_buffer(writer, "ETB_0", "trace.bin", SNAPSHOT_FORMAT_CORESIGHT);

	for (guint i = 0; i < self->sources->len; i++) {
		const struct source *source = &g_array_index(self->sources, struct source, i);
		g_autofree char *name = g_strdup_printf("ETM_%u", source->cpu);
		g_autofree char *core = g_strdup_printf("cpu_%u", source->cpu);
		guint device =
			snapshot_writer_device(writer, SNAPSHOT_CLASS_TRACE_SOURCE, name, "ETM4");

		add_registers(writer, source, device);
		snapshot_writer_link_buffer(writer, device, buffer);
		snapshot_writer_link_core(
			writer,
			snapshot_writer_device(writer, SNAPSHOT_CLASS_CORE, core, "ARM-AA64"),
			device);
	}
	snapshot_writer_time(writer, SNAPSHOT_TIME_MEASURED);
	snapshot_writer_property(writer, "link", "sysfs");
	snapshot_writer_property(writer, "sink", self->sink);
}

static gboolean run(struct sysfs *self, GCancellable *stop, GError **error)
{
	g_autoptr(SnapshotWriter) writer = snapshot_writer_new(self->config->out_dir, error);
	gboolean ok;

	if (writer == NULL || !find_sources(self, error))
		return FALSE;
	ok = enable(self, error);
	if (ok) {
		wait_for_end(self, stop);
		add_devices(self, writer);
		disable_sources(self);
		ok = copy_trace(self, writer, error);
	}
	restore(self);
	return ok && snapshot_writer_finish(writer, error);
}

gboolean session_sysfs_run(const struct session_sysfs_config *config, GCancellable *stop,
                           session_progress_fn progress, gpointer progress_data,
                           struct session_result *result, GError **error)
{
	struct sysfs self = { .config = config,
		              .result = result,
		              .progress = progress,
		              .progress_data = progress_data };
	gboolean ok;

	*result = (struct session_result) { .notes = g_ptr_array_new_with_free_func(g_free) };
	self.devices = g_build_filename(config->root[0] != '\0' ? config->root : "/",
	                                "sys/bus/coresight/devices", NULL);
	self.sink = kernel_name(config->sink);
	self.sources = g_array_new(FALSE, TRUE, sizeof(struct source));
	g_array_set_clear_func(self.sources, source_clear);
	ok = run(&self, stop, error);
	g_free(self.devices);
	g_free(self.sink);
	g_free(self.old_size);
	g_array_unref(self.sources);
	return ok;
}

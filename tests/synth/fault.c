#include "tests/synth/fault.h"

#include <string.h>
#include <gio/gio.h>

#include "tests/synth/core.h"

struct mark {
	guint core;
	guint64 offset;
	guint64 time_ns;
	gboolean is_sync, is_timestamp;
};

static GArray *read_marks(const char *dir, GError **error)
{
	g_autofree char *path = g_build_filename(dir, SYNTH_MARKS_FILE, NULL);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, error))
		return NULL;

	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct mark));

	for (guint i = 1; lines[i] != NULL && *lines[i] != '\0'; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ",", 4);
		const struct mark mark = {
			.core = (guint)g_ascii_strtoull(fields[0], NULL, 10),
			.offset = g_ascii_strtoull(fields[1], NULL, 10),
			.time_ns = g_ascii_strtoull(fields[2], NULL, 10),
			.is_sync = strcmp(fields[3], "sync") == 0,
			.is_timestamp = strcmp(fields[3], "timestamp") == 0,
		};

		g_array_append_val(marks, mark);
	}
	return marks;
}

/* The bytes that a fault touches, as [begin, end). */
static guint64 fault_end(const struct scenario_fault *fault, guint64 file_bytes)
{
	if (fault->kind == SCENARIO_FAULT_TRUNCATE || fault->len_bytes > file_bytes - fault->offset)
		return file_bytes;
	return fault->offset + fault->len_bytes;
}

/* Where frames can be told apart again. Plain frames stand at multiples of 16 bytes, and a cut of
 * anything else shifts all that follows; with FSYNCs it ends at the next one. */
static guint64 frames_again(const struct scenario *scenario, const struct scenario_fault *fault,
                            guint64 end)
{
	const guint64 fsync_bytes = scenario->trace.fsync_frames * CS_FRAME_BYTES;

	if (fsync_bytes > 0)
		return end + fsync_bytes + 4;
	if (fault->kind == SCENARIO_FAULT_CUT && (end - fault->offset) % CS_FRAME_BYTES != 0)
		return G_MAXUINT64;
	return end;
}

/* Where the core's trace can be told from the others' again: at the next ID byte of its own,
 * since an ID holds from frame to frame until there is another. */
static guint64 readable_again(const struct scenario *scenario, const GByteArray *trace,
                              guint64 from, guint core)
{
	const guint8 id_byte = (guint8)(synth_core_trace_id(core) << 1 | 1);
	guint64 frame = 0;

	while (frame + CS_FRAME_BYTES <= trace->len) {
		const guint8 *bytes = trace->data + frame;

		if (scenario->trace.fsync_frames > 0 && memcmp(bytes, "\xFF\xFF\xFF\x7F", 4) == 0) {
			frame += 4;
			continue;
		}
		for (guint i = 0; i < CS_FRAME_BYTES - 1 && frame >= from; i += 2) {
			if (bytes[i] == id_byte)
				return frame + i;
		}
		frame += CS_FRAME_BYTES;
	}
	return G_MAXUINT64;
}

static void append_lost(GString *text, const struct scenario *scenario, const GByteArray *trace,
                        const GArray *marks, const struct scenario_fault *fault, guint core)
{
	static const char *const names[] = { "truncate", "cut", "zero", "flip" };
	guint64 from_ns = 0;
	guint64 last_ns = 0;
	guint64 to_ns = scenario->duration_ticks * scenario->ns_per_tick;
	const guint64 end = fault_end(fault, trace->len);
	const guint64 readable =
		readable_again(scenario, trace, frames_again(scenario, fault, end), core);
	gboolean synchronised = FALSE;
	guint n_timestamps = 0;

	for (guint i = 0; i < marks->len; i++) {
		const struct mark *mark = &g_array_index(marks, struct mark, i);

		if (mark->core != core)
			continue;
		/* A mark just before the damage may itself reach into it. */
		if (mark->is_timestamp && mark->offset + 2 * CS_FRAME_BYTES <= fault->offset) {
			from_ns = last_ns;
			last_ns = mark->time_ns;
		}
		if (mark->offset < readable)
			continue;
		synchronised |= mark->is_sync;
		if (synchronised && mark->is_timestamp && ++n_timestamps == 2) {
			to_ns = mark->time_ns;
			break;
		}
	}
	g_string_append_printf(text,
	                       "%u,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
	                       ",%" G_GUINT64_FORMAT ",%s\n",
	                       core, from_ns, to_ns, fault->offset, end, names[fault->kind]);
}

static void damage(GByteArray *out, const guint8 *bytes, const struct scenario_fault *fault,
                   guint64 end)
{
	for (guint64 i = fault->offset; i < end; i++) {
		guint8 byte = bytes[i];

		if (fault->kind == SCENARIO_FAULT_TRUNCATE || fault->kind == SCENARIO_FAULT_CUT)
			continue;
		byte = fault->kind == SCENARIO_FAULT_ZERO ? 0 : (guint8)(byte ^ fault->value);
		g_byte_array_append(out, &byte, 1);
	}
}

static gint compare_faults(gconstpointer a, gconstpointer b)
{
	const guint64 first = ((const struct scenario_fault *)a)->offset;
	const guint64 second = ((const struct scenario_fault *)b)->offset;

	return (first > second) - (first < second);
}

static gboolean apply(const struct scenario *scenario, const char *path, const GArray *marks,
                      GString *lost, GError **error)
{
	char *text = NULL;
	gsize len_bytes = 0;

	if (!g_file_get_contents(path, &text, &len_bytes, error))
		return FALSE;

	g_autoptr(GByteArray) trace = g_byte_array_new_take((guint8 *)text, len_bytes);
	g_autoptr(GByteArray) out = g_byte_array_new();
	guint64 at = 0;

	g_array_sort(scenario->faults, compare_faults);
	for (guint i = 0; i < scenario->faults->len; i++) {
		const struct scenario_fault *fault =
			&g_array_index(scenario->faults, struct scenario_fault, i);

		if (fault->offset < at || fault->offset > len_bytes) {
			g_set_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX,
			            "the fault at %" G_GUINT64_FORMAT
			            " overlaps another or lies beyond the trace's %" G_GSIZE_FORMAT
			            " bytes",
			            fault->offset, len_bytes);
			return FALSE;
		}

		const guint64 end = fault_end(fault, len_bytes);

		g_byte_array_append(out, trace->data + at, (guint)(fault->offset - at));
		damage(out, trace->data, fault, end);
		for (guint core = 0; core < scenario->n_cores; core++)
			append_lost(lost, scenario, trace, marks, fault, core);
		at = end;
	}
	g_byte_array_append(out, trace->data + at, (guint)(len_bytes - at));
	return g_file_set_contents(path, (const char *)out->data, (gssize)out->len, error);
}

gboolean fault_apply(const struct scenario *scenario, const char *dir, GError **error)
{
	g_autofree char *trace_path = g_build_filename(dir, SYNTH_TRACE_FILE, NULL);
	g_autofree char *lost_path = g_build_filename(dir, "lost.csv", NULL);
	g_autoptr(GString) lost =
		g_string_new("core,from_ns,to_ns,begin_offset,end_offset,fault\n");

	if (scenario->faults->len > 0) {
		g_autoptr(GArray) marks = read_marks(dir, error);

		if (marks == NULL || !apply(scenario, trace_path, marks, lost, error))
			return FALSE;
	}
	return g_file_set_contents(lost_path, lost->str, (gssize)lost->len, error);
}

#include "analysis/picture/track-private.h"

#include <string.h>

/* Exceptions from a guest to the hypervisor: recordings without vCPUs have no table of
 * exits, and with one these say which owner was left. */
struct leaving {
	gint64 time_ns;
	guint64 trace_offset;
	guint type;
	guint owner;
};

struct exits {
	struct track_loader loader;
	GArray *leavings; /* struct leaving, of one core in order of time */
	guint next;       /* of them */
	guint64 n_exits;
};

const char *const track_reason_titles[EXIT_REASONS] = {
	[EXIT_UNKNOWN] = "unknown",
	[EXIT_CALL] = "call",
	[EXIT_TRAP] = "trap",
	[EXIT_WFI] = "WFI",
	[EXIT_IRQ] = "IRQ",
	[EXIT_FIQ] = "FIQ",
	[EXIT_INST_ABORT] = "inst abort",
	[EXIT_DATA_ABORT] = "data abort",
	[EXIT_SERROR] = "SError",
	[EXIT_DEBUG] = "debug",
	[EXIT_OTHER] = "other",
};

guint32 track_reason_rgb(enum exit_reason reason)
{
	/* As far from each other as the series allows, the frequent ones first. */
	static const guint8 places[EXIT_REASONS] = {
		[EXIT_UNKNOWN] = 12, [EXIT_CALL] = 1,  [EXIT_TRAP] = 2,       [EXIT_WFI] = 3,
		[EXIT_IRQ] = 4,      [EXIT_FIQ] = 9,   [EXIT_INST_ABORT] = 6, [EXIT_DATA_ABORT] = 7,
		[EXIT_SERROR] = 13,  [EXIT_DEBUG] = 8, [EXIT_OTHER] = 10,
	};

	return palette_series(places[reason]);
}

static gboolean take_exception(const struct row_exception *row, gpointer data)
{
	struct exits *self = data;
	const struct row_owner *owners = self->loader.loading->owners;
	const enum owner_class from = owners[row->from_owner].owner_class;
	const struct leaving leaving = { row->time_ns, row->trace_offset, row->type,
		                         row->from_owner };

	if ((from == OWNER_GUEST || from == OWNER_HOST) &&
	    owners[row->to_owner].owner_class == OWNER_HYPERVISOR)
		g_array_append_val(self->leavings, leaving);
	return !g_cancellable_is_cancelled(self->loader.loading->cancellable);
}

/* Whom the exit at that instant left. Both are in order of time. */
static guint owner_left(struct exits *self, const struct row_exit *row)
{
	const GArray *leavings = self->leavings;

	while (self->next < leavings->len &&
	       g_array_index(leavings, struct leaving, self->next).time_ns < row->start_ns)
		self->next++;
	for (guint i = self->next; i < leavings->len; i++) {
		const struct leaving *leaving = &g_array_index(leavings, struct leaving, i);

		if (leaving->time_ns != row->start_ns)
			break;
		if (leaving->trace_offset == row->trace_offset)
			return leaving->owner;
	}
	if (self->next < leavings->len &&
	    g_array_index(leavings, struct leaving, self->next).time_ns == row->start_ns)
		return g_array_index(leavings, struct leaving, self->next).owner;
	return TRACK_OWNER_NONE;
}

static gboolean take_exit(const struct row_exit *row, gpointer data)
{
	struct exits *self = data;
	const guint32 rgb = track_reason_rgb(row->reason);
	const struct track_item item = {
		.start_ns = row->start_ns,
		.duration_ns = row->duration_ns,
		.key = track_loader_key(&self->loader, exit_reason_name(row->reason),
		                        track_reason_titles[row->reason], rgb, rgb),
		.core = self->loader.core,
		.owner = owner_left(self, row),
		.trace_offset = row->trace_offset,
	};

	self->n_exits++;
	track_loader_add(&self->loader, &item);
	return !g_cancellable_is_cancelled(self->loader.loading->cancellable);
}

/* Arm IHI 0064, exception types; what is none of them keeps its number. */
static char *exception_title(guint type)
{
	static const char *const titles[] = {
		[0] = "PE reset",    [1] = "debug halt", [2] = "call",
		[3] = "trap",        [4] = "SError",     [6] = "instruction debug",
		[7] = "data debug",  [10] = "alignment", [11] = "inst abort",
		[12] = "data abort", [14] = "IRQ",       [15] = "FIQ",
	};

	if (type < G_N_ELEMENTS(titles) && titles[type] != NULL)
		return g_strdup(titles[type]);
	return g_strdup_printf("type %u", type);
}

static void add_leavings(struct exits *self)
{
	for (guint i = 0; i < self->leavings->len; i++) {
		const struct leaving *leaving = &g_array_index(self->leavings, struct leaving, i);
		const guint32 rgb = palette_series(leaving->type);
		g_autofree char *title = exception_title(leaving->type);
		g_autofree char *id = g_ascii_strdown(title, -1);
		struct track_item item = { .start_ns = leaving->time_ns,
			                   .core = self->loader.core,
			                   .owner = leaving->owner,
			                   .trace_offset = leaving->trace_offset };

		item.key = track_loader_key(&self->loader, id, title, rgb, rgb);
		track_loader_add(&self->loader, &item);
	}
}

static gboolean load_core(struct exits *self, const struct row_core *core, GError **error)
{
	recording_reader *reader = self->loader.loading->reader;
	gsize n_vcpus;

	recording_reader_vcpus(reader, &n_vcpus);
	g_array_set_size(self->leavings, 0);
	self->next = 0;
	if (!recording_reader_exceptions(reader, core->core, 0, G_MAXINT64, take_exception, self,
	                                 error) ||
	    !recording_reader_exits(reader, core->core, 0, G_MAXINT64, take_exit, self, error))
		return FALSE;
	if (n_vcpus == 0)
		add_leavings(self);
	return TRUE;
}

gboolean track_load_exits(struct track_loading *loading, GError **error)
{
	struct exits self = { .leavings = g_array_new(FALSE, FALSE, sizeof(struct leaving)) };
	gsize n;
	const struct row_core *cores = recording_reader_cores(loading->reader, &n);
	gboolean done = TRUE;

	track_loader_init(&self.loader, loading, TRACK_EXITS, "exits", "Exits", "exit");
	self.loader.track->key_lanes = TRUE;
	self.loader.track->capacity = (guint)MAX(n, 1);
	for (gsize i = 0; done && i < n; i++) {
		self.loader.core = (guint)i;
		done = load_core(&self, &cores[i], error);
	}
	g_array_unref(self.leavings);
	if (done)
		track_loader_finish(&self.loader);
	else
		track_loader_drop(&self.loader);
	return done;
}

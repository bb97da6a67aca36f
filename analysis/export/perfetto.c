#include "analysis/export/depths.h"
#include "analysis/export/export.h"
#include "analysis/export/proto.h"
#include "analysis/picture/page.h"

/* Field numbers of Perfetto's trace format (protos/perfetto/trace/, trace_packet.proto,
 * track_event.proto, track_descriptor.proto, counter_descriptor.proto). */
enum {
	TRACE_PACKET = 1,
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE_ID = 10,
	PACKET_TRACK_EVENT = 11,
	PACKET_INTERNED_DATA = 12,
	PACKET_SEQUENCE_FLAGS = 13,
	PACKET_TRACK_DESCRIPTOR = 60,
	EVENT_TYPE = 9,
	EVENT_NAME_IID = 10,
	EVENT_TRACK_UUID = 11,
	EVENT_COUNTER_VALUE = 30,
	EVENT_FLOW_IDS = 47,
	EVENT_TERMINATING_FLOW_IDS = 48,
	DESCRIPTOR_UUID = 1,
	DESCRIPTOR_NAME = 2,
	DESCRIPTOR_PARENT = 5,
	DESCRIPTOR_COUNTER = 8,
	COUNTER_UNIT_NAME = 6,
	INTERNED_EVENT_NAMES = 2,
	EVENT_NAME_IID_FIELD = 1,
	EVENT_NAME_NAME = 2,
	TYPE_SLICE_BEGIN = 1,
	TYPE_SLICE_END = 2,
	TYPE_INSTANT = 3,
	TYPE_COUNTER = 4,
	FLAGS_STATE_CLEARED = 3, /* and needs incremental state */
	FLAGS_NEEDS_STATE = 2,
	SEQUENCE = 1,
	UUID_ROOT = 1,
	UUID_CORES = 1000,
	UUID_COUNTERS = 2000,
	UUID_TRACKS = 3000,
};

struct perfetto {
	const struct export_job *job;
	output_file *output;
	struct proto packet;
	struct proto part;
	struct proto inner;
	guint core; /* index */
	gboolean begun;
};

static void packet_begin(struct perfetto *self)
{
	proto_clear(&self->packet);
	proto_number(&self->packet, PACKET_SEQUENCE_ID, SEQUENCE);
	proto_number(&self->packet, PACKET_SEQUENCE_FLAGS,
	             self->begun ? FLAGS_NEEDS_STATE : FLAGS_STATE_CLEARED);
	self->begun = TRUE;
	proto_clear(&self->part);
}

static void packet_end(struct perfetto *self)
{
	struct proto head;

	proto_init(&head);
	proto_length(&head, TRACE_PACKET, self->packet.bytes->len);
	output_write(self->output, head.bytes->data, head.bytes->len);
	output_write(self->output, self->packet.bytes->data, self->packet.bytes->len);
	proto_deinit(&head);
}

static void put_track(struct perfetto *self, guint64 uuid, guint64 parent, const char *name,
                      const char *unit)
{
	g_autofree char *valid = g_utf8_make_valid(name, -1);

	packet_begin(self);
	proto_number(&self->part, DESCRIPTOR_UUID, uuid);
	proto_text(&self->part, DESCRIPTOR_NAME, valid);
	if (parent != 0)
		proto_number(&self->part, DESCRIPTOR_PARENT, parent);
	if (unit != NULL) {
		proto_clear(&self->inner);
		proto_text(&self->inner, COUNTER_UNIT_NAME, unit);
		proto_message(&self->part, DESCRIPTOR_COUNTER, &self->inner);
	}
	proto_message(&self->packet, PACKET_TRACK_DESCRIPTOR, &self->part);
	packet_end(self);
}

/* Names of owners get numbers from 1, those of a track's keys follow them. */
static void intern(struct perfetto *self, guint64 iid, const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name, -1);

	proto_clear(&self->inner);
	proto_number(&self->inner, EVENT_NAME_IID_FIELD, iid);
	proto_text(&self->inner, EVENT_NAME_NAME, valid);
	proto_message(&self->part, INTERNED_EVENT_NAMES, &self->inner);
}

static guint64 put_names(struct perfetto *self)
{
	gsize n_owners;
	guint64 iid = 0;

	recording_reader_owners(self->job->reader, &n_owners);
	packet_begin(self);
	for (guint i = 0; i < n_owners; i++) {
		g_autofree char *name = page_owner_name(self->job->reader, i);

		intern(self, ++iid, name);
	}
	for (guint t = 0; t < self->job->tracks->len; t++) {
		const struct track *track = self->job->tracks->pdata[t];

		for (guint k = 0; k < track->keys->len; k++)
			intern(self, ++iid, g_array_index(track->keys, struct track_key, k).name);
	}
	proto_message(&self->packet, PACKET_INTERNED_DATA, &self->part);
	packet_end(self);
	return n_owners + 1;
}

static void put_event(struct perfetto *self, gint64 at_ns, int type, guint64 uuid, guint64 iid,
                      guint flow_field, guint64 flow)
{
	packet_begin(self);
	proto_number(&self->packet, PACKET_TIMESTAMP, (guint64)at_ns);
	proto_number(&self->part, EVENT_TYPE, (guint64)type);
	proto_number(&self->part, EVENT_TRACK_UUID, uuid);
	if (iid != 0)
		proto_number(&self->part, EVENT_NAME_IID, iid);
	if (flow != 0)
		proto_fixed64(&self->part, flow_field, flow);
	proto_message(&self->packet, PACKET_TRACK_EVENT, &self->part);
	packet_end(self);
}

static void put_counter(struct perfetto *self, gint64 at_ns, guint64 uuid, guint64 value)
{
	packet_begin(self);
	proto_number(&self->packet, PACKET_TIMESTAMP, (guint64)at_ns);
	proto_number(&self->part, EVENT_TYPE, TYPE_COUNTER);
	proto_number(&self->part, EVENT_TRACK_UUID, uuid);
	proto_number(&self->part, EVENT_COUNTER_VALUE, value);
	proto_message(&self->packet, PACKET_TRACK_EVENT, &self->part);
	packet_end(self);
}

static gboolean put_span(const struct row_span *row, gpointer data)
{
	struct perfetto *self = data;
	const struct export_job *job = self->job;
	const gint64 from_ns = MAX(row->start_ns, job->from_ns);
	const gint64 to_ns = MIN(row->start_ns + row->duration_ns, job->to_ns);

	if (!export_takes(job, self->core, row->owner) || to_ns < from_ns ||
	    (to_ns == from_ns && row->duration_ns > 0))
		return TRUE;
	put_event(self, from_ns, TYPE_SLICE_BEGIN, UUID_CORES + self->core, row->owner + 1,
	          EVENT_FLOW_IDS, 0);
	put_event(self, to_ns, TYPE_SLICE_END, UUID_CORES + self->core, 0, EVENT_FLOW_IDS, 0);
	return output_ok(self->output);
}

/* The hypervisor's share of a core, in per mille, one value a bucket of the range. */
struct share {
	struct perfetto *perfetto;
	gint64 width_ns;
	gint64 bucket;
	gint64 time_ns;
	const struct row_owner *owners;
};

static void share_flush(const struct share *self)
{
	struct perfetto *perfetto = self->perfetto;

	if (self->bucket < 0)
		return;
	put_counter(perfetto, MAX(self->bucket * self->width_ns, perfetto->job->from_ns),
	            UUID_COUNTERS + perfetto->core,
	            (guint64)((double)self->time_ns / (double)self->width_ns * 1000 + 0.5));
}

static gboolean take_bucket(const struct row_lod *row, gpointer data)
{
	struct share *self = data;

	if (row->bucket != self->bucket) {
		share_flush(self);
		self->bucket = row->bucket;
		self->time_ns = 0;
	}
	if (self->owners[row->owner].owner_class == OWNER_HYPERVISOR)
		self->time_ns += row->time_ns;
	return output_ok(self->perfetto->output);
}

static gboolean put_share(struct perfetto *self, guint core, GError **error)
{
	enum {
		VALUES = 500
	};
	const struct export_job *job = self->job;
	struct share share = { .perfetto = self, .bucket = -1 };
	gboolean has = FALSE;
	guint level = 0;
	gsize n;

	share.owners = recording_reader_owners(job->reader, &n);
	/* A short recording's finest level may be wider than asked for. */
	for (guint i = 0; i < LOD_LEVELS_MAX && !has; i++) {
		if (lod_width_ns(i) < (job->to_ns - job->from_ns) / VALUES)
			continue;
		if (!recording_reader_lod_level(job->reader, core, lod_width_ns(i), &has, &level,
		                                error))
			return FALSE;
	}
	if (!has)
		return TRUE;
	share.width_ns = lod_width_ns(level);
	if (!recording_reader_lod(job->reader, core, level, job->from_ns, job->to_ns, take_bucket,
	                          &share, error))
		return FALSE;
	share_flush(&share);
	return TRUE;
}

/* Whether the flow goes on after item `i`. */
static gboolean flow_goes_on(const struct track *track, guint i)
{
	const guint32 flow = track_item_at(track, i)->flow;

	for (guint next = i + 1; next < track->items->len; next++) {
		const struct track_item *item = track_item_at(track, next);

		if (item->flow == flow)
			return TRUE;
		/* Stages follow each other without a gap. */
		if (item->start_ns >
		    track_item_at(track, i)->start_ns + track_item_at(track, i)->duration_ns)
			return FALSE;
	}
	return FALSE;
}

static void put_item(struct perfetto *self, const struct track *track, guint i, guint64 uuid,
                     guint64 iid, guint64 first_flow)
{
	const struct track_item *item = track_item_at(track, i);
	const gint64 from_ns = MAX(item->start_ns, self->job->from_ns);
	const gint64 to_ns = MIN(item->start_ns + item->duration_ns, self->job->to_ns);
	const guint64 flow = item->flow != TRACK_NO_FLOW ? first_flow + item->flow : 0;

	if (item->duration_ns == 0) {
		put_event(self, from_ns, TYPE_INSTANT, uuid, iid, EVENT_FLOW_IDS, flow);
		return;
	}
	put_event(self, from_ns, TYPE_SLICE_BEGIN, uuid, iid,
	          flow == 0 || flow_goes_on(track, i) ? EVENT_FLOW_IDS : EVENT_TERMINATING_FLOW_IDS,
	          flow);
	put_event(self, to_ns, TYPE_SLICE_END, uuid, 0, EVENT_FLOW_IDS, 0);
}

/* Slices of one Perfetto track may not overlap, items may: each goes to the first that is
 * free, named when it is needed. */
static void put_items(struct perfetto *self, const struct track *track, guint64 uuid,
                      guint64 first_iid, guint64 first_flow)
{
	struct depths depths = { .n = 0 };
	guint named = 0;

	for (guint i = track_reaching(track, 0, self->job->from_ns); i < track->items->len;
	     i = track_reaching(track, i + 1, self->job->from_ns)) {
		const struct track_item *item = track_item_at(track, i);
		guint depth;

		if (item->start_ns >= self->job->to_ns || !output_ok(self->output))
			break;
		/* What ended where the range begins is not in it. */
		if (item->duration_ns > 0 &&
		    item->start_ns + item->duration_ns <= self->job->from_ns)
			continue;
		depth = depths_place(&depths, item->start_ns, item->start_ns + item->duration_ns);
		if (depth == DEPTH_NONE)
			continue;
		for (; named < depths.n; named++) {
			g_autofree char *name = g_strdup_printf("%s %u", track->name, named + 1);

			put_track(self, uuid + 1 + named, uuid, name, NULL);
		}
		put_item(self, track, i, uuid + 1 + depth, first_iid + item->key, first_flow);
	}
}

struct change {
	gint64 at_ns;
	gint by;
};

static gint compare_changes(gconstpointer a, gconstpointer b)
{
	const struct change *x = a;
	const struct change *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->by - y->by;
}

/* How many requests are on their way, as a counter. */
static void put_in_flight(struct perfetto *self, const struct track *track, guint64 uuid)
{
	g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct change));
	g_autofree char *name = g_strdup_printf("%s in flight", track->name);
	gint64 value = 0;

	for (guint i = 0; i < track->requests->len; i++) {
		const struct row_request *request =
			&g_array_index(track->requests, struct row_request, i);
		struct change begin = { G_MAXINT64, 1 };
		struct change end = { G_MININT64, -1 };

		for (guint t = 0; t < REQUEST_STAGES; t++) {
			if (request->t_ns[t] == OWNER_NO_VALUE)
				continue;
			begin.at_ns = MIN(begin.at_ns, request->t_ns[t]);
			end.at_ns = MAX(end.at_ns, request->t_ns[t]);
		}
		if (end.at_ns <= begin.at_ns)
			continue;
		g_array_append_val(changes, begin);
		g_array_append_val(changes, end);
	}
	g_array_sort(changes, compare_changes);
	put_track(self, uuid, UUID_ROOT, name, "requests");
	for (guint i = 0; i < changes->len; i++) {
		const struct change *change = &g_array_index(changes, struct change, i);

		value += change->by;
		if (change->at_ns >= self->job->from_ns && change->at_ns < self->job->to_ns)
			put_counter(self, change->at_ns, uuid, (guint64)MAX(value, 0));
	}
}

static void put_track_items(struct perfetto *self, guint64 first_iid)
{
	guint64 first_flow = 0;

	for (guint t = 0; t < self->job->tracks->len; t++) {
		const struct track *track = self->job->tracks->pdata[t];
		const guint64 uuid = UUID_TRACKS + t * (guint64)(DEPTHS_MAX + 2);
		g_autofree char *name = export_track_name(track);

		if (export_takes_track(self->job, t)) {
			put_track(self, uuid, UUID_ROOT, name, NULL);
			put_items(self, track, uuid, first_iid, first_flow);
			if (track->requests != NULL)
				put_in_flight(self, track, uuid + DEPTHS_MAX + 1);
		}
		first_iid += track->keys->len;
		first_flow += track->requests != NULL ? track->requests->len : 0;
	}
}

gboolean export_perfetto(const struct export_job *job, output_file *output, GError **error)
{
	struct perfetto self = { .job = job, .output = output };
	gsize n_cores;
	const struct row_core *cores = recording_reader_cores(job->reader, &n_cores);
	g_autofree char *root = g_path_get_basename(recording_reader_path(job->reader));
	guint64 first_iid;
	gboolean done = TRUE;

	proto_init(&self.packet);
	proto_init(&self.part);
	proto_init(&self.inner);
	first_iid = put_names(&self);
	put_track(&self, UUID_ROOT, 0, root, NULL);
	for (self.core = 0; done && self.core < n_cores; self.core++) {
		g_autofree char *name = names_core(&cores[self.core]);
		g_autofree char *share = g_strdup_printf("%s hypervisor share", name);

		put_track(&self, UUID_CORES + self.core, UUID_ROOT, name, NULL);
		put_track(&self, UUID_COUNTERS + self.core, UUID_ROOT, share, "per mille");
		done = recording_reader_spans(job->reader, cores[self.core].core, job->from_ns,
		                              job->to_ns, put_span, &self, error) &&
		       put_share(&self, cores[self.core].core, error);
	}
	if (done)
		put_track_items(&self, first_iid);
	proto_deinit(&self.packet);
	proto_deinit(&self.part);
	proto_deinit(&self.inner);
	return done;
}

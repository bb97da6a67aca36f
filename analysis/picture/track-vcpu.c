#include "analysis/picture/track-private.h"

enum {
	HYPERVISOR_RGB = 0xd55e00, /* as in palette.c: the hypervisor's alone */
	WAITING_RGB = 0x4a0d2e,
	WAITING_DARK_RGB = 0xfff3b0,
	BLOCKED_RGB = 0xdfe3e8, /* calm, as idle */
	BLOCKED_DARK_RGB = 0x34383f,
	UNKNOWN_RGB = 0xb3b9c2,
	UNKNOWN_DARK_RGB = 0x60656e,
};

/* A visit to the hypervisor that came back to the same vCPU. */
struct visit {
	gint64 start_ns;
	gint64 duration_ns;
	gint64 idle_ns; /* part of it halted */
	guint core;     /* index */
	enum exit_reason reason;
	guint64 trace_offset;
};

struct vcpus {
	struct track_loading *loading;
	struct track_loader loader;
	const struct row_core *cores;
	gsize n_cores;
	guint core;      /* index, while visits are read */
	GArray **visits; /* struct visit by start, one array a vCPU */
	gsize n_vcpus;
	GArray *own;  /* of the vCPU at hand */
	guint next;   /* of them */
	guint domain; /* place of its domain among those with guests, by VMID */
};

static gboolean take_visit(const struct row_exit *row, gpointer data)
{
	struct vcpus *self = data;
	const struct visit visit = { row->start_ns, row->duration_ns, row->idle_ns,
		                     self->core,    row->reason,      row->trace_offset };

	if (row->ended == EXIT_ENDED_SAME)
		g_array_append_val(self->visits[row->vcpu], visit);
	return !g_cancellable_is_cancelled(self->loading->cancellable);
}

static gint compare_visits(gconstpointer a, gconstpointer b)
{
	const struct visit *x = a;
	const struct visit *y = b;

	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static guint core_index(const struct vcpus *self, gint core)
{
	for (guint i = 0; i < self->n_cores; i++) {
		if ((gint)self->cores[i].core == core)
			return i;
	}
	return LANE_ALL_CORES;
}

static guint visit_key(struct track_loader *loader, const struct visit *visit, gboolean idle)
{
	g_autofree char *id = g_strdup_printf("hypervisor/%s", exit_reason_name(visit->reason));
	g_autofree char *name =
		g_strdup_printf("hypervisor for it: %s", track_reason_titles[visit->reason]);
	guint key;

	if (idle)
		return track_loader_key(loader, "halted", "halted meanwhile", BLOCKED_RGB,
		                        BLOCKED_DARK_RGB);
	key = track_loader_key(loader, id, name, HYPERVISOR_RGB, HYPERVISOR_RGB);
	track_loader_colour(loader, key, COLOUR_BY_REASON, track_reason_rgb(visit->reason));
	return key;
}

/* A visit in which the core also halted is two pieces, the halted one last: in which order
 * they really came is in the core's own lane. */
static void add_visit(struct vcpus *self, const struct visit *visit)
{
	struct track_item item = { .start_ns = visit->start_ns,
		                   .duration_ns = visit->duration_ns - visit->idle_ns,
		                   .core = visit->core,
		                   .owner = TRACK_OWNER_NONE,
		                   .trace_offset = visit->trace_offset };

	item.key = visit_key(&self->loader, visit, FALSE);
	track_loader_add(&self->loader, &item);
	if (visit->idle_ns == 0)
		return;
	item.start_ns += item.duration_ns;
	item.duration_ns = visit->idle_ns;
	item.key = visit_key(&self->loader, visit, TRUE);
	track_loader_add(&self->loader, &item);
}

static void add_piece(struct vcpus *self, const struct row_vcpu_run *run, gint64 from_ns,
                      gint64 to_ns)
{
	struct track_loader *loader = &self->loader;
	struct track_item item = { .start_ns = from_ns,
		                   .duration_ns = to_ns - from_ns,
		                   .core = core_index(self, run->core),
		                   .owner = TRACK_OWNER_NONE,
		                   .trace_offset = TRACK_NO_OFFSET };

	if (run->state == RUN_RUNNING && item.core != LANE_ALL_CORES) {
		const struct row_core *core = &self->cores[item.core];
		g_autofree char *id = g_strdup_printf("core/%u", core->core);
		g_autofree char *name = names_core(core);
		const guint32 rgb = palette_shade(self->domain, item.core);

		item.key = track_loader_key(loader, id, name, rgb, rgb);
		track_loader_colour(loader, item.key, COLOUR_BY_CORE, palette_series(item.core));
		g_array_index(loader->track->keys, struct track_key, item.key).running = TRUE;
	} else if (run->state == RUN_RUNNABLE) {
		item.key = track_loader_key(loader, "waiting", "waiting", WAITING_RGB,
		                            WAITING_DARK_RGB);
	} else if (run->state == RUN_BLOCKED) {
		item.key = track_loader_key(loader, "blocked", "blocked", BLOCKED_RGB,
		                            BLOCKED_DARK_RGB);
	} else {
		item.key = track_loader_key(loader, "unknown", "unknown", UNKNOWN_RGB,
		                            UNKNOWN_DARK_RGB);
		g_array_index(loader->track->keys, struct track_key, item.key).hatched = TRUE;
	}
	track_loader_add(loader, &item);
}

/* A running row is cut where the hypervisor worked for the vCPU. */
static gboolean take_run(const struct row_vcpu_run *row, gpointer data)
{
	struct vcpus *self = data;
	const gint64 end_ns = row->start_ns + row->duration_ns;
	gint64 at_ns = row->start_ns;

	while (self->next < self->own->len &&
	       g_array_index(self->own, struct visit, self->next).start_ns < row->start_ns)
		self->next++;
	for (guint i = self->next; row->state == RUN_RUNNING && i < self->own->len; i++) {
		const struct visit *visit = &g_array_index(self->own, struct visit, i);
		const gint64 back_ns = visit->start_ns + visit->duration_ns;

		if (visit->start_ns >= end_ns)
			break;
		/* Of a vCPU that is not known, other runs may overlap this one. */
		if (visit->start_ns < at_ns || back_ns > end_ns ||
		    visit->core != core_index(self, row->core))
			continue;
		if (visit->start_ns > at_ns)
			add_piece(self, row, at_ns, visit->start_ns);
		add_visit(self, visit);
		at_ns = back_ns;
	}
	if (at_ns < end_ns || row->duration_ns == 0)
		add_piece(self, row, at_ns, end_ns);
	return !g_cancellable_is_cancelled(self->loading->cancellable);
}

/* As slot_table_init() numbers domains, so that they have the same colours. */
static guint domain_place(const struct track_loading *loading, gint64 vmid)
{
	g_autoptr(GHashTable) below =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	gsize n;

	recording_reader_owners(loading->reader, &n);
	for (gsize i = 0; i < n; i++) {
		const struct row_owner *owner = &loading->owners[i];

		if (owner->owner_class == OWNER_GUEST && owner->vmid < vmid)
			g_hash_table_add(below, g_memdup2(&owner->vmid, sizeof owner->vmid));
	}
	return g_hash_table_size(below);
}

static gboolean load_vcpu(struct vcpus *self, const struct row_vcpu *vcpu, GError **error)
{
	const struct row_owner owner = { OWNER_GUEST, 1, vcpu->vmid, OWNER_NO_VALUE };
	g_autofree char *domain = names_domain(&self->loading->names, &owner);
	g_autofree char *number = vcpu->number != OWNER_NO_VALUE
	                                  ? g_strdup_printf("%d", vcpu->number)
	                                  : g_strdup("?");
	g_autofree char *id = g_strdup_printf("vcpu/%s/%s", domain, number);
	g_autofree char *name = g_strdup_printf("vCPU %s", number);
	struct track *track;

	track_loader_init(&self->loader, self->loading, TRACK_VCPU, id, name, "run");
	track = self->loader.track;
	track->below = g_strdup_printf("domain/%s", domain);
	track->vcpu = vcpu->vcpu;
	track->vmids[0] = vcpu->vmid;
	if (vcpu->number == OWNER_NO_VALUE)
		track->capacity = (guint)MAX(self->n_cores, 1);
	self->own = self->visits[vcpu->vcpu];
	self->next = 0;
	self->domain = domain_place(self->loading, vcpu->vmid);
	g_array_sort(self->own, compare_visits);
	if (!recording_reader_vcpu_runs(self->loading->reader, vcpu->vcpu, 0, G_MAXINT64, take_run,
	                                self, error)) {
		track_loader_drop(&self->loader);
		return FALSE;
	}
	track_loader_finish(&self->loader);
	return TRUE;
}

gboolean track_load_vcpus(struct track_loading *loading, GError **error)
{
	struct vcpus self = { .loading = loading };
	const struct row_vcpu *vcpus = recording_reader_vcpus(loading->reader, &self.n_vcpus);
	gboolean done = TRUE;

	self.cores = recording_reader_cores(loading->reader, &self.n_cores);
	self.visits = g_new0(GArray *, self.n_vcpus + 1);
	for (gsize i = 0; i < self.n_vcpus; i++)
		self.visits[i] = g_array_new(FALSE, FALSE, sizeof(struct visit));
	for (self.core = 0; done && self.n_vcpus > 0 && self.core < self.n_cores; self.core++)
		done = recording_reader_exits(loading->reader, self.cores[self.core].core, 0,
		                              G_MAXINT64, take_visit, &self, error);
	for (gsize i = 0; done && i < self.n_vcpus; i++)
		done = load_vcpu(&self, &vcpus[i], error);
	for (gsize i = 0; i < self.n_vcpus; i++)
		g_array_unref(self.visits[i]);
	g_free(self.visits);
	return done;
}

#include "analysis/schedule.h"

#include "schema/db.h"

#include <string.h>

static gboolean take_run(const struct row_vcpu_run *row, gpointer data)
{
	g_array_append_vals(data, row, 1);
	return TRUE;
}

static gboolean take_exit(const struct row_exit *row, gpointer data)
{
	const struct schedule_rows *self = data;

	if (self->chosen[row->vcpu])
		g_array_append_vals(self->exits, row, 1);
	return TRUE;
}

static gboolean domain_is(const struct schedule_rows *self, gint64 vmid)
{
	const struct row_owner owner = { OWNER_GUEST, 1, vmid, OWNER_NO_VALUE };
	g_autofree char *name = NULL;

	if (self->filter.domain == NULL)
		return TRUE;
	name = names_domain(&self->names, &owner);
	return strcmp(name, self->filter.domain) == 0;
}

static gboolean take_request(const struct row_request *row, gpointer data)
{
	const struct schedule_rows *self = data;

	if (request_start(row) < self->filter.to_ns && request_start(row) >= self->filter.from_ns &&
	    (domain_is(self, row->frontend_vmid) || domain_is(self, row->backend_vmid)))
		g_array_append_vals(self->requests, row, 1);
	return TRUE;
}

static gboolean choose(struct schedule_rows *self, GError **error)
{
	gboolean found = self->filter.domain == NULL;

	for (gsize i = 0; i < self->n_vcpus; i++) {
		const struct row_owner owner = { OWNER_GUEST, 1, self->vcpus[i].vmid,
			                         OWNER_NO_VALUE };
		char *domain = names_domain(&self->names, &owner);

		g_ptr_array_add(self->domains, domain);
		self->chosen[i] =
			self->filter.domain == NULL || strcmp(domain, self->filter.domain) == 0;
		found = found || self->chosen[i];
		if (self->filter.vcpu != OWNER_NO_VALUE &&
		    self->vcpus[i].number != self->filter.vcpu)
			self->chosen[i] = FALSE;
	}
	if (found)
		return TRUE;
	g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ORDER,
	            "%s: no domain '%s' has run in it; 'hvscope report sched' lists them",
	            recording_reader_path(self->reader), self->filter.domain);
	return FALSE;
}

static gboolean load(struct schedule_rows *self, GError **error)
{
	const struct row_core *cores = recording_reader_cores(self->reader, &self->n_cores);
	const gint64 from_ns = self->filter.from_ns, to_ns = self->filter.to_ns;

	for (guint i = 0; i < self->n_vcpus; i++) {
		if (self->chosen[i] && !recording_reader_vcpu_runs(self->reader, i, from_ns, to_ns,
		                                                   take_run, self->runs, error))
			return FALSE;
	}
	for (gsize i = 0; i < self->n_cores; i++) {
		if (!recording_reader_exits(self->reader, cores[i].core, from_ns, to_ns, take_exit,
		                            self, error))
			return FALSE;
	}
	return recording_reader_requests(self->reader, take_request, self, error);
}

gboolean schedule_rows_init(struct schedule_rows *self, recording_reader *reader,
                            const struct schedule_filter *filter, GError **error)
{
	*self = (struct schedule_rows) { .reader = reader, .filter = *filter };
	names_init(&self->names, reader);
	self->filter.from_ns = MAX(filter->from_ns, 0);
	self->filter.to_ns = MIN(filter->to_ns, recording_reader_window_ns(reader));
	self->range_ns = MAX(self->filter.to_ns - self->filter.from_ns, 0);
	self->vcpus = recording_reader_vcpus(reader, &self->n_vcpus);
	self->domains = g_ptr_array_new_with_free_func(g_free);
	self->chosen = g_new0(gboolean, MAX(self->n_vcpus, 1));
	self->runs = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu_run));
	self->exits = g_array_new(FALSE, FALSE, sizeof(struct row_exit));
	self->requests = g_array_new(FALSE, FALSE, sizeof(struct row_request));
	if (choose(self, error) && load(self, error))
		return TRUE;
	schedule_rows_deinit(self);
	return FALSE;
}

void schedule_rows_deinit(struct schedule_rows *self)
{
	g_ptr_array_unref(self->domains);
	g_free(self->chosen);
	g_array_unref(self->runs);
	g_array_unref(self->exits);
	g_array_unref(self->requests);
}

char *schedule_vcpu_name(const struct schedule_rows *self, guint vcpu)
{
	const char *domain = self->domains->pdata[vcpu];

	if (self->vcpus[vcpu].number == OWNER_NO_VALUE)
		return g_strdup_printf("%s/?", domain);
	return g_strdup_printf("%s/%d", domain, self->vcpus[vcpu].number);
}

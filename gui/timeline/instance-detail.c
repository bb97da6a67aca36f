#include "gui/timeline/instance-detail.h"

#include <glib/gi18n.h>

struct wanted {
	gint64 start_ns;
	guint64 trace_offset;
	gboolean found;
	struct row_exit exit;
	struct row_vcpu_run run;
};

static gboolean take_exit(const struct row_exit *row, gpointer data)
{
	struct wanted *self = data;

	if (row->start_ns == self->start_ns && row->trace_offset == self->trace_offset) {
		self->found = TRUE;
		self->exit = *row;
	}
	return !self->found;
}

/* The row that the instant is in: a running one is several pieces. */
static gboolean take_run(const struct row_vcpu_run *row, gpointer data)
{
	struct wanted *self = data;

	if (row->start_ns <= self->start_ns && self->start_ns <= row->start_ns + row->duration_ns) {
		self->found = TRUE;
		self->run = *row;
	}
	return row->start_ns <= self->start_ns;
}

static char *vcpu_name(recording_reader *reader, guint vcpu)
{
	gsize n;
	const struct row_vcpu *vcpus = recording_reader_vcpus(reader, &n);
	g_autofree char *domain = NULL;
	struct names names;

	if (vcpu >= n)
		return g_strdup("?");
	names_init(&names, reader);
	domain = names_domain(
		&names, &(struct row_owner) { OWNER_GUEST, 1, vcpus[vcpu].vmid, OWNER_NO_VALUE });
	if (vcpus[vcpu].number == OWNER_NO_VALUE)
		return g_strdup_printf("%s/?", domain);
	return g_strdup_printf("%s/%d", domain, vcpus[vcpu].number);
}

static void append_known(GString *text, enum how_known known, double confidence)
{
	if (known == KNOWN_INFERRED)
		g_string_append_printf(text, _("vCPU known: inferred, confidence %.2f\n"),
		                       confidence);
	else
		g_string_append_printf(text, _("vCPU known: %s\n"), how_known_name(known));
}

static void append_exit(GString *text, recording_reader *reader, const struct track_item *item,
                        const struct axis *axis)
{
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);
	struct wanted wanted = { item->start_ns, item->trace_offset, FALSE };
	g_autofree char *vcpu = NULL;
	g_autofree char *hypervisor = NULL;
	const struct row_function *functions;

	if (item->core >= n ||
	    !recording_reader_exits(reader, cores[item->core].core, item->start_ns,
	                            item->start_ns + 1, take_exit, &wanted, NULL) ||
	    !wanted.found)
		return;
	vcpu = vcpu_name(reader, wanted.exit.vcpu);
	hypervisor = axis_duration(axis, wanted.exit.hypervisor_ns);
	g_string_append_printf(text, _("vCPU: %s\n"), vcpu);
	g_string_append_printf(text, _("In EL2: %s\n"), hypervisor);
	if (wanted.exit.idle_ns > 0) {
		g_autofree char *idle = axis_duration(axis, wanted.exit.idle_ns);

		g_string_append_printf(text, _("Halted: %s\n"), idle);
	}
	if (wanted.exit.next_vcpu != OWNER_NO_VALUE) {
		g_autofree char *next = vcpu_name(reader, (guint)wanted.exit.next_vcpu);

		g_string_append_printf(text, _("Ended in: %s (%s)\n"), next,
		                       exit_end_name(wanted.exit.ended));
	} else {
		g_string_append_printf(text, _("Ended in: %s\n"), exit_end_name(wanted.exit.ended));
	}
	if (wanted.exit.has_return_address)
		g_string_append_printf(text, _("Left at: 0x%" G_GINT64_MODIFIER "x\n"),
		                       wanted.exit.return_address_va);
	if (exit_instruction_name(wanted.exit.instruction) != NULL)
		g_string_append_printf(text, _("Instruction: %s\n"),
		                       exit_instruction_name(wanted.exit.instruction));
	functions = recording_reader_functions(reader, &n);
	if (wanted.exit.handler > 0 && wanted.exit.handler <= n)
		g_string_append_printf(text, _("Handled by: %s\n"),
		                       functions[wanted.exit.handler - 1].name);
	append_known(text, wanted.exit.known, wanted.exit.confidence);
	if (wanted.exit.censored)
		g_string_append(text, _("Touches lost trace: not in statistics\n"));
}

static void append_run(GString *text, recording_reader *reader, const struct track *track,
                       const struct track_item *item, const struct axis *axis)
{
	struct wanted wanted = { .start_ns = item->start_ns };
	g_autofree char *name = vcpu_name(reader, track->vcpu);

	g_string_append_printf(text, _("vCPU: %s\n"), name);
	if (!recording_reader_vcpu_runs(reader, track->vcpu, item->start_ns, item->start_ns + 1,
	                                take_run, &wanted, NULL) ||
	    !wanted.found)
		return;
	g_string_append_printf(text, _("State: %s\n"), run_state_name(wanted.run.state));
	if (wanted.run.state == RUN_RUNNING) {
		g_autofree char *whole = axis_duration(axis, wanted.run.duration_ns);
		g_autofree char *guest = axis_duration(axis, wanted.run.guest_ns);

		g_string_append_printf(text,
		                       _("Whole run: %s, of it guest %s, %" G_GUINT64_FORMAT
		                         " exits that came back\n"),
		                       whole, guest, wanted.run.exits);
	}
	append_known(text, wanted.run.known, wanted.run.confidence);
}

static void append_request(GString *text, const struct track *track, const struct track_item *item,
                           const struct axis *axis)
{
	const struct row_request *request;
	gint64 first_ns = G_MAXINT64;
	gint64 last_ns = G_MININT64;

	if (item->flow == TRACK_NO_FLOW || item->flow > track->requests->len)
		return;
	request = &g_array_index(track->requests, struct row_request, item->flow - 1);
	g_string_append_printf(text, _("Request: %u (%s)\n"), request->request, track->name);
	if (request->number != OWNER_NO_VALUE)
		g_string_append_printf(text, _("Its own number: %" G_GINT64_FORMAT "\n"),
		                       request->number);
	for (guint i = 0; i < REQUEST_STAGES; i++) {
		g_autofree char *at = NULL;

		if (request->t_ns[i] == OWNER_NO_VALUE)
			continue;
		first_ns = MIN(first_ns, request->t_ns[i]);
		last_ns = MAX(last_ns, request->t_ns[i]);
		at = axis_instant(axis, request->t_ns[i], 1);
		g_string_append_printf(text, "t%u: %s (%s)\n", i, at,
		                       (request->marked >> i & 1) != 0  ? _("marked")
		                       : (request->exact >> i & 1) != 0 ? _("exact")
		                                                        : _("inferred"));
	}
	if (last_ns > first_ns) {
		g_autofree char *total = axis_duration(axis, last_ns - first_ns);

		g_string_append_printf(text, _("In all: %s\n"), total);
	}
	if (request->censored)
		g_string_append(text, _("Touches lost trace: not in statistics\n"));
}

void instance_append_item(GString *text, HvsDocument *document, const struct track *track,
                          guint item_index, const struct axis *axis)
{
	const struct track_item *item = track_item_at(track, item_index);
	recording_reader *reader = hvs_document_reader(document);

	switch (track->kind) {
	case TRACK_EXITS:
		append_exit(text, reader, item, axis);
		break;
	case TRACK_VCPU:
		append_run(text, reader, track, item, axis);
		break;
	case TRACK_REQUESTS:
		append_request(text, track, item, axis);
		break;
	case TRACK_STM:
	default:
		if (track->texts != NULL)
			g_string_append_printf(text, _("Text: %s\n"),
			                       (const char *)track->texts->pdata[item_index]);
		break;
	}
}

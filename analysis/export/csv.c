#include "analysis/export/export.h"

#include "analysis/names.h"

#include <string.h>

struct csv {
	const struct export_job *job;
	output_file *output;
	guint core;      /* index */
	char *core_name; /* as a field */
	char **owners;   /* "class,el,vmid,context,domain,task" of each */
};

/* RFC 4180: quoted where it must be. Text that a spreadsheet would take for a formula is
 * kept as it is: a reader of the file decides what it is. */
static char *field(const char *text)
{
	GString *quoted;

	if (strpbrk(text, ",\"\r\n") == NULL)
		return g_strdup(text);
	quoted = g_string_new("\"");
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '"')
			g_string_append_c(quoted, '"');
		g_string_append_c(quoted, *at);
	}
	g_string_append_c(quoted, '"');
	return g_string_free(quoted, FALSE);
}

/* Nothing where the trace does not say. */
static void append_value(GString *to, gint64 value)
{
	g_string_append_c(to, ',');
	if (value != OWNER_NO_VALUE)
		g_string_append_printf(to, "%" G_GINT64_FORMAT, value);
}

static char *owner_fields(const struct names *names, const struct row_owner *owner)
{
	g_autofree char *domain = names_domain(names, owner);
	g_autofree char *task = names_task(names, owner);
	g_autofree char *domain_field = field(domain);
	g_autofree char *task_field = field(task != NULL ? task : "");
	GString *text = g_string_new(owner_class_name(owner->owner_class));

	append_value(text, owner->el);
	append_value(text, owner->vmid);
	append_value(text, owner->context_id);
	g_string_append_printf(text, ",%s,%s", domain_field, task_field);
	return g_string_free(text, FALSE);
}

static gboolean put_span(const struct row_span *row, gpointer data)
{
	const struct csv *self = data;
	const struct export_job *job = self->job;
	const gint64 end_ns = row->start_ns + row->duration_ns;
	const gint64 from_ns = MAX(row->start_ns, job->from_ns);
	const gint64 to_ns = MIN(end_ns, job->to_ns);

	if (!export_takes(job, self->core, row->owner) || to_ns < from_ns ||
	    (to_ns == from_ns && row->duration_ns > 0))
		return TRUE;
	output_printf(self->output,
	              "%s,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d,%s,%" G_GUINT64_FORMAT
	              ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%d,%" G_GUINT64_FORMAT "\r\n",
	              self->core_name, from_ns, to_ns - from_ns,
	              to_ns - from_ns != row->duration_ns, self->owners[row->owner], row->cycles,
	              row->halted_ns, row->uncertainty_ns, (int)row->certainty, row->trace_offset);
	return output_ok(self->output);
}

gboolean export_csv(const struct export_job *job, output_file *output, GError **error)
{
	struct csv csv = { .job = job, .output = output };
	gsize n_cores;
	gsize n_owners;
	const struct row_core *cores = recording_reader_cores(job->reader, &n_cores);
	const struct row_owner *owners = recording_reader_owners(job->reader, &n_owners);
	struct names names;
	gboolean done = TRUE;

	names_init(&names, job->reader);
	csv.owners = g_new0(char *, n_owners + 1);
	for (gsize i = 0; i < n_owners; i++)
		csv.owners[i] = owner_fields(&names, &owners[i]);
	output_text(output, "core,start_ns,duration_ns,clipped,class,el,vmid,context_id,domain,"
	                    "task,cycles,halted_ns,uncertainty_ns,inferred,trace_offset\r\n");
	for (csv.core = 0; done && csv.core < n_cores; csv.core++) {
		g_autofree char *name = names_core(&cores[csv.core]);

		csv.core_name = field(name);
		done = recording_reader_spans(job->reader, cores[csv.core].core, job->from_ns,
		                              job->to_ns, put_span, &csv, error);
		g_free(csv.core_name);
	}
	g_strfreev(csv.owners);
	return done;
}

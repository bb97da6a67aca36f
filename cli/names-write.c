#include "cli/names-write.h"

#include "awareness/names.h"
#include "debugger/target-coresight.h"

static struct names_counts count(const struct system_file *file)
{
	struct names_counts counts = { .machines = file->machines->len };

	for (guint i = 0; i < file->machines->len; i++) {
		const struct system_machine *machine = file->machines->pdata[i];

		counts.tasks += machine->tasks->len;
		counts.vcpus += machine->vcpu_states->len;
		for (guint k = 0; k < machine->tasks->len; k++)
			counts.bound += g_array_index(machine->tasks, struct system_task, k).cpu !=
			                SYSTEM_NO_VALUE;
	}
	counts.has_taken = g_array_index(file->looks, struct system_look, 0).has_taken;
	return counts;
}

static gboolean collect(const struct names_job *job, struct target *target,
                        const struct system_file *told, struct names_counts *counts, GError **error)
{
	const struct names_options options = {
		.target = job->target,
		.has_taken = job->has_taken,
		.taken_ticks = job->taken_ticks,
		.offset_ticks = job->offset_ticks,
		.other_clock = job->other_clock,
	};
	struct system *system = system_new(target, told, error);
	g_autoptr(system_file) file = NULL;

	if (system == NULL)
		return FALSE;
	file = names_collect(system, told, &options, job->gaps, error);
	system_free(system);
	if (file == NULL ||
	    !system_file_write_names(file, "Written by hvscope names (docs/names.md).", job->output,
	                             error))
		return FALSE;
	*counts = count(file);
	return TRUE;
}

gboolean names_write(const struct names_job *job, struct names_counts *counts, GError **error)
{
	g_autoptr(system_file) told = NULL;
	struct target *target;
	gboolean done;

	if (job->system != NULL && (told = system_file_load(job->system, error)) == NULL)
		return FALSE;
	target = target_open_any(job->target, error);
	if (target == NULL)
		return FALSE;
	done = collect(job, target, told, counts, error);
	if (job->run_on && (target_capabilities(target) & TARGET_CAN_RUN) != 0)
		done = target_continue(target, done ? error : NULL) && done;
	target_free(target);
	return done;
}

void names_write_to_capture(const struct names_job *job, const char *dir, gboolean quiet)
{
	g_autofree char *path = g_build_filename(dir, "names.ini", NULL);
	struct names_job into = *job;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct names_counts counts;

	into.output = path;
	if (!names_write(&into, &counts, &error)) {
		g_printerr("hvscope capture: no names: %s\n", error->message);
		return;
	}
	text = names_counts_text(&counts);
	if (!quiet)
		g_print("%s: %s\n", path, text);
}

char *names_counts_text(const struct names_counts *counts)
{
	return g_strdup_printf("%u machine%s, %u task%s (%u bound to one CPU), %u vCPU%s",
	                       counts->machines, counts->machines == 1 ? "" : "s", counts->tasks,
	                       counts->tasks == 1 ? "" : "s", counts->bound, counts->vcpus,
	                       counts->vcpus == 1 ? "" : "s");
}

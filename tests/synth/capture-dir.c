#include "tests/synth/capture-dir.h"

#include <gio/gio.h>

#include "tests/synth/core.h"
#include "tests/synth/fault.h"
#include "tests/synth/schedule.h"

static gboolean write_text(const char *dir, const char *name, const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return g_file_set_contents(path, text, -1, error);
}

static char *snapshot_ini(const struct scenario *scenario)
{
	GString *text = g_string_new("[snapshot]\nversion=1.0\n\n[device_list]\n");

	for (guint i = 0; i < scenario->n_cores; i++)
		g_string_append_printf(text, "device%u=cpu_%u.ini\ndevice%u=ETM_%u.ini\n", 2 * i, i,
		                       2 * i + 1, i);
	if (scenario->stm_id != SCENARIO_NONE)
		g_string_append_printf(text, "device%u=STM_0.ini\n", 2 * scenario->n_cores);
	g_string_append(text, "\n[trace]\nmetadata=trace.ini\n");
	return g_string_free(text, FALSE);
}

static char *trace_ini(const struct scenario *scenario)
{
	GString *text = g_string_new("[trace_buffers]\nbuffers=buffer0\n\n[buffer0]\nname=ETB_0\n"
	                             "file=" SYNTH_TRACE_FILE "\n");

	g_string_append_printf(text, "format=%s\n\n[source_buffers]\n",
	                       scenario->trace.fsync_frames > 0 ? "dstream_coresight"
	                                                        : "coresight");
	for (guint i = 0; i < scenario->n_cores; i++)
		g_string_append_printf(text, "ETM_%u=ETB_0\n", i);
	if (scenario->stm_id != SCENARIO_NONE)
		g_string_append(text, "STM_0=ETB_0\n");
	g_string_append(text, "\n[core_trace_sources]\n");
	for (guint i = 0; i < scenario->n_cores; i++)
		g_string_append_printf(text, "cpu_%u=ETM_%u\n", i, i);
	return g_string_free(text, FALSE);
}

static char *core_ini(const struct scenario *scenario, guint core)
{
	return g_strdup_printf("[device]\nname=cpu_%u\nclass=core\ntype=%s\n\n[regs]\n"
	                       "PC(size:64)=0x0\nSP(size:64)=0x0\nSCTLR_EL1=0x0\nCPSR=0x3C9\n",
	                       core, scenario->core_type);
}

static char *etm_ini(const struct scenario *scenario, guint core)
{
	const struct etm4_registers registers = synth_core_registers(scenario);

	return g_strdup_printf("[device]\nname=ETM_%u\nclass=trace_source\ntype=ETM4\n\n[regs]\n"
	                       "TRCCONFIGR(0x004)=0x%08X\nTRCTRACEIDR(0x010)=0x%08X\n"
	                       "TRCVICTLR(0x020)=0x%08X\nTRCVIIECTLR(0x021)=0x00000000\n"
	                       "TRCCCCTLR(0x00E)=0x%08X\nTRCAUTHSTATUS(0x3EE)=0x000000CC\n"
	                       "TRCIDR0(0x078)=0x%08X\nTRCIDR1(0x079)=0x%08X\n"
	                       "TRCIDR2(0x07A)=0x%08X\nTRCIDR8(0x060)=0x%08X\n",
	                       core, registers.configr, (guint)synth_core_trace_id(core),
	                       synth_core_victlr(scenario), registers.cc_threshold, registers.idr0,
	                       registers.idr1, registers.idr2, registers.idr8);
}

static char *stm_ini(const struct scenario *scenario)
{
	return g_strdup_printf("[device]\nname=STM_0\nclass=trace_source\ntype=STM\n\n[regs]\n"
	                       "STMTCSR(0x3A0)=0x%08X\n",
	                       (guint)scenario->stm_id << 16 | 7);
}

static char *capture_ini(const struct scenario *scenario)
{
	return g_strdup_printf("[capture]\ntimestamp_hz=%" G_GUINT64_FORMAT
	                       "\ncore_hz=%" G_GUINT64_FORMAT "\ntime=measured\n",
	                       scenario->timestamp_hz, scenario->core_hz);
}

/* The tasks of a domain as "97:calc;98:io". */
static char *task_names(const struct scenario *scenario, guint domain, guint *n_vcpus)
{
	GString *names = g_string_new(NULL);

	*n_vcpus = 0;
	for (guint i = 0; i < scenario->vcpus->len; i++)
		*n_vcpus +=
			g_array_index(scenario->vcpus, struct scenario_vcpu, i).domain == domain;
	for (guint i = 0; i < scenario->tasks->len; i++) {
		const struct scenario_task *task =
			&g_array_index(scenario->tasks, struct scenario_task, i);

		if (g_array_index(scenario->vcpus, struct scenario_vcpu, task->vcpu).domain !=
		    domain)
			continue;
		g_string_append_printf(names, "%s%u:%s", names->len > 0 ? ";" : "",
		                       task->context_id, task->name);
	}
	return g_string_free(names, FALSE);
}

static char *system_ini(const struct scenario *scenario)
{
	GString *text = g_string_new("[system]\nhypervisor=xen\n");

	g_string_append_printf(text, "scheduler=%s\ntimestamp_hz=%" G_GUINT64_FORMAT "\n",
	                       scenario->scheduler, scenario->timestamp_hz);
	g_string_append(text, "\n[machine 0]\nname=Xen\nkind=xen\n");
	for (guint i = 0; i < scenario->domains->len; i++) {
		const struct scenario_domain *domain =
			&g_array_index(scenario->domains, struct scenario_domain, i);
		guint n_vcpus;
		g_autofree char *tasks = task_names(scenario, i, &n_vcpus);

		g_string_append_printf(text,
		                       "\n[machine %u]\nname=%s\nkind=%s\nvmid=%u\nvcpus=%u\n",
		                       i + 1, domain->name, domain->kind, domain->vmid, n_vcpus);
		if (*tasks != '\0')
			g_string_append_printf(text, "tasks=%s\n", tasks);
	}
	return g_string_free(text, FALSE);
}

/* Takes `text`. */
static gboolean write_taken(const char *dir, const char *name, char *text, GError **error)
{
	g_autofree char *owned = text;

	return write_text(dir, name, owned, error);
}

static gboolean write_devices(const struct scenario *scenario, const char *dir, GError **error)
{
	for (guint i = 0; i < scenario->n_cores; i++) {
		g_autofree char *cpu = g_strdup_printf("cpu_%u.ini", i);
		g_autofree char *etm = g_strdup_printf("ETM_%u.ini", i);

		if (!write_taken(dir, cpu, core_ini(scenario, i), error) ||
		    !write_taken(dir, etm, etm_ini(scenario, i), error))
			return FALSE;
	}
	return scenario->stm_id == SCENARIO_NONE ||
	       write_taken(dir, "STM_0.ini", stm_ini(scenario), error);
}

gboolean capture_dir_write(const struct scenario *scenario, const char *dir, GError **error)
{
	struct synth_output output;

	if (g_mkdir_with_parents(dir, 0777) != 0) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot make %s", dir);
		return FALSE;
	}
	if (!synth_output_open(&output, scenario, dir, error))
		return FALSE;
	schedule_run(scenario, &output);
	if (!synth_output_close(&output, error))
		return FALSE;
	return fault_apply(scenario, dir, error) && write_devices(scenario, dir, error) &&
	       write_taken(dir, "snapshot.ini", snapshot_ini(scenario), error) &&
	       write_taken(dir, "trace.ini", trace_ini(scenario), error) &&
	       write_taken(dir, "capture.ini", capture_ini(scenario), error) &&
	       write_taken(dir, "system.ini", system_ini(scenario), error);
}

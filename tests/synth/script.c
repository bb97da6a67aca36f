#include "tests/synth/script.h"

gboolean script_has_core(const struct scenario *scenario, guint core)
{
	for (guint i = 0; i < scenario->steps->len; i++) {
		if (g_array_index(scenario->steps, struct scenario_step, i).core == core)
			return TRUE;
	}
	return FALSE;
}

static struct synth_place task_place(const struct scenario *scenario,
                                     const struct scenario_step *step, guint el)
{
	const struct scenario_vcpu *vcpu =
		&g_array_index(scenario->vcpus, struct scenario_vcpu, step->vcpu);

	return (struct synth_place) {
		.el = el,
		.vmid = g_array_index(scenario->domains, struct scenario_domain, vcpu->domain).vmid,
		.context_id =
			g_array_index(scenario->tasks, struct scenario_task, step->task).context_id,
		.vcpu = vcpu->name,
	};
}

static void gap(struct synth_core *core, enum synth_gap kind, guint64 ticks)
{
	synth_core_gap(core, kind, ticks);
	synth_core_run(core, ticks);
}

static void secure(struct synth_core *core, guint64 ticks)
{
	const struct synth_place back = core->place;
	const guint64 back_va = core->pc_va + 4;
	struct synth_place place = back;

	place.el = 3;
	place.secure = TRUE;
	synth_core_exception(core, ETM4_EXCEPTION_CALL, &place);
	synth_core_run(core, ticks);
	synth_core_return(core, &back, back_va);
}

static guint64 address_of(const struct synth_place *place)
{
	return place->el == 0 ? 0x400000 + (guint64)place->context_id * 0x100000
	                      : G_GUINT64_CONSTANT(0xFFFF800008020000);
}

static void run_step(const struct scenario *scenario, struct synth_core *core,
                     struct synth_output *output, const struct scenario_step *step)
{
	struct synth_place place = core->place;

	switch (step->kind) {
	case SCENARIO_STEP_ENTER:
		place = task_place(scenario, step, step->el);
		synth_core_return(core, &place, address_of(&place));
		break;
	case SCENARIO_STEP_RUN:
		synth_core_run(core, step->ticks);
		break;
	case SCENARIO_STEP_HALT:
		synth_core_halt(core, step->ticks);
		break;
	case SCENARIO_STEP_EXIT:
		place.el = 2;
		synth_core_exception(core, step->exception, &place);
		break;
	case SCENARIO_STEP_EXCEPTION:
		place.el = 1;
		synth_core_exception(core, step->exception, &place);
		break;
	case SCENARIO_STEP_RETURN:
		place.el = 0;
		synth_core_return(core, &place, address_of(&place));
		break;
	case SCENARIO_STEP_TASK:
	case SCENARIO_STEP_VMID:
		place = task_place(scenario, step, core->place.el);
		synth_core_context(core, &place);
		break;
	case SCENARIO_STEP_SECURE:
		secure(core, step->ticks);
		break;
	case SCENARIO_STEP_OVERFLOW:
		gap(core, SYNTH_GAP_OVERFLOW, step->ticks);
		break;
	case SCENARIO_STEP_OFF:
		gap(core, SYNTH_GAP_OFF, step->ticks);
		break;
	case SCENARIO_STEP_STM:
		synth_output_stm(output, core->now_ticks, step->channel, step->value);
		break;
	}
}

void script_run(const struct scenario *scenario, struct synth_core *core,
                struct synth_output *output)
{
	for (guint i = 0; i < scenario->steps->len; i++) {
		const struct scenario_step *step =
			&g_array_index(scenario->steps, struct scenario_step, i);

		if (step->core == core->index && core->now_ticks < scenario->duration_ticks)
			run_step(scenario, core, output, step);
	}
	if (core->now_ticks < scenario->duration_ticks)
		synth_core_run(core, scenario->duration_ticks - core->now_ticks);
}

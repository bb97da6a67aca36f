#include "capture/session-internal.h"

#include "capture/coresight/cti.h"
#include "capture/coresight/fabric.h"
#include "capture/coresight/stm.h"

#include <string.h>

enum {
	FIRST_ETM_ID = 0x10,
	STM_ID = 0x30,
	SYNC_LOG2_ETR = 0xC,
	SYNC_LOG2_ETF = 8,
	MIN_BUFFER_BYTES = 4096,
};

struct preset {
	guint32 view_inst;
	guint32 config;
	double core_rate_bytes_s; /* of one core at 1.2 GHz; published (DGI0012D, table 5.1) */
};

/* The rates are upper bounds where a filter is on. Schedule: 10 000 switches/s, 30 bytes. */
static const struct preset presets[] = {
	[SESSION_PRESET_SCHEDULE] = { ETM4_VIEW_EL2,
	                              ETM4_CONTEXT_ID | ETM4_VMID | ETM4_TIMESTAMP |
	                                      ETM4_RETURN_STACK,
	                              0.3e6 / 4 },
	[SESSION_PRESET_EXITS] = { ETM4_VIEW_EL1_EL2,
	                           ETM4_CYCLE_COUNT | ETM4_CONTEXT_ID | ETM4_VMID | ETM4_TIMESTAMP |
	                                   ETM4_RETURN_STACK,
	                           126e6 },
	[SESSION_PRESET_FULL] = { ETM4_VIEW_ALL_NS,
	                          ETM4_CYCLE_COUNT | ETM4_CONTEXT_ID | ETM4_VMID | ETM4_TIMESTAMP |
	                                  ETM4_RETURN_STACK,
	                          126e6 },
	[SESSION_PRESET_DOMAIN] = { ETM4_VIEW_ALL_NS,
	                            ETM4_CYCLE_COUNT | ETM4_CONTEXT_ID | ETM4_VMID |
	                                    ETM4_TIMESTAMP | ETM4_RETURN_STACK,
	                            126e6 },
	[SESSION_PRESET_TASK] = { ETM4_VIEW_ALL_NS,
	                          ETM4_CYCLE_COUNT | ETM4_CONTEXT_ID | ETM4_VMID | ETM4_TIMESTAMP |
	                                  ETM4_RETURN_STACK,
	                          126e6 },
	[SESSION_PRESET_STM] = { 0, 0, 0 },
};

const char *session_preset_name(guint preset)
{
	static const char *const names[] = {
		[SESSION_PRESET_SCHEDULE] = "schedule", [SESSION_PRESET_EXITS] = "exits",
		[SESSION_PRESET_FULL] = "full",         [SESSION_PRESET_DOMAIN] = "domain",
		[SESSION_PRESET_TASK] = "task",         [SESSION_PRESET_STM] = "stm",
	};

	return preset < G_N_ELEMENTS(names) ? names[preset] : NULL;
}

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean refuse(GError **error, const char *format, ...)
{
	va_list args;
	g_autofree char *message = NULL;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, CORESIGHT_ERROR, CORESIGHT_ERROR_PLAN, message);
	return FALSE;
}

static void doubt(struct session_plan *plan, enum board_confidence confidence, const char *what,
                  const char *note)
{
	char *line;

	if (confidence == BOARD_VERIFIED)
		return;
	line = g_strdup_printf("[%s] %s: %s", board_confidence_mark(confidence), what,
	                       note != NULL && *note != '\0' ? note : "one source");
	for (guint i = 0; i < plan->doubts->len; i++) {
		if (strcmp(g_ptr_array_index(plan->doubts, i), line) == 0) {
			g_free(line);
			return;
		}
	}
	g_ptr_array_add(plan->doubts, line);
}

static gboolean overlaps(const struct session_memory *a, guint64 start_pa, guint64 len_bytes)
{
	return a->start_pa < start_pa + len_bytes && start_pa < a->start_pa + a->len_bytes;
}

static gboolean check_buffer(const struct session_plan *plan, const struct session_config *config,
                             GError **error)
{
	const struct session_memory *buffer = &config->buffer;
	gboolean in_bank = FALSE;

	if (buffer->len_bytes == 0)
		return refuse(
			error,
			"the sink %s writes to memory and no reserved buffer was stated: an "
			"address that somebody owns would overwrite a domain. Reserve memory from "
			"the boot loader on (reserved-memory, in no domain's bank; docs/zcu102.md) "
			"and give it with --etr-buffer ADDRESS+SIZE",
			config->sink);
	if (buffer->len_bytes < MIN_BUFFER_BYTES || buffer->len_bytes > G_MAXUINT32 ||
	    (buffer->start_pa & 0xFFF) != 0 || (buffer->len_bytes & 0xFFF) != 0 ||
	    buffer->start_pa + buffer->len_bytes < buffer->start_pa)
		return refuse(error,
		              "the buffer 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
		              "x is not made of whole 4 KiB pages below 4 GiB in size",
		              buffer->start_pa, buffer->len_bytes);
	for (guint i = 0; i < plan->board->banks->len; i++) {
		const struct board_bank *bank =
			&g_array_index(plan->board->banks, struct board_bank, i);

		if (buffer->start_pa >= bank->start_pa &&
		    buffer->start_pa - bank->start_pa <= bank->len_bytes &&
		    buffer->len_bytes <= bank->len_bytes - (buffer->start_pa - bank->start_pa))
			in_bank = TRUE;
	}
	if (!in_bank)
		return refuse(error,
		              "the buffer 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
		              "x is not in this board's RAM (see [memory] of board %s)",
		              buffer->start_pa, buffer->len_bytes, plan->board->name);
	for (guint i = 0; i < config->n_in_use; i++) {
		if (overlaps(&config->in_use[i], buffer->start_pa, buffer->len_bytes))
			return refuse(error,
			              "the buffer 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
			              "x overlaps RAM in use at 0x%" G_GINT64_MODIFIER
			              "x+0x%" G_GINT64_MODIFIER "x: it would overwrite its owner",
			              buffer->start_pa, buffer->len_bytes,
			              config->in_use[i].start_pa, config->in_use[i].len_bytes);
	}
	return TRUE;
}

static gboolean choose_sink(struct session_plan *plan, const struct session_config *config,
                            GError **error)
{
	gint sink = board_find(plan->board, config->sink);
	const struct board_component *component;

	if (sink < 0)
		return refuse(error, "board %s has no component '%s' to be a sink",
		              plan->board->name, config->sink);
	component = board_component(plan->board, (guint)sink);
	plan->sink = (guint)sink;
	switch (component->kind) {
	case BOARD_ETF:
		plan->sink_bytes = component->size_bytes;
		return TRUE;
	case BOARD_ETR:
		plan->sink_bytes = config->buffer.len_bytes;
		return check_buffer(plan, config, error);
	case BOARD_TPIU:
		if (config->tpiu_file == NULL)
			return refuse(error, "a TPIU's trace leaves the chip at its pins: say with "
			                     "--tpiu-file where the analyser puts it");
		return TRUE;
	default:
		return refuse(error, "%s is a %s, not a sink (etf, etr or tpiu)", config->sink,
		              board_kind_name(component->kind));
	}
}

static void configure_etm(const struct session_plan *plan, const struct session_config *config,
                          struct etm4_config *etm)
{
	const struct preset *preset = &presets[config->preset];
	enum board_kind sink = board_component(plan->board, plan->sink)->kind;

	etm->config = preset->config;
	etm->view_inst = preset->view_inst;
	etm->sync_log2 = sink == BOARD_ETF ? SYNC_LOG2_ETF : SYNC_LOG2_ETR;
	etm->stall = config->stall;
	etm->n_ranges = config->n_ranges;
	memcpy(etm->ranges, config->ranges, sizeof etm->ranges);
	if (config->preset == SESSION_PRESET_DOMAIN)
		etm->filter = ETM4_FILTER_VMID;
	else if (config->preset == SESSION_PRESET_TASK)
		etm->filter = ETM4_FILTER_CONTEXT_ID;
	etm->filter_value = config->filter_value;
}

static gboolean add_sources(struct session_plan *plan, const struct session_config *config,
                            GError **error)
{
	for (guint i = 0; i < plan->board->components->len; i++) {
		const struct board_component *component = board_component(plan->board, i);
		struct session_source source = { .component = i, .core = component->core };

		if (component->kind == BOARD_ETM4 && config->preset != SESSION_PRESET_STM) {
			if (config->cores != 0 &&
			    (component->core > 63 || (config->cores >> component->core & 1) == 0))
				continue;
			source.trace_id = (guint8)(FIRST_ETM_ID + component->core);
			configure_etm(plan, config, &source.etm);
			source.etm.trace_id = source.trace_id;
			etm4_ids_assume_a53(&source.ids);
			if (!etm4_ids_fit(&source.ids, component->name, &source.etm, error))
				return FALSE;
			plan->rate_bytes_s += presets[config->preset].core_rate_bytes_s;
		} else if (component->kind == BOARD_STM &&
		           (config->with_stm || config->preset == SESSION_PRESET_STM)) {
			source.trace_id = STM_ID;
			plan->rate_bytes_s += 12e3;
		} else {
			continue;
		}
		g_array_append_val(plan->sources, source);
	}
	for (guint core = 0; core < 64; core++) {
		if ((config->cores >> core & 1) != 0 &&
		    board_find_of_core(plan->board, BOARD_ETM4, (gint)core) < 0)
			return refuse(error, "board %s has no trace unit for core %u",
			              plan->board->name, core);
	}
	if (plan->sources->len == 0)
		return refuse(error, "board %s has none of the sources that were asked for",
		              plan->board->name);
	return TRUE;
}

/* Notes component `index` with ports; the list keeps the order of first mention. */
static void add_component(struct session_plan *plan, guint index, guint32 ports)
{
	for (guint i = 0; i < plan->components->len; i++) {
		if (g_array_index(plan->components, guint, i) == index) {
			g_array_index(plan->ports, guint32, i) |= ports;
			return;
		}
	}
	g_array_append_val(plan->components, index);
	g_array_append_val(plan->ports, ports);
}

static gboolean add_paths(struct session_plan *plan, GError **error)
{
	for (guint i = 0; i < plan->sources->len; i++) {
		const struct session_source *source =
			&g_array_index(plan->sources, struct session_source, i);
		g_autoptr(GArray) path =
			board_path(plan->board, source->component, plan->sink, error);

		if (path == NULL)
			return FALSE;
		/* From the sink upstream, so that nothing arrives before its way is open. */
		for (guint n = path->len; n > 0; n--) {
			const struct board_edge *edge =
				&g_array_index(plan->board->edges, struct board_edge,
			                       g_array_index(path, guint, n - 1));
			const struct board_component *from =
				board_component(plan->board, edge->from);
			const struct board_component *to = board_component(plan->board, edge->to);
			g_autofree char *what = g_strdup_printf("%s -> %s", from->name, to->name);

			if (to->kind == BOARD_FUNNEL)
				add_component(plan, edge->to, edge->to_ports);
			if (from->kind == BOARD_REPLICATOR)
				add_component(plan, edge->from, edge->from_port);
			if (from->kind == BOARD_ETF || from->kind == BOARD_FUNNEL)
				add_component(plan, edge->from, 0);
			doubt(plan, edge->confidence, what, edge->note);
		}
	}
	return TRUE;
}

void session_plan_free(struct session_plan *plan)
{
	if (plan == NULL)
		return;
	g_array_unref(plan->sources);
	g_array_unref(plan->components);
	g_array_unref(plan->ports);
	g_ptr_array_unref(plan->doubts);
	g_free(plan);
}

static gboolean check_stop_core(const struct session_plan *plan,
                                const struct session_config *config, GError **error)
{
	g_autofree char *meaning = g_strdup_printf("%s.flushin", config->sink);

	if (config->stop_core < 0)
		return TRUE;
	if (board_find_of_core(plan->board, BOARD_CTI, config->stop_core) < 0)
		return refuse(error,
		              "board %s knows no CTI of core %d, so its halt cannot stop the "
		              "trace",
		              plan->board->name, config->stop_core);
	if (board_component(plan->board, plan->sink)->kind == BOARD_TPIU ||
	    board_cti_output(plan->board, meaning) == NULL)
		return refuse(error,
		              "no CTI output of board %s reaches %s, so a halt cannot stop it",
		              plan->board->name, meaning);
	return TRUE;
}

struct session_plan *session_plan_new(const struct board *board,
                                      const struct session_config *config, GError **error)
{
	g_autoptr(SessionPlan) plan = g_new0(struct session_plan, 1);

	plan->board = board;
	plan->sources = g_array_new(FALSE, TRUE, sizeof(struct session_source));
	plan->components = g_array_new(FALSE, TRUE, sizeof(guint));
	plan->ports = g_array_new(FALSE, TRUE, sizeof(guint32));
	plan->doubts = g_ptr_array_new_with_free_func(g_free);
	plan->tsgen = board_find_of_core(board, BOARD_TSGEN, -1);
	if (!choose_sink(plan, config, error) || !add_sources(plan, config, error) ||
	    !add_paths(plan, error) || !check_stop_core(plan, config, error))
		return NULL;
	if (plan->rate_bytes_s > 0 && plan->sink_bytes > 0)
		plan->window_s = (double)plan->sink_bytes / plan->rate_bytes_s;
	return g_steal_pointer(&plan);
}

static void program_between(struct sequence *program, const struct session_plan *plan, guint i,
                            gboolean take)
{
	guint component = g_array_index(plan->components, guint, i);
	guint32 ports = g_array_index(plan->ports, guint32, i);

	switch (board_component(plan->board, component)->kind) {
	case BOARD_FUNNEL:
		funnel_program(program, component, ports);
		break;
	case BOARD_REPLICATOR:
		replicator_program(program, component, ports);
		break;
	case BOARD_ETF:
		if (take)
			tmc_program_take(program, component);
		tmc_program_link(program, component);
		break;
	default:
		break;
	}
}

static void program_stop_trigger(struct sequence *program, const struct session_plan *plan,
                                 const struct session_config *config)
{
	g_autofree char *meaning = g_strdup_printf("%s.flushin", config->sink);
	const struct board_cti_line *line = board_cti_output(plan->board, meaning);
	gint core_cti = board_find_of_core(plan->board, BOARD_CTI, config->stop_core);

	cti_program_output(program, line->cti, line->index, CTI_TRACE_CHANNEL);
	cti_program_input(program, (guint)core_cti, 0, CTI_TRACE_CHANNEL);
	tmc_program_stop_on_trigger(program, plan->sink);
}

void session_program_sink(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config)
{
	enum board_kind kind = board_component(plan->board, plan->sink)->kind;

	if (config->take && kind != BOARD_TPIU)
		tmc_program_take(program, plan->sink);
	if (kind == BOARD_TPIU)
		tpiu_program_start(program, plan->sink,
		                   config->tpiu_width != 0 ? config->tpiu_width : 16);
	else if (kind == BOARD_ETR)
		tmc_program_memory_sink(program, plan->sink, config->buffer.start_pa,
		                        (guint32)config->buffer.len_bytes);
	else
		tmc_program_sink(program, plan->sink);
	if (config->stop_core >= 0)
		program_stop_trigger(program, plan, config);
}

void session_program_path(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config, const gboolean *skip)
{
	for (guint i = 0; i < plan->components->len; i++) {
		if (skip == NULL || !skip[i])
			program_between(program, plan, i, config->take);
	}
}

void session_program_sources(struct sequence *program, const struct session_plan *plan,
                             guint32 timestamp_hz)
{
	for (guint i = 0; i < plan->sources->len; i++) {
		const struct session_source *source =
			&g_array_index(plan->sources, struct session_source, i);

		if (source->core < 0)
			stm_program_start(program, source->component, source->trace_id,
			                  timestamp_hz);
		else
			etm4_program_start(program, source->component, &source->etm, &source->ids);
	}
}

void session_program_stop(struct sequence *program, const struct session_plan *plan)
{
	for (guint i = 0; i < plan->sources->len; i++) {
		const struct session_source *source =
			&g_array_index(plan->sources, struct session_source, i);

		if (source->core < 0)
			stm_program_stop(program, source->component, source->trace_id);
		else
			etm4_program_stop(program, source->component);
	}
	if (board_component(plan->board, plan->sink)->kind == BOARD_TPIU)
		tpiu_program_stop(program, plan->sink);
	else
		tmc_program_stop(program, plan->sink);
}

void session_program_off(struct sequence *program, const struct session_plan *plan)
{
	if (board_component(plan->board, plan->sink)->kind != BOARD_TPIU)
		tmc_program_off(program, plan->sink);
	/* Upstream first: what leaves one link is flushed out of the next. */
	for (guint i = plan->components->len; i > 0; i--) {
		guint component = g_array_index(plan->components, guint, i - 1);

		if (board_component(plan->board, component)->kind == BOARD_ETF)
			tmc_program_link_off(program, component);
	}
}

char *session_plan_text(const struct session_plan *plan, const struct session_config *config)
{
	struct sequence start, stop;
	g_autofree char *start_text = NULL;
	g_autofree char *stop_text = NULL;

	sequence_init(&start);
	sequence_init(&stop);
	session_program_sink(&start, plan, config);
	session_program_path(&start, plan, config, NULL);
	session_program_sources(&start, plan, 0);
	session_program_stop(&stop, plan);
	session_program_off(&stop, plan);
	start_text = sequence_text(&start, plan->board);
	stop_text = sequence_text(&stop, plan->board);
	sequence_deinit(&start);
	sequence_deinit(&stop);
	return g_strdup_printf("start\n%sstop\n%s", start_text, stop_text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/options.h"

#include <string.h>

enum {
	STM_ID = 0x70 - 0x10,
	STM_MASTER = 0x40,
	TRACE_ID = 0x10,
	SYNCPR = 12,
	CC_THRESHOLD = 0x100,
	/* EVENT = 1 (always), SSSTATUS: started. */
	VICTLR = 0x201,
};

void options_init(struct options *self)
{
	memset(self, 0, sizeof *self);
	self->start.el = -1;
	self->start.kind = WINDOW_INSNS;
	self->stop.el = -1;
	self->stm_id = STM_ID;
	self->stm_master = STM_MASTER;
	self->registers = (struct trace_unit_registers){
		.encoder = {
			.configr = ETM4_CONFIGR_ALWAYS | ETM4_CONFIGR_CCI | ETM4_CONFIGR_CID |
			           ETM4_CONFIGR_VMID | ETM4_CONFIGR_TS,
			.idr0 = ETM4_A53_IDR0,
			.idr1 = ETM4_A53_IDR1,
			.idr2 = ETM4_A53_IDR2,
			.cc_threshold = CC_THRESHOLD,
		},
		.view = { .victlr = VICTLR },
		.traceidr = TRACE_ID,
		.syncpr = SYNCPR,
	};
}

void options_deinit(struct options *self)
{
	g_clear_pointer(&self->out, g_free);
}

static gboolean parse_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;
	guint64 number;

	if (!g_ascii_isdigit(text[0]))
		return FALSE;
	number = g_ascii_strtoull(text, &end, 0);
	if (*end != '\0' || number > max)
		return FALSE;
	*value = number;
	return TRUE;
}

/* "insn:N", "+insn:N", "time:NS", "+time:NS", "va:ADDRESS", "va:ADDRESS@EL". */
static gboolean parse_edge(const char *text, struct window_edge *edge)
{
	static const struct {
		const char *prefix;
		enum window_kind kind;
	} kinds[] = { { "insn:", WINDOW_INSNS },
		      { "time:", WINDOW_TIME },
		      { "va:", WINDOW_ADDRESS } };
	struct window_edge parsed = { .el = -1, .relative = text[0] == '+' };
	g_auto(GStrv) parts = NULL;
	uint64_t el;

	if (parsed.relative)
		text++;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_prefix(text, kinds[i].prefix)) {
			parsed.kind = kinds[i].kind;
			parts = g_strsplit(text + strlen(kinds[i].prefix), "@", 2);
		}
	}
	if (parts == NULL || !parse_number(parts[0], G_MAXUINT64, &parsed.value))
		return FALSE;
	if (parts[1] != NULL) {
		if (parsed.kind != WINDOW_ADDRESS || !parse_number(parts[1], 3, &el))
			return FALSE;
		parsed.el = (int)el;
	}
	if (parsed.kind == WINDOW_ADDRESS && parsed.relative)
		return FALSE;
	*edge = parsed;
	return TRUE;
}

/* "A:B" and "A:B:C", the last one optional. */
static gboolean parse_tuple(const char *text, unsigned n_min, unsigned n_max, uint64_t *values)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", -1);
	const unsigned n = g_strv_length(parts);

	if (n < n_min || n > n_max)
		return FALSE;
	for (unsigned i = 0; i < n; i++) {
		if (!parse_number(parts[i], G_MAXUINT64, &values[i]))
			return FALSE;
	}
	return TRUE;
}

static gboolean parse_stm(struct options *self, const char *text)
{
	uint64_t values[3] = { 0, 0, self->stm_id };

	if (!parse_tuple(text, 2, 3, values) || values[1] == 0 || values[2] < 1 ||
	    values[2] > 0x6F || values[0] + values[1] < values[0])
		return FALSE;
	self->stm_pa = values[0];
	self->stm_len_bytes = values[1];
	self->stm_id = (uint8_t)values[2];
	return TRUE;
}

static gboolean parse_fifo(struct options *self, const char *text)
{
	uint64_t values[2];

	if (!parse_tuple(text, 2, 2, values) || values[0] > G_MAXUINT32 ||
	    values[1] > G_MAXUINT32 || values[1] == 0)
		return FALSE;
	self->fifo.size_bytes = (uint32_t)values[0];
	self->fifo.drain_per_1024 = (uint32_t)values[1];
	return TRUE;
}

/* acvr0 to acvr7, acatr0 to acatr7. */
static gboolean parse_comparator(struct options *self, const char *key, const char *text,
                                 gboolean *known)
{
	struct view_registers *view = &self->registers.view;
	const gboolean is_value = g_str_has_prefix(key, "acvr");
	const char *digit = key + (is_value ? 4 : 5);
	uint64_t value;

	*known = (is_value || g_str_has_prefix(key, "acatr")) && digit[0] >= '0' &&
	         digit[0] < '0' + VIEW_COMPARATORS && digit[1] == '\0';
	if (!*known || !parse_number(text, is_value ? G_MAXUINT64 : G_MAXUINT32, &value))
		return FALSE;
	if (is_value)
		view->acvr[digit[0] - '0'] = value;
	else
		view->acatr[digit[0] - '0'] = (uint32_t)value;
	return TRUE;
}

static gboolean parse_register(struct options *self, const char *key, const char *text,
                               gboolean *known)
{
	const struct {
		const char *key;
		uint32_t *value;
		uint32_t max;
	} registers[] = {
		{ "configr", &self->registers.encoder.configr, G_MAXUINT32 },
		{ "ccctlr", &self->registers.encoder.cc_threshold, 0xFFF },
		{ "traceidr", &self->registers.traceidr, 0x6F - FLOW_CORES_MAX },
		{ "syncpr", &self->registers.syncpr, 20 },
		{ "victlr", &self->registers.view.victlr, G_MAXUINT32 },
		{ "viiectlr", &self->registers.view.viiectlr, G_MAXUINT32 },
		{ "cidcvr", &self->registers.view.cidcvr, G_MAXUINT32 },
		{ "vmidcvr", &self->registers.view.vmidcvr, 0xFF },
		{ "ts-period", &self->registers.timestamp_period, G_MAXUINT32 },
	};
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
		if (strcmp(key, registers[i].key) != 0)
			continue;
		*known = TRUE;
		if (!parse_number(text, registers[i].max, &value))
			return FALSE;
		*registers[i].value = (uint32_t)value;
		return TRUE;
	}
	return parse_comparator(self, key, text, known);
}

static gboolean parse_one(struct options *self, const char *key, const char *text, gboolean *known)
{
	uint64_t value;

	*known = TRUE;
	if (strcmp(key, "out") == 0) {
		g_free(self->out);
		self->out = g_strdup(text);
		return text[0] != '\0';
	}
	if (strcmp(key, "start") == 0)
		return parse_edge(text, &self->start) && !self->start.relative;
	if (strcmp(key, "stop") == 0)
		return parse_edge(text, &self->stop);
	if (strcmp(key, "max-bytes") == 0)
		return parse_number(text, G_MAXUINT64, &self->max_bytes);
	if (strcmp(key, "stm") == 0)
		return parse_stm(self, text);
	if (strcmp(key, "fifo") == 0)
		return parse_fifo(self, text);
	if (strcmp(key, "shift") == 0) {
		if (!parse_number(text, 10, &value))
			return FALSE;
		self->shift = (unsigned)value;
		return TRUE;
	}
	if (strcmp(key, "exit") == 0) {
		self->exit_at_stop = strcmp(text, "on") == 0;
		return self->exit_at_stop || strcmp(text, "off") == 0;
	}
	return parse_register(self, key, text, known);
}

gboolean options_parse(struct options *self, int argc, char **argv, GError **error)
{
	for (int i = 0; i < argc; i++) {
		g_auto(GStrv) pair = g_strsplit(argv[i], "=", 2);
		gboolean known = FALSE;

		if (pair[0] != NULL && pair[1] != NULL && parse_one(self, pair[0], pair[1], &known))
			continue;
		g_set_error(error, G_OPTION_ERROR,
		            known ? G_OPTION_ERROR_BAD_VALUE : G_OPTION_ERROR_UNKNOWN_OPTION,
		            known ? "virtual ETM: option '%s' has a value that does not fit"
		                  : "virtual ETM: no option '%s'",
		            argv[i]);
		return FALSE;
	}
	if (self->out == NULL) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		            "virtual ETM: out=DIRECTORY is missing, where the capture goes");
		return FALSE;
	}
	return TRUE;
}

#include "awareness/symbols/unwind.h"

#include <string.h>

enum {
	PAC_SELECT_BIT = 55,
	RECORD_BYTES = 16
};

uint64_t unwind_strip(uint64_t address, unsigned va_bits)
{
	uint64_t high;

	if (va_bits == 0 || va_bits > PAC_SELECT_BIT)
		return address;
	high = ~UINT64_C(0) << va_bits;
	return (address >> PAC_SELECT_BIT & 1) != 0 ? address | high : address & ~high;
}

static gboolean is_code(const struct unwind_config *config, uint64_t pc)
{
	return pc != 0 && (pc & 3) == 0 &&
	       (config->is_code == NULL || config->is_code(config->data, pc));
}

static gboolean in_stack(const struct unwind_config *config, uint64_t at, uint64_t len_bytes)
{
	return at >= config->stack_low && at <= config->stack_high &&
	       config->stack_high - at >= len_bytes;
}

static gboolean read_word(const struct unwind_config *config, uint64_t at, uint64_t *word)
{
	return (at & 7) == 0 && in_stack(config, at, sizeof(*word)) &&
	       config->read(config->data, at, word, sizeof(*word));
}

static gboolean register_get(const struct unwind_registers *registers, unsigned reg,
                             uint64_t *value)
{
	if (reg == CFI_SP) {
		*value = registers->sp;
		return TRUE;
	}
	if (reg >= CFI_SP || (registers->valid >> reg & 1) == 0)
		return FALSE;
	*value = registers->x[reg];
	return TRUE;
}

/* Applies one rule to the callee's registers. FALSE: the caller's value is lost. */
static gboolean rule_apply(const struct unwind_config *config, const struct cfi_rule *rule,
                           unsigned reg, uint64_t cfa, const struct unwind_registers *callee,
                           uint64_t *value)
{
	switch (rule->kind) {
	case CFI_SAME:
		return register_get(callee, reg, value);
	case CFI_AT_CFA:
		return read_word(config, cfa + (uint64_t)rule->offset_bytes, value);
	case CFI_IS_CFA:
		*value = cfa + (uint64_t)rule->offset_bytes;
		return TRUE;
	case CFI_REGISTER:
		return register_get(callee, rule->reg, value);
	case CFI_UNDEFINED:
	case CFI_EXPRESSION:
		break;
	}
	return FALSE;
}

/* What one way of finding the caller came to. */
enum step {
	STEP_DONE,
	STEP_NO_RULE, /* this way does not apply: try the next one */
	STEP_END,
};

static enum step step_end(enum unwind_end *end, enum unwind_end why)
{
	*end = why;
	return STEP_END;
}

/* By call frame information. */
static enum step step_cfi(const struct unwind_config *config, const struct unwind_frame *from,
                          struct unwind_frame *to, enum unwind_end *end)
{
	const struct unwind_registers *callee = &from->registers;
	struct cfi_row row = { 0 };
	uint64_t base, cfa, pc;

	if (config->row == NULL || !config->row(config->data, from->lookup_pc, &row))
		return STEP_NO_RULE;
	if (row.cfa.kind != CFI_REGISTER || row.return_register >= CFI_SP ||
	    !register_get(callee, row.cfa.reg, &base))
		return STEP_NO_RULE;
	if (row.rules[row.return_register].kind == CFI_UNDEFINED)
		return step_end(end, UNWIND_END_UNDEFINED);
	cfa = base + (uint64_t)row.cfa.offset_bytes;
	if (!in_stack(config, cfa, 0))
		return step_end(end, UNWIND_END_STACK);
	if (!rule_apply(config, &row.rules[row.return_register], row.return_register, cfa, callee,
	                &pc))
		return step_end(end, UNWIND_END_MEMORY);
	*to = (struct unwind_frame) { .how = UNWIND_CFI };
	for (unsigned reg = 0; reg < CFI_SP; reg++) {
		/* The procedure call standard lets a callee overwrite x0 to x18: without a
		 * rule of their own they are the callee's. */
		if (reg < 19 && row.rules[reg].kind == CFI_SAME)
			continue;
		if (rule_apply(config, &row.rules[reg], reg, cfa, callee, &to->registers.x[reg]))
			to->registers.valid |= 1u << reg;
	}
	to->registers.sp = cfa;
	to->registers.pc = unwind_strip(pc, config->va_bits);
	return STEP_DONE;
}

/* By the frame record that x29 points to: the caller's x29, then the return
 * address (AAPCS64, 6.4.6). */
static enum step step_record(const struct unwind_config *config, const struct unwind_frame *from,
                             struct unwind_frame *to, enum unwind_end *end)
{
	const struct unwind_registers *callee = &from->registers;
	uint64_t record[2], fp;

	if (!register_get(callee, CFI_FP, &fp))
		return step_end(end, UNWIND_END_RECORD_ZERO);
	if (fp == 0)
		return step_end(end, UNWIND_END_RECORD_ZERO);
	if ((fp & 7) != 0 || !in_stack(config, fp, RECORD_BYTES))
		return step_end(end, UNWIND_END_STACK);
	if (fp < callee->sp)
		return step_end(end, UNWIND_END_ORDER);
	if (!config->read(config->data, fp, record, sizeof(record)))
		return step_end(end, UNWIND_END_MEMORY);
	if (record[1] == 0)
		return step_end(end, UNWIND_END_RECORD_ZERO);
	*to = (struct unwind_frame) { .how = UNWIND_RECORD };
	to->registers.x[CFI_FP] = record[0];
	to->registers.valid = 1u << CFI_FP;
	/* Above the record: where exactly the caller's frame begins is not recorded. */
	to->registers.sp = fp + RECORD_BYTES;
	to->registers.pc = unwind_strip(record[1], config->va_bits);
	return STEP_DONE;
}

/* The interrupted function has made no frame yet, or never does: x30 leads into
 * another function and is not what the frame record says. */
static enum step step_link(const struct unwind_config *config, const struct unwind_frame *from,
                           struct unwind_frame *to)
{
	const struct unwind_registers *callee = &from->registers;
	uint64_t lr, fp, record[2], here, there;

	if (from->how != UNWIND_START || config->function == NULL ||
	    !register_get(callee, CFI_LR, &lr))
		return STEP_NO_RULE;
	lr = unwind_strip(lr, config->va_bits);
	if (!is_code(config, lr) || !config->function(config->data, callee->pc, &here) ||
	    !config->function(config->data, lr - 1, &there) || here == there)
		return STEP_NO_RULE;
	if (register_get(callee, CFI_FP, &fp) && (fp & 7) == 0 &&
	    in_stack(config, fp, RECORD_BYTES) &&
	    config->read(config->data, fp, record, sizeof(record)) &&
	    unwind_strip(record[1], config->va_bits) == lr)
		return STEP_NO_RULE;
	*to = *from;
	to->how = UNWIND_LINK;
	to->registers.pc = lr;
	to->registers.valid &= ~(1u << CFI_LR);
	return STEP_DONE;
}

static enum step step_up(const struct unwind_config *config, const struct unwind_frame *from,
                         struct unwind_frame *to, enum unwind_end *end)
{
	enum step step;

	if (config->stop_at_fp != 0 && (from->registers.valid >> CFI_FP & 1) != 0 &&
	    from->registers.x[CFI_FP] == config->stop_at_fp && from->how != UNWIND_START)
		return step_end(end, UNWIND_END_MARK);
	step = step_cfi(config, from, to, end);
	if (step == STEP_NO_RULE)
		step = step_link(config, from, to);
	return step == STEP_NO_RULE ? step_record(config, from, to, end) : step;
}

/* The caller must lie above. Only a leaf function, which has no frame, may leave sp
 * as it is, and only the first function of a chain is one. */
static gboolean is_above(const struct unwind_frame *from, const struct unwind_frame *to)
{
	if (to->registers.sp > from->registers.sp)
		return TRUE;
	return to->registers.sp == from->registers.sp && from->how == UNWIND_START &&
	       to->registers.pc != from->registers.pc;
}

enum unwind_end unwind_stack(const struct unwind_config *config,
                             const struct unwind_registers *start, GArray *frames)
{
	struct unwind_frame at = { .registers = *start, .how = UNWIND_START };
	enum unwind_end end = UNWIND_END_LIMIT;

	at.registers.pc = unwind_strip(start->pc, config->va_bits);
	at.lookup_pc = at.registers.pc;
	for (unsigned n = 0; n < UNWIND_FRAMES_MAX; n++) {
		struct unwind_frame next;
		enum step step = step_up(config, &at, &next, &end);

		at.cfa = step == STEP_DONE ? next.registers.sp : 0;
		g_array_append_val(frames, at);
		if (step != STEP_DONE)
			return end;
		if (next.registers.pc == 0)
			return UNWIND_END_RECORD_ZERO;
		if (!is_code(config, next.registers.pc))
			return UNWIND_END_CODE;
		if (!is_above(&at, &next))
			return UNWIND_END_ORDER;
		next.lookup_pc = next.registers.pc - 1;
		at = next;
	}
	return UNWIND_END_LIMIT;
}

const char *unwind_end_text(enum unwind_end end)
{
	switch (end) {
	case UNWIND_END_RECORD_ZERO:
		return "end of the chain";
	case UNWIND_END_MARK:
		return "exception frame";
	case UNWIND_END_UNDEFINED:
		return "the first function";
	case UNWIND_END_STACK:
		return "the next frame lies outside the stack";
	case UNWIND_END_ORDER:
		return "the next frame is not above this one";
	case UNWIND_END_MEMORY:
		return "the stack could not be read";
	case UNWIND_END_CODE:
		return "the return address is no code";
	case UNWIND_END_LIMIT:
		return "too many frames";
	}
	return "unknown";
}

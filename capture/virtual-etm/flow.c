/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/flow.h"

#include "capture/virtual-etm/exception-type.h"
#include "capture/virtual-etm/flow-time.h"

#include <string.h>

enum {
	PAGE_MASK = 0xFFF,
	VECTOR_TABLE_BYTES = 0x800,
	VECTOR_BYTES = 0x80,
	CPSR_AARCH32 = 1 << 4,
	CPSR_DAIF_SHIFT = 6,
	NESTED_MAX = 3,
};

/* Where a block may go on, had no exception come. */
struct successors {
	unsigned executed;
	bool any; /* the target of an indirect branch or ERET */
	enum flow_end any_end;
	unsigned n;
	struct {
		uint64_t va;
		enum flow_end end;
	} list[2];
};

/* An exception as the registers of the exception level that took it tell it. */
struct taken {
	unsigned el;
	unsigned from_el;
	enum vector_kind kind;
	unsigned ec; /* ESR.EC */
	uint64_t return_va;
	uint64_t vector_va;
};

static uint64_t read_register(const struct flow *self, unsigned index, enum flow_register reg)
{
	return self->read(self->read_data, index, reg);
}

static uint64_t read_banked(const struct flow *self, unsigned index, enum flow_register group,
                            unsigned el)
{
	return read_register(self, index, (enum flow_register)((unsigned)group + el - 1));
}

void flow_init(struct flow *self, const struct flow_config *config, flow_read_fn read,
               void *read_data, const struct flow_listener *listener)
{
	memset(self, 0, sizeof *self);
	self->n_cores = config->n_cores;
	self->el_max = config->el_max;
	self->exceptions_told = config->exceptions_told;
	self->shift = config->shift;
	self->tick_ns = (unsigned)(UINT64_C(1000000000) / config->counter_hz);
	self->read = read;
	self->read_data = read_data;
	self->listener = *listener;
}

void flow_block_init(struct flow_block *block, uint64_t translated_va)
{
	block->translated_va = translated_va;
	block->effects = 0;
	block->seen_space = 0;
	block->seen_va = 0;
	block->last = a64_classify(block->code[block->n - 1]);
	for (unsigned i = 0; i < block->n; i++)
		block->effects |= a64_classify(block->code[i]).effects;
}

/* The block ended with a read of the counter: its register holds it now. */
static void take_counter_read(struct flow *self, unsigned index, const struct flow_block *block)
{
	if ((block->last.effects & (A64_READS_CNTPCT | A64_READS_CNTVCT)) == 0 ||
	    block->last.rt == 31)
		return;

	uint64_t counter =
		read_register(self, index, (enum flow_register)(FLOW_X0 + block->last.rt));

	if ((block->last.effects & A64_READS_CNTVCT) != 0)
		counter += self->cores[index].cntvoff;
	flow_correct_time(self, counter, self->cores[index].ended_insns);
}

static void read_context(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];

	core->context.vmid = (uint8_t)(read_register(self, index, FLOW_VTTBR_EL2) >> 48);
	core->context.context_id = (uint32_t)read_register(self, index, FLOW_CONTEXTIDR_EL1);
	core->context_stale = false;
}

static void read_vbars(struct flow *self, unsigned index)
{
	for (unsigned el = 1; el <= self->el_max; el++)
		self->cores[index].vbar[el] = read_banked(self, index, FLOW_VBAR, el);
}

static void enter_el(struct flow *self, unsigned index, unsigned el)
{
	struct flow_core *core = &self->cores[index];

	core->context.el = (uint8_t)el;
	if (self->el_max == 3)
		core->context.non_secure =
			el < 3 && (read_register(self, index, FLOW_SCR_EL3) & 1) != 0;
	if (core->context_stale)
		read_context(self, index);
}

static uint64_t start_core(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];

	read_vbars(self, index);
	core->cntvoff = read_register(self, index, FLOW_CNTVOFF_EL2);
	core->context.non_secure = true;
	core->context_stale = true;
	core->cut = 0;
	core->present = true;
	enter_el(self, index, (unsigned)read_register(self, index, FLOW_CPSR) >> 2 & 3);
	self->listener.gap(self->listener.data, index);
	return read_register(self, index, FLOW_PC);
}

static void successors_add(struct successors *self, uint64_t va, enum flow_end end)
{
	self->list[self->n].va = va;
	self->list[self->n].end = end;
	self->n++;
}

static void successors_of(const struct flow_core *core, struct successors *self)
{
	const struct flow_block *block = core->block;
	const uint64_t last_va = core->va + 4u * (block->n - 1u);
	const uint64_t target_va = last_va + (uint64_t)(int64_t)block->last.offset_bytes;

	*self = (struct successors) { .executed = block->n };
	if (core->cut != 0) {
		self->executed = core->cut;
		successors_add(self, core->va + 4u * core->cut, FLOW_END_NONE);
		return;
	}
	switch (block->last.kind) {
	case A64_DIRECT:
		successors_add(self, target_va, FLOW_END_TAKEN);
		break;
	case A64_CONDITIONAL:
		successors_add(self, target_va, FLOW_END_TAKEN);
		successors_add(self, last_va + 4, FLOW_END_NOT_TAKEN);
		break;
	case A64_ERET:
		if (core->eret_known)
			successors_add(self, core->eret_va, FLOW_END_ERET);
		else
			self->any = true;
		self->any_end = FLOW_END_ERET;
		break;
	case A64_INDIRECT:
		self->any = true;
		self->any_end = FLOW_END_INDIRECT;
		break;
	case A64_ISB:
		successors_add(self, last_va + 4, FLOW_END_TAKEN);
		break;
	case A64_CALL: /* QEMU serves PSCI calls itself: no exception then */
	case A64_PLAIN:
	case A64_WFI:
		successors_add(self, last_va + 4, FLOW_END_NONE);
		break;
	}
}

/* The core's turn had ended with the block that was just told. */
static void tell_resume(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];

	if (core->resumes)
		self->listener.resume(self->listener.data, index,
		                      flow_ns_at(self, core->stop_insns));
	core->resumes = false;
}

/* Tells what ran of the block, and forgets it. */
static void tell_run(struct flow *self, unsigned index, unsigned executed, enum flow_end end,
                     uint64_t target_va)
{
	struct flow_core *core = &self->cores[index];
	struct flow_block *block = core->block;
	const struct flow_run run = {
		.block = block,
		.va = core->va,
		.n = (uint16_t)executed,
		.end = end,
		.link = block->last.link,
		.target_va = target_va,
		.start_insns = core->begun_insns,
	};

	self->insns -= block->n - executed;
	core->executed += executed;
	core->block = NULL;
	core->cut = 0;
	if (executed > 0)
		self->listener.run(self->listener.data, index, &core->context, &run);
	tell_resume(self, index);
	if (executed == 0)
		return;
	if ((block->effects & A64_WRITES_CONTEXT) != 0)
		core->context_stale = true;
	if ((block->effects & A64_WRITES_VBAR) != 0)
		read_vbars(self, index);
	if ((block->effects & A64_WRITES_CNTVOFF) != 0)
		core->cntvoff = read_register(self, index, FLOW_CNTVOFF_EL2);
	if (executed < block->n)
		return;
	flow_end_wait(self, block);
	take_counter_read(self, index, block);
	/* ISB: what was written is in force behind it. */
	if (block->last.kind == A64_ISB && core->context_stale)
		read_context(self, index);
}

/* The exception level whose vector `va` is, by the vector tables as last read; 0: none. */
static unsigned vector_el(const struct flow *self, const struct flow_core *core, uint64_t va,
                          unsigned el_at_least)
{
	if (va % VECTOR_BYTES != 0)
		return 0;
	for (unsigned el = el_at_least > 1 ? el_at_least : 1; el <= self->el_max; el++) {
		if (va - core->vbar[el] < VECTOR_TABLE_BYTES)
			return el;
	}
	return 0;
}

static struct taken read_taken(const struct flow *self, unsigned index, unsigned el, uint64_t va)
{
	const uint64_t spsr = read_banked(self, index, FLOW_SPSR, el);
	const struct taken taken = {
		.el = el,
		.from_el = (unsigned)spsr >> 2 & 3,
		.kind = (enum vector_kind)((va - self->cores[index].vbar[el]) / VECTOR_BYTES & 3),
		.ec = (unsigned)(read_banked(self, index, FLOW_ESR, el) >> 26 & 0x3F),
		.return_va = read_banked(self, index, FLOW_ELR, el),
		.vector_va = va,
	};

	return taken;
}

/* Whether the instruction at the return address was not executed because of the
 * exception, and thus began as part of a block. */
static bool at_instruction(const struct taken *taken)
{
	const bool fetch = taken->ec == 0x20 || taken->ec == 0x21;
	const bool step = taken->ec == 0x32 || taken->ec == 0x33;

	return taken->kind == VECTOR_SYNC && !fetch && !step;
}

/* Settles the block on the way to the exception's return address. False where no
 * way leads there. */
static bool settle_to(struct flow *self, unsigned index, const struct taken *taken, bool *trapped)
{
	const struct flow_core *core = &self->cores[index];
	const uint64_t offset = taken->return_va - core->va;
	struct successors next;

	*trapped = false;
	successors_of(core, &next);
	if (at_instruction(taken) && offset % 4 == 0 && offset < 4u * core->block->n) {
		tell_run(self, index, (unsigned)offset / 4, FLOW_END_NONE, taken->return_va);
		*trapped = true;
		return true;
	}
	for (unsigned i = 0; i < next.n; i++) {
		if (next.list[i].va == taken->return_va) {
			tell_run(self, index, next.executed, next.list[i].end, taken->return_va);
			if (next.list[i].end == FLOW_END_ERET)
				enter_el(self, index, taken->from_el);
			return true;
		}
	}
	return false;
}

/* The same for a block whose last branch may go anywhere. */
static bool settle_indirect_to(struct flow *self, unsigned index, const struct taken *taken)
{
	struct successors next;

	successors_of(&self->cores[index], &next);
	if (!next.any)
		return false;
	tell_run(self, index, next.executed, next.any_end, taken->return_va);
	if (next.any_end == FLOW_END_ERET)
		enter_el(self, index, taken->from_el);
	return true;
}

static void tell_exception(struct flow *self, unsigned index, const struct taken *taken,
                           bool trapped)
{
	struct flow_core *core = &self->cores[index];
	const struct flow_context from = core->context;
	const struct flow_exception exception = {
		.etm_type = exception_type(taken->kind, taken->ec, trapped),
		.return_va = taken->return_va,
		.from = &from,
		.vector_va = taken->vector_va,
	};

	enter_el(self, index, taken->el);
	self->listener.exception(self->listener.data, index, &exception);
}

/* Settles the block and all exceptions up to the handler of taken[0]. Where its return
 * address is itself a vector, the handler there never began: what the lower
 * exception level's registers tell comes first. */
static bool settle_exception(struct flow *self, unsigned index, unsigned el, uint64_t va)
{
	const struct flow_core *core = &self->cores[index];
	struct taken taken[NESTED_MAX];
	bool trapped = false;
	unsigned n = 0;

	for (;;) {
		taken[n] = read_taken(self, index, el, va);
		n++;
		if (settle_to(self, index, &taken[n - 1], &trapped))
			break;

		const struct taken *last = &taken[n - 1];
		const unsigned lower =
			last->from_el < last->el && last->from_el >= 1
				? vector_el(self, core, last->return_va, last->from_el)
				: 0;

		if (lower == last->from_el && n < NESTED_MAX && lower != 0) {
			el = lower;
			va = last->return_va;
			self->n_nested++;
			continue;
		}
		if (settle_indirect_to(self, index, last))
			break;
		return false;
	}
	while (n > 0) {
		n--;
		tell_exception(self, index, &taken[n], trapped);
		trapped = false;
	}
	return true;
}

/* Something that no rule explains: the core was off, or was reset, or a debugger moved it. */
static uint64_t settle_unknown(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];

	if (core->waiting)
		self->n_restarts++;
	else
		self->n_gaps++;
	core->block = NULL;
	return start_core(self, index);
}

static void enter_foreign(struct flow *self, unsigned index)
{
	self->cores[index].foreign = true;
	self->listener.gap(self->listener.data, index);
}

/* The block ended as expected, and `va` begins. */
static uint64_t settle_at(struct flow *self, unsigned index, unsigned executed, enum flow_end end,
                          uint64_t va)
{
	tell_run(self, index, executed, end, va);
	if (end == FLOW_END_ERET) {
		const unsigned cpsr = (unsigned)read_register(self, index, FLOW_CPSR);

		enter_el(self, index, cpsr >> 2 & 3);
		if ((cpsr & CPSR_AARCH32) != 0)
			enter_foreign(self, index);
	}
	return va;
}

/* The target of an indirect branch, or a place that the opcode alone does not settle. */
static uint64_t settle_by_pc(struct flow *self, unsigned index, const struct successors *next)
{
	const struct flow_core *core = &self->cores[index];
	const uint64_t va = read_register(self, index, FLOW_PC);

	for (unsigned i = 0; i < next->n; i++) {
		if (next->list[i].va == va)
			return settle_at(self, index, next->executed, next->list[i].end, va);
	}

	const unsigned el = vector_el(self, core, va, 1);
	const unsigned cpsr = el != 0 ? (unsigned)read_register(self, index, FLOW_CPSR) : 0;
	/* Every exception masks all of DAIF (DDI 0487, D1.3.2); code that jumps to a
	 * vector is not expected to. */
	const bool excepted =
		self->exceptions_told ? core->excepted : (cpsr >> CPSR_DAIF_SHIFT & 15) == 15;
	const unsigned vector = el != 0 ? vector_el(self, core, va, cpsr >> 2 & 3) : 0;

	if (vector != 0 && vector == (cpsr >> 2 & 3) && (excepted || !next->any) &&
	    settle_exception(self, index, vector, va))
		return va;
	if (!next->any)
		return settle_unknown(self, index);
	return settle_at(self, index, next->executed, next->any_end, va);
}

/* The most frequent ends, where the offset into the page says it all. FALSE where it
 * takes more than that, and nothing is settled. */
static bool settle_quickly(struct flow *self, unsigned index, unsigned offset, uint64_t *va)
{
	const struct flow_core *core = &self->cores[index];
	const struct flow_block *block = core->block;
	const uint64_t behind_va = core->va + 4u * block->n;
	const uint64_t target_va = behind_va - 4 + (uint64_t)(int64_t)block->last.offset_bytes;
	const bool is_behind = (behind_va & PAGE_MASK) == offset;
	const bool is_target = (target_va & PAGE_MASK) == offset;

	/* A vector may have the same offset. */
	if (offset % VECTOR_BYTES == 0 || core->cut != 0)
		return false;
	if (block->last.kind == A64_PLAIN && is_behind) {
		tell_run(self, index, block->n, FLOW_END_NONE, behind_va);
		*va = behind_va;
	} else if (block->last.kind == A64_CONDITIONAL && is_behind != is_target) {
		*va = is_target ? target_va : behind_va;
		tell_run(self, index, block->n, is_target ? FLOW_END_TAKEN : FLOW_END_NOT_TAKEN,
		         *va);
	} else if (block->last.kind == A64_DIRECT && is_target) {
		tell_run(self, index, block->n, FLOW_END_TAKEN, target_va);
		*va = target_va;
	} else {
		return false;
	}
	return true;
}

/* Settles the block before, now that `block` begins. Returns where it begins. */
static uint64_t settle(struct flow *self, unsigned index, const struct flow_block *block)
{
	const struct flow_core *core = &self->cores[index];
	const unsigned offset = block->translated_va & PAGE_MASK;
	uint64_t quick_va;
	struct successors next;
	unsigned matching = 0, match = 0;

	if (settle_quickly(self, index, offset, &quick_va))
		return quick_va;
	successors_of(core, &next);
	for (unsigned i = 0; i < next.n; i++) {
		if ((next.list[i].va & PAGE_MASK) == offset) {
			matching++;
			match = i;
		}
	}
	/* The offset into the page is known for certain; a vector may have the same. */
	if (matching == 1 && offset % VECTOR_BYTES != 0)
		return settle_at(self, index, next.executed, next.list[match].end,
		                 next.list[match].va);
	return settle_by_pc(self, index, &next);
}

/* Bookkeeping of time and turns before a block of `index` is settled. */
static void begin_time(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];
	const struct flow_block *block = core->block;
	const bool turned = self->running != index;

	if (turned)
		self->cores[self->running].stop_insns = self->insns;
	self->running = index;
	if (block == NULL)
		return;
	core->ended_insns = turned ? core->stop_insns : self->insns;
	core->resumes = turned;
}

static void begin_block(struct flow *self, unsigned index, struct flow_block *block, uint64_t va)
{
	struct flow_core *core = &self->cores[index];

	core->block = block;
	core->va = va;
	core->cut = 0;
	core->eret_known = false;
	core->excepted = false;
	core->present = true;
	core->waiting = block->last.kind == A64_WFI || block->last.kind == A64_CALL;
	core->begun_insns = self->insns;
	core->begun_ns = self->time_certain ? flow_ns_at(self, self->insns) : 0;
	self->insns += block->n;
}

void flow_begin(struct flow *self, unsigned index, struct flow_block *block)
{
	struct flow_core *core = &self->cores[index];
	uint64_t va;

	begin_time(self, index);
	if (core->foreign) {
		const bool maybe_vector = (block->translated_va & (VECTOR_BYTES - 1)) == 0;

		if (!maybe_vector || (read_register(self, index, FLOW_CPSR) & CPSR_AARCH32) != 0) {
			self->insns += block->n;
			return;
		}
		core->foreign = false;
	}
	va = core->block == NULL ? start_core(self, index) : settle(self, index, block);
	tell_resume(self, index);
	if (core->foreign)
		self->insns += block->n;
	else
		begin_block(self, index, block, va);
}

void flow_begin_unfollowed(struct flow *self, unsigned index, struct flow_block *block)
{
	struct flow_core *core = &self->cores[index];
	const struct flow_block *before = core->block;

	begin_time(self, index);
	if (before != NULL) {
		const uint64_t behind = before->translated_va + 4u * before->n;

		flow_end_wait(self, before);
		if ((before->effects & A64_WRITES_CNTVOFF) != 0)
			core->cntvoff = read_register(self, index, FLOW_CNTVOFF_EL2);
		/* A counter read that trapped did not reach what is behind it. */
		if (((behind ^ block->translated_va) & PAGE_MASK) == 0)
			take_counter_read(self, index, before);
	}
	begin_block(self, index, block, 0);
}

void flow_eret(struct flow *self, unsigned index)
{
	struct flow_core *core = &self->cores[index];

	if (core->block == NULL || core->context.el == 0)
		return;
	core->eret_va = read_banked(self, index, FLOW_ELR, core->context.el);
	core->eret_known = true;
}

void flow_exception_taken(struct flow *self, unsigned index)
{
	self->cores[index].excepted = true;
}

void flow_access(struct flow *self, unsigned index, struct flow_block *block)
{
	struct flow_core *core = &self->cores[index];

	if (core->block == NULL || core->block == block)
		return;

	const unsigned first = core->block->translated_va & PAGE_MASK;
	const unsigned offset = block->translated_va & PAGE_MASK;

	if (offset < first || (offset - first) / 4 >= core->block->n)
		return;
	core->cut = (offset - first) / 4 + 1;
	self->n_mmio_restarts++;
}

void flow_forget(struct flow *self)
{
	for (unsigned i = 0; i < self->n_cores; i++) {
		self->cores[i].block = NULL;
		self->cores[i].cut = 0;
		self->cores[i].foreign = false;
	}
}

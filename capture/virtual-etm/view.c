/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/view.h"

/* EXLEVEL fields exclude an exception level where its bit is set; S has EL0 to EL3, NS
 * EL0 to EL2. */
static bool level_excluded(uint32_t exlevel_s, uint32_t exlevel_ns,
                           const struct flow_context *context)
{
	const uint32_t levels = context->non_secure ? exlevel_ns : exlevel_s;

	return (levels >> context->el & 1) != 0;
}

static bool comparator_applies(const struct view_registers *registers, unsigned index,
                               const struct flow_context *context)
{
	const uint32_t acatr = registers->acatr[index];

	if (level_excluded(acatr >> 8 & 15, acatr >> 12 & 7, context))
		return false;
	if ((acatr & VIEW_CONTEXT_CID) != 0 && registers->cidcvr != context->context_id)
		return false;
	return (acatr & VIEW_CONTEXT_VMID) == 0 || registers->vmidcvr == context->vmid;
}

/* The ranges of the selected pairs (a bit each) that match in the context. */
static unsigned resolve_pairs(const struct view_registers *registers, uint32_t pairs,
                              const struct flow_context *context, struct view_range *ranges)
{
	unsigned n = 0;

	for (unsigned pair = 0; pair < VIEW_COMPARATORS / 2; pair++) {
		if ((pairs >> pair & 1) == 0 || !comparator_applies(registers, 2 * pair, context))
			continue;
		ranges[n].first_va = registers->acvr[2 * pair];
		ranges[n].last_va = registers->acvr[2 * pair + 1];
		n++;
	}
	return n;
}

void view_resolve(struct view *self, const struct view_registers *registers,
                  const struct flow_context *context)
{
	self->excluded =
		level_excluded(registers->victlr >> 16 & 15, registers->victlr >> 20 & 7, context);
	self->has_includes = (registers->viiectlr & 0xFF) != 0;
	self->n_include =
		resolve_pairs(registers, registers->viiectlr & 0xFF, context, self->include);
	self->n_exclude =
		resolve_pairs(registers, registers->viiectlr >> 16 & 0xFF, context, self->exclude);
	self->everything = !self->excluded && !self->has_includes && self->n_exclude == 0;
}

static bool touches(const struct view_range *ranges, unsigned n_ranges, uint64_t first_va,
                    uint64_t last_va)
{
	for (unsigned i = 0; i < n_ranges; i++) {
		if (first_va <= ranges[i].last_va && last_va >= ranges[i].first_va)
			return true;
	}
	return false;
}

static bool passes_one(const struct view *self, uint64_t va)
{
	return (!self->has_includes || touches(self->include, self->n_include, va, va)) &&
	       !touches(self->exclude, self->n_exclude, va, va);
}

bool view_passes(const struct view *self, uint64_t va, unsigned n)
{
	const uint64_t last_va = va + 4u * (n - 1u);

	if (self->excluded)
		return false;
	if (self->has_includes && !touches(self->include, self->n_include, va, last_va))
		return false;
	if (!touches(self->exclude, self->n_exclude, va, last_va))
		return true;
	for (unsigned i = 0; i < n; i++) {
		if (passes_one(self, va + 4u * i))
			return true;
	}
	return false;
}

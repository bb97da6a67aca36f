/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/flow-time.h"

uint64_t flow_ns_at(const struct flow *self, uint64_t insns)
{
	return (uint64_t)(self->base_ns + (int64_t)(insns << self->shift));
}

uint64_t flow_time_ns(const struct flow *self)
{
	return flow_ns_at(self, self->insns);
}

uint64_t flow_time_ticks(const struct flow *self)
{
	return flow_ns_at(self, self->insns) / self->tick_ns;
}

uint64_t flow_ticks_at(const struct flow *self, uint64_t insns)
{
	return flow_ns_at(self, insns) / self->tick_ns;
}

uint64_t flow_told_ticks(const struct flow *self, unsigned core)
{
	return self->cores[core].begun_ns / self->tick_ns;
}

bool flow_time_known(const struct flow *self)
{
	return self->time_certain;
}

void flow_correct_time(struct flow *self, uint64_t counter, uint64_t at_insns)
{
	const int64_t ns = self->base_ns + (int64_t)(at_insns << self->shift);

	if (ns < 0 || (uint64_t)ns / self->tick_ns != counter) {
		const int64_t by = (int64_t)(counter * self->tick_ns) - ns;
		const uint64_t size = (uint64_t)(by < 0 ? -by : by);

		self->base_ns += by;
		if (self->time_certain) {
			self->n_corrections++;
			if (size > self->correction_max_ns)
				self->correction_max_ns = size;
		}
	}
	if (!self->time_certain) {
		self->time_certain = true;
		self->listener.time_known(self->listener.data);
	}
}

void flow_end_wait(struct flow *self, const struct flow_block *block)
{
	if (block->last.kind != A64_WFI)
		return;
	for (unsigned i = 0; i < self->n_cores; i++) {
		if (self->cores[i].present && !self->cores[i].waiting)
			return;
	}
	self->time_certain = false;
}

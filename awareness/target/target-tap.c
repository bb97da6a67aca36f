#include "awareness/target/target-tap.h"

#include "awareness/target/target-private.h"

#include <stdlib.h>
#include <string.h>

enum {
	SLICE_MS = 50,          /* how long a wait looks away from `halt` */
	REGISTERS_BYTES = 4096, /* of one core, as they cross a link */
};

struct target_tap {
	struct target target;
	struct target *behind;
	struct target_tap_control *control;
	struct target_tap_link link;
	uint64_t waited_us;
	uint64_t *registers_epoch; /* of each core: the stop whose registers were paid for */
};

static gboolean may_go_on(struct target_tap *self, GError **error)
{
	if (g_atomic_int_get(&self->control->cancel) == 0)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK, "cancelled");
	return FALSE;
}

/* Passes on what a call behind came to. */
static gboolean watch(struct target_tap *self, gboolean done, GError **error)
{
	if (!done && error != NULL && g_error_matches(*error, TARGET_ERROR, TARGET_ERROR_LINK))
		g_atomic_int_set(&self->control->lost, 1);
	return done;
}

static void pay(struct target_tap *self, uint64_t n_pieces, uint64_t len_bytes)
{
	uint64_t cost_us = n_pieces * self->link.latency_us;

	if (self->link.bytes_per_s > 0)
		cost_us += len_bytes * G_USEC_PER_SEC / self->link.bytes_per_s;
	self->waited_us += cost_us;
	if (cost_us > 0)
		g_usleep(cost_us);
}

/* Prefetches throw their errors away, which must not hide a lost link. */
static gboolean read_behind(struct target_tap *self, struct target_transfer *transfers,
                            size_t n_transfers, GError **error)
{
	g_autoptr(GError) failed = NULL;

	if (watch(self, target_read(self->behind, transfers, n_transfers, &failed), &failed))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&failed));
	return FALSE;
}

static gboolean tap_read(struct target *target, struct target_transfer *transfers,
                         size_t n_transfers, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	if (self->link.latency_us == 0 && self->link.bytes_per_s == 0) {
		if (!may_go_on(self, error) || !read_behind(self, transfers, n_transfers, error))
			return FALSE;
	}
	/* A slow link takes them one by one, so that a cancel need not wait for all. */
	for (size_t i = 0; i < n_transfers; i++) {
		if (self->link.latency_us != 0 || self->link.bytes_per_s != 0) {
			if (!may_go_on(self, error) || !read_behind(self, &transfers[i], 1, error))
				return FALSE;
			pay(self, 1, transfers[i].len_bytes);
		}
		self->control->byte_count += transfers[i].len_bytes;
		g_atomic_int_inc(&self->control->reads);
	}
	g_atomic_int_set(&self->control->kilobytes, (gint)(self->control->byte_count / 1024));
	return TRUE;
}

static gboolean tap_write(struct target *target, struct target_transfer *transfers,
                          size_t n_transfers, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	for (size_t i = 0; i < n_transfers; i++) {
		g_autoptr(GError) refused = NULL;

		if (!may_go_on(self, error))
			return FALSE;
		transfers[i].ok = target_write(self->behind, &transfers[i], 1, &refused);
		if (refused != NULL &&
		    !g_error_matches(refused, TARGET_ERROR, TARGET_ERROR_MEMORY)) {
			g_propagate_error(error, g_steal_pointer(&refused));
			return FALSE;
		}
		pay(self, 1, transfers[i].len_bytes);
	}
	return TRUE;
}

static gboolean tap_register_get(struct target *target, unsigned cpu, const char *name,
                                 struct target_register *out, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	if (!may_go_on(self, error))
		return FALSE;
	if (self->registers_epoch[cpu] != target->epoch + 1) {
		self->registers_epoch[cpu] = target->epoch + 1;
		pay(self, 1, REGISTERS_BYTES);
	}
	{
		g_autoptr(GError) failed = NULL;

		if (watch(self, target_register_get(self->behind, cpu, name, out, &failed),
		          &failed))
			return TRUE;
		g_propagate_error(error, g_steal_pointer(&failed));
		return FALSE;
	}
}

/* The target in front reads it back, but this one already knows whether it was taken. */
static gboolean tap_register_set(struct target *target, unsigned cpu, const char *name,
                                 const struct target_register *value, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	return may_go_on(self, error) && target_register_set(self->behind, cpu, name, value, error);
}

static gboolean tap_halt(struct target *target, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	if (!watch(self, target_halt(self->behind, error), error))
		return FALSE;
	target->running = target_is_running(self->behind);
	return TRUE;
}

static gboolean tap_resume(struct target *target, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	if (!may_go_on(self, error) || !watch(self, target_continue(self->behind, error), error))
		return FALSE;
	g_atomic_int_set(&self->control->running, 1);
	return TRUE;
}

static gboolean tap_step(struct target *target, unsigned cpu, GError **error)
{
	struct target_tap *self = (struct target_tap *)target;

	return may_go_on(self, error) && target_step(self->behind, cpu, error);
}

static gboolean tap_wait(struct target *target, unsigned timeout_ms, struct target_stop *out,
                         GError **error)
{
	struct target_tap *self = (struct target_tap *)target;
	gint64 end_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	struct target_stop stop;

	do {
		if (g_atomic_int_compare_and_exchange(&self->control->halt, 1, 0)) {
			stop = (struct target_stop) { .reason = TARGET_STOP_HALT };
			if (!tap_halt(target, error))
				return FALSE;
			break;
		}
		if (!watch(self, target_wait(self->behind, MIN(timeout_ms, SLICE_MS), &stop, error),
		           error))
			return FALSE;
	} while (stop.reason == TARGET_STOP_NONE && g_get_monotonic_time() < end_us);
	target->running = target_is_running(self->behind);
	g_atomic_int_set(&self->control->running, target->running);
	*out = stop;
	return TRUE;
}

static gboolean tap_break_change(struct target *target, const struct target_break *what,
                                 gboolean set, GError **error)
{
	struct target *behind = ((struct target_tap *)target)->behind;

	return set ? target_break_set(behind, what, error)
	           : target_break_clear(behind, what, error);
}

static void tap_free(struct target *target)
{
	struct target_tap *self = (struct target_tap *)target;

	target_free(self->behind);
	target_base_deinit(target);
	g_free(self->registers_epoch);
	g_free(self);
}

static const struct target_ops tap_ops = {
	.read = tap_read,
	.write = tap_write,
	.register_get = tap_register_get,
	.register_set = tap_register_set,
	.halt = tap_halt,
	.resume = tap_resume,
	.step = tap_step,
	.wait = tap_wait,
	.break_change = tap_break_change,
	.free = tap_free,
};

struct target *target_tap_new(struct target *behind, struct target_tap_control *control,
                              const struct target_tap_link *link)
{
	struct target_tap *self = g_new0(struct target_tap, 1);
	const char *const *names = target_register_names(behind);
	size_t n_regions;
	const struct target_region *regions = target_regions(behind, &n_regions);

	target_base_init(&self->target, &tap_ops, target_describe(behind));
	self->behind = behind;
	self->control = control;
	self->link = *link;
	self->target.capabilities = target_capabilities(behind);
	self->target.n_cpus = target_cpu_count(behind);
	self->target.line_bytes =
		link->line_bytes != 0 ? link->line_bytes : target_line_bytes(behind);
	self->target.running = target_is_running(behind);
	self->registers_epoch = g_new0(uint64_t, self->target.n_cpus);
	g_array_append_vals(self->target.regions, regions, (guint)n_regions);
	for (gsize i = 0; names[i] != NULL; i++)
		g_ptr_array_add(self->target.register_names, g_strdup(names[i]));
	target_base_seal(&self->target);
	return &self->target;
}

uint64_t target_tap_waited_us(const struct target *self)
{
	return ((const struct target_tap *)self)->waited_us;
}

const char *target_tap_parse(const char *spec, struct target_tap_link *link)
{
	unsigned long latency_ms, kilobytes;
	char *end;

	*link = (struct target_tap_link) { 0 };
	if (!g_str_has_prefix(spec, "slow:") || !g_ascii_isdigit(spec[5]))
		return spec;
	latency_ms = strtoul(spec + 5, &end, 10);
	if (*end != ':' || !g_ascii_isdigit(end[1]) || latency_ms > 1000)
		return spec;
	kilobytes = strtoul(end + 1, &end, 10);
	if (*end != ':' || kilobytes == 0 || kilobytes > 1000000)
		return spec;
	link->latency_us = (unsigned)latency_ms * 1000;
	link->bytes_per_s = (unsigned)kilobytes * 1000;
	return end + 1;
}

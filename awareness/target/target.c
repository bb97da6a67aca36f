#include "awareness/target/target.h"
#include "awareness/target/target-private.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - target - error, target_error)

void target_base_init(struct target *self, const struct target_ops *ops, const char *description)
{
	*self = (struct target) {
		.ops = ops,
		.description = g_strdup(description),
		.line_bytes = 64,
		.regions = g_array_new(FALSE, FALSE, sizeof(struct target_region)),
		.register_names = g_ptr_array_new_with_free_func(g_free),
		.register_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.epoch = 1,
	};
}

void target_base_deinit(struct target *self)
{
	g_clear_pointer(&self->description, g_free);
	g_clear_pointer(&self->regions, g_array_unref);
	g_clear_pointer(&self->register_index, g_hash_table_unref);
	g_clear_pointer(&self->register_names, g_ptr_array_unref);
}

static int compare_regions(gconstpointer a, gconstpointer b)
{
	const struct target_region *left = a;
	const struct target_region *right = b;

	return (left->base.value > right->base.value) - (left->base.value < right->base.value);
}

static void join_regions(GArray *regions)
{
	guint n_kept = 0;

	g_array_sort(regions, compare_regions);
	for (guint i = 0; i < regions->len; i++) {
		struct target_region *next = &g_array_index(regions, struct target_region, i);
		struct target_region *last =
			n_kept > 0 ? &g_array_index(regions, struct target_region, n_kept - 1)
				   : NULL;
		uint64_t gap = last != NULL ? next->base.value - last->base.value : 0;

		if (last != NULL && gap <= last->len_bytes) {
			if (next->len_bytes > last->len_bytes - gap)
				last->len_bytes = gap + next->len_bytes;
		} else {
			g_array_index(regions, struct target_region, n_kept++) = *next;
		}
	}
	g_array_set_size(regions, n_kept);
}

void target_base_seal(struct target *self)
{
	join_regions(self->regions);
	for (guint i = 0; i < self->register_names->len; i++) {
		char *name = g_ptr_array_index(self->register_names, i);

		g_hash_table_replace(self->register_index, g_ascii_strdown(name, -1), name);
	}
	g_ptr_array_add(self->register_names, NULL);
}

struct target *target_open(const char *spec, GError **error)
{
	static const struct {
		const char *prefix;
		struct target *(*open)(const char *where, GError **error);
	} kinds[] = {
		{ "gdb:", target_gdb_open },
		{ "openocd:", target_openocd_open },
		{ "core:", target_core_open },
		{ "ram:", target_ram_open },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_prefix(spec, kinds[i].prefix))
			return kinds[i].open(spec + strlen(kinds[i].prefix), error);
	}
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_SPEC,
	            "cannot open the target '%s': it must be gdb:HOST:PORT, gdb:unix:PATH, "
	            "openocd:HOST:PORT, core:FILE or ram:FILE+STATE",
	            spec);
	return NULL;
}

void target_free(struct target *self)
{
	if (self != NULL)
		self->ops->free(self);
}

const char *target_describe(const struct target *self)
{
	return self->description;
}

unsigned target_capabilities(const struct target *self)
{
	return self->capabilities;
}

unsigned target_cpu_count(const struct target *self)
{
	return self->n_cpus;
}

const struct target_region *target_regions(const struct target *self, size_t *n_regions)
{
	*n_regions = self->regions->len;
	return (const struct target_region *)(gpointer)self->regions->data;
}

gboolean target_is_ram(const struct target *self, struct pa pa, uint64_t len_bytes)
{
	if (self->regions->len == 0)
		return TRUE;
	for (guint i = 0; i < self->regions->len; i++) {
		const struct target_region *region =
			&g_array_index(self->regions, struct target_region, i);
		uint64_t offset = pa.value - region->base.value;

		if (pa.value >= region->base.value && offset <= region->len_bytes &&
		    len_bytes <= region->len_bytes - offset)
			return TRUE;
	}
	return FALSE;
}

unsigned target_line_bytes(const struct target *self)
{
	return self->line_bytes;
}

static gboolean unsupported(const struct target *self, const char *what, GError **error)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_UNSUPPORTED,
	            "cannot %s: the target %s does not allow it", what, self->description);
	return FALSE;
}

/* A file does not run, so only what may be halted at this moment must be. */
static gboolean check_halted(const struct target *self, const char *what, GError **error)
{
	if (!self->running)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_UNSUPPORTED,
	            "cannot %s: the target %s is running; halt it first", what, self->description);
	return FALSE;
}

gboolean target_read(struct target *self, struct target_transfer *transfers, size_t n_transfers,
                     GError **error)
{
	if (!check_halted(self, "read memory", error))
		return FALSE;
	for (size_t i = 0; i < n_transfers; i++) {
		g_return_val_if_fail(transfers[i].len_bytes > 0, FALSE);
		transfers[i].ok = FALSE;
		if (transfers[i].pa.value + (transfers[i].len_bytes - 1) < transfers[i].pa.value) {
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_MEMORY,
			            "cannot read %" G_GSIZE_FORMAT
			            " bytes at pa:0x%" G_GINT64_MODIFIER
			            "x: that is past the end of the address space",
			            transfers[i].len_bytes, transfers[i].pa.value);
			return FALSE;
		}
	}
	if (!self->ops->read(self, transfers, n_transfers, error))
		return FALSE;
	for (size_t i = 0; i < n_transfers; i++) {
		self->cost.reads++;
		self->cost.bytes_read += transfers[i].ok ? transfers[i].len_bytes : 0;
		self->cost.failed_reads += transfers[i].ok ? 0 : 1;
	}
	return TRUE;
}

gboolean target_write(struct target *self, const struct target_transfer *transfers,
                      size_t n_transfers, GError **error)
{
	g_autofree struct target_transfer *copy = NULL;
	gboolean done;

	if ((self->capabilities & TARGET_CAN_WRITE_MEMORY) == 0)
		return unsupported(self, "write memory", error);
	if (!check_halted(self, "write memory", error))
		return FALSE;
	copy = g_memdup2(transfers, n_transfers * sizeof(*transfers));
	done = self->ops->write(self, copy, n_transfers, error);
	self->epoch++;
	for (size_t i = 0; done && i < n_transfers; i++) {
		if (copy[i].ok)
			continue;
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_MEMORY,
		            "cannot write %" G_GSIZE_FORMAT " bytes at pa:0x%" G_GINT64_MODIFIER
		            "x: the target %s refused",
		            copy[i].len_bytes, copy[i].pa.value, self->description);
		done = FALSE;
	}
	return done;
}

const char *const *target_register_names(const struct target *self)
{
	return (const char *const *)self->register_names->pdata;
}

/* The target's own name, or NULL. Only _EL1 is ever left out (QEMU: `SCTLR` is
 * SCTLR_EL1), so that no name of EL2 can end at a register of EL1. */
static const char *find_register(const struct target *self, const char *name)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	const char *own = g_hash_table_lookup(self->register_index, lower);

	if (own == NULL && g_str_has_suffix(lower, "_el1")) {
		lower[strlen(lower) - 4] = '\0';
		own = g_hash_table_lookup(self->register_index, lower);
	} else if (own == NULL && strcmp(lower, "fp") == 0) {
		own = g_hash_table_lookup(self->register_index, "x29");
	} else if (own == NULL && strcmp(lower, "lr") == 0) {
		own = g_hash_table_lookup(self->register_index, "x30");
	}
	return own;
}

static const char *check_register(const struct target *self, unsigned cpu, const char *name,
                                  GError **error)
{
	const char *own = find_register(self, name);

	if (cpu >= self->n_cpus)
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER,
		            "cannot reach register %s of core %u: the target %s has %u cores", name,
		            cpu, self->description, self->n_cpus);
	else if (own == NULL)
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER,
		            "the target %s has no register %s", self->description, name);
	return cpu < self->n_cpus ? own : NULL;
}

gboolean target_register_get(struct target *self, unsigned cpu, const char *name,
                             struct target_register *out, GError **error)
{
	const char *own = check_register(self, cpu, name, error);
	struct target_register value = { 0 };

	if (own == NULL || !check_halted(self, "read registers", error))
		return FALSE;
	self->cost.register_reads++;
	if (!self->ops->register_get(self, cpu, own, &value, error))
		return FALSE;
	*out = value;
	return TRUE;
}

gboolean target_register_set(struct target *self, unsigned cpu, const char *name,
                             const struct target_register *value, GError **error)
{
	const char *own = check_register(self, cpu, name, error);
	struct target_register back = { 0 };

	if (own == NULL || !check_halted(self, "write registers", error))
		return FALSE;
	if ((self->capabilities & TARGET_CAN_WRITE_REGISTERS) == 0)
		return unsupported(self, "write registers", error);
	if (!self->ops->register_set(self, cpu, own, value, error))
		return FALSE;
	self->epoch++;
	if (!self->ops->register_get(self, cpu, own, &back, error))
		return FALSE;
	if (back.low == value->low && back.high == value->high)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED,
	            "wrote 0x%" G_GINT64_MODIFIER "x to %s of core %u, the target %s accepted it, "
	            "but it reads back as 0x%" G_GINT64_MODIFIER "x: this target ignores the write",
	            value->low, name, cpu, self->description, back.low);
	return FALSE;
}

uint64_t target_epoch(const struct target *self)
{
	return self->epoch;
}

struct target_cost target_cost(const struct target *self)
{
	return self->cost;
}

gboolean target_is_running(const struct target *self)
{
	return self->running;
}

gboolean target_halt(struct target *self, GError **error)
{
	if (!self->running)
		return TRUE;
	return self->ops->halt(self, error);
}

gboolean target_continue(struct target *self, GError **error)
{
	if ((self->capabilities & TARGET_CAN_RUN) == 0)
		return unsupported(self, "run", error);
	if (!check_halted(self, "continue", error) || !self->ops->resume(self, error))
		return FALSE;
	self->epoch++;
	self->running = TRUE;
	return TRUE;
}

gboolean target_step(struct target *self, unsigned cpu, GError **error)
{
	if ((self->capabilities & TARGET_CAN_RUN) == 0)
		return unsupported(self, "step", error);
	if (!check_halted(self, "step", error))
		return FALSE;
	self->epoch++;
	return self->ops->step(self, cpu, error);
}

gboolean target_wait(struct target *self, unsigned timeout_ms, struct target_stop *out,
                     GError **error)
{
	if (!self->running) {
		*out = (struct target_stop) { .reason = TARGET_STOP_HALT };
		return TRUE;
	}
	return self->ops->wait(self, timeout_ms, out, error);
}

static gboolean change_break(struct target *self, const struct target_break *what, gboolean set,
                             GError **error)
{
	unsigned needed = what->kind == TARGET_BREAK_SOFTWARE || what->kind == TARGET_BREAK_HARDWARE
	                          ? TARGET_CAN_BREAK
	                          : TARGET_CAN_WATCH;

	if ((self->capabilities & needed) == 0)
		return unsupported(
			self, needed == TARGET_CAN_BREAK ? "set a breakpoint" : "set a watchpoint",
			error);
	return check_halted(self, "change breakpoints", error) &&
	       self->ops->break_change(self, what, set, error);
}

gboolean target_break_set(struct target *self, const struct target_break *what, GError **error)
{
	return change_break(self, what, TRUE, error);
}

gboolean target_break_clear(struct target *self, const struct target_break *what, GError **error)
{
	return change_break(self, what, FALSE, error);
}

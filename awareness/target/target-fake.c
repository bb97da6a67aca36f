#include "awareness/target/target-fake.h"
#include "awareness/target/target-frozen.h"

#include <string.h>

struct fake_stop {
	struct target_stop stop;
	void (*registers_changed)(struct target *target, gpointer data);
	gpointer data;
};

struct target_fake {
	struct target_frozen frozen;
	GPtrArray *memory; /* of g_malloc'ed bytes */
	GQueue stops;      /* of struct fake_stop *, first out first */
	GArray *recorded;  /* of struct target_region; NULL until asked for */
	unsigned fail_every;
	unsigned n_reads;
	struct target_break last_break;
};

static gboolean fake_read(struct target *target, struct target_transfer *transfers,
                          size_t n_transfers, GError **error)
{
	struct target_fake *self = (struct target_fake *)target;

	if (!target_frozen_read(target, transfers, n_transfers, error))
		return FALSE;
	for (size_t i = 0; i < n_transfers; i++) {
		struct target_region piece = { transfers[i].pa, transfers[i].len_bytes };

		if (self->recorded != NULL)
			g_array_append_val(self->recorded, piece);
		if (self->fail_every != 0 && ++self->n_reads % self->fail_every == 0)
			transfers[i].ok = FALSE;
	}
	return TRUE;
}

static gboolean fake_resume(struct target *target, GError **error)
{
	(void)target;
	(void)error;
	return TRUE;
}

static gboolean fake_halt(struct target *target, GError **error)
{
	(void)error;
	target->running = FALSE;
	return TRUE;
}

static gboolean fake_step(struct target *target, unsigned cpu, GError **error)
{
	struct target_register pc;

	if (!target_frozen_register_get(target, cpu, "pc", &pc, error))
		return FALSE;
	pc.low += 4;
	return target_frozen_register_set(target, cpu, "pc", &pc, error);
}

static gboolean fake_wait(struct target *target, unsigned timeout_ms, struct target_stop *out,
                          GError **error)
{
	struct target_fake *self = (struct target_fake *)target;
	struct fake_stop *next = g_queue_pop_head(&self->stops);

	(void)timeout_ms;
	(void)error;
	if (next == NULL) {
		*out = (struct target_stop) { .reason = TARGET_STOP_NONE };
		return TRUE;
	}
	target->running = FALSE;
	if (next->registers_changed != NULL)
		next->registers_changed(target, next->data);
	*out = next->stop;
	g_free(next);
	return TRUE;
}

static gboolean fake_break_change(struct target *target, const struct target_break *what,
                                  gboolean set, GError **error)
{
	struct target_fake *self = (struct target_fake *)target;

	(void)error;
	if (set)
		self->last_break = *what;
	return TRUE;
}

static void fake_free(struct target *target)
{
	struct target_fake *self = (struct target_fake *)target;

	g_queue_clear_full(&self->stops, g_free);
	g_ptr_array_unref(self->memory);
	g_clear_pointer(&self->recorded, g_array_unref);
	target_frozen_deinit(&self->frozen);
	g_free(self);
}

static const struct target_ops fake_ops = {
	.read = fake_read,
	.write = target_frozen_write,
	.register_get = target_frozen_register_get,
	.register_set = target_frozen_register_set,
	.halt = fake_halt,
	.resume = fake_resume,
	.step = fake_step,
	.wait = fake_wait,
	.break_change = fake_break_change,
	.free = fake_free,
};

void target_fake_compare_vmid(struct target *target)
{
	target->capabilities |= TARGET_CAN_BREAK_VMID;
}

const struct target_break *target_fake_last_break(struct target *target)
{
	return &((struct target_fake *)target)->last_break;
}

struct target *target_fake_new(unsigned n_cpus)
{
	struct target_fake *self = g_new0(struct target_fake, 1);

	target_frozen_init(&self->frozen, &fake_ops, "fake");
	self->frozen.target.capabilities = TARGET_CAN_WRITE_MEMORY | TARGET_CAN_WRITE_REGISTERS |
	                                   TARGET_CAN_RUN | TARGET_CAN_BREAK | TARGET_CAN_WATCH;
	self->memory = g_ptr_array_new_with_free_func(g_free);
	g_queue_init(&self->stops);
	for (unsigned i = 0; i < n_cpus; i++)
		register_file_add_cpu(&self->frozen.registers);
	return &self->frozen.target;
}

uint8_t *target_fake_add_memory(struct target *target, struct pa base, uint64_t len_bytes)
{
	struct target_fake *self = (struct target_fake *)target;
	uint8_t *bytes = g_malloc0(len_bytes);

	g_ptr_array_add(self->memory, bytes);
	target_frozen_add(&self->frozen, base, bytes, len_bytes);
	return bytes;
}

void target_fake_set_register(struct target *target, unsigned cpu, const char *name, uint64_t value)
{
	struct target_fake *self = (struct target_fake *)target;
	struct target_register wide = { .low = value };

	register_file_set(&self->frozen.registers,
	                  g_ptr_array_index(self->frozen.registers.cpus, cpu), name, &wide);
}

void target_fake_seal(struct target *target)
{
	target_frozen_seal(&((struct target_fake *)target)->frozen);
}

void target_fake_fail_every(struct target *target, unsigned n)
{
	((struct target_fake *)target)->fail_every = n;
}

void target_fake_record(struct target *target)
{
	struct target_fake *self = (struct target_fake *)target;

	g_clear_pointer(&self->recorded, g_array_unref);
	self->recorded = g_array_new(FALSE, FALSE, sizeof(struct target_region));
}

const GArray *target_fake_recorded(struct target *target)
{
	return ((struct target_fake *)target)->recorded;
}

void target_fake_push_stop(struct target *target, const struct target_stop *stop,
                           void (*registers_changed)(struct target *target, gpointer data),
                           gpointer data)
{
	struct target_fake *self = (struct target_fake *)target;
	struct fake_stop *copy = g_new0(struct fake_stop, 1);

	copy->stop = *stop;
	copy->registers_changed = registers_changed;
	copy->data = data;
	g_queue_push_tail(&self->stops, copy);
}

void target_fake_poke_register(struct target *target, unsigned cpu, const char *name,
                               uint64_t value)
{
	target_fake_set_register(target, cpu, name, value);
	target->epoch++;
}

/* Memory that lies, on the frozen Xen of the data: whatever is wrong with it, the
 * awareness ends, says what it could not see, and still shows the rest. */
#include "tests/awareness/dump-scene.h"

#include <string.h>

/* Everything that one machine shows, as text. */
static char *picture_of(struct scene *s, struct machine *machine)
{
	GString *text = g_string_new(machine->name);
	GPtrArray *tasks = system_tasks(s->system, machine);

	for (guint i = 0; i < machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);

		for (guint n = 0; n < vcpu->registers.values->len; n++) {
			const struct register_value *value =
				&g_array_index(vcpu->registers.values, struct register_value, n);

			g_string_append_printf(text, " %s=%" G_GINT64_MODIFIER "x", value->name,
			                       value->value);
		}
	}
	for (guint i = 0; i < tasks->len; i++) {
		const struct task *task = g_ptr_array_index(tasks, i);

		g_string_append_printf(text, " %" G_GINT64_FORMAT ":%s:%s:%" G_GINT64_MODIFIER "x",
		                       task->tid, task->name, task_state_letter(task->state),
		                       task->table.value);
	}
	return g_string_free(text, FALSE);
}

static GPtrArray *pictures(struct scene *s)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *machines = system_machines(s->system);

	for (guint i = 0; i < machines->len; i++)
		g_ptr_array_add(all, picture_of(s, g_ptr_array_index(machines, i)));
	return all;
}

static unsigned count_gaps(struct scene *s)
{
	GPtrArray *machines = system_machines(s->system);
	unsigned n = 0;

	for (guint i = 0; i < machines->len; i++)
		n += ((struct machine *)g_ptr_array_index(machines, i))->gaps->len;
	return n;
}

/* Everything again after the memory was touched. A refusal is an answer too. */
static gboolean look_again(struct scene *s)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) all = NULL;

	target_fake_poke_register(s->target, 0, "PAR_EL1", 0);
	if (!system_refresh(s->system, &error)) {
		g_assert_nonnull(error);
		return FALSE;
	}
	all = pictures(s);
	g_assert_nonnull(all);
	return TRUE;
}

static void test_cost(void)
{
	struct scene s = { 0 };
	struct target_cost cost;
	g_autoptr(GPtrArray) all = NULL;

	if (!scene_init(&s))
		return;
	all = pictures(&s);
	g_assert_nonnull(all);
	cost = target_cost(s.target);
	g_test_message("%" G_GUINT64_FORMAT " reads, %" G_GUINT64_FORMAT " bytes", cost.reads,
	               cost.bytes_read);
	g_assert_cmpuint(cost.reads, <=, 600);
	g_assert_cmpuint(cost.bytes_read, <=, 300 * 1024);
	g_assert_cmpuint(cost.failed_reads, ==, 0);
	scene_deinit(&s);
}

static void test_failing_reads(void)
{
	struct scene s = { 0 };
	g_autoptr(GPtrArray) whole = NULL;
	unsigned n_quiet = 0;

	if (!scene_init(&s))
		return;
	whole = pictures(&s);
	for (unsigned n = 2; n < 300; n += n < 40 ? 1 : 13) {
		g_autoptr(GPtrArray) some = NULL;

		target_fake_fail_every(s.target, n);
		if (!look_again(&s))
			continue;
		some = pictures(&s);
		/* What is not whole says so. */
		for (guint i = 0; i < some->len && some->len == whole->len; i++) {
			struct machine *machine = g_ptr_array_index(system_machines(s.system), i);

			if (!g_str_equal(some->pdata[i], whole->pdata[i]) &&
			    machine->gaps->len == 0)
				n_quiet++;
		}
		g_assert_true(some->len == whole->len || count_gaps(&s) > 0);
	}
	g_assert_cmpuint(n_quiet, ==, 0);
	target_fake_fail_every(s.target, 0);
	g_assert_true(look_again(&s));
	scene_deinit(&s);
}

/* One word that was looked at becomes something else: nothing, noise, itself, or an
 * address of something else that was looked at. */
static uint64_t evil_word(GRand *rand, const GArray *touched, uint64_t pa, uint64_t old)
{
	const struct target_region *other =
		&g_array_index(touched, struct target_region,
	                       (guint)g_rand_int_range(rand, 0, (gint)touched->len));

	switch (g_rand_int_range(rand, 0, 7)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
	case 3: /* a table that points to itself */
		return (pa & ~0xfffull) | 0x7ff;
	case 4:
		return (other->base.value & ~0xfffull) | 0x7ff;
	case 5: /* a link of a list somewhere else into it */
		return old + (uint64_t)g_rand_int_range(rand, -64, 64) * 8;
	default:
		return old ^ 1ull << g_rand_int_range(rand, 0, 64);
	}
}

static void test_corrupt_words(void)
{
	struct scene s = { 0 };
	GRand *rand = g_rand_new_with_seed(4);
	g_autoptr(GArray) touched = NULL;
	unsigned n_refused = 0;

	if (!scene_init(&s))
		return;
	target_fake_record(s.target);
	g_assert_true(look_again(&s));
	touched = g_array_copy((GArray *)target_fake_recorded(s.target));
	for (unsigned i = 0; i < (g_test_quick() ? 600u : 5000u); i++) {
		const struct target_region *piece =
			&g_array_index(touched, struct target_region,
		                       (guint)g_rand_int_range(rand, 0, (gint)touched->len));
		uint64_t pa = (piece->base.value +
		               (uint64_t)g_rand_int_range(rand, 0, (gint)piece->len_bytes)) &
		              ~7ull;
		uint64_t *word = (uint64_t *)(gpointer)(s.ram + (pa - s.base));
		uint64_t old = *word;
		struct target_cost before = target_cost(s.target);

		*word = evil_word(rand, touched, pa, old);
		n_refused += look_again(&s) ? 0 : 1;
		g_assert_cmpuint(target_cost(s.target).reads - before.reads, <, 1000000);
		*word = old;
	}
	g_test_message("%u of the changes left no Xen to look at", n_refused);
	g_assert_true(look_again(&s));
	g_assert_cmpuint(count_gaps(&s), ==, 0);
	scene_deinit(&s);
	g_rand_free(rand);
}

/* A guest that overwrote its own tables takes nobody with it. */
static void test_dead_guest(void)
{
	struct scene s = { 0 };
	g_autoptr(GPtrArray) whole = NULL;
	g_autoptr(GPtrArray) after = NULL;
	struct machine *victim;
	const struct space_config *config;
	struct pa root;

	if (!scene_init(&s))
		return;
	whole = pictures(&s);
	victim = system_find_machine(s.system, "dom1", NULL);
	config = space_config_of(victim->kernel);
	g_assert_true(space_translate(victim->physical,
	                              (struct va) { config->stage1.ttbr1 & 0xfffffffff000ull },
	                              &root, NULL));
	memset(s.ram + (root.value - s.base), 0xa5, 4096);
	g_assert_true(look_again(&s));
	after = pictures(&s);
	g_assert_cmpuint(after->len, ==, whole->len);
	for (guint i = 0; i < after->len; i++) {
		struct machine *machine = g_ptr_array_index(system_machines(s.system), i);

		if (g_str_equal(machine->name, "dom1")) {
			g_assert_cmpuint(machine->gaps->len, >, 0);
			g_assert_cmpuint(machine->vcpus->len, ==, 2);
		} else {
			g_assert_cmpstr(after->pdata[i], ==, whole->pdata[i]);
		}
	}
	scene_deinit(&s);
}

/* All RAM becomes noise. */
static void test_noise(void)
{
	struct scene s = { 0 };
	GRand *rand = g_rand_new_with_seed(9);

	if (!scene_init(&s))
		return;
	for (unsigned i = 0; i < 20; i++) {
		uint64_t x = g_rand_int(rand) | 1;
		uint64_t from = (uint64_t)g_rand_int_range(rand, 0, 120) << 20;

		for (uint64_t at = from; at < from + (8 << 20); at += 8) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(s.ram + at, &x, 8);
		}
		look_again(&s);
	}
	scene_deinit(&s);
	g_rand_free(rand);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/hostile/cost", test_cost);
	g_test_add_func("/awareness/hostile/failing-reads", test_failing_reads);
	g_test_add_func("/awareness/hostile/corrupt-words", test_corrupt_words);
	g_test_add_func("/awareness/hostile/dead-guest", test_dead_guest);
	g_test_add_func("/awareness/hostile/noise", test_noise);
	return g_test_run();
}

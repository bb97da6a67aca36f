/* Breakpoints of one machine and one task, on the frozen Xen: the fake target stops where
 * the test says, in the machine that the test says. */
#include "tests/awareness/dump-scene.h"

#include "awareness/breakpoints.h"

/* A stop of core 0 in a guest's kernel. */
struct arrival {
	uint64_t pc, vttbr, sp_el0;
};

static void arrive(struct target *target, gpointer data)
{
	const struct arrival *a = data;

	target_fake_poke_register(target, 0, "pc", a->pc);
	target_fake_poke_register(target, 0, "cpsr", 0x3c5); /* EL1h */
	target_fake_poke_register(target, 0, "VTTBR_EL2", a->vttbr);
	target_fake_poke_register(target, 0, "SP_EL0", a->sp_el0);
}

static void push(struct scene *s, struct arrival *a)
{
	struct target_stop stop = { .reason = TARGET_STOP_BREAK, .cpu = 0 };

	target_fake_push_stop(s->target, &stop, arrive, a);
}

static void test_machine_filter(void)
{
	struct scene s = { 0 };
	struct breakpoints *points;
	struct breakpoint point = {
		.text = (char *)"schedule", .kind = TARGET_BREAK_HARDWARE, .len_bytes = 4, .tid = -1
	};
	struct arrival other = { 0 }, meant = { 0 };
	struct stop_place at;
	struct place place;
	g_autoptr(GError) error = NULL;

	if (!scene_init(&s))
		return;
	g_assert_true(system_find_place(s.system, "dom2:::schedule", NULL, &place, &error));
	g_assert_no_error(error);
	point.va = place.va;
	point.machine = (int)place.machine->number;
	/* The same address in dom1, twice, then in dom2. */
	other.pc = meant.pc = point.va.value;
	other.vttbr = system_find_machine(s.system, "dom1", NULL)->vttbr;
	meant.vttbr = place.machine->vttbr;
	push(&s, &other);
	push(&s, &other);
	push(&s, &meant);
	points = breakpoints_new(s.system);
	breakpoints_add(points, &point);
	g_assert_true(breakpoints_run(points, 1000, &at, &error));
	g_assert_no_error(error);
	g_assert_nonnull(at.hit);
	g_assert_cmpuint(at.skipped, ==, 2);
	g_assert_cmpuint(at.hit->hits, ==, 1);
	g_assert_cmpuint(at.hit->skipped, ==, 2);
	g_assert_false(target_fake_last_break(s.target)->only_vmid);
	breakpoints_free(points);
	scene_deinit(&s);
}

/* A target that compares VMIDs by itself is told which; the hypervisor has none. */
static void test_machine_linked(void)
{
	static const char *const places[] = { "dom2:::schedule", "0:::do_xen_version" };

	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		struct scene s = { 0 };
		struct breakpoint point = { .text = (char *)places[i],
			                    .kind = TARGET_BREAK_HARDWARE,
			                    .len_bytes = 4,
			                    .tid = -1 };
		struct breakpoints *points;
		struct stop_place at;
		struct place place;
		g_autoptr(GError) error = NULL;

		if (!scene_init(&s))
			return;
		g_assert_true(system_find_place(s.system, places[i], NULL, &place, &error));
		g_assert_no_error(error);
		point.va = place.va;
		point.machine = (int)place.machine->number;
		target_fake_compare_vmid(s.target);
		points = breakpoints_new(s.system);
		breakpoints_add(points, &point);
		g_assert_true(breakpoints_run(points, 10, &at, &error));
		g_assert_no_error(error);
		g_assert_cmphex(target_fake_last_break(s.target)->va.value, ==, place.va.value);
		g_assert_cmpint(target_fake_last_break(s.target)->only_vmid, ==, (i == 0));
		g_assert_cmpint(target_fake_last_break(s.target)->vmid, ==, point.machine);
		breakpoints_free(points);
		scene_deinit(&s);
	}
}

/* Time that is up halts the target, with nothing hit. */
static void test_time_is_up(void)
{
	struct scene s = { 0 };
	struct breakpoints *points;
	struct stop_place at;
	g_autoptr(GError) error = NULL;

	if (!scene_init(&s))
		return;
	points = breakpoints_new(s.system);
	g_assert_true(breakpoints_run(points, 10, &at, &error));
	g_assert_no_error(error);
	g_assert_cmpint(at.stop.reason, ==, TARGET_STOP_NONE);
	g_assert_null(at.hit);
	g_assert_false(target_is_running(s.target));
	g_assert_false(breakpoints_remove(points, 1));
	breakpoints_free(points);
	scene_deinit(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/breakpoints/machine-filter", test_machine_filter);
	g_test_add_func("/awareness/breakpoints/machine-linked", test_machine_linked);
	g_test_add_func("/awareness/breakpoints/time-is-up", test_time_is_up);
	return g_test_run();
}

/* Requests out of hand-made schedules and markers, with known answers. */
#include "decode/requests-private.h"

#include <string.h>

enum {
	FRONT = 3, /* machines and VMIDs */
	BACK = 4,
	OTHER = 5,
	FRONT_VCPU = 0, /* vCPUs */
	BACK_VCPU = 1,
	OTHER_VCPU = 2,
	PRODUCER = 10, /* context IDs */
	SERVER = 20,
	IDLER = 21,
	CALL_NS = 8000, /* length of a hypercall */
	WINDOW_NS = 100000000
};

static const char pair_file[] = "[machine 3]\nname=front\nkind=bare\nvcpus=1\nbackend=4\n%s"
				"[machine 4]\nname=back\nkind=bare\nvcpus=1\n"
				"[machine 5]\nname=other\nkind=bare\nvcpus=1\n%s";

struct scene {
	system_file *system;
	struct schedule schedule;
	struct request_list list;
};

static void scene_open(struct scene *self, const char *front_keys, const char *other_keys)
{
	g_autofree char *text = g_strdup_printf(pair_file, front_keys, other_keys);
	g_autoptr(GError) error = NULL;

	self->system = system_file_parse(text, strlen(text), "pair.ini", &error);
	g_assert_no_error(error);
	self->schedule = (struct schedule) {
		.vcpus = g_array_new(FALSE, TRUE, sizeof(struct row_vcpu)),
		.runs = g_array_new(FALSE, TRUE, sizeof(struct row_vcpu_run)),
		.exits = g_array_new(FALSE, TRUE, sizeof(struct row_exit)),
		.functions = g_array_new(FALSE, TRUE, sizeof(struct row_function)),
		.calls = g_array_new(FALSE, TRUE, sizeof(struct row_hypervisor_call)),
	};
	for (guint i = 0; i < 3; i++) {
		const struct row_vcpu vcpu = { i, FRONT + i, 0, TRUE };

		g_array_append_val(self->schedule.vcpus, vcpu);
	}
	request_list_init(&self->list, self->system, 0);
}

static void scene_close(struct scene *self)
{
	request_list_deinit(&self->list);
	g_array_unref(self->schedule.vcpus);
	g_array_unref(self->schedule.runs);
	g_array_unref(self->schedule.exits);
	g_array_unref(self->schedule.functions);
	g_array_unref(self->schedule.calls);
	system_file_free(self->system);
}

/* Each vCPU has a core of its own, with its number. */
static void add_run(struct scene *self, guint vcpu, guint32 context_id, gint64 begin_ns,
                    gint64 end_ns)
{
	const struct row_vcpu_run run = { .vcpu = vcpu,
		                          .start_ns = begin_ns,
		                          .duration_ns = end_ns - begin_ns,
		                          .core = (gint)vcpu,
		                          .state = RUN_RUNNING,
		                          .known = KNOWN_EXACT,
		                          .confidence = 1 };
	const struct request_slice slice = { vcpu,     FRONT + vcpu, context_id,
		                             begin_ns, end_ns,       VCPU_NONE };

	g_array_append_val(self->schedule.runs, run);
	g_array_append_val(self->list.slices, slice);
}

static void add_exit(struct scene *self, guint vcpu, enum exit_reason reason, guint64 address_va,
                     gint64 begin_ns)
{
	const struct row_exit exit = { .core = vcpu,
		                       .start_ns = begin_ns,
		                       .duration_ns = CALL_NS,
		                       .reason = reason,
		                       .type = reason == EXIT_CALL ? 2 : 3,
		                       .has_return_address = address_va != 0,
		                       .return_address_va = address_va,
		                       .vcpu = vcpu };

	g_array_append_val(self->schedule.exits, exit);
}

static void add_call(struct scene *self, guint vcpu, gint64 begin_ns)
{
	add_exit(self, vcpu, EXIT_CALL, 0x1000, begin_ns);
}

static void add_marker(struct scene *self, guint32 channel, guint32 value, gint64 time_ns)
{
	const struct stm_message message = { .kind = STM_DATA,
		                             .channel = channel,
		                             .marked = TRUE,
		                             .value = value,
		                             .value_bytes = 4 };

	request_list_add_message(&self->list, &message, time_ns);
}

static gint compare_runs(gconstpointer a, gconstpointer b)
{
	const struct row_vcpu_run *x = a, *y = b;

	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : 1;
}

static gint compare_exits(gconstpointer a, gconstpointer b)
{
	const struct row_exit *x = a, *y = b;

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : 1;
}

static gint compare_slices(gconstpointer a, gconstpointer b)
{
	const struct request_slice *x = a, *y = b;

	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return x->begin_ns < y->begin_ns ? -1 : 1;
}

static void find(struct scene *self, guint n_wanted)
{
	g_array_sort(self->schedule.runs, compare_runs);
	g_array_sort(self->schedule.exits, compare_exits);
	g_array_sort(self->list.slices, compare_slices);
	request_list_find(&self->list, &self->schedule, WINDOW_NS);
	g_assert_cmpuint(self->list.rows->len, ==, n_wanted);
	for (guint i = 0; i < n_wanted; i++)
		g_assert_true(row_request_is_valid(
			&g_array_index(self->list.rows, struct row_request, i)));
}

static const struct row_request *row_at(const struct scene *self, guint i)
{
	return &g_array_index(self->list.rows, struct row_request, i);
}

static void assert_times(const struct row_request *row, const gint64 *t_ns)
{
	for (guint i = 0; i < REQUEST_STAGES; i++)
		g_assert_cmpint(row->t_ns[i], ==, t_ns[i]);
}

/* The frontend asks at 1 ms, the backend wakes at 1.2 ms, answers at 1.5 ms and sleeps; the
 * frontend runs at 1.6 ms. All of it again `later`. */
static void add_round(struct scene *self, gint64 later_ns)
{
	add_run(self, FRONT_VCPU, PRODUCER, later_ns + 900000, later_ns + 1020000);
	add_call(self, FRONT_VCPU, later_ns + 1000000);
	add_run(self, BACK_VCPU, SERVER, later_ns + 1200000, later_ns + 1520000);
	add_call(self, BACK_VCPU, later_ns + 1500000);
	add_exit(self, BACK_VCPU, EXIT_WFI, 0x2000, later_ns + 1520000);
	add_run(self, FRONT_VCPU, PRODUCER, later_ns + 1600000, later_ns + 1700000);
}

static void test_trace_alone(void)
{
	struct scene scene;

	scene_open(&scene, "", "");
	for (gint64 i = 0; i < 3; i++)
		add_round(&scene, i * 2000000);
	find(&scene, 3);
	for (gint64 i = 0; i < 3; i++) {
		const gint64 at_ns = i * 2000000;

		assert_times(row_at(&scene, (guint)i),
		             (gint64[]) { at_ns + 1000000, -1, at_ns + 1200000, -1, at_ns + 1200000,
		                          at_ns + 1500000, -1, at_ns + 1600000, at_ns + 1600000 });
		g_assert_cmpuint(row_at(&scene, (guint)i)->exact, ==, 0);
		g_assert_cmpuint(row_at(&scene, (guint)i)->notify, ==, (guint)i);
		g_assert_false(row_at(&scene, (guint)i)->censored);
	}
	scene_close(&scene);
}

/* begin and end of the public header, each side on its own page of ports. */
static void test_begin_end(void)
{
	struct scene scene;

	scene_open(&scene, "", "");
	add_round(&scene, 0);
	add_marker(&scene, 16 * FRONT, 2u << 28 | 77, 999900);
	add_marker(&scene, 16 * BACK + 1, 2u << 28 | 77, 1210000);
	add_marker(&scene, 16 * BACK + 1, 3u << 28 | 77, 1499000);
	add_marker(&scene, 16 * FRONT, 3u << 28 | 77, 1610000);
	add_marker(&scene, 16 * OTHER, 2u << 28 | 78, 1620000);
	find(&scene, 1);
	assert_times(row_at(&scene, 0), (gint64[]) { 999900, -1, 1200000, -1, 1210000, 1499000, -1,
	                                             1600000, 1610000 });
	g_assert_cmpint(row_at(&scene, 0)->number, ==, 77);
	g_assert_cmpuint(row_at(&scene, 0)->marked, ==, 1 | 1 << 4 | 1 << 5 | 1 << 8);
	g_assert_cmpuint(row_at(&scene, 0)->exact, ==,
	                 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8);
	scene_close(&scene);
}

static void add_steps(struct scene *self, guint32 number, const gint64 *t_ns)
{
	add_marker(self, 3, 2u << 24 | number, t_ns[0]);
	add_marker(self, 4, 3u << 24 | number, t_ns[1]);
	add_marker(self, 4, 4u << 24 | number, t_ns[1] + 100);
	add_marker(self, 4, 5u << 24 | number, t_ns[2]);
	add_marker(self, 3, 6u << 24 | number, t_ns[3]);
}

/* Three requests in one notify, and the first number again afterwards. */
static void test_batch(void)
{
	struct scene scene;

	scene_open(&scene, "stm_channels=3\n", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1020000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 2000000);
	add_run(&scene, FRONT_VCPU, PRODUCER, 2100000, 2200000);
	add_call(&scene, FRONT_VCPU, 2150000);
	/* The backend's channels are its own page: name them. */
	g_array_index(((struct system_machine *)scene.system->machines->pdata[1])->stm_channels,
	              struct system_channels, 0) = (struct system_channels) { 4, 4 };
	add_steps(&scene, 1, (gint64[]) { 970000, 1210000, 1300000, 2110000 });
	add_steps(&scene, 2, (gint64[]) { 980000, 1310000, 1400000, 2111000 });
	add_steps(&scene, 3, (gint64[]) { 990000, 1410000, 1500000, 2112000 });
	add_steps(&scene, 1, (gint64[]) { 2140000, 2300000, 2400000, 2500000 });
	find(&scene, 4);
	for (guint i = 0; i < 3; i++) {
		g_assert_cmpint(row_at(&scene, i)->number, ==, i + 1);
		g_assert_cmpuint(row_at(&scene, i)->notify, ==, 0);
		g_assert_cmpint(row_at(&scene, i)->t_ns[2], ==, 1200000);
		g_assert_cmpint(row_at(&scene, i)->t_ns[7], ==, 2100000);
	}
	g_assert_cmpint(row_at(&scene, 3)->number, ==, 1);
	g_assert_cmpuint(row_at(&scene, 3)->notify, ==, 1);
	scene_close(&scene);
}

/* Two notifies before the backend runs: one answer for both. */
static void test_one_answer(void)
{
	struct scene scene;

	scene_open(&scene, "", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1100000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_call(&scene, FRONT_VCPU, 1050000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 1520000);
	add_call(&scene, BACK_VCPU, 1500000);
	add_exit(&scene, BACK_VCPU, EXIT_WFI, 0x2000, 1520000);
	add_run(&scene, FRONT_VCPU, PRODUCER, 1600000, 1700000);
	find(&scene, 2);
	for (guint i = 0; i < 2; i++) {
		g_assert_cmpint(row_at(&scene, i)->t_ns[4], ==, 1200000);
		g_assert_cmpint(row_at(&scene, i)->t_ns[5], ==, 1500000);
		g_assert_cmpint(row_at(&scene, i)->t_ns[8], ==, 1600000);
	}
	scene_close(&scene);
}

/* One asks while the backend works on the one before: taken after the answer. */
static void test_queue(void)
{
	struct scene scene;

	scene_open(&scene, "", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1400000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_call(&scene, FRONT_VCPU, 1300000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 2020000);
	add_call(&scene, BACK_VCPU, 1500000);
	add_call(&scene, BACK_VCPU, 2000000);
	add_exit(&scene, BACK_VCPU, EXIT_WFI, 0x2000, 2020000);
	add_run(&scene, FRONT_VCPU, PRODUCER, 2100000, 2200000);
	find(&scene, 2);
	g_assert_cmpint(row_at(&scene, 0)->t_ns[5], ==, 1500000);
	g_assert_cmpint(row_at(&scene, 1)->t_ns[4], ==, 1500000 + CALL_NS);
	g_assert_cmpint(row_at(&scene, 1)->t_ns[5], ==, 2000000);
	scene_close(&scene);
}

/* What wakes and sleeps again without an answer, and a task that is no server's, took nothing. */
static void test_not_taken(void)
{
	struct scene scene;

	scene_open(&scene, "backend_tasks=20\n", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1020000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_run(&scene, BACK_VCPU, IDLER, 1100000, 1150000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 1520000);
	add_call(&scene, BACK_VCPU, 1500000);
	add_run(&scene, FRONT_VCPU, PRODUCER, 1600000, 1700000);
	find(&scene, 1);
	assert_times(row_at(&scene, 0), (gint64[]) { 1000000, -1, 1100000, -1, 1200000, 1500000, -1,
	                                             1600000, 1600000 });
	scene_close(&scene);
	scene_open(&scene, "", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1020000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_run(&scene, BACK_VCPU, IDLER, 1100000, 1150000);
	add_exit(&scene, BACK_VCPU, EXIT_WFI, 0x2000, 1150000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 1520000);
	add_call(&scene, BACK_VCPU, 1500000);
	find(&scene, 1);
	g_assert_cmpint(row_at(&scene, 0)->t_ns[4], ==, 1200000);
	g_assert_true(row_at(&scene, 0)->censored);
	scene_close(&scene);
}

/* An answer may be lost: nothing takes the next one's, and what touches the gap is censored. */
static void test_lost(void)
{
	const struct request_lost lost = { 1300000, 1550000 };
	struct scene scene;

	scene_open(&scene, "", "");
	add_run(&scene, FRONT_VCPU, PRODUCER, 900000, 1020000);
	add_call(&scene, FRONT_VCPU, 1000000);
	add_run(&scene, BACK_VCPU, SERVER, 1200000, 1300000);
	add_round(&scene, 2000000);
	g_array_append_val(scene.list.lost, lost);
	find(&scene, 2);
	g_assert_true(row_at(&scene, 0)->censored);
	g_assert_cmpint(row_at(&scene, 0)->t_ns[5], ==, OWNER_NO_VALUE);
	g_assert_false(row_at(&scene, 1)->censored);
	g_assert_cmpint(row_at(&scene, 1)->t_ns[5], ==, 3500000);
	scene_close(&scene);
}

/* Only calls at the address named notify; without one, those from the usual place. */
static void test_which_calls(void)
{
	struct scene scene;

	for (guint named = 0; named < 2; named++) {
		scene_open(&scene, named ? "notify=0x7ffc\n" : "", "");
		add_round(&scene, 0);
		add_round(&scene, 2000000);
		add_exit(&scene, FRONT_VCPU, EXIT_CALL, 0x8000, 950000);
		find(&scene, named ? 1 : 2);
		g_assert_cmpint(row_at(&scene, 0)->t_ns[0], ==, named ? 950000 : 1000000);
		scene_close(&scene);
	}
}

static void add_function(struct scene *self, guint function, guint vcpu, gint64 time_ns)
{
	const struct row_hypervisor_call call = { vcpu, time_ns, function, vcpu };

	g_array_append_val(self->schedule.calls, call);
}

/* Where the hypervisor's functions are known, they say which call notifies and when it woke the
 * other side; an interrupt before the event and a wake after the switch have other reasons. */
static void test_wakes(void)
{
	static const struct row_function functions[] = { { 0, "evtchn_send", "notify" },
		                                         { 1, "vgic_inject_irq", "inject" },
		                                         { 2, "vcpu_wake", "wake" },
		                                         { 3, "context_switch", "switch" },
		                                         { 4, "timer_interrupt", "interrupt" } };
	struct scene scene;

	scene_open(&scene, "", "");
	g_array_append_vals(scene.schedule.functions, functions, G_N_ELEMENTS(functions));
	add_exit(&scene, FRONT_VCPU, EXIT_CALL, 0x1000, 950000); /* a call that sends nothing */
	add_round(&scene, 0);
	add_function(&scene, 4, FRONT_VCPU, 1000500);
	add_function(&scene, 0, FRONT_VCPU, 1001000);
	add_function(&scene, 1, FRONT_VCPU, 1002000);
	add_function(&scene, 2, FRONT_VCPU, 1003000);
	add_function(&scene, 3, FRONT_VCPU, 1004000);
	add_function(&scene, 2, FRONT_VCPU, 1005000);
	add_function(&scene, 0, BACK_VCPU, 1501000);
	add_function(&scene, 1, BACK_VCPU, 1502000);
	find(&scene, 1);
	assert_times(row_at(&scene, 0), (gint64[]) { 1000000, 1003000, 1200000, -1, 1200000,
	                                             1500000, 1502000, 1600000, 1600000 });
	scene_close(&scene);
}

/* Markers of one side only: the other side's times are inferred. */
static void test_one_side_marks(void)
{
	struct scene scene;

	scene_open(&scene, "", "");
	add_round(&scene, 0);
	add_marker(&scene, 16 * FRONT, 2u << 28 | 5, 999000);
	add_marker(&scene, 16 * FRONT, 3u << 28 | 5, 1650000);
	find(&scene, 1);
	assert_times(row_at(&scene, 0), (gint64[]) { 999000, -1, 1200000, -1, 1200000, 1500000, -1,
	                                             1600000, 1650000 });
	g_assert_cmpuint(row_at(&scene, 0)->exact, ==, 1 | 1 << 8);
	scene_close(&scene);
	scene_open(&scene, "", "");
	add_round(&scene, 0);
	add_marker(&scene, 16 * BACK, 2u << 28 | 5, 1220000);
	add_marker(&scene, 16 * BACK, 3u << 28 | 5, 1490000);
	find(&scene, 1);
	assert_times(row_at(&scene, 0), (gint64[]) { 1000000, -1, 1200000, -1, 1220000, 1490000, -1,
	                                             1600000, 1600000 });
	g_assert_cmpuint(row_at(&scene, 0)->exact, ==, 1 << 4 | 1 << 5);
	scene_close(&scene);
}

/* A backend of two: what it marks is not the other frontend's, nor are answers of its tasks. */
static void test_shared_backend(void)
{
	struct scene scene;

	scene_open(&scene, "backend_tasks=20\n", "backend=4\nbackend_tasks=22\n");
	add_round(&scene, 0);
	add_run(&scene, OTHER_VCPU, 30, 1010000, 1040000);
	add_call(&scene, OTHER_VCPU, 1020000);
	add_run(&scene, BACK_VCPU, 22, 1530000, 1620000);
	add_call(&scene, BACK_VCPU, 1610000);
	add_run(&scene, OTHER_VCPU, 30, 1700000, 1800000);
	find(&scene, 2);
	g_assert_cmpint(row_at(&scene, 0)->frontend_vmid, ==, FRONT);
	g_assert_cmpint(row_at(&scene, 0)->t_ns[5], ==, 1500000);
	g_assert_cmpint(row_at(&scene, 1)->frontend_vmid, ==, OTHER);
	g_assert_cmpint(row_at(&scene, 1)->t_ns[4], ==, 1530000);
	g_assert_cmpint(row_at(&scene, 1)->t_ns[5], ==, 1610000);
	g_assert_cmpuint(row_at(&scene, 0)->notify, !=, row_at(&scene, 1)->notify);
	scene_close(&scene);
}

/* No pair, no rows; markers and calls that fit nothing make none either. */
static void test_nothing(void)
{
	struct request_list list;
	struct scene scene;

	request_list_init(&list, NULL, 0);
	g_assert_cmpuint(list.rows->len, ==, 0);
	request_list_deinit(&list);
	scene_open(&scene, "backend_tasks=nobody\n", "");
	add_marker(&scene, 16 * FRONT, 1u << 28 | 5, 1000);
	add_marker(&scene, 16 * FRONT, 7u << 24 | 5, 1000);
	add_marker(&scene, 16 * BACK, 0xffffffff, 1000);
	find(&scene, 0);
	g_assert_cmpuint(scene.list.unknown_tasks->len, ==, 1);
	scene_close(&scene);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decode/requests/trace-alone", test_trace_alone);
	g_test_add_func("/decode/requests/begin-end", test_begin_end);
	g_test_add_func("/decode/requests/batch", test_batch);
	g_test_add_func("/decode/requests/one-answer", test_one_answer);
	g_test_add_func("/decode/requests/queue", test_queue);
	g_test_add_func("/decode/requests/not-taken", test_not_taken);
	g_test_add_func("/decode/requests/lost", test_lost);
	g_test_add_func("/decode/requests/which-calls", test_which_calls);
	g_test_add_func("/decode/requests/wakes", test_wakes);
	g_test_add_func("/decode/requests/one-side-marks", test_one_side_marks);
	g_test_add_func("/decode/requests/shared-backend", test_shared_backend);
	g_test_add_func("/decode/requests/nothing", test_nothing);
	return g_test_run();
}

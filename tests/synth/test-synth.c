/* The generator against OpenCSD: what it says happened is what its trace says. The reader
 * here is small on purpose and shares nothing with the product's. */
#include <string.h>
#include <glib/gstdio.h>

#include "tests/synth/capture-dir.h"
#include "tests/synth/core.h"
#include "tests/synth/opencsd-packets.h"

struct run {
	char *dir;
	struct scenario *scenario;
	GByteArray *trace;
};

static void run_init(struct run *run, const char *extra)
{
	g_autofree char *base_path = g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "tests",
	                                              "synth", "scenarios", "small.scenario", NULL);
	g_autofree char *base = NULL;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *path = NULL;
	char *bytes = NULL;
	gsize len_bytes = 0;

	g_file_get_contents(base_path, &base, NULL, &error);
	g_assert_no_error(error);
	text = g_strconcat(base, extra, NULL);
	run->dir = g_dir_make_tmp("hvscope-synth-XXXXXX", &error);
	g_assert_no_error(error);
	run->scenario = scenario_parse(text, "test", &error);
	g_assert_no_error(error);
	capture_dir_write(run->scenario, run->dir, &error);
	g_assert_no_error(error);
	path = g_build_filename(run->dir, SYNTH_TRACE_FILE, NULL);
	g_file_get_contents(path, &bytes, &len_bytes, &error);
	g_assert_no_error(error);
	run->trace = g_byte_array_new_take((guint8 *)bytes, len_bytes);
}

static void remove_dir(const char *dir)
{
	g_autoptr(GDir) handle = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(handle)) != NULL) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		g_remove(path);
	}
	g_rmdir(dir);
}

static void run_deinit(struct run *run)
{
	remove_dir(run->dir);
	g_free(run->dir);
	scenario_free(run->scenario);
	g_byte_array_unref(run->trace);
}

/* Who had the core for how long: "el vmid cid" -> ns, and "gap". */
struct reading {
	const struct scenario *scenario;
	GHashTable *ns; /* char * -> gint64 * */
	char *owner;    /* since the last timestamp */
	char *now;      /* by the last context */
	guint64 last_ticks;
	gboolean timed;
	gboolean gap; /* a trace on since the last timestamp */
	guint64 cycles;
	guint n_bad, n_exceptions, n_overflows, n_unknown_cycles;
};

static void add_ns(GHashTable *table, const char *key, gint64 ns)
{
	gint64 *sum = g_hash_table_lookup(table, key);

	if (sum == NULL) {
		sum = g_new0(gint64, 1);
		g_hash_table_insert(table, g_strdup(key), sum);
	}
	*sum += ns;
}

static void read_timestamp(struct reading *reading, guint64 timestamp)
{
	const guint64 ticks = timestamp - reading->scenario->trace.timestamp_start;

	if (reading->timed)
		add_ns(reading->ns, reading->gap ? "gap" : reading->owner,
		       (gint64)((ticks - reading->last_ticks) * reading->scenario->ns_per_tick));
	reading->timed = TRUE;
	reading->gap = FALSE;
	reading->last_ticks = ticks;
	g_free(reading->owner);
	reading->owner = g_strdup(reading->now);
}

static void read_packet(gpointer data, ocsd_trc_index_t index, const void *opaque)
{
	struct reading *reading = data;
	const ocsd_etmv4_i_pkt *packet = opaque;

	(void)index;
	switch ((int)packet->type) {
	case ETM4_PKT_I_CTXT:
	case ETM4_PKT_I_ADDR_CTXT_L_32IS0:
	case ETM4_PKT_I_ADDR_CTXT_L_64IS0:
		g_free(reading->now);
		reading->now = g_strdup_printf(
			"%u %u %u", packet->context.EL,
			reading->scenario->trace.vmid ? packet->context.VMID : 0,
			reading->scenario->trace.context_id ? packet->context.ctxtID : 0);
		break;
	case ETM4_PKT_I_TIMESTAMP:
		read_timestamp(reading, packet->ts.timestamp);
		break;
	case ETM4_PKT_I_TRACE_ON:
		reading->gap = TRUE;
		break;
	case ETM4_PKT_I_CCNT_F1:
	case ETM4_PKT_I_CCNT_F2:
	case ETM4_PKT_I_CCNT_F3:
		reading->cycles += packet->cycle_count;
		reading->n_unknown_cycles += packet->cycle_count == 0;
		break;
	case ETM4_PKT_I_EXCEPT:
		reading->n_exceptions++;
		break;
	case ETM4_PKT_I_OVERFLOW:
		reading->n_overflows++;
		break;
	default:
		reading->n_bad += packet->type >= ETM4_PKT_I_NOTSYNC &&
		                  packet->type != ETM4_PKT_I_INCOMPLETE_EOT;
	}
}

static void reading_init(struct reading *reading, const struct run *run, guint core)
{
	const struct etm4_registers registers = synth_core_registers(run->scenario);
	const ocsd_etmv4_cfg config = opencsd_etm4_config(&registers, synth_core_trace_id(core));

	*reading = (struct reading) {
		.scenario = run->scenario,
		.ns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.owner = g_strdup(""),
		.now = g_strdup(""),
	};
	opencsd_packets(run->scenario->trace.fsync_frames > 0 ? OPENCSD_FSYNC : OPENCSD_FRAMES,
	                OCSD_BUILTIN_DCD_ETMV4I, &config, run->trace, 0, read_packet, reading);
}

static void reading_deinit(struct reading *reading)
{
	g_hash_table_unref(reading->ns);
	g_free(reading->owner);
	g_free(reading->now);
}

/* truth.csv of one core: the same keys, gap for what is not traced. Checks on the way that
 * the rows are gapless and cover the whole window. */
static GHashTable *read_truth(const struct run *run, guint core, guint64 *cycles)
{
	g_autofree char *path = g_build_filename(run->dir, SYNTH_TRUTH_FILE, NULL);
	g_autofree char *text = NULL;
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	guint64 end_ns = 0;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));

	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (guint i = 1; *lines[i] != '\0'; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ",", -1);

		g_assert_cmpuint(g_strv_length(fields), ==, 9);
		if (g_ascii_strtoull(fields[0], NULL, 10) != core)
			continue;

		const guint64 start_ns = g_ascii_strtoull(fields[1], NULL, 10);
		const guint64 duration_ns = g_ascii_strtoull(fields[2], NULL, 10);
		const gboolean is_gap =
			strcmp(fields[4], "untraced") == 0 || strcmp(fields[4], "lost") == 0;
		g_autofree char *key = g_strdup_printf(
			"%s %s %s", fields[5], run->scenario->trace.vmid ? fields[6] : "0",
			run->scenario->trace.context_id ? fields[7] : "0");

		g_assert_cmpuint(start_ns, ==, end_ns);
		end_ns = start_ns + duration_ns;
		*cycles += is_gap ? 0 : g_ascii_strtoull(fields[3], NULL, 10);
		add_ns(table, is_gap ? "gap" : key, (gint64)duration_ns);
	}
	g_assert_cmpuint(end_ns, ==, run->scenario->duration_ticks * run->scenario->ns_per_tick);
	return table;
}

static void assert_same_times(GHashTable *want, GHashTable *got)
{
	GHashTableIter iter;
	gpointer key, value;

	g_hash_table_iter_init(&iter, want);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const gint64 *found = g_hash_table_lookup(got, key);

		if (found == NULL || *found != *(gint64 *)value)
			g_error("'%s': truth %" G_GINT64_FORMAT " ns, trace %" G_GINT64_FORMAT,
			        (const char *)key, *(gint64 *)value, found != NULL ? *found : -1);
	}
	g_hash_table_iter_init(&iter, got);
	while (g_hash_table_iter_next(&iter, &key, &value))
		g_assert_true(*(gint64 *)value == 0 || g_hash_table_contains(want, key));
}

/* With a timestamp at each change of owner the trace says exactly what the truth says. */
static void test_exact(gconstpointer extra)
{
	for (guint seed = 1; seed <= 3; seed++) {
		g_autofree char *text = g_strdup_printf("%s\nseed %u\n", (const char *)extra, seed);
		struct run run;

		run_init(&run, text);
		for (guint core = 0; core < 2; core++) {
			guint64 cycles = 0;
			struct reading reading;
			g_autoptr(GHashTable) truth = read_truth(&run, core, &cycles);

			reading_init(&reading, &run, core);
			g_assert_cmpuint(reading.n_bad, ==, 0);
			assert_same_times(truth, reading.ns);
			if (run.scenario->trace.cycles) {
				g_assert_cmpuint(reading.cycles, <=, cycles);
				g_assert_cmpuint(cycles - reading.cycles, <, 0x1000);
			} else {
				g_assert_cmpuint(reading.cycles, ==, 0);
			}
			g_assert_cmpuint(reading.n_exceptions, >, 10);
			reading_deinit(&reading);
		}
		run_deinit(&run);
	}
}

/* Filtered places are gaps, exactly as long as the truth says. */
static void test_filter(gconstpointer extra)
{
	struct run run;

	run_init(&run, extra);
	for (guint core = 0; core < 2; core++) {
		guint64 cycles = 0;
		struct reading reading;
		g_autoptr(GHashTable) truth = read_truth(&run, core, &cycles);

		reading_init(&reading, &run, core);
		g_assert_cmpuint(reading.n_bad, ==, 0);
		/* Before the first traced moment and after the last there is no timestamp. */
		g_hash_table_remove(truth, "gap");
		g_hash_table_remove(reading.ns, "gap");
		assert_same_times(truth, reading.ns);
		reading_deinit(&reading);
	}
	run_deinit(&run);
}

static void test_overflow(void)
{
	struct run run;
	guint64 cycles = 0;
	struct reading reading;

	run_init(&run, "trace cycles=0x40\nat 5ms core 0 overflow 700us\n"
	               "at 12ms core 0 overflow 30us\nat 20ms core 0 discard 200us\n"
	               "at 25ms core 0 off 300us\n");

	g_autoptr(GHashTable) truth = read_truth(&run, 0, &cycles);

	reading_init(&reading, &run, 0);
	g_assert_cmpuint(reading.n_bad, ==, 0);
	g_assert_cmpuint(reading.n_overflows, ==, 2);
	g_assert_cmpuint(reading.n_unknown_cycles, ==, 2);
	/* The trace knows a gap from the last timestamp before it. */
	g_assert_cmpint(*(gint64 *)g_hash_table_lookup(reading.ns, "gap"), >=,
	                *(gint64 *)g_hash_table_lookup(truth, "gap"));
	g_assert_cmpint(*(gint64 *)g_hash_table_lookup(truth, "gap"), ==, 1230000);
	reading_deinit(&reading);
	run_deinit(&run);
}

struct stm_reading {
	GString *text;
	const struct scenario *scenario;
};

static void read_stm(gpointer data, ocsd_trc_index_t index, const void *opaque)
{
	struct stm_reading *reading = data;
	const ocsd_stm_pkt *packet = opaque;

	(void)index;
	g_assert_cmpint(packet->type, <, STM_PKT_BAD_SEQUENCE);
	if (packet->type == STM_PKT_D32)
		g_string_append_printf(
			reading->text, "%" G_GUINT64_FORMAT ",%u,%u,%u\n",
			(packet->timestamp - reading->scenario->trace.timestamp_start) *
				reading->scenario->ns_per_tick,
			packet->master, packet->channel, packet->payload.D32);
}

static void test_stm(void)
{
	struct run run;
	const ocsd_stm_cfg config = { .reg_tcsr = 0x20 << 16 | 7 };
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;

	run_init(&run, "");
	path = g_build_filename(run.dir, SYNTH_MESSAGES_FILE, NULL);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));

	struct stm_reading reading = { g_string_new("time_ns,master,channel,value\n"),
		                       run.scenario };

	opencsd_packets(OPENCSD_FRAMES, OCSD_BUILTIN_DCD_STM, &config, run.trace, 0, read_stm,
	                &reading);
	g_assert_cmpstr(reading.text->str, ==, text);
	g_assert_cmpuint(strlen(text), >, 500);
	g_string_free(reading.text, TRUE);
	run_deinit(&run);
}

static void test_script(void)
{
	struct run run;
	g_autofree char *path = NULL;
	g_autofree char *text = NULL;

	run_init(&run, "duration 1ms\ncores 1\n"
	               "core 0 run 10us\ncore 0 enter daemon el0\ncore 0 run 100us\n"
	               "core 0 exception irq\ncore 0 run 20us\ncore 0 task kthread\n"
	               "core 0 run 30us\ncore 0 exit trap\ncore 0 run 5us\ncore 0 vmid busy\n"
	               "core 0 run 4us\ncore 0 halt 50us\ncore 0 enter busy el1\n"
	               "core 0 halt 7us\ncore 0 secure 6us\n");
	path = g_build_filename(run.dir, SYNTH_TRUTH_FILE, NULL);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==,
	                "core,start_ns,duration_ns,cycles,class,el,vmid,context_id,vcpu\n"
	                "0,0,10000,12000,hypervisor,2,0,0,\n"
	                "0,10000,100000,120000,guest,0,1,412,d0v0\n"
	                "0,110000,20000,24000,guest,1,1,412,d0v0\n"
	                "0,130000,30000,36000,guest,1,1,31,d0v0\n"
	                "0,160000,5000,6000,hypervisor,2,1,31,d0v0\n"
	                "0,165000,4000,4800,hypervisor,2,2,730,d1v0\n"
	                "0,169000,50000,0,idle,2,2,730,d1v0\n"
	                "0,219000,7000,0,guest,1,2,730,d1v0\n"
	                "0,226000,6000,7200,secure,3,2,730,d1v0\n"
	                "0,232000,768000,921600,guest,1,2,730,d1v0\n");
	run_deinit(&run);
}

static guint count_lines(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *text = NULL;
	guint n = 0;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	for (const char *at = text; *at != '\0'; at++)
		n += *at == '\n';
	return n;
}

static void test_faults(void)
{
	struct run clean, damaged;

	run_init(&clean, "");
	run_init(&damaged, "fault flip offset=10000 len=1\nfault cut offset=20000 len=333\n"
	                   "fault zero offset=30000 len=64\nfault truncate offset=40001\n");
	g_assert_cmpuint(damaged.trace->len, ==, 40001 - 333);
	g_assert_cmpuint(clean.trace->len, >, 50000);
	for (guint i = 0; i < damaged.trace->len; i++) {
		const guint at = i < 20000 ? i : i + 333;
		guint8 want = clean.trace->data[at];

		if (at == 10000)
			want ^= 0xFF;
		if (at >= 30000 && at < 30064)
			want = 0;
		g_assert_cmpuint(damaged.trace->data[i], ==, want);
	}
	g_assert_cmpuint(count_lines(clean.dir, "lost.csv"), ==, 1);
	g_assert_cmpuint(count_lines(damaged.dir, "lost.csv"), ==, 1 + 4 * 2);
	run_deinit(&clean);
	run_deinit(&damaged);
}

static void test_errors(void)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "duration 1ms\nnonsense\n", "x:2: no statement 'nonsense'" },
		{ "duration 1\n", "x:1: expected a time such as 500us, found '1'" },
		{ "seed 1\n", "x: no duration: add a line such as 'duration 100ms'" },
		{ "trace timestmaps=off\n",
		  "x:1: 'trace' has no option 'timestmaps', did you mean timestamps" },
		{ "clock timestamp_hz=3\n",
		  "x:1: timestamp_hz must divide 1000000000, so that a tick is whole ns" },
		{ "vcpu a domain=7\n", "x:1: no domain 7 above" },
		{ "task t vcpu=a\n", "x:1: no vcpu 'a' above" },
		{ "at 1ms core 3 overflow 1ms\n", "x:1: there is no core 3" },
		{ "duration\n", "x:1: 'duration' needs a time" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(scenario_parse(cases[i].text, "x", &error));
		g_assert_error(error, SCENARIO_ERROR, SCENARIO_ERROR_SYNTAX);
		g_assert_cmpstr(error->message, ==, cases[i].message);
	}
}

/* The sample that the project ships is what its recipe makes, byte for byte. */
static void test_sample(void)
{
	const char *root = g_getenv("HVSCOPE_SOURCE_ROOT");
	g_autoptr(GError) error = NULL;
	g_autofree char *recipe =
		g_build_filename(root, "tests", "synth", "sample", "overcommit.scenario", NULL);
	g_autofree char *shipped =
		g_build_filename(root, "tests", "synth", "sample", "overcommit", NULL);
	g_autofree char *made = g_dir_make_tmp("hvscope-synth-XXXXXX", &error);
	g_autoptr(Scenario) scenario = scenario_read(recipe, &error);
	guint n_files = 0;

	g_assert_no_error(error);
	g_assert_true(capture_dir_write(scenario, made, &error));

	g_autoptr(GDir) dir = g_dir_open(shipped, 0, &error);
	const char *name;

	g_assert_no_error(error);
	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *a = g_build_filename(shipped, name, NULL);
		g_autofree char *b = g_build_filename(made, name, NULL);
		g_autofree char *want = NULL;
		g_autofree char *got = NULL;
		gsize want_bytes, got_bytes;

		g_assert_true(g_file_get_contents(a, &want, &want_bytes, &error));
		g_assert_true(g_file_get_contents(b, &got, &got_bytes, &error));
		if (want_bytes != got_bytes || memcmp(want, got, want_bytes) != 0)
			g_error("tests/synth/sample/overcommit/%s is not what its recipe makes",
			        name);
		n_files++;
	}
	g_assert_cmpuint(n_files, >=, 9);
	remove_dir(made);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/synth/exact/plain", "trace timestamps=switch", test_exact);
	g_test_add_data_func("/synth/exact/cycles", "trace cycles=0x40", test_exact);
	g_test_add_data_func("/synth/exact/cycles-threshold", "trace cycles=0x400", test_exact);
	g_test_add_data_func("/synth/exact/timestamp-cycles",
	                     "trace cycles=0x100 timestamp_cycles=yes", test_exact);
	g_test_add_data_func("/synth/exact/return-stack",
	                     "trace return_stack=yes p0_gap=500 addresses=60%", test_exact);
	g_test_add_data_func("/synth/exact/no-ids", "trace vmid=no cid=no", test_exact);
	g_test_add_data_func("/synth/exact/tpiu", "trace fsync=31 cycles=0x80", test_exact);
	g_test_add_data_func("/synth/exact/frequent-sync", "trace sync=200", test_exact);
	g_test_add_data_func("/synth/exact/halt-timestamps", "trace halt_timestamps=yes",
	                     test_exact);
	g_test_add_data_func("/synth/filter/el2", "trace filter=el2", test_filter);
	g_test_add_data_func("/synth/filter/guest", "trace filter=guest cycles=0x40", test_filter);
	g_test_add_func("/synth/overflow", test_overflow);
	g_test_add_func("/synth/stm", test_stm);
	g_test_add_func("/synth/script", test_script);
	g_test_add_func("/synth/faults", test_faults);
	g_test_add_func("/synth/errors", test_errors);
	g_test_add_func("/synth/sample", test_sample);
	return g_test_run();
}

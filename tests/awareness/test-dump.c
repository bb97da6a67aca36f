/* The frozen Xen of the data: `hvscope debug` must say what walk-expected.txt says,
 * line by line. */
#include "tests/awareness/dump-data.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <stdint.h>
#include <string.h>

/* Runs one command and returns what it printed as JSON. */
static JsonNode *ask(const struct dump_data *f, const char *const *words)
{
	g_autofree char *program =
		g_build_filename(g_getenv("HVSCOPE_BUILD_ROOT"), "hvscope", NULL);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GSubprocess) process = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *out = NULL;
	JsonNode *node;

	for (const char *const *fixed =
	             (const char *const[]) { program, "debug", "--json", "--target", f->target,
	                                     "--system", f->system, NULL };
	     *fixed != NULL; fixed++)
		g_ptr_array_add(argv, (char *)*fixed);
	for (; *words != NULL; words++)
		g_ptr_array_add(argv, (char *)*words);
	g_ptr_array_add(argv, NULL);
	process = g_subprocess_newv((const char *const *)argv->pdata,
	                            G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
	g_assert_no_error(error);
	g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error));
	g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 0);
	node = json_from_string(out, &error);
	g_assert_no_error(error);
	return node;
}

#define ASK(f, ...) ask(f, (const char *const[]) { __VA_ARGS__, NULL })

static uint64_t hex_of(JsonObject *object, const char *name)
{
	return g_ascii_strtoull(json_object_get_string_member(object, name), NULL, 0);
}

static GMatchInfo *match(const char *pattern, const char *line)
{
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	GMatchInfo *info = NULL;

	if (g_regex_match(regex, line, 0, &info))
		return info;
	g_match_info_free(info);
	return NULL;
}

static uint64_t number_at(GMatchInfo *info, int group)
{
	g_autofree char *text = g_match_info_fetch(info, group);

	return g_ascii_strtoull(text, NULL, 0);
}

static gint64 int_at(GMatchInfo *info, int group)
{
	return (gint64)number_at(info, group);
}

static JsonObject *machine_of_domain(JsonArray *machines, uint64_t domain)
{
	for (guint i = 0; i < json_array_get_length(machines); i++) {
		JsonObject *machine = json_array_get_object_element(machines, i);

		if (json_object_has_member(machine, "domain") &&
		    (uint64_t)json_object_get_int_member(machine, "domain") == domain)
			return machine;
	}
	g_assert_not_reached();
}

static uint64_t register_of(JsonArray *registers, const char *name)
{
	for (guint i = 0; i < json_array_get_length(registers); i++) {
		JsonObject *value = json_array_get_object_element(registers, i);

		if (g_str_equal(json_object_get_string_member(value, "name"), name))
			return hex_of(value, "value");
	}
	g_assert_not_reached();
}

/* "pCPU0 pc=0x267f88 EL2 VTTBR=... TTBR0_EL2=... CONTEXTIDR=45" */
static void check_core(const struct dump_data *f, GMatchInfo *info)
{
	g_autofree char *vcpu = g_strdup_printf("xen:%u", (unsigned)number_at(info, 1));
	g_autoptr(JsonNode) node = ASK(f, "regs", "--vcpu", vcpu);
	JsonArray *registers = json_node_get_array(node);

	g_assert_cmphex(register_of(registers, "pc"), ==, number_at(info, 2));
	g_assert_cmpuint(register_of(registers, "cpsr") >> 2 & 3, ==, number_at(info, 3));
	g_assert_cmphex(register_of(registers, "VTTBR_EL2"), ==, number_at(info, 4));
	g_assert_cmphex(register_of(registers, "TTBR0_EL2"), ==, number_at(info, 5));
	g_assert_cmpuint(register_of(registers, "CONTEXTIDR_EL1"), ==, number_at(info, 6));
}

static void check_curr_vcpu(JsonArray *machines, GMatchInfo *info)
{
	unsigned n_found = 0;

	for (guint i = 1; i < json_array_get_length(machines); i++) {
		JsonArray *vcpus = json_object_get_array_member(
			json_array_get_object_element(machines, i), "vcpus");

		for (guint v = 0; v < json_array_get_length(vcpus); v++) {
			JsonObject *vcpu = json_array_get_object_element(vcpus, v);

			if (hex_of(vcpu, "address") != number_at(info, 2))
				continue;
			n_found++;
			g_assert_true(json_object_get_boolean_member(vcpu, "live"));
			g_assert_cmpint(json_object_get_int_member(vcpu, "pcpu"), ==,
			                int_at(info, 1));
		}
	}
	g_assert_cmpuint(n_found, ==, 1);
}

static void check_vcpu(JsonObject *machine, GMatchInfo *info)
{
	JsonArray *vcpus = json_object_get_array_member(machine, "vcpus");
	JsonObject *vcpu = json_array_get_object_element(vcpus, (guint)number_at(info, 2));
	g_autofree char *state = g_match_info_fetch(info, 4);
	g_autofree char *live = g_match_info_fetch(info, 5);

	g_assert_cmpint(json_object_get_int_member(vcpu, "id"), ==, int_at(info, 2));
	g_assert_cmpint(json_object_get_int_member(vcpu, "pcpu"), ==, int_at(info, 3));
	g_assert_cmpstr(json_object_get_string_member(vcpu, "state"), ==, state);
	g_assert_cmpint(json_object_get_boolean_member(vcpu, "live"), ==,
	                g_str_equal(live, "True"));
	g_assert_cmphex(hex_of(vcpu, "pc"), ==, number_at(info, 6));
	g_assert_cmphex(hex_of(vcpu, "ttbr1_el1"), ==, number_at(info, 7));
	g_assert_cmphex(hex_of(vcpu, "vbar_el1"), ==, number_at(info, 8));
	g_assert_cmpint(json_object_get_int_member(vcpu, "contextidr_el1"), ==, int_at(info, 9));
}

/* "39 tasks; user: [(1, 'init'), ...]": processes with the idle task, and those that
 * are not the kernel's. */
static void check_tasks(JsonArray *tasks, const char *machine, GMatchInfo *info)
{
	g_autofree char *expected = g_match_info_fetch(info, 2);
	g_autoptr(GString) found = g_string_new(NULL);
	uint64_t n = 1;

	for (guint i = 0; i < json_array_get_length(tasks); i++) {
		JsonObject *task = json_array_get_object_element(tasks, i);
		gint64 pid = json_object_get_int_member(task, "pid");

		if (!g_str_equal(json_object_get_string_member(task, "machine"), machine) ||
		    json_object_get_int_member(task, "tid") != pid)
			continue;
		n++;
		if (!json_object_get_boolean_member(task, "kernel"))
			g_string_append_printf(found, "%s(%" G_GINT64_FORMAT ", '%s')",
			                       found->len > 0 ? ", " : "", pid,
			                       json_object_get_string_member(task, "name"));
	}
	g_assert_cmpuint(n, ==, number_at(info, 1));
	g_assert_cmpstr(found->str, ==, expected);
}

static JsonObject *task_named(JsonArray *tasks, const char *name)
{
	for (guint i = 0; i < json_array_get_length(tasks); i++) {
		JsonObject *task = json_array_get_object_element(tasks, i);

		if (g_str_equal(json_object_get_string_member(task, "name"), name))
			return task;
	}
	g_assert_not_reached();
}

/* "dom0_calc: mm=0x... pgd va=0x... -> IPA 0x... -> PA 0x..." */
static void check_table(const struct dump_data *f, JsonArray *tasks, const char *machine,
                        GMatchInfo *info)
{
	g_autofree char *name = g_match_info_fetch(info, 1);
	JsonObject *task = task_named(tasks, name);
	g_autofree char *place = NULL;
	g_autoptr(JsonNode) node = NULL;

	g_assert_cmphex(hex_of(task, "mm"), ==, number_at(info, 2));
	g_assert_cmphex(hex_of(task, "table_ipa"), ==, number_at(info, 4));
	place = g_strdup_printf("%s:::0x%" G_GINT64_MODIFIER "x", machine, number_at(info, 3));
	node = ASK(f, "translate", place);
	g_assert_cmphex(hex_of(json_node_get_object(node), "ipa"), ==, number_at(info, 4));
	g_assert_cmphex(hex_of(json_node_get_object(node), "pa"), ==, number_at(info, 5));
}

/* "user marker via stage1+stage2: b'LABXEN-MARKER:dom0_calc:45' ... PA 0x422ea050" */
static void check_marker(const struct dump_data *f, const char *machine, GMatchInfo *info)
{
	g_autofree char *marker = g_match_info_fetch(info, 1);
	g_auto(GStrv) parts = g_strsplit(marker, ":", 3);
	g_autoptr(JsonNode) node = ASK(f, "find", machine, parts[1], marker);
	JsonArray *found = json_node_get_array(node);
	JsonObject *first;

	g_assert_cmpuint(json_array_get_length(found), ==, 1);
	first = json_array_get_object_element(found, 0);
	g_assert_cmpstr(json_object_get_string_member(first, "text"), ==, marker);
	g_assert_cmphex(hex_of(first, "pa"), ==, number_at(info, 2));
}

/* What the lines before said: the domain that the next ones are about. */
struct reading {
	JsonArray *machines;
	JsonArray *tasks;
	JsonObject *machine;
	unsigned n_checked;
};

static void check_domain(struct reading *r, GMatchInfo *info)
{
	r->machine = machine_of_domain(r->machines, number_at(info, 1));
	g_assert_cmphex(hex_of(r->machine, "address"), ==, number_at(info, 2));
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(r->machine, "vcpus")),
	                 ==, number_at(info, 3));
	g_assert_cmphex(hex_of(r->machine, "vttbr"), ==, number_at(info, 4));
	g_assert_cmpuint(json_array_get_length(json_object_get_array_member(r->machine, "gaps")),
	                 ==, 0);
}

static void check_kernel(struct reading *r, GMatchInfo *info)
{
	g_autofree char *banner = g_match_info_fetch(info, 2);

	g_assert_cmphex(hex_of(r->machine, "slide"), ==, number_at(info, 1));
	g_assert_true(
		g_str_has_prefix(json_object_get_string_member(r->machine, "banner"), banner));
}

static gboolean check_line(const struct dump_data *f, struct reading *r, const char *line)
{
	const char *name =
		r->machine != NULL ? json_object_get_string_member(r->machine, "name") : NULL;
	GMatchInfo *info;

	if ((info = match("^pCPU(\\d) pc=(\\w+) EL(\\d) VTTBR=(\\w+) TTBR0_EL2=(\\w+) "
	                  "CONTEXTIDR=(\\d+)",
	                  line)) != NULL)
		check_core(f, info);
	else if ((info = match("^pCPU(\\d) curr_vcpu=(\\w+)", line)) != NULL)
		check_curr_vcpu(r->machines, info);
	else if ((info = match("^DOM(\\d) @(\\w+) vcpus=(\\d) vttbr=(\\w+)", line)) != NULL)
		check_domain(r, info);
	else if ((info = match("^  d(\\d)v(\\d) pcpu(\\d) state=(\\w+) live=(\\w+) pc=(\\w+) "
	                       "ttbr1=(\\w+) vbar=(\\w+) ctxid=(\\d+)",
	                       line)) != NULL)
		check_vcpu(r->machine, info);
	else if ((info = match("^  kaslr slide=(\\w+) .*banner=b'([^']*)'", line)) != NULL)
		check_kernel(r, info);
	else if ((info = match("^  (\\d+) tasks; user: \\[(.*)\\]", line)) != NULL)
		check_tasks(r->tasks, name, info);
	else if ((info = match("^  (\\w+): mm=(\\w+) pgd va=(\\w+) -> IPA (\\w+) -> PA (\\w+)",
	                       line)) != NULL)
		check_table(f, r->tasks, name, info);
	else if ((info = match("^   user marker .*: b'([^']*)'.* PA (\\w+)", line)) != NULL)
		check_marker(f, name, info);
	else if ((info = match("^  no kernel found", line)) != NULL)
		g_assert_false(json_object_has_member(r->machine, "banner"));
	if (info == NULL)
		return FALSE;
	g_match_info_free(info);
	return TRUE;
}

static void test_expected(void)
{
	struct dump_data f = { 0 };
	struct reading r = { 0 };
	g_autoptr(JsonNode) machines = NULL;
	g_autoptr(JsonNode) tasks = NULL;
	g_auto(GStrv) lines = NULL;
	unsigned n_unknown = 0;

	if (!dump_data_init(&f))
		return;
	machines = ASK(&f, "machines");
	tasks = ASK(&f, "tasks");
	r.machines = json_node_get_array(machines);
	r.tasks = json_node_get_array(tasks);
	lines = g_strsplit(f.expected, "\n", -1);
	for (gsize i = 0; lines[i] != NULL; i++) {
		if (lines[i][0] == '\0')
			continue;
		if (check_line(&f, &r, lines[i]))
			r.n_checked++;
		else
			n_unknown++;
	}
	/* The first line and the last are about the walk that wrote the file. */
	g_assert_cmpuint(n_unknown, ==, 2);
	g_assert_cmpuint(r.n_checked, ==, 28);
	dump_data_deinit(&f);
}

static gboolean has_function(JsonArray *frames, guint index, const char *name)
{
	const char *found = json_object_get_string_member(
		json_array_get_object_element(frames, index), "function");

	return g_strcmp0(found, name) == 0;
}

/* Every chain of every core, vCPU and task ends at a known root; core 0's goes from
 * Xen's timer through its entry into the guest. */
static void test_backtraces(void)
{
	struct dump_data f = { 0 };
	g_autoptr(JsonNode) node = NULL;
	JsonArray *chains, *frames;
	guint border = 0;

	if (!dump_data_init(&f))
		return;
	node = ASK(&f, "bt", "--all");
	chains = json_node_get_array(node);
	/* 2 cores, 7 vCPUs, 111 tasks */
	g_assert_cmpuint(json_array_get_length(chains), ==, 120);
	for (guint i = 0; i < json_array_get_length(chains); i++) {
		JsonObject *chain = json_array_get_object_element(chains, i);

		g_assert_true(json_object_get_boolean_member(chain, "whole"));
		g_assert_cmpuint(
			json_array_get_length(json_object_get_array_member(chain, "frames")), >, 1);
	}
	frames = json_object_get_array_member(json_array_get_object_element(chains, 0), "frames");
	g_assert_true(has_function(frames, 0, "reprogram_timer"));
	while (json_object_get_null_member(json_array_get_object_element(frames, border), "border"))
		border++;
	g_assert_true(has_function(frames, border - 1, "guest_irq"));
	g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(frames, border),
	                                              "machine"),
	                ==, "dom0");
	dump_data_deinit(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/dump/expected", test_expected);
	g_test_add_func("/awareness/dump/backtraces", test_backtraces);
	return g_test_run();
}

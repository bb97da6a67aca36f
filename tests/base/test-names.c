/* Names files: what they say, and what several of them say together. */
#include "base/system-file.h"

#include <string.h>

static struct system_file *parse(const char *text, GError **error)
{
	return system_file_parse(text, strlen(text), "names.ini", error);
}

static struct system_file *parse_good(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct system_file *file = parse(text, &error);

	g_assert_no_error(error);
	return file;
}

static void test_whole(void)
{
	g_autoptr(system_file) file =
		parse_good("[names]\ntaken=5000\ntarget=core:dump.core\n"
	                   "[tasks 2]\n"
	                   "97=calc;pid=90;start=1200;start_key=77\n"
	                   "15=ksoftirqd/1;cpu=1;kernel;pid=15\n"
	                   "0x10 = semi\\;colon ; kernel\n"
	                   "[vcpus 2]\n"
	                   "1=pc=0xffff800008011000;el=1;context_id=97;live;pcpu=3\n"
	                   "0=\n"
	                   "[machine 2]\nname=dom1\nkind=linux\nvcpus=2\nbuild_id=0a1b\n"
	                   "contextidr=tid\npartial=true\n");
	const struct system_machine *machine = system_file_machine_of_vmid(file, 2);
	const struct system_task *task;
	const struct system_vcpu *vcpu;

	g_assert_cmpuint(file->looks->len, ==, 1);
	g_assert_cmpint(g_array_index(file->looks, struct system_look, 0).taken_ticks, ==, 5000);
	g_assert_cmpstr(g_array_index(file->looks, struct system_look, 0).target, ==,
	                "core:dump.core");
	g_assert_true(machine->writes_context_ids && machine->partial);
	g_assert_cmpstr(machine->build_id, ==, "0a1b");

	g_assert_cmpuint(machine->tasks->len, ==, 3);
	task = system_machine_task_at(machine, 97, 1200);
	g_assert_cmpstr(task->name, ==, "calc");
	g_assert_cmpint(task->pid, ==, 90);
	g_assert_cmpuint(task->start_key, ==, 77);
	g_assert_true(task->has_start && !task->is_kernel && task->cpu == SYSTEM_NO_VALUE);
	g_assert_null(system_machine_task_at(machine, 97, 1199));
	task = system_machine_task_at(machine, 15, 0);
	g_assert_true(task->is_kernel && !task->has_start && task->cpu == 1);
	g_assert_cmpstr(system_machine_task(machine, 16), ==, "semi;colon");

	g_assert_cmpuint(machine->vcpu_states->len, ==, 2);
	vcpu = &g_array_index(machine->vcpu_states, struct system_vcpu, 0);
	g_assert_true(vcpu->number == 0 && !vcpu->has_pc && !vcpu->live);
	g_assert_true(vcpu->el == SYSTEM_NO_VALUE && vcpu->context_id == SYSTEM_NO_VALUE);
	vcpu = &g_array_index(machine->vcpu_states, struct system_vcpu, 1);
	g_assert_true(vcpu->number == 1 && vcpu->has_pc && vcpu->live && vcpu->has_taken);
	g_assert_cmpuint(vcpu->pc_va, ==, 0xffff800008011000);
	g_assert_cmpint(vcpu->pcpu, ==, 3);
	g_assert_cmpint(vcpu->context_id, ==, 97);
	g_assert_cmpint(vcpu->taken_ticks, ==, 5000);
}

static void test_errors(void)
{
	static const struct {
		const char *text;
		enum system_file_error code;
		const char *message;
	} cases[] = {
		{ "[names]\ntakem=1\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean 'taken'?" },
		{ "[names]\ntaken=-1\n", SYSTEM_FILE_ERROR_VALUE, "*[names] taken: expected*" },
		{ "[name]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [names]?" },
		{ "[task 3]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [tasks 3]?" },
		{ "[tasks 3]\n1=a\n", SYSTEM_FILE_ERROR_VALUE, "*there is no [machine 3]" },
		{ "[machine 3]\n[tasks 3]\nx=a\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "*unknown key 'x', known are numbers of tasks*" },
		{ "[machine 3]\n[tasks 3]\n1=\n", SYSTEM_FILE_ERROR_VALUE,
		  "*1: the name is miss*" },
		{ "[machine 3]\n[tasks 3]\n1=a;stat=4\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "*unknown word 'stat=4', did you mean 'start'?" },
		{ "[machine 3]\n[tasks 3]\n1=a;start=later\n", SYSTEM_FILE_ERROR_VALUE,
		  "*start takes a number up to*'later'" },
		{ "[machine 3]\n[tasks 3]\n1=a\n0x1=b\n", SYSTEM_FILE_ERROR_VALUE,
		  "*context ID 1 has two names*" },
		{ "[machine 3]\ntasks=1:a\n[tasks 3]\n1=b\n", SYSTEM_FILE_ERROR_VALUE,
		  "*context ID 1 has two names*" },
		{ "[machine 3]\n[vcpus 3]\n0=el=2\n", SYSTEM_FILE_ERROR_VALUE, "*el takes*'2'" },
		{ "[machine 3]\n[vcpus 3]\n0=\n00=\n", SYSTEM_FILE_ERROR_VALUE, "*0 is there tw*" },
		{ "[machine 3]\n[vcpus 3]\n0=alive\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "*did you mean 'live'?" },
		{ "[machine 3]\nbuild_id=xyz\n", SYSTEM_FILE_ERROR_VALUE, "*hexadecimal*" },
		{ "[machine 3]\npartial=maybe\n", SYSTEM_FILE_ERROR_VALUE, "*known are true, f*" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(parse(cases[i].text, &error));
		g_test_message("%s", error->message);
		g_assert_error(error, SYSTEM_FILE_ERROR, (gint)cases[i].code);
		g_assert_true(g_pattern_match_simple(cases[i].message, error->message));
	}
}

static void assert_name(const struct system_file *file, gint64 context_id, gint64 ticks,
                        const char *expected)
{
	const struct system_machine *machine = system_file_machine_of_vmid(file, 2);
	const struct system_task *task = system_machine_task_at(machine, context_id, ticks);
	g_autofree char *name = task == NULL
	                                ? g_strdup("-")
	                                : g_strconcat(task->name, task->doubtful ? "?" : "", NULL);

	g_assert_cmpstr(name, ==, expected);
}

/* Three looks; the files are given in another order than they were taken in. */
static void test_lives(void)
{
	g_autoptr(system_file) first =
		parse_good("[names]\ntaken=1000\n[machine 2]\nname=dom1\n[tasks 2]\n"
	                   "97=calc;start=100;start_key=5\n98=short;start=900;start_key=6\n"
	                   "99=old;start=200;start_key=7\n50=plain\n51=x\n");
	g_autoptr(system_file) second =
		parse_good("[names]\ntaken=2000\n[machine 2]\nvcpus=2\n[tasks 2]\n"
	                   "97=renamed;start=103;start_key=5\n99=new;start=1500;start_key=8\n"
	                   "50=plain\n51=y\n52=came\n");
	g_autoptr(system_file) third =
		parse_good("[names]\ntaken=3000\n[machine 2]\npartial=true\n[tasks 2]\n"
	                   "99=new;start=1500;start_key=8\n");
	const struct system_file *names[] = { second, third, first };
	g_autoptr(system_file) user = parse_good("[machine 9]\nvmid=2\nname=control\n"
	                                         "tasks=97:mine;98:mine;7:only\n");
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) file = system_file_merge(user, names, 3, &error);
	const struct system_machine *machine;

	g_assert_no_error(error);
	g_assert_cmpuint(file->machines->len, ==, 1);
	machine = file->machines->pdata[0];
	g_assert_cmpuint(machine->machine, ==, 9);
	g_assert_cmpstr(machine->name, ==, "control");
	g_assert_cmpuint(machine->vcpus, ==, 2);
	g_assert_cmpuint(file->looks->len, ==, 3);
	g_assert_cmpint(g_array_index(file->looks, struct system_look, 0).taken_ticks, ==, 1000);

	/* The same task, whatever it is called; before it, what the user said. */
	assert_name(file, 97, 99, "mine");
	assert_name(file, 97, 100, "renamed");
	assert_name(file, 97, 9999, "renamed");
	/* It ended between two looks. */
	assert_name(file, 98, 900, "short");
	assert_name(file, 98, 1000, "short");
	assert_name(file, 98, 1001, "short?");
	assert_name(file, 98, 1999, "short?");
	assert_name(file, 98, 2000, "mine");
	/* Its number was used again. A look that is not whole ends nothing. */
	assert_name(file, 99, 199, "-");
	assert_name(file, 99, 1000, "old");
	assert_name(file, 99, 1499, "old?");
	assert_name(file, 99, 1500, "new");
	assert_name(file, 99, 4000, "new");
	/* Without starts names decide. */
	assert_name(file, 50, -5, "plain");
	assert_name(file, 50, 5000, "plain");
	assert_name(file, 51, 1000, "x");
	assert_name(file, 51, 1500, "x?");
	assert_name(file, 51, 2000, "y");
	assert_name(file, 52, 1000, "-");
	assert_name(file, 52, 1500, "came?");
	assert_name(file, 52, 2000, "came");
	assert_name(file, 7, 0, "only");
}

static void test_refused(void)
{
	g_autoptr(system_file) timeless = parse_good("[names]\n[machine 1]\n");
	g_autoptr(system_file) timed = parse_good("[names]\ntaken=4\n[machine 1]\n");
	g_autoptr(system_file) plain = parse_good("[machine 1]\n");
	const struct system_file *both[] = { timed, timeless };
	const struct system_file *wrong[] = { plain };
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) alone = system_file_merge(NULL, &both[1], 1, &error);

	g_assert_no_error(error);
	g_assert_nonnull(alone);
	g_assert_null(system_file_merge(NULL, both, 2, &error));
	g_assert_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_VALUE);
	g_clear_error(&error);
	g_assert_null(system_file_merge(NULL, wrong, 1, &error));
	g_assert_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_VALUE);
}

/* The intervals of one context ID never overlap, and a task is known whenever it was seen. */
static void test_random(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(4);

	for (guint round = 0; round < 2000; round++) {
		const struct system_file *names[5];
		const guint n = 1 + (guint)g_rand_int_range(rand, 0, 5);
		g_autoptr(GError) error = NULL;
		g_autoptr(system_file) merged = NULL;
		const GArray *tasks;

		for (guint i = 0; i < n; i++) {
			GString *text = g_string_new(NULL);

			g_string_printf(text, "[names]\ntaken=%u\n[machine 2]\n[tasks 2]\n",
			                1000 * (i + 1));
			for (guint id = 0; id < 3; id++) {
				const gint age = g_rand_int_range(rand, 0, 3000);

				if (g_rand_int_range(rand, 0, 3) == 0)
					continue;
				g_string_append_printf(text, "%u=%c", id,
				                       'a' + g_rand_int_range(rand, 0, 2));
				if (g_rand_boolean(rand))
					g_string_append_printf(text, ";start=%d;start_key=%d",
					                       MAX(1000 * ((gint)i + 1) - age, 0),
					                       g_rand_int_range(rand, 0, 4));
				g_string_append_c(text, '\n');
			}
			names[i] = parse_good(text->str);
			g_string_free(text, TRUE);
		}
		merged = system_file_merge(NULL, names, n, &error);
		g_assert_no_error(error);
		tasks = system_file_machine_of_vmid(merged, 2)->tasks;
		for (guint i = 0; i < tasks->len; i++) {
			const struct system_task *task =
				&g_array_index(tasks, struct system_task, i);

			g_assert_cmpint(task->from_ticks, <, task->to_ticks);
			g_assert_true(i == 0 || task[-1].context_id != task->context_id ||
			              task[-1].to_ticks <= task->from_ticks);
		}
		for (guint i = 0; i < n; i++)
			system_file_free((struct system_file *)names[i]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/names/whole", test_whole);
	g_test_add_func("/base/names/errors", test_errors);
	g_test_add_func("/base/names/lives", test_lives);
	g_test_add_func("/base/names/refused", test_refused);
	g_test_add_func("/base/names/random", test_random);
	return g_test_run();
}

#include "base/system-file.h"

#include <string.h>

static struct system_file *parse(const char *text, GError **error)
{
	return system_file_parse(text, strlen(text), "lab/system.ini", error);
}

static void test_whole(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) file = parse("# a board\n"
	                                    "[system]\n"
	                                    "timestamp_hz = 62500000 \n"
	                                    "core_names=A53-0; A53-1\n"
	                                    "hypervisor=xen\n"
	                                    "scheduler=credit2\n"
	                                    "[machine 2]\n"
	                                    "name=control\nkind=linux\nvcpus=2\n"
	                                    "tasks=97:calc; 0x62:io wait;\n"
	                                    "symbols=vmlinux\nimage=/boot/Image\n"
	                                    "[machine 0]\nname=Xen\nkind=xen\n"
	                                    "[machine 7]\nvmid=3\nkind=freertos\n",
	                                    &error);
	const struct system_machine *machine;

	g_assert_no_error(error);
	g_assert_cmpuint(file->timestamp_hz, ==, 62500000);
	g_assert_cmpuint(g_strv_length(file->core_names), ==, 2);
	g_assert_cmpstr(file->core_names[1], ==, "A53-1");
	g_assert_true(system_file_is_xen(file));
	g_assert_cmpstr(file->scheduler, ==, "credit2");
	g_assert_cmpuint(file->machines->len, ==, 3);

	machine = system_file_machine(file, 0);
	g_assert_cmpint(machine->vmid, ==, SYSTEM_NO_VALUE);
	g_assert_cmpstr(machine_kind_name(machine->kind), ==, "xen");
	machine = system_file_machine_of_vmid(file, 3);
	g_assert_cmpuint(machine->machine, ==, 7);
	g_assert_cmpint(machine->kind, ==, MACHINE_KIND_FREERTOS);
	g_assert_null(system_file_machine_of_vmid(file, 7));
	machine = system_file_machine_of_vmid(file, 2);
	g_assert_cmpuint(machine->vcpus, ==, 2);
	g_assert_cmpstr(machine->symbols, ==, "lab/vmlinux");
	g_assert_cmpstr(machine->image, ==, "/boot/Image");
	g_assert_cmpstr(system_machine_task(machine, 97), ==, "calc");
	g_assert_cmpstr(system_machine_task(machine, 98), ==, "io wait");
	g_assert_null(system_machine_task(machine, 99));
}

static void assert_domain(const struct system_file *file, gint64 vmid, const char *expected)
{
	g_autofree char *label = system_file_domain_label(file, vmid);

	g_assert_cmpstr(label, ==, expected);
}

static void test_labels(void)
{
	g_autoptr(system_file) xen =
		parse("[system]\nhypervisor=xen\n[machine 2]\nname=control\ntasks=1:a\n", NULL);
	g_autofree char *task = system_file_task_label(system_file_machine(xen, 2), 1);
	g_autofree char *context = system_file_task_label(system_file_machine(xen, 2), 97);

	assert_domain(xen, 2, "control");
	assert_domain(xen, 1, "domain 0");
	assert_domain(NULL, 2, "VMID 2");
	g_assert_cmpstr(task, ==, "a");
	g_assert_cmpstr(context, ==, "context 97");
}

static void test_empty(void)
{
	g_autoptr(system_file) file = parse("", NULL);

	g_assert_nonnull(file);
	g_assert_false(system_file_is_xen(file));
	g_assert_null(system_file_machine(file, 0));
}

static void test_errors(void)
{
	static const struct {
		const char *text;
		enum system_file_error code;
		const char *message;
	} cases[] = {
		{ "[system]\ntimestmap_hz=1\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "lab/system.ini: [system]: unknown key 'timestmap_hz', did you mean "
		  "'timestamp_hz'?" },
		{ "[machine 1]\nzebra=1\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "*unknown key 'zebra', known are name, kind*" },
		{ "[machin 1]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [machine 1]?" },
		{ "[machine1]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [machine 1]?" },
		{ "[machine]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [machine N]?" },
		{ "[System]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*did you mean [system]?" },
		{ "[board]\n", SYSTEM_FILE_ERROR_UNKNOWN, "*known are [system] and*" },
		{ "[system]\ntimestamp_hz=fast\n", SYSTEM_FILE_ERROR_VALUE,
		  "*[system] timestamp_hz: expected a whole number from 1*found 'fast'" },
		{ "[system]\ntimestamp_hz=0\n", SYSTEM_FILE_ERROR_VALUE, "*found '0'" },
		{ "[system]\ntimestamp_hz=-4\n", SYSTEM_FILE_ERROR_VALUE, "*found '-4'" },
		{ "[system]\nhypervisor=zen\n", SYSTEM_FILE_ERROR_VALUE, "*did you mean 'xen'?" },
		{ "[system]\nscheduler=\n", SYSTEM_FILE_ERROR_VALUE, "*scheduler: *empty" },
		{ "[system]\ncore_names=a;;b\n", SYSTEM_FILE_ERROR_VALUE, "*core 1 is empty" },
		{ "[machine 1]\nkind=windows\n", SYSTEM_FILE_ERROR_VALUE,
		  "*known are xen, linux*" },
		{ "[machine 1]\nvmid=70000\n", SYSTEM_FILE_ERROR_VALUE, "*from 0 to 65535*" },
		{ "[machine 0]\nvmid=4\n", SYSTEM_FILE_ERROR_VALUE,
		  "*machine 0 is the hypervisor*" },
		{ "[machine 1]\nvmid=2\n[machine 2]\n", SYSTEM_FILE_ERROR_VALUE,
		  "*[machine 1] and [machine 2] both have VMID 2*" },
		{ "[machine 1]\ntasks=97\n", SYSTEM_FILE_ERROR_VALUE, "*found '97'" },
		{ "[machine 1]\ntasks=a:b\n", SYSTEM_FILE_ERROR_VALUE, "*CONTEXT-ID:NAME*'a:b'" },
		{ "[machine 1]\ntasks=5000000000:b\n", SYSTEM_FILE_ERROR_VALUE,
		  "*CONTEXT-ID:NAME*" },
		{ "[machine 1]\ntasks=1:a;1:b\n", SYSTEM_FILE_ERROR_VALUE,
		  "*two names, 'a' and 'b'" },
		{ "[machine 1]\nname=a\nname=b\n", SYSTEM_FILE_ERROR_SYNTAX,
		  "lab/system.ini:3: [machine 1] name is there a second time*" },
		{ "[system]\n[system]\n", SYSTEM_FILE_ERROR_SYNTAX, "lab/system.ini:2: *" },
		{ "[machine 1]\n[machine 01]\n", SYSTEM_FILE_ERROR_SYNTAX, "*described twice" },
		{ "[machine 1]\nbackend=2\n", SYSTEM_FILE_ERROR_VALUE,
		  "*[machine 1] backend: expected the number of another virtual machine*2" },
		{ "[machine 1]\nbackend=1\n", SYSTEM_FILE_ERROR_VALUE, "*another*" },
		{ "[machine 0]\n[machine 1]\nbackend=0\n", SYSTEM_FILE_ERROR_VALUE, "*from 1 to*" },
		{ "[machine 1]\nbackend_tasks=3\n", SYSTEM_FILE_ERROR_VALUE, "*no key 'backend'*" },
		{ "[machine 1]\nbackend=2\nbackend_tasks=disk;;\n[machine 2]\n",
		  SYSTEM_FILE_ERROR_VALUE, "*task 1 is empty*" },
		{ "[machine 1]\nnotify=0x1002\n", SYSTEM_FILE_ERROR_VALUE, "*found '0x1002'" },
		{ "[machine 1]\nstm_channels=9-8\n", SYSTEM_FILE_ERROR_VALUE, "*found '9-8'" },
		{ "[machine 1]\nstm_channels=70000\n", SYSTEM_FILE_ERROR_VALUE, "*0 to 65535*" },
		{ "[machine 1]\nbackends=2\n", SYSTEM_FILE_ERROR_UNKNOWN,
		  "*did you mean 'backend'?" },
		{ "name=a\n", SYSTEM_FILE_ERROR_SYNTAX, "lab/system.ini: not a system file: *" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(parse(cases[i].text, &error));
		g_assert_error(error, SYSTEM_FILE_ERROR, (gint)cases[i].code);
		g_test_message("%s", error->message);
		if (strchr(cases[i].message, '*') == NULL)
			g_assert_cmpstr(error->message, ==, cases[i].message);
		else
			g_assert_true(g_pattern_match_simple(cases[i].message, error->message));
	}
}

static void test_backend(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(system_file) file =
		parse("[machine 03]\nbackend=5\nbackend_tasks=disk;0x20;disc\n"
	              "notify=0xffff800008012344; 4096\nstm_channels=3; 48-63\n"
	              "[machine 5]\ntasks=7:disk\n[machine 6]\nvmid=0\n",
	              &error);
	g_autoptr(GPtrArray) unknown = g_ptr_array_new();
	g_autoptr(system_file) merged = NULL;
	g_autoptr(GArray) tasks = NULL;
	const struct system_machine *machine;

	g_assert_no_error(error);
	machine = system_file_machine(file, 3);
	g_assert_cmpint(machine->backend, ==, 5);
	tasks = system_file_backend_tasks(file, machine, unknown);
	g_assert_cmpuint(tasks->len, ==, 2);
	g_assert_cmpuint(g_array_index(tasks, guint32, 0), ==, 7);
	g_assert_cmpuint(g_array_index(tasks, guint32, 1), ==, 0x20);
	g_assert_cmpuint(unknown->len, ==, 1);
	g_assert_cmpstr(unknown->pdata[0], ==, "disc");
	g_assert_cmpuint(machine->notify_va->len, ==, 2);
	g_assert_cmphex(g_array_index(machine->notify_va, guint64, 0), ==, 0xffff800008012344);
	g_assert_true(system_machine_has_channel(machine, 3));
	g_assert_true(system_machine_has_channel(machine, 63));
	g_assert_false(system_machine_has_channel(machine, 64));
	/* VMID 5 is domain 4, whose page is 5. */
	machine = system_file_machine(file, 5);
	g_assert_cmpint(machine->backend, ==, SYSTEM_NO_VALUE);
	g_assert_true(system_machine_has_channel(machine, 80));
	g_assert_true(system_machine_has_channel(machine, 95));
	g_assert_false(system_machine_has_channel(machine, 96));
	/* Names files do not take it away. */
	merged = system_file_merge(file, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpint(system_file_machine(merged, 3)->backend, ==, 5);
	g_assert_cmpstr(system_file_machine(merged, 3)->backend_tasks[2], ==, "disc");
	g_assert_true(system_machine_has_channel(system_file_machine(merged, 3), 48));
	/* Without a VMID it has no page. */
	g_assert_false(system_machine_has_channel(system_file_machine(file, 6), 0));
}

static void test_missing(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(system_file_load("/nonexistent/system.ini", &error));
	g_assert_error(error, SYSTEM_FILE_ERROR, SYSTEM_FILE_ERROR_READ);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/system-file/whole", test_whole);
	g_test_add_func("/system-file/labels", test_labels);
	g_test_add_func("/system-file/empty", test_empty);
	g_test_add_func("/system-file/errors", test_errors);
	g_test_add_func("/system-file/backend", test_backend);
	g_test_add_func("/system-file/missing", test_missing);
	return g_test_run();
}

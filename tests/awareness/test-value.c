#include "awareness/symbols/expression.h"
#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/symbol-data.h"

#include <string.h>

/* The program's own initialised data is the memory that is looked at. */
static gboolean read_file(gpointer data, uint64_t va, void *buffer, size_t len)
{
	const uint8_t *bytes = elf_file_data_at(data, va, len);

	if (bytes == NULL)
		return FALSE;
	memcpy(buffer, bytes, len);
	return TRUE;
}

static gboolean read_register(gpointer data, const char *name, uint64_t *value)
{
	(void)data;
	*value = 0x40;
	return strcmp(name, "x0") == 0;
}

struct fixture {
	struct image *image;
	struct value_context context;
};

static gboolean fixture_open(struct fixture *self, const char *name)
{
	g_autofree char *path = symbol_data_path(name);
	g_autoptr(GError) error = NULL;

	if (path == NULL)
		return FALSE;
	self->image = image_open(path, NULL, &error);
	g_assert_no_error(error);
	self->context = (struct value_context) {
		.types = image_types(self->image, &error),
		.symbols = image_symbols(self->image, &error),
		.read = read_file,
		.variable = read_register,
		.data = image_elf(self->image),
	};
	g_assert_no_error(error);
	return TRUE;
}

static char *print(const struct fixture *self, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct value value;

	g_test_message("%.60s", text);
	if (!expression_evaluate(&self->context, text, &value, &error))
		return g_strdup_printf("error %d: %s", error->code, error->message);
	return value_format(&self->context, &value);
}

static void check(const struct fixture *self, const char *text, const char *want)
{
	g_autofree char *got = print(self, text);

	g_assert_cmpstr(got, ==, want);
}

static void check_error(const struct fixture *self, const char *text, enum symbol_error code)
{
	g_autoptr(GError) error = NULL;
	struct value value = { .number = 99 };

	g_test_message("%.60s", text);
	g_assert_false(expression_evaluate(&self->context, text, &value, &error));
	g_assert_error(error, SYMBOL_ERROR, (int)code);
	g_assert_cmpuint(value.number, ==, 99);
}

static void test_linux(void)
{
	struct fixture self;
	g_autofree char *task = NULL;

	if (!fixture_open(&self, "dump-xen-128m/vmlinux-mini.zst"))
		return;
	/* init/init_task.c of Linux 6.1 and include/linux/init_task.h. */
	check(&self, "init_task.comm", "\"swapper\"");
	check(&self, "init_task.prio", "120");
	check(&self, "init_task.pid", "0");
	check(&self, "init_task.flags + 1", "2097153"); /* PF_KTHREAD 0x00200000 */
	check(&self, "(&init_task)->comm[0]", "115 's'");
	check(&self, "*&init_task.static_prio", "120");
	check(&self, "0 - 1", "18446744073709551615");
	check(&self, "sizeof(struct list_head)", "16");
	check(&self, "(unsigned char)0x1ff", "255");
	check(&self, "$x0 + 2", "66");
	task = print(&self, "init_task");
	g_assert_nonnull(strstr(task, "comm = \"swapper\""));
	g_assert_nonnull(strstr(task, "prio = 120"));
	check_error(&self, "init_task.no_such", SYMBOL_ERROR_NOT_FOUND);
	check_error(&self, "no_such_symbol", SYMBOL_ERROR_NOT_FOUND);
	check_error(&self, "init_task.", SYMBOL_ERROR_SYNTAX);
	check_error(&self, "init_task +", SYMBOL_ERROR_SYNTAX);
	check_error(&self, "(init_task", SYMBOL_ERROR_SYNTAX);
	check_error(&self, "init_task.comm[1", SYMBOL_ERROR_SYNTAX);
	check_error(&self, "$pc", SYMBOL_ERROR_NOT_FOUND);
	check_error(&self, "init_task.pid->x", SYMBOL_ERROR_TYPE);
	check_error(&self, "*(struct task_struct *)16 + 1", SYMBOL_ERROR_TYPE);
	check_error(&self, "((struct task_struct *)16)->pid + 1", SYMBOL_ERROR_MEMORY);
	check(&self, "((struct task_struct *)16)->pid", "<unreadable>");
	image_free(self.image);
}

static void test_json(void)
{
	struct fixture self;
	struct value value;
	g_autoptr(GError) error = NULL;
	JsonNode *node;

	if (!fixture_open(&self, "dump-xen-128m/vmlinux-mini.zst"))
		return;
	g_assert_true(expression_evaluate(&self.context, "init_task", &value, &error));
	node = value_to_json(&self.context, &value);
	g_assert_cmpstr(json_object_get_string_member(json_node_get_object(node), "comm"), ==,
	                "swapper");
	g_assert_cmpint(json_object_get_int_member(json_node_get_object(node), "prio"), ==, 120);
	json_node_unref(node);
	g_assert_true(expression_evaluate(&self.context, "init_task.prio", &value, &error));
	node = value_to_json(&self.context, &value);
	g_assert_cmpint(json_node_get_int(node), ==, 120);
	json_node_unref(node);
	image_free(self.image);
}

static void test_deep(void)
{
	struct fixture self;
	g_autoptr(GString) text = g_string_new(NULL);

	if (!fixture_open(&self, "dump-xen-128m/xen-syms"))
		return;
	for (unsigned i = 0; i < 5000; i++)
		g_string_append_c(text, '(');
	check_error(&self, text->str, SYMBOL_ERROR_SYNTAX);
	g_string_assign(text, "");
	for (unsigned i = 0; i < 5000; i++)
		g_string_append_c(text, '*');
	check_error(&self, text->str, SYMBOL_ERROR_SYNTAX);
	image_free(self.image);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/value/linux", test_linux);
	g_test_add_func("/value/json", test_json);
	g_test_add_func("/value/deep", test_deep);
	return g_test_run();
}

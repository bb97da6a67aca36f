#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/symbol-data.h"

#include <string.h>

struct vector {
	const char *type;
	const char *path;
	uint64_t offset_bytes;
};

/* Xen 4.17.5 for arm64 by gcc 12, measured with another tool. */
static const struct vector xen_4_17[] = {
	{ "struct domain", "max_vcpus", 4 },          { "struct domain", "vcpu", 8 },
	{ "struct domain", "next_in_list", 136 },     { "struct domain", "is_dying", 320 },
	{ "struct domain", "is_shutting_down", 440 }, { "struct domain", "pause_count", 452 },
	{ "struct domain", "handle", 1672 },          { "struct vcpu", "domain", 16 },
	{ "struct vcpu", "runstate", 208 },           { "struct vcpu", "is_running", 271 },
	{ "struct vcpu", "pause_flags", 296 },        { "struct vcpu", "arch.saved_context", 640 },
	{ "struct vcpu", "arch.stack", 744 },         { "struct vcpu", "arch.cpu_info", 752 },
	{ "struct vcpu", "arch.ttbcr", 792 },         { "struct vcpu", "arch.ttbr0", 800 },
	{ "struct vcpu", "arch.ttbr1", 808 },         { "struct vcpu", "arch.mair", 832 },
	{ "struct vcpu", "arch.sctlr", 848 },         { "struct vcpu", "arch.contextidr", 868 },
	{ "struct vcpu", "arch.hcr_el2", 896 },       { "struct cpu_user_regs", "cpsr", 264 },
	{ "struct cpu_user_regs", "hsr", 272 },       { "struct cpu_user_regs", "spsr_el1", 288 },
	{ "struct cpu_user_regs", "sp_el0", 312 },    { "struct cpu_user_regs", "sp_el1", 320 },
	{ "struct cpu_user_regs", "elr_el1", 328 },
};

static struct image *open_data(const char *name)
{
	g_autofree char *path = symbol_data_path(name);
	g_autoptr(GError) error = NULL;
	struct image *image = path != NULL ? image_open(path, NULL, &error) : NULL;

	g_assert_no_error(error);
	return image;
}

static void test_xen_offsets(void)
{
	g_autoptr(image_t) image = open_data("dump-xen-128m/xen-syms");
	g_autoptr(GError) error = NULL;
	struct types *types;
	uint64_t size;

	if (image == NULL)
		return;
	types = image_types(image, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(types_source(types), ==, "DWARF");
	for (size_t i = 0; i < G_N_ELEMENTS(xen_4_17); i++) {
		const struct vector *vector = &xen_4_17[i];
		uint64_t offset = UINT64_MAX;

		types_offset(types, vector->type, vector->path, &offset, &error);
		g_assert_no_error(error);
		g_test_message("%s.%s", vector->type, vector->path);
		g_assert_cmpuint(offset, ==, vector->offset_bytes);
	}
	g_assert_true(types_size(types, "struct cpu_user_regs", &size, &error));
	g_assert_cmpuint(size, ==, 336);
}

static void test_paths(void)
{
	g_autoptr(image_t) image = open_data("dump-xen-128m/vmlinux-mini.zst");
	g_autoptr(GError) error = NULL;
	struct type_place place, element;
	struct types *types;
	uint64_t anonymous;

	if (image == NULL)
		return;
	types = image_types(image, &error);
	g_assert_no_error(error);
	/* task_struct.comm is char[TASK_COMM_LEN]; randomised layout or not, it has 16. */
	g_assert_true(types_member(types, "struct task_struct", "comm", &place, &error));
	g_assert_cmpuint(place.size_bytes, ==, 16);
	g_assert_true(types_member(types, "task_struct", "comm[3]", &element, &error));
	g_assert_cmpuint(element.offset_bytes, ==, place.offset_bytes + 3);
	g_assert_cmpuint(element.size_bytes, ==, 1);
	/* One bit, in a row of them. */
	g_assert_true(
		types_member(types, "struct task_struct", "sched_reset_on_fork", &place, &error));
	g_assert_cmpuint(place.bit_size, ==, 1);
	g_assert_false(types_offset(types, "struct task_struct", "sched_reset_on_fork", &anonymous,
	                            &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_TYPE);
	g_clear_error(&error);
	/* struct page keeps everything in anonymous unions. */
	g_assert_true(types_offset(types, "struct page", "mapping", &anonymous, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(anonymous, >, 0);
}

static void test_refusals(void)
{
	g_autoptr(image_t) image = open_data("dump-xen-128m/xen-syms");
	static const struct {
		const char *type, *path;
		enum symbol_error code;
	} cases[] = {
		{ "struct no_such", "x", SYMBOL_ERROR_NOT_FOUND },
		{ "struct vcpu", "no_such", SYMBOL_ERROR_NOT_FOUND },
		{ "struct vcpu", "arch.", SYMBOL_ERROR_SYNTAX },
		{ "struct vcpu", "", SYMBOL_ERROR_NOT_FOUND },
		{ "struct vcpu", "vcpu_id.x", SYMBOL_ERROR_TYPE },
		{ "struct vcpu", "vcpu_id[1]", SYMBOL_ERROR_TYPE },
		{ "struct domain", "handle[", SYMBOL_ERROR_SYNTAX },
		{ "struct domain", "handle[-1]", SYMBOL_ERROR_SYNTAX },
		{ "struct domain", "handle[x]", SYMBOL_ERROR_SYNTAX },
	};
	struct types *types;

	if (image == NULL)
		return;
	types = image_types(image, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct type_place place = { .offset_bytes = 77 };

		g_test_message("%s / %s", cases[i].type, cases[i].path);
		g_assert_false(types_member(types, cases[i].type, cases[i].path, &place, &error));
		g_assert_error(error, SYMBOL_ERROR, (int)cases[i].code);
		g_assert_cmpuint(place.offset_bytes, ==, 77);
	}
}

static void test_enumerators(void)
{
	g_autoptr(image_t) image = open_data("dump-xen-128m/xen-syms");
	g_autoptr(GError) error = NULL;
	struct types *types;
	const struct type *type;
	int64_t value;

	if (image == NULL)
		return;
	types = image_types(image, NULL);
	/* xen/include/xen/sched.h: enum domain_type is not there on every port, but
	 * DOMDYING_dead is the third of an anonymous enum on all. */
	g_assert_true(types_enumerator(types, NULL, "DOMDYING_dead", &value, &error));
	g_assert_no_error(error);
	g_assert_cmpint(value, ==, 2);
	g_assert_false(types_enumerator(types, NULL, "DOMDYING_no_such", &value, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
	g_clear_error(&error);
	type = types_of_variable(types, "idle_vcpu", &error);
	g_assert_no_error(error);
	{
		g_autofree char *text = types_describe(types, type);

		g_assert_true(g_str_has_prefix(text, "struct vcpu *["));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/types/xen-offsets", test_xen_offsets);
	g_test_add_func("/types/paths", test_paths);
	g_test_add_func("/types/refusals", test_refusals);
	g_test_add_func("/types/enumerators", test_enumerators);
	return g_test_run();
}

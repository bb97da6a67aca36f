#include "awareness/target/core-file.h"
#include "awareness/target/register-file.h"
#include "awareness/target/target-fake.h"
#include "awareness/target/target.h"

#include <glib/gstdio.h>
#include <string.h>

static char *scratch_file(const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *dir = g_dir_make_tmp("hvscope-XXXXXX", &error);

	g_assert_no_error(error);
	return g_build_filename(dir, name, NULL);
}

static void scratch_remove(char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	g_unlink(path);
	g_rmdir(dir);
	g_free(path);
}

static void test_address_parts(void)
{
	static const struct {
		const char *text, *machine, *space, *place;
		enum address_kind kind;
	} cases[] = {
		{ "0x10", NULL, NULL, "0x10", ADDRESS_KIND_VA },
		{ "dom1:::0x2b::0x10", "dom1", "0x2b", "0x10", ADDRESS_KIND_VA },
		{ "1:::init_task", "1", NULL, "init_task", ADDRESS_KIND_VA },
		{ "init::0x400000", NULL, "init", "0x400000", ADDRESS_KIND_VA },
		{ "dom1:::ipa:0x40000000", "dom1", NULL, "0x40000000", ADDRESS_KIND_IPA },
		{ "pa:0x40000000", NULL, NULL, "0x40000000", ADDRESS_KIND_PA },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct address_text parts;

		g_assert_true(address_text_init(&parts, cases[i].text, &error));
		g_assert_no_error(error);
		g_assert_cmpstr(parts.machine, ==, cases[i].machine);
		g_assert_cmpstr(parts.space, ==, cases[i].space);
		g_assert_cmpstr(parts.place, ==, cases[i].place);
		g_assert_cmpint(parts.kind, ==, cases[i].kind);
		if (parts.is_number) {
			g_autofree char *again =
				address_format(parts.machine, parts.space, parts.kind, parts.value);

			g_assert_cmpstr(again, ==, cases[i].text);
		}
		address_text_deinit(&parts);
	}
}

static void test_address_nonsense(void)
{
	static const char *const texts[] = {
		"",        ":::0x10",     "a:::",         "::0x10",
		"a:::b::", "a:::pa:0x10", "a:::b::ipa:1", "a::b::c",
		"a:b",     "a:::b::c::d", "pa:",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		struct address_text parts;

		g_assert_false(address_text_init(&parts, texts[i], &error));
		g_assert_error(error, ADDRESS_ERROR, ADDRESS_ERROR_SYNTAX);
	}
}

static void test_register_file_wide(void)
{
	static const char text[] =
		"{\"ram_base\": 4096, \"extra\": [1, {\"a\": \"]\"}], \"cpus\": [{\"x0\": 1, "
		"\"v4\": 340282366920938463463374607431768211455, \"v5\": \"0x10\"}]}";
	g_autoptr(GError) error = NULL;
	struct register_file file;
	GHashTable *cpu;
	const struct target_register *wide;

	register_file_init(&file);
	g_assert_true(register_file_parse(&file, text, strlen(text), "text", &error));
	g_assert_no_error(error);
	g_assert_cmpuint(file.ram.base.value, ==, 4096);
	cpu = file.cpus->pdata[0];
	wide = g_hash_table_lookup(cpu, "v4");
	g_assert_cmphex(wide->low, ==, G_MAXUINT64);
	g_assert_cmphex(wide->high, ==, G_MAXUINT64);
	wide = g_hash_table_lookup(cpu, "v5");
	g_assert_cmphex(wide->low, ==, 16);
	register_file_deinit(&file);
}

/* Cut at every byte and with every byte replaced: an error or a file, never more. */
static void test_register_file_hostile(void)
{
	static const char text[] = "{\"ram_base\":4096,\"o\":[1,\"]\"],\"cpus\":[{\"x0\":1,"
				   "\"v4\":3402823669209384634633746074317682114556}]}";
	gsize n = strlen(text);

	for (gsize cut = 0; cut <= n * 4; cut++) {
		static const char evil[] = "\"}9[";
		g_autofree char *copy = g_strndup(text, cut <= n ? cut : n);
		g_autoptr(GError) error = NULL;
		struct register_file file;

		if (cut >= n)
			copy[cut % n] = evil[cut / n - 1];
		register_file_init(&file);
		if (!register_file_parse(&file, copy, strlen(copy), "text", &error))
			g_assert_error(error, TARGET_ERROR, TARGET_ERROR_OPEN);
		register_file_deinit(&file);
	}
}

static void test_register_aliases(void)
{
	struct target *target = target_fake_new(1);
	struct target_register value;
	g_autoptr(GError) error = NULL;

	target_fake_set_register(target, 0, "SCTLR", 1);
	target_fake_set_register(target, 0, "SCTLR_EL2", 2);
	target_fake_set_register(target, 0, "VBAR", 3);
	target_fake_set_register(target, 0, "x29", 4);
	target_fake_seal(target);
	g_assert_true(target_register_get(target, 0, "SCTLR_EL1", &value, NULL));
	g_assert_cmpuint(value.low, ==, 1);
	g_assert_true(target_register_get(target, 0, "sctlr_el2", &value, NULL));
	g_assert_cmpuint(value.low, ==, 2);
	g_assert_true(target_register_get(target, 0, "fp", &value, NULL));
	g_assert_cmpuint(value.low, ==, 4);
	g_assert_false(target_register_get(target, 0, "VBAR_EL2", &value, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER);
	g_clear_error(&error);
	g_assert_false(target_register_get(target, 1, "x29", &value, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER);
	target_free(target);
}

static void test_memory_bounds(void)
{
	struct target *target = target_fake_new(1);
	uint8_t bytes[16];
	struct target_transfer transfers[] = {
		{ .pa = { 0x1ff8 }, .data = bytes, .len_bytes = 16 },
		{ .pa = { 0x2ff8 }, .data = bytes, .len_bytes = 16 },
		{ .pa = { 0x800 }, .data = bytes, .len_bytes = 1 },
	};
	size_t n_regions;

	target_fake_add_memory(target, (struct pa) { 0x1000 }, 0x1000);
	target_fake_add_memory(target, (struct pa) { 0x2000 }, 0x1000)[0] = 0x5a;
	target_fake_seal(target);
	g_assert_cmpuint(target_regions(target, &n_regions)->len_bytes, ==, 0x2000);
	g_assert_cmpuint(n_regions, ==, 1);
	g_assert_true(target_read(target, transfers, 1, NULL));
	g_assert_true(transfers[0].ok);
	g_assert_cmpuint(bytes[8], ==, 0x5a);
	g_assert_true(target_read(target, transfers, 3, NULL));
	g_assert_false(transfers[1].ok);
	g_assert_false(transfers[2].ok);
	g_assert_cmpuint(target_cost(target).reads, ==, 4);
	g_assert_cmpuint(target_cost(target).bytes_read, ==, 32);
	g_assert_false(target_is_ram(target, (struct pa) { 0x2fff }, 2));
	g_assert_true(target_is_ram(target, (struct pa) { 0x2fff }, 1));
	target_free(target);
}

static void test_core_round_trip(void)
{
	struct target *target = target_fake_new(2);
	char *path = scratch_file("frozen.core");
	g_autofree char *spec = g_strconcat("core:", path, NULL);
	g_autoptr(GError) error = NULL;
	uint64_t unreadable = 1;
	uint8_t byte = 0;
	struct target_transfer transfer = { .pa = { 0x80001234 }, .data = &byte, .len_bytes = 1 };
	struct target *back;
	struct target_register value;

	target_fake_add_memory(target, (struct pa) { 0x1000 }, 0x1800);
	target_fake_add_memory(target, (struct pa) { 0x80000000 }, 0x20000)[0x1234] = 0xa5;
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		target_fake_set_register(target, cpu, "x0", 7 + cpu);
		target_fake_set_register(target, cpu, "TTBR0_EL2", 0x123456789abcdef0 + cpu);
	}
	target_fake_seal(target);
	g_assert_true(core_file_write(target, NULL, 0, path, &unreadable, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(unreadable, ==, 0);
	back = target_open(spec, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(target_cpu_count(back), ==, 2);
	g_assert_true(target_read(back, &transfer, 1, &error));
	g_assert_true(transfer.ok);
	g_assert_cmphex(byte, ==, 0xa5);
	g_assert_true(target_register_get(back, 1, "TTBR0_EL2", &value, &error));
	g_assert_cmphex(value.low, ==, 0x123456789abcdef1);
	g_assert_cmpuint(target_capabilities(back), ==, TARGET_HAS_SYSTEM_REGISTERS);
	target_free(back);
	target_free(target);
	scratch_remove(path);
}

/* A core with any of its first bytes wrong, or cut short, opens or says why. */
static void test_core_hostile(void)
{
	struct target *target = target_fake_new(1);
	char *path = scratch_file("hostile.core");
	g_autofree char *spec = g_strconcat("core:", path, NULL);
	g_autofree char *whole = NULL;
	uint64_t unreadable;
	gsize n;

	target_fake_add_memory(target, (struct pa) { 0x1000 }, 0x1000);
	target_fake_set_register(target, 0, "x0", 7);
	target_fake_seal(target);
	g_assert_true(core_file_write(target, NULL, 0, path, &unreadable, NULL));
	g_assert_true(g_file_get_contents(path, &whole, &n, NULL));
	for (gsize i = 0; i < 1400; i++) {
		g_autofree char *copy = g_memdup2(whole, n);
		g_autoptr(GError) error = NULL;
		struct target *back;

		if (i < 700)
			copy[i] = (char)(copy[i] ^ 0xff);
		g_assert_true(g_file_set_contents_full(path, copy, (gssize)(i < 700 ? n : i), 0,
		                                       0600, NULL));
		back = target_open(spec, &error);
		if (back == NULL)
			g_assert_nonnull(error);
		target_free(back);
	}
	target_free(target);
	scratch_remove(path);
}

static void test_spec_nonsense(void)
{
	static const char *const specs[] = { "",      "ram",   "ram:x",
		                             "ram:+", "usb:1", "core:/nonexistent" };

	for (gsize i = 0; i < G_N_ELEMENTS(specs); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(target_open(specs[i], &error));
		g_assert_nonnull(error);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/address/parts", test_address_parts);
	g_test_add_func("/awareness/address/nonsense", test_address_nonsense);
	g_test_add_func("/awareness/target/register-file-wide", test_register_file_wide);
	g_test_add_func("/awareness/target/register-file-hostile", test_register_file_hostile);
	g_test_add_func("/awareness/target/register-aliases", test_register_aliases);
	g_test_add_func("/awareness/target/memory-bounds", test_memory_bounds);
	g_test_add_func("/awareness/target/core-round-trip", test_core_round_trip);
	g_test_add_func("/awareness/target/core-hostile", test_core_hostile);
	g_test_add_func("/awareness/target/spec-nonsense", test_spec_nonsense);
	return g_test_run();
}

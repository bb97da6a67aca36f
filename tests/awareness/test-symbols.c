#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/symbol-data.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void test_table(void)
{
	g_autoptr(symbols_t) symbols = symbols_new();
	static const struct symbol list[] = {
		{ "start", 0x1000, 0x100, SYMBOL_FUNCTION, TRUE },
		{ "label", 0x1040, 0, SYMBOL_OTHER, FALSE },
		{ "alias", 0x1000, 0x100, SYMBOL_FUNCTION, FALSE },
		{ "twice", 0x2000, 8, SYMBOL_OBJECT, FALSE },
		{ "twice", 0x3000, 8, SYMBOL_OBJECT, TRUE },
		{ "asm", 0x4000, 0, SYMBOL_OTHER, TRUE },
		{ "end", 0x4100, 0, SYMBOL_OTHER, TRUE },
	};
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	uint64_t offset, address = 5;

	g_assert_null(symbols_by_address(symbols, 0, NULL));
	g_assert_null(symbols_by_name(symbols, "start"));
	for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
		symbols_add(symbols, &list[i]);
	g_assert_cmpstr(symbols_by_address(symbols, 0x1000, &offset)->name, ==, "start");
	g_assert_cmpuint(offset, ==, 0);
	g_assert_cmpstr(symbols_by_address(symbols, 0x1044, &offset)->name, ==, "label");
	g_assert_null(symbols_by_address(symbols, 0xfff, NULL));
	g_assert_null(symbols_by_address(symbols, 0x2008, NULL));
	g_assert_cmpstr(symbols_by_address(symbols, 0x40ff, &offset)->name, ==, "asm");
	g_assert_cmpuint(offset, ==, 0xff);
	g_assert_cmpuint(symbols_by_name(symbols, "twice")->address, ==, 0x3000);
	g_assert_false(symbols_address(symbols, "nothing", &address));
	g_assert_cmpuint(address, ==, 5);
	symbols_complete(symbols, "a", 10, names);
	g_assert_cmpuint(names->len, ==, 2);
	g_assert_cmpstr(names->pdata[0], ==, "alias");
	g_assert_cmpstr(names->pdata[1], ==, "asm");
}

static void test_real(void)
{
	g_autofree char *path = symbol_data_path("dump-xen-128m/xen-syms");
	g_autoptr(GError) error = NULL;
	g_autoptr(image_t) image = path != NULL ? image_open(path, NULL, &error) : NULL;
	struct symbols *symbols;
	const struct symbol *symbol;
	uint64_t offset;

	if (path == NULL)
		return;
	g_assert_no_error(error);
	g_assert_cmpstr(image_build_id(image), ==, "c7fd876b21c2afc40615ba442ccd17ab16b39fb1");
	symbols = image_symbols(image, &error);
	g_assert_no_error(error);
	symbol = symbols_by_name(symbols, "context_switch");
	g_assert_nonnull(symbol);
	g_assert_cmpint(symbol->kind, ==, SYMBOL_FUNCTION);
	g_assert_cmpstr(symbols_by_address(symbols, symbol->address + 8, &offset)->name, ==,
	                "context_switch");
	g_assert_cmpuint(offset, ==, 8);
	g_assert_nonnull(symbols_by_name(symbols, "domain_list"));
}

/* Against what binutils' addr2line 2.40 says of the same address. */
static void test_inlined(void)
{
	g_autofree char *path = symbol_data_path("dump-xen-128m/vmlinux-mini.zst");
	g_autoptr(GError) error = NULL;
	g_autoptr(image_t) image = path != NULL ? image_open(path, NULL, &error) : NULL;
	struct dwarf_frames frames;
	uint64_t address;

	if (path == NULL)
		return;
	g_assert_no_error(error);
	g_assert_true(symbols_address(image_symbols(image, NULL), "vfs_read", &address));
	g_assert_true(dwarf_frames_at(image_dwarf(image, NULL), address + 0x24, &frames, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(frames.count, ==, 3);
	g_assert_cmpstr(frames.frames[0].function, ==, "__access_ok");
	g_assert_cmpuint(frames.frames[0].line, ==, 40);
	g_assert_true(g_str_has_suffix(frames.frames[0].file, "asm-generic/access_ok.h"));
	g_assert_cmpstr(frames.frames[1].function, ==, "access_ok");
	g_assert_cmpuint(frames.frames[1].line, ==, 49);
	g_assert_cmpstr(frames.frames[2].function, ==, "vfs_read");
	g_assert_cmpuint(frames.frames[2].line, ==, 458);
	g_assert_true(g_str_has_suffix(frames.frames[2].file, "fs/read_write.c"));
	dwarf_frames_clear(&frames);
	g_assert_false(dwarf_frames_at(image_dwarf(image, NULL), 0x10, &frames, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
}

/* Kills this process's one child, as libdwarf's own abort() would. FALSE where the
 * system does not list children. */
static gboolean worker_kill(void)
{
	g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
	g_autofree char *text = NULL;
	gint64 pid;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return FALSE;
	pid = g_ascii_strtoll(text, NULL, 10);
	g_assert_cmpint(pid, >, 1);
	return kill((pid_t)pid, SIGABRT) == 0;
}

/* The reader's death is an error of the call, the next call has a new reader, and a
 * file that kills every one is given up. */
static void test_wall(void)
{
	g_autofree char *path = symbol_data_path("dump-xen-128m/xen-syms");
	g_autoptr(image_t) image = path != NULL ? image_open(path, NULL, NULL) : NULL;
	struct dwarf_frames frames;
	uint64_t address;

	if (path == NULL)
		return;
	g_assert_true(symbols_address(image_symbols(image, NULL), "context_switch", &address));
	for (unsigned death = 0; death <= DWARF_RESTARTS; death++) {
		g_autoptr(GError) error = NULL;

		g_assert_true(dwarf_frames_at(image_dwarf(image, NULL), address, &frames, &error));
		g_assert_no_error(error);
		dwarf_frames_clear(&frames);
		if (!worker_kill()) {
			g_test_skip("/proc does not list children here");
			return;
		}
		g_assert_false(dwarf_frames_at(image_dwarf(image, NULL), address, &frames, &error));
		g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED);
	}
	{
		g_autoptr(GError) error = NULL;

		g_assert_false(dwarf_frames_at(image_dwarf(image, NULL), address, &frames, &error));
		g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED);
		g_assert_nonnull(strstr(error->message, "given up"));
	}
}

static void test_not_elf(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(elf_file_open("/no/such/file", &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN);
	g_clear_error(&error);
	g_assert_null(elf_file_open("/proc/self", &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/symbols/table", test_table);
	g_test_add_func("/symbols/real", test_real);
	g_test_add_func("/symbols/inlined", test_inlined);
	g_test_add_func("/symbols/wall", test_wall);
	g_test_add_func("/symbols/not-elf", test_not_elf);
	return g_test_run();
}

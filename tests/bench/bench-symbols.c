/* bench-symbols.c: what opening a program's debug information costs
 *
 * bench-symbols FILE [BTF_FILE]: the first time, from the cache, by BTF. Times are
 * printed for people and asserted nowhere.
 */
#include "awareness/symbols/btf.h"
#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-cache.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/resource.h>

/* What Linux awareness looks up, about. */
static const struct {
	const char *type, *path;
} wanted[] = {
	{ "struct task_struct", "__state" },
	{ "struct task_struct", "pid" },
	{ "struct task_struct", "comm" },
	{ "struct task_struct", "stack" },
	{ "struct task_struct", "mm" },
	{ "struct task_struct", "tasks" },
	{ "struct task_struct", "thread.cpu_context.sp" },
	{ "struct task_struct", "signal" },
	{ "struct task_struct", "thread_node" },
	{ "struct signal_struct", "thread_head" },
	{ "struct mm_struct", "pgd" },
	{ "struct mm_struct", "arg_start" },
	{ "struct vm_area_struct", "vm_start" },
	{ "struct vm_area_struct", "vm_file" },
	{ "struct file", "f_path" },
	{ "struct dentry", "d_name" },
	{ "struct qstr", "name" },
	{ "struct module", "list" },
	{ "struct module", "name" },
	{ "struct pt_regs", "pc" },
	{ "struct list_head", "next" },
	{ "struct rq", "curr" },
	{ "struct mutex", "owner" },
	{ "struct rw_semaphore", "owner" },
	{ "struct printk_ringbuffer", "desc_ring" },
	{ "struct maple_tree", "ma_root" },
	{ "struct pid_namespace", "pid_allocated" },
	{ "struct upid", "nr" },
};

static double ms_since(gint64 start_us)
{
	return (double)(g_get_monotonic_time() - start_us) / 1000.0;
}

static unsigned layouts_read(struct types *types)
{
	unsigned found = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		struct type_place place;

		found += types_member(types, wanted[i].type, wanted[i].path, &place, NULL) ? 1 : 0;
	}
	return found;
}

static void open_and_read(const char *label, const char *path, const char *cache_path)
{
	g_autoptr(symbol_cache_t) cache = symbol_cache_open(cache_path);
	g_autoptr(GError) error = NULL;
	gint64 start_us = g_get_monotonic_time();
	g_autoptr(image_t) image = image_open(path, cache, &error);
	struct symbols *symbols;
	struct types *types;
	uint64_t address = 0;
	double opened_ms, symbols_ms;
	unsigned found;

	if (image == NULL || (types = image_types(image, &error)) == NULL ||
	    (symbols = image_symbols(image, &error)) == NULL) {
		printf("%-12s %s\n", label, error->message);
		return;
	}
	opened_ms = ms_since(start_us);
	symbols_address(symbols, "init_task", &address);
	symbols_by_address(symbols, address, NULL);
	symbols_ms = ms_since(start_us);
	found = layouts_read(types);
	printf("%-12s %u of %zu layouts, %zu symbols: open %.1f ms, symbols %.1f ms, layouts %.1f "
	       "ms, "
	       "total %.1f ms\n",
	       label, found, G_N_ELEMENTS(wanted), symbols_count(symbols), opened_ms,
	       symbols_ms - opened_ms, ms_since(start_us) - symbols_ms, ms_since(start_us));
}

static void btf_read(const char *path)
{
	g_autoptr(GError) error = NULL;
	gint64 start_us = g_get_monotonic_time();
	g_autoptr(elf_file_t) file = elf_file_open(path, &error);
	g_autoptr(types_t) types = file != NULL ? btf_types_from_elf(file, &error) : NULL;
	unsigned found;

	if (types == NULL) {
		printf("%-12s %s\n", "BTF", error->message);
		return;
	}
	found = layouts_read(types);
	printf("%-12s %u of %zu layouts: total %.1f ms\n", "BTF", found, G_N_ELEMENTS(wanted),
	       ms_since(start_us));
}

int main(int argc, char **argv)
{
	g_autofree char *dir = g_dir_make_tmp("hvscope-bench-XXXXXX", NULL);
	g_autofree char *cache_path = g_build_filename(dir, "symbols.db", NULL);
	struct rusage usage;

	const char *data = g_getenv("HVSCOPE_DATA");
	g_autofree char *xen = g_build_filename(data != NULL ? data : "../shared/data",
	                                        "dump-xen-128m", "xen-syms", NULL);
	const char *path = argc > 1 ? argv[1] : xen;

	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		printf("symbols: skipped, no ELF file with debug information at %s\n", path);
		return 0;
	}
	printf("symbols of %s:\n", path);
	open_and_read("first time", path, cache_path);
	open_and_read("from cache", path, cache_path);
	btf_read(argc > 2 ? argv[2] : path);
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%-12s %ld MB at most\n", "worker", usage.ru_maxrss / 1024);
	for (const char *const *suffix = (const char *const[]) { "", "-wal", "-shm", NULL };
	     *suffix != NULL; suffix++) {
		g_autofree char *name = g_strconcat(cache_path, *suffix, NULL);

		g_unlink(name);
	}
	g_rmdir(dir);
	return 0;
}

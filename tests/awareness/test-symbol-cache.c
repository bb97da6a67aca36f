/* The cache is only ever a shortcut: damage, other processes and a place where it
 * cannot be must not change an answer. */
#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-cache.h"
#include "awareness/symbols/symbol-error.h"
#include "tests/awareness/symbol-data.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char id[] = "00112233445566778899aabbccddeeff00112233";

struct fixture {
	char *dir;
	char *path;
};

static void fixture_init(struct fixture *self)
{
	self->dir = g_dir_make_tmp("hvscope-cache-XXXXXX", NULL);
	self->path = g_build_filename(self->dir, "below", "symbols.db", NULL);
}

static void fixture_deinit(struct fixture *self)
{
	g_autofree char *below = g_path_get_dirname(self->path);

	for (const char *const *end = (const char *const[]) { "", "-wal", "-shm", ".lock", NULL };
	     *end != NULL; end++) {
		g_autofree char *file = g_strconcat(self->path, *end, NULL);

		g_unlink(file);
	}
	g_rmdir(below);
	g_assert_cmpint(g_rmdir(self->dir), ==, 0);
	g_free(self->path);
	g_free(self->dir);
}

static void put_text(struct symbol_cache *cache, const char *key, const char *text)
{
	symbol_cache_put(cache, id, SYMBOL_CACHE_TYPE, key, text, strlen(text));
}

static void assert_is(GBytes *got, const char *want)
{
	g_assert_cmpuint(g_bytes_get_size(got), ==, strlen(want));
	if (want[0] != '\0')
		g_assert_true(memcmp(g_bytes_get_data(got, NULL), want, strlen(want)) == 0);
}

static void check_text(struct symbol_cache *cache, const char *key, const char *want)
{
	g_autoptr(GBytes) got = symbol_cache_get(cache, id, SYMBOL_CACHE_TYPE, key);

	g_assert_nonnull(got);
	assert_is(got, want);
}

static void test_kept(void)
{
	struct fixture fixture;
	struct symbol_cache *cache;

	fixture_init(&fixture);
	cache = symbol_cache_open(fixture.path);
	g_assert_null(symbol_cache_problem(cache));
	put_text(cache, "a", "first");
	put_text(cache, "empty", "");
	symbol_cache_put(cache, NULL, SYMBOL_CACHE_TYPE, "a", "x", 1);
	symbol_cache_close(cache);
	cache = symbol_cache_open(fixture.path);
	check_text(cache, "a", "first");
	check_text(cache, "empty", "");
	g_assert_null(symbol_cache_get(cache, id, SYMBOL_CACHE_CFI, "a"));
	g_assert_null(symbol_cache_get(cache, "other", SYMBOL_CACHE_TYPE, "a"));
	g_assert_null(symbol_cache_get(NULL, id, SYMBOL_CACHE_TYPE, "a"));
	symbol_cache_close(cache);
	fixture_deinit(&fixture);
}

static void test_concurrent(void)
{
	enum {
		PROCESSES = 4,
		ENTRIES = 800
	};
	struct fixture fixture;
	struct symbol_cache *cache;
	pid_t children[PROCESSES];
	unsigned kept = 0;

	fixture_init(&fixture);
	for (unsigned p = 0; p < PROCESSES; p++) {
		children[p] = fork();
		if (children[p] == 0) {
			cache = symbol_cache_open(fixture.path);
			for (unsigned i = 0; i < ENTRIES; i++) {
				g_autofree char *key = g_strdup_printf("%u", i);

				put_text(cache, key, key);
				if (i % 100 == 0)
					symbol_cache_flush(cache);
			}
			symbol_cache_close(cache);
			_exit(0);
		}
	}
	for (unsigned p = 0; p < PROCESSES; p++) {
		int status;

		g_assert_cmpint(waitpid(children[p], &status, 0), ==, children[p]);
		g_assert_cmpint(status, ==, 0);
	}
	cache = symbol_cache_open(fixture.path);
	for (unsigned i = 0; i < ENTRIES; i++) {
		g_autofree char *key = g_strdup_printf("%u", i);
		g_autoptr(GBytes) got = symbol_cache_get(cache, id, SYMBOL_CACHE_TYPE, key);

		if (got == NULL)
			continue;
		assert_is(got, key);
		kept++;
	}
	g_assert_cmpuint(kept, ==, ENTRIES);
	symbol_cache_close(cache);
	fixture_deinit(&fixture);
}

/* Any byte may be wrong: what is read back is right or not there. */
static void test_damaged(void)
{
	enum {
		ENTRIES = 200
	};
	GRand *random = g_rand_new_with_seed(77);
	unsigned lost = 0, kept = 0;

	for (unsigned round = 0; round < 30; round++) {
		struct fixture fixture;
		struct symbol_cache *cache;
		g_autofree char *bytes = NULL;
		gsize len;

		fixture_init(&fixture);
		cache = symbol_cache_open(fixture.path);
		for (unsigned i = 0; i < ENTRIES; i++) {
			g_autofree char *key = g_strdup_printf("key %u", i);

			put_text(cache, key, key);
		}
		symbol_cache_close(cache);
		g_assert_true(g_file_get_contents(fixture.path, &bytes, &len, NULL));
		for (unsigned i = 0; i < 1 + round; i++)
			bytes[g_rand_int_range(random, 0, (gint32)len)] = (char)g_rand_int(random);
		if (round % 10 == 9)
			len = (gsize)g_rand_int_range(random, 0, (gint32)len);
		g_assert_true(g_file_set_contents(fixture.path, bytes, (gssize)len, NULL));
		cache = symbol_cache_open(fixture.path);
		for (unsigned i = 0; i < ENTRIES; i++) {
			g_autofree char *key = g_strdup_printf("key %u", i);
			g_autoptr(GBytes) got = symbol_cache_get(cache, id, SYMBOL_CACHE_TYPE, key);

			if (got != NULL)
				assert_is(got, key);
			lost += got == NULL ? 1 : 0;
			kept += got != NULL ? 1 : 0;
		}
		put_text(cache, "after", "damage");
		symbol_cache_close(cache);
		fixture_deinit(&fixture);
	}
	g_test_message("%u entries kept, %u lost", kept, lost);
	g_assert_cmpuint(lost, >, 0);
	g_rand_free(random);
}

static void test_begun_anew(void)
{
	struct fixture fixture;
	g_autofree char *dir = NULL;
	struct symbol_cache *cache;

	fixture_init(&fixture);
	dir = g_path_get_dirname(fixture.path);
	g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
	g_assert_true(g_file_set_contents(fixture.path, "this is no database at all, not one bit",
	                                  -1, NULL));
	cache = symbol_cache_open(fixture.path);
	g_assert_null(symbol_cache_problem(cache));
	put_text(cache, "a", "b");
	symbol_cache_close(cache);
	cache = symbol_cache_open(fixture.path);
	check_text(cache, "a", "b");
	symbol_cache_close(cache);
	fixture_deinit(&fixture);
}

static void test_nowhere(void)
{
	struct symbol_cache *cache = symbol_cache_open("/proc/no/such/place.db");

	g_assert_nonnull(symbol_cache_problem(cache));
	put_text(cache, "a", "b");
	g_assert_null(symbol_cache_get(cache, id, SYMBOL_CACHE_TYPE, "a"));
	symbol_cache_close(cache);
}

/* The same answers from the file and from the cache, those that say no included. */
static void test_image(void)
{
	g_autofree char *path = symbol_data_path("dump-xen-128m/xen-syms");
	struct fixture fixture;
	uint64_t offsets[2], sizes[2];
	struct cfi_row row;

	if (path == NULL)
		return;
	fixture_init(&fixture);
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(symbol_cache_t) cache = symbol_cache_open(fixture.path);
		g_autoptr(image_t) image = image_open(path, cache, NULL);
		struct types *types = image_types(image, NULL);
		struct dwarf_frames frames;
		g_autoptr(GError) error = NULL;

		g_assert_true(
			types_offset(types, "struct vcpu", "arch.cpu_info", &offsets[i], NULL));
		g_assert_true(types_size(types, "struct domain", &sizes[i], NULL));
		g_assert_false(types_size(types, "struct no_such", &sizes[i], &error));
		g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
		g_clear_error(&error);
		/* This Xen has no frame information; its lines are there. */
		g_assert_false(dwarf_cfi_row(image_dwarf(image, NULL), 0x200000, &row, &error));
		g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
		g_clear_error(&error);
		{
			uint64_t address;

			g_assert_true(symbols_address(image_symbols(image, NULL), "context_switch",
			                              &address));
			g_assert_true(dwarf_frames_at(image_dwarf(image, NULL), address, &frames,
			                              &error));
			g_assert_cmpstr(frames.frames[frames.count - 1].function, ==,
			                "context_switch");
			dwarf_frames_clear(&frames);
		}
	}
	g_assert_cmpuint(offsets[0], ==, offsets[1]);
	g_assert_cmpuint(sizes[0], ==, sizes[1]);
	fixture_deinit(&fixture);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/symbol-cache/kept", test_kept);
	g_test_add_func("/symbol-cache/concurrent", test_concurrent);
	g_test_add_func("/symbol-cache/damaged", test_damaged);
	g_test_add_func("/symbol-cache/begun-anew", test_begun_anew);
	g_test_add_func("/symbol-cache/nowhere", test_nowhere);
	g_test_add_func("/symbol-cache/image", test_image);
	return g_test_run();
}

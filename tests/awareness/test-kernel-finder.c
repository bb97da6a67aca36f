/* A kernel found without symbols: in images that are put together here, in each form
 * that kallsyms has had since 4.19, and damaged at random. */
#include "awareness/symbols/btf.h"
#include "awareness/symbols/kernel-finder.h"
#include "awareness/symbols/symbol-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum {
	SYMBOLS = 3000,
	IMAGE_BYTES = 2 << 20,
	TOKENS = 256
};

/* scripts/kallsyms.c of the version that a row stands for. */
struct form {
	const char *name;
	unsigned marker_bytes;
	gboolean addresses_last; /* 6.4 and later */
	gboolean has_sequence;   /* kallsyms_seqs_of_names: 6.2 and later */
	enum {
		RELATIVE,
		ABSOLUTE_PERCPU,
		ABSOLUTE
	} addresses;
	gboolean long_names; /* 6.1 and later: lengths above 127 take two bytes */
	unsigned export_stride;
};

static const struct form forms[] = {
	{ "4.19", 8, FALSE, FALSE, RELATIVE, FALSE, 8 },
	{ "4.19-absolute", 8, FALSE, FALSE, ABSOLUTE, FALSE, 8 },
	{ "5.10", 4, FALSE, FALSE, RELATIVE, FALSE, 12 },
	{ "5.10-percpu", 4, FALSE, FALSE, ABSOLUTE_PERCPU, FALSE, 12 },
	{ "6.1", 4, FALSE, FALSE, RELATIVE, TRUE, 12 },
	{ "6.2", 4, FALSE, TRUE, RELATIVE, TRUE, 12 },
	{ "6.6", 4, TRUE, TRUE, RELATIVE, TRUE, 12 },
	{ "6.12", 4, TRUE, TRUE, RELATIVE, TRUE, 12 },
	{ "6.12-absolute", 4, TRUE, TRUE, ABSOLUTE, TRUE, 12 },
};

static const uint64_t image_va = UINT64_C(0xffffffd3c2a00000); /* KASLR */
static const char banner[] = "Linux version 6.1.0-test (someone@somewhere) (gcc) #1 SMP\n";

struct image {
	GByteArray *bytes;
	uint64_t reads;
	uint64_t hole; /* offset of a page that cannot be read; 0 for none */
};

static uint64_t symbol_va(unsigned i)
{
	return image_va + 0x10000 + (uint64_t)i * 0x40;
}

static char *symbol_name(unsigned i, gboolean long_names)
{
	if (i == 7)
		return g_strdup("vfs_read");
	if (long_names && i == 11) {
		g_autofree char *many = g_strnfill(280, 'q');

		return g_strconcat(many, "_long", NULL);
	}
	return g_strdup_printf("symbol_%u_%s", i, i % 3 == 0 ? "init" : "work");
}

static void put(GByteArray *to, const void *bytes, size_t len)
{
	g_byte_array_append(to, bytes, (guint)len);
}

static void put_word(GByteArray *to, uint64_t word, size_t len)
{
	put(to, &word, len);
}

static void align(GByteArray *to, guint step)
{
	static const uint8_t zeros[16];

	while (to->len % step != 0)
		put(to, zeros, 1);
}

/* Tokens: each printable character stands for itself, and two words for the rest. */
static void tokens_make(char tokens[TOKENS][8])
{
	for (unsigned i = 0; i < TOKENS; i++) {
		tokens[i][0] = '\0';
		if (i >= 0x21 && i < 0x7f)
			g_snprintf(tokens[i], 8, "%c", (char)i);
		else
			g_snprintf(tokens[i], 8, i % 2 == 0 ? "init" : "work");
	}
}

/* Spells a name with its type letter before it. */
static GByteArray *name_pack(char letter, const char *name)
{
	GByteArray *packed = g_byte_array_new();

	put(packed, &letter, 1);
	while (*name != '\0') {
		if (g_str_has_prefix(name, "init") || g_str_has_prefix(name, "work")) {
			put_word(packed, name[0] == 'i' ? 0x80 : 0x81, 1);
			name += 4;
		} else {
			put(packed, name++, 1);
		}
	}
	return packed;
}

static void put_addresses(GByteArray *to, const struct form *form)
{
	align(to, 8);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		uint64_t offset = symbol_va(i) - image_va;

		if (form->addresses == ABSOLUTE)
			put_word(to, symbol_va(i), 8);
		else if (form->addresses == RELATIVE)
			put_word(to, offset, 4);
		else
			put_word(to, i < 3 ? i : (uint64_t)0 - 1 - offset, 4);
	}
	align(to, 8);
	if (form->addresses != ABSOLUTE)
		put_word(to, image_va, 8);
}

static void put_kallsyms(GByteArray *to, const struct form *form)
{
	g_autoptr(GByteArray) names = g_byte_array_new();
	g_autoptr(GArray) markers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	char tokens[TOKENS][8];
	uint16_t index[TOKENS], at = 0;

	if (!form->addresses_last)
		put_addresses(to, form);
	align(to, 8);
	put_word(to, SYMBOLS, form->marker_bytes);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		g_autofree char *name = symbol_name(i, form->long_names);
		GByteArray *packed = name_pack(i % 2 == 0 ? 'T' : 't', name);

		if (i % 256 == 0)
			g_array_append_val(markers, names->len);
		if (packed->len > 127) {
			put_word(names, (packed->len & 0x7f) | 0x80, 1);
			put_word(names, packed->len >> 7, 1);
		} else {
			put_word(names, packed->len, 1);
		}
		put(names, packed->data, packed->len);
		g_byte_array_unref(packed);
	}
	align(to, 8);
	put(to, names->data, names->len);
	align(to, 8);
	for (guint i = 0; i < markers->len; i++)
		put_word(to, g_array_index(markers, uint32_t, i), form->marker_bytes);
	align(to, 8);
	for (unsigned i = 0; form->has_sequence && !form->addresses_last && i < SYMBOLS; i++)
		put_word(to, (i * 7919) % SYMBOLS, 3);
	align(to, 8);
	tokens_make(tokens);
	for (unsigned i = 0; i < TOKENS; i++) {
		index[i] = at;
		at = (uint16_t)(at + strlen(tokens[i]) + 1);
		put(to, tokens[i], strlen(tokens[i]) + 1);
	}
	align(to, 8);
	put(to, index, sizeof(index));
	if (form->addresses_last)
		put_addresses(to, form);
	for (unsigned i = 0; form->has_sequence && form->addresses_last && i < SYMBOLS; i++)
		put_word(to, (i * 7919) % SYMBOLS, 3);
	align(to, 8);
}

/* 300 exported variables: strings, then entries of relative offsets. */
static void put_exports(GByteArray *to, const struct form *form)
{
	enum {
		EXPORTS = 300
	};
	uint32_t strings[EXPORTS];

	put_word(to, 0, 1);
	for (unsigned i = 0; i < EXPORTS; i++) {
		g_autofree char *name =
			i == 150 ? g_strdup("init_task") : g_strdup_printf("exported_%u", i);

		strings[i] = to->len;
		put(to, name, strlen(name) + 1);
	}
	align(to, 8);
	for (unsigned i = 0; i < EXPORTS; i++) {
		uint32_t here = to->len;
		uint32_t value = 0x1000 + i * 16;

		put_word(to, value - here, 4);
		put_word(to, strings[i] - (here + 4), 4);
		if (form->export_stride == 12)
			put_word(to, 0, 4);
	}
	align(to, 8);
}

static void put_note(GByteArray *to)
{
	put_word(to, 4, 4);
	put_word(to, 20, 4);
	put_word(to, 3, 4);
	put(to, "GNU", 4);
	for (unsigned i = 0; i < 20; i++)
		put_word(to, 0xa0 + i, 1);
}

static void image_make(struct image *self, const struct form *form)
{
	static const uint8_t zeros[4096];

	*self = (struct image) { .bytes = g_byte_array_new() };
	for (unsigned i = 0; i < 80; i++)
		put(self->bytes, zeros, sizeof(zeros));
	put(self->bytes, "Linux version %s (%s)", 22); /* not this one */
	align(self->bytes, 8);
	put(self->bytes, banner, sizeof(banner));
	align(self->bytes, 8);
	put_exports(self->bytes, form);
	put_kallsyms(self->bytes, form);
	put_note(self->bytes);
	g_byte_array_set_size(self->bytes, IMAGE_BYTES);
}

static void image_clear(struct image *self)
{
	g_byte_array_unref(self->bytes);
}

static gboolean image_read(gpointer data, uint64_t va, void *buffer, size_t len)
{
	struct image *self = data;
	uint64_t offset = va - image_va;

	self->reads++;
	if (offset > self->bytes->len || len > self->bytes->len - offset)
		return FALSE;
	if (self->hole != 0 && offset < self->hole + 4096 && offset + len > self->hole)
		return FALSE;
	memcpy(buffer, self->bytes->data + offset, len);
	return TRUE;
}

static gboolean find(struct image *image, struct symbol_cache *cache, struct kernel_found *found,
                     GError **error)
{
	struct kernel_reader reader = { image_read, image };

	return kernel_find(&reader, image_va, image_va + (4 << 20), cache, found, error);
}

static void test_form(gconstpointer data)
{
	const struct form *form = data;
	struct image image;
	struct kernel_found found;
	g_autoptr(GError) error = NULL;
	uint64_t address;

	image_make(&image, form);
	find(&image, NULL, &found, &error);
	g_assert_no_error(error);
	g_assert_true(g_str_has_prefix(banner, found.banner));
	g_assert_cmpstr(found.build_id, ==, "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");
	g_assert_null(found.types);
	g_assert_false(found.from_cache);
	g_assert_cmpuint(found.reads, ==, image.reads);
	for (unsigned i = form->addresses == ABSOLUTE_PERCPU ? 3 : 0; i < SYMBOLS; i++) {
		g_autofree char *name = symbol_name(i, form->long_names);

		g_assert_true(symbols_address(found.symbols, name, &address));
		g_assert_cmphex(address, ==, symbol_va(i));
	}
	g_assert_true(symbols_address(found.symbols, "init_task", &address));
	g_assert_cmphex(address, ==, image_va + 0x1000 + 150 * 16);
	kernel_found_clear(&found);
	image_clear(&image);
}

static void test_hole(void)
{
	struct image image;
	struct kernel_found found;
	g_autoptr(GError) error = NULL;

	image_make(&image, &forms[4]);
	/* One page in the text: the rest is found all the same. */
	image.hole = 16 * 4096;
	g_assert_true(find(&image, NULL, &found, &error));
	kernel_found_clear(&found);
	/* One in the tables: said to be not found, not invented. */
	image.hole = 90 * 4096;
	g_assert_false(find(&image, NULL, &found, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_byte_array_set_size(image.bytes, 0);
	g_assert_false(find(&image, NULL, &found, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_MEMORY);
	image_clear(&image);
}

static void test_cached(void)
{
	g_autofree char *dir = g_dir_make_tmp("hvscope-kernel-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "cache.db", NULL);
	struct image image;
	struct kernel_found first, again;

	image_make(&image, &forms[4]);
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(symbol_cache_t) cache = symbol_cache_open(path);

		g_assert_null(symbol_cache_problem(cache));
		g_assert_true(find(&image, cache, i == 0 ? &first : &again, NULL));
	}
	g_assert_false(first.from_cache);
	g_assert_true(again.from_cache);
	g_assert_cmpuint(again.bytes_read, <=, 3 * 4096);
	g_assert_cmpstr(again.build_id, ==, first.build_id);
	g_assert_cmpstr(again.banner, ==, first.banner);
	g_assert_cmpuint(symbols_count(again.symbols), ==, symbols_count(first.symbols));
	for (size_t i = 0; i < symbols_count(first.symbols); i++) {
		const struct symbol *a = symbols_at(first.symbols, i);
		const struct symbol *b = symbols_at(again.symbols, i);

		g_assert_cmpstr(a->name, ==, b->name);
		g_assert_cmphex(a->address, ==, b->address);
	}
	kernel_found_clear(&again);
	/* Another build at the same place is not taken for it. */
	image.bytes->data[80 * 4096 + 24 + 20]++;
	{
		g_autoptr(symbol_cache_t) cache = symbol_cache_open(path);

		if (find(&image, cache, &again, NULL)) {
			g_assert_false(again.from_cache);
			kernel_found_clear(&again);
		}
	}
	kernel_found_clear(&first);
	image_clear(&image);
	for (const char *const *end = (const char *const[]) { "", "-wal", "-shm", NULL };
	     *end != NULL; end++) {
		g_autofree char *file = g_strconcat(path, *end, NULL);

		g_unlink(file);
	}
	g_rmdir(dir);
}

/* Whatever is in the memory: an end in bounded time, and no step outside. */
static void test_damaged(void)
{
	GRand *random = g_rand_new_with_seed(4711);
	unsigned found_some = 0;

	for (unsigned round = 0; round < 60; round++) {
		struct image image;
		struct kernel_found found;
		guint start;

		image_make(&image, &forms[round % G_N_ELEMENTS(forms)]);
		/* The tables begin behind 80 pages. */
		start = 80 * 4096;
		for (unsigned i = 0; i < 1 + round % 20; i++) {
			guint at = start + (guint)g_rand_int_range(random, 0, 120000);

			image.bytes->data[at] = (uint8_t)g_rand_int(random);
		}
		if (find(&image, NULL, &found, NULL)) {
			found_some++;
			kernel_found_clear(&found);
		}
		image_clear(&image);
	}
	g_test_message("%u of 60 damaged images still gave symbols", found_some);
	g_rand_free(random);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
		g_autofree char *name = g_strconcat("/kernel-finder/form/", forms[i].name, NULL);

		g_test_add_data_func(name, &forms[i], test_form);
	}
	g_test_add_func("/kernel-finder/hole", test_hole);
	g_test_add_func("/kernel-finder/cached", test_cached);
	g_test_add_func("/kernel-finder/damaged", test_damaged);
	return g_test_run();
}

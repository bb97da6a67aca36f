/* BTF that is put together here (btf.rst), and the same types out of DWARF and BTF
 * where a kernel has both. */
#include "awareness/symbols/btf.h"
#include "awareness/symbols/image.h"
#include "awareness/symbols/symbol-error.h"

#include <string.h>

struct blob {
	GByteArray *types;
	GByteArray *strings;
};

static uint32_t string_add(struct blob *self, const char *text)
{
	uint32_t at = self->strings->len;

	g_byte_array_append(self->strings, (const guint8 *)text, (guint)strlen(text) + 1);
	return at;
}

static void word_add(struct blob *self, uint32_t word)
{
	g_byte_array_append(self->types, (const guint8 *)&word, sizeof(word));
}

static void type_add(struct blob *self, const char *name, unsigned kind, unsigned flag,
                     uint32_t count, uint32_t size_or_type)
{
	word_add(self, name != NULL ? string_add(self, name) : 0);
	word_add(self, (uint32_t)flag << 31 | (uint32_t)kind << 24 | count);
	word_add(self, size_or_type);
}

static GBytes *blob_finish(struct blob *self)
{
	uint16_t magic = 0xeb9f;
	uint8_t version_flags[2] = { 1, 0 };
	uint32_t words[5] = { 24, 0, self->types->len, self->types->len, self->strings->len };
	GByteArray *all = g_byte_array_new();

	g_byte_array_append(all, (const guint8 *)&magic, sizeof(magic));
	g_byte_array_append(all, version_flags, sizeof(version_flags));
	g_byte_array_append(all, (const guint8 *)words, sizeof(words));
	g_byte_array_append(all, self->types->data, self->types->len);
	g_byte_array_append(all, self->strings->data, self->strings->len);
	g_byte_array_unref(self->types);
	g_byte_array_unref(self->strings);
	return g_byte_array_free_to_bytes(all);
}

/* struct thing { int n; struct thing *next; union { u64 a; char b[6]; };
 *                unsigned flag : 3; enum color c; }, and what it takes. */
static GBytes *blob_make(void)
{
	struct blob blob = { g_byte_array_new(), g_byte_array_new() };

	string_add(&blob, "");
	type_add(&blob, "int", 1, 0, 0, 4); /* 1 */
	word_add(&blob, 1u << 24 | 32);
	type_add(&blob, "unsigned int", 1, 0, 0, 4); /* 2 */
	word_add(&blob, 32);
	type_add(&blob, "char", 1, 0, 0, 1); /* 3 */
	word_add(&blob, 8);
	type_add(&blob, "u64", 8, 0, 0, 5);               /* 4: typedef */
	type_add(&blob, "long unsigned int", 1, 0, 0, 8); /* 5 */
	word_add(&blob, 64);
	type_add(&blob, NULL, 2, 0, 0, 9); /* 6: pointer to thing */
	type_add(&blob, NULL, 3, 0, 0, 0); /* 7: char[6] */
	word_add(&blob, 3);
	word_add(&blob, 2);
	word_add(&blob, 6);
	type_add(&blob, NULL, 5, 0, 2, 8); /* 8: the union */
	for (unsigned i = 0; i < 2; i++) {
		word_add(&blob, string_add(&blob, i == 0 ? "a" : "b"));
		word_add(&blob, i == 0 ? 4 : 7);
		word_add(&blob, 0);
	}
	type_add(&blob, "thing", 4, 1, 5, 32); /* 9, with bit field sizes */
	{
		static const struct {
			const char *name;
			uint32_t type, place;
		} members[] = { { "n", 1, 0 },
			        { "next", 6, 64 },
			        { NULL, 8, 128 },
			        { "flag", 2, 3u << 24 | 197 },
			        { "c", 10, 224 } };

		for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
			word_add(&blob,
			         members[i].name != NULL ? string_add(&blob, members[i].name) : 0);
			word_add(&blob, members[i].type);
			word_add(&blob, members[i].place);
		}
	}
	type_add(&blob, "color", 6, 1, 2, 4); /* 10: signed enum */
	word_add(&blob, string_add(&blob, "RED"));
	word_add(&blob, 7);
	word_add(&blob, string_add(&blob, "NONE"));
	word_add(&blob, (uint32_t)-1);
	type_add(&blob, "wide", 19, 0, 1, 8); /* 11: enum64 */
	word_add(&blob, string_add(&blob, "HUGE_ONE"));
	word_add(&blob, 5);
	word_add(&blob, 1);
	type_add(&blob, "runqueues", 14, 0, 0, 9); /* 12: variable */
	word_add(&blob, 1);
	type_add(&blob, ".data..percpu", 15, 0, 1, 64); /* 13: section */
	word_add(&blob, 12);
	word_add(&blob, 48);
	word_add(&blob, 32);
	return blob_finish(&blob);
}

static void test_made(void)
{
	g_autoptr(GBytes) bytes = blob_make();
	g_autoptr(GError) error = NULL;
	g_autoptr(types_t) types = btf_types_new(bytes, &error);
	struct type_place place;
	g_autofree char *text = NULL;
	g_autoptr(GArray) percpu = NULL;
	int64_t value;

	g_assert_no_error(error);
	g_assert_true(types_member(types, "struct thing", "next", &place, &error));
	g_assert_cmpuint(place.offset_bytes, ==, 8);
	text = types_describe(types, place.type);
	g_assert_cmpstr(text, ==, "struct thing *");
	g_assert_true(types_member(types, "thing", "b[5]", &place, &error));
	g_assert_cmpuint(place.offset_bytes, ==, 21);
	g_assert_cmpint(place.type->kind, ==, TYPE_CHAR);
	g_assert_true(types_member(types, "thing", "a", &place, &error));
	g_assert_cmpuint(place.offset_bytes, ==, 16);
	g_assert_cmpuint(place.size_bytes, ==, 8);
	g_assert_true(types_member(types, "thing", "flag", &place, &error));
	g_assert_cmpuint(place.offset_bytes, ==, 24);
	g_assert_cmpuint(place.bit_offset, ==, 5);
	g_assert_cmpuint(place.bit_size, ==, 3);
	g_assert_true(types_enumerator(types, NULL, "NONE", &value, &error));
	g_assert_cmpint(value, ==, -1);
	g_assert_true(types_enumerator(types, "enum wide", "HUGE_ONE", &value, &error));
	g_assert_cmpint(value, ==, INT64_C(0x100000005));
	g_assert_false(types_enumerator(types, "enum color", "HUGE_ONE", &value, &error));
	g_assert_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND);
	percpu = btf_percpu_variables(types);
	g_assert_cmpuint(percpu->len, ==, 1);
	g_assert_cmpstr(g_array_index(percpu, struct btf_variable, 0).name, ==, "runqueues");
	g_assert_cmpuint(g_array_index(percpu, struct btf_variable, 0).offset_bytes, ==, 48);
	g_assert_nonnull(types_of_variable(types, "runqueues", NULL));
}

/* Every member of everything there is: whatever the blob, it comes to an end. */
static void look_at_all(struct types *types)
{
	static const char *const names[] = { "struct thing", "union thing", "u64", "enum color" };

	for (uint64_t id = 0; id < 64; id++) {
		const struct type *type = types_by_id(types, id, NULL);
		g_autofree char *text = NULL;
		uint64_t size;

		if (type == NULL)
			continue;
		text = types_describe(types, type);
		g_assert_nonnull(text);
		types_size_of(types, type, &size, NULL);
		types_strip(types, type, NULL);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct type_place place;
		int64_t value;

		types_member(types, names[i], "b[5]", &place, NULL);
		types_member(types, names[i], "no_such", &place, NULL);
		types_enumerator(types, names[i], "RED", &value, NULL);
	}
}

static void test_damaged(void)
{
	g_autoptr(GBytes) bytes = blob_make();
	gsize len;
	const uint8_t *good = g_bytes_get_data(bytes, &len);
	GRand *random = g_rand_new_with_seed(99);
	unsigned read = 0;

	for (unsigned round = 0; round < 20000; round++) {
		g_autofree uint8_t *copy = g_memdup2(good, len);
		gsize used = round % 8 == 0 ? (gsize)g_rand_int_range(random, 0, (gint32)len) : len;
		g_autoptr(GBytes) damaged = NULL;
		g_autoptr(GError) error = NULL;
		g_autoptr(types_t) types = NULL;

		for (unsigned i = 0; i <= round % 3; i++)
			copy[g_rand_int_range(random, 0, (gint32)len)] =
				(uint8_t)g_rand_int(random);
		damaged = g_bytes_new(copy, used);
		types = btf_types_new(damaged, &error);
		g_assert_true((types == NULL) == (error != NULL));
		if (types == NULL)
			continue;
		look_at_all(types);
		read++;
	}
	g_assert_cmpuint(read, >, 1000);
	g_rand_free(random);
}

/* A kernel with both, where the user names one: HVSCOPE_TEST_VMLINUX. */
static void test_same_as_dwarf(void)
{
	const char *path = g_getenv("HVSCOPE_TEST_VMLINUX");
	g_autoptr(image_t) image = NULL;
	g_autoptr(types_t) btf = NULL;
	g_autoptr(GPtrArray) names = NULL;
	struct types *dwarf;
	unsigned compared = 0, other_definition = 0;

	if (path == NULL) {
		g_test_skip("HVSCOPE_TEST_VMLINUX names no vmlinux with DWARF and BTF");
		return;
	}
	image = image_open(path, NULL, NULL);
	dwarf = image_types(image, NULL);
	btf = btf_types_from_elf(image_elf(image), NULL);
	names = dwarf_names(image_dwarf(image, NULL), 0, NULL);
	for (guint i = 0; i < names->len; i += 7) {
		g_autofree char *name = g_strconcat("struct ", names->pdata[i], NULL);
		const struct type *a = types_find(dwarf, name, NULL);
		const struct type *b = types_find(btf, name, NULL);

		if (a == NULL || b == NULL)
			continue;
		if (a->size_bytes != b->size_bytes || a->n_members != b->n_members) {
			other_definition++; /* two structs of one name in one kernel */
			continue;
		}
		for (size_t m = 0; m < a->n_members; m++) {
			g_assert_cmpstr(a->members[m].name, ==, b->members[m].name);
			g_assert_cmpuint(a->members[m].offset_bits, ==, b->members[m].offset_bits);
			g_assert_cmpuint(a->members[m].bit_size, ==, b->members[m].bit_size);
		}
		compared++;
	}
	g_test_message("%u structs equal, %u names with several definitions", compared,
	               other_definition);
	g_assert_cmpuint(compared, >, 500);
	g_assert_cmpuint(other_definition, <, compared / 50);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/btf/made", test_made);
	g_test_add_func("/btf/damaged", test_damaged);
	g_test_add_func("/btf/same-as-dwarf", test_same_as_dwarf);
	return g_test_run();
}

/* Runs a fuzz target over its corpus, and over mutations of it, as a TAP test.
 *
 * Usage: replay NAME CORPUS_DIRECTORY MUTATIONS
 *
 * The seed is fixed, so that a failure comes back; HVSCOPE_FUZZ_SEED gives another.
 * The input on its way is always in fuzz-NAME.last in the build directory, which
 * stays there if the process dies: run the program with that file's folder as
 * CORPUS_DIRECTORY, or add it to the corpus.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHANGES_MAX = 8,
	INPUT_MAX_BYTES = 1 << 20
};

struct replay {
	GPtrArray *inputs; /* GByteArray * */
	guint n_mutations;
	int last_fd;
};

static struct replay replay = { .last_fd = -1 };

static void run_one(const GByteArray *input)
{
	g_assert_cmpint(ftruncate(replay.last_fd, (off_t)input->len), ==, 0);
	g_assert_cmpint(pwrite(replay.last_fd, input->data, input->len, 0), ==, input->len);
	g_assert_cmpint(LLVMFuzzerTestOneInput(input->data, input->len), ==, 0);
}

static void test_corpus(void)
{
	for (guint i = 0; i < replay.inputs->len; i++)
		run_one(replay.inputs->pdata[i]);
	g_assert_cmpuint(replay.inputs->len, >, 0);
}

/* A place in the input, or its end. */
static guint place_in(GRand *rand, const GByteArray *input)
{
	return (guint)g_rand_int_range(rand, 0, (gint32)input->len + 1);
}

static guint length_at(GRand *rand, const GByteArray *input, guint start)
{
	const guint len = 1u << g_rand_int_range(rand, 0, 8);

	return MIN(len, input->len - start);
}

static void insert_bytes(GByteArray *input, guint start, const guint8 *bytes, guint len)
{
	const guint tail = input->len - start;

	g_byte_array_set_size(input, input->len + len);
	memmove(input->data + start + len, input->data + start, tail);
	memcpy(input->data + start, bytes, len);
}

/* Part of another input, or of this one, goes in. */
static void insert_from(GRand *rand, GByteArray *input, const GByteArray *from)
{
	const guint source = place_in(rand, from);
	const guint len = length_at(rand, from, source);
	g_autofree guint8 *copy = g_memdup2(from->data + source, len);

	if (len > 0 && input->len + len <= INPUT_MAX_BYTES)
		insert_bytes(input, place_in(rand, input), copy, len);
}

static void change(GRand *rand, GByteArray *input)
{
	static const guint8 odd[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '\r', '=', '[',
		                      ']',  '(',  ')',  ';',  ',',  '"',  '.',  '/', '0' };
	const guint at = place_in(rand, input);
	const GByteArray *other =
		replay.inputs->pdata[g_rand_int_range(rand, 0, (gint32)replay.inputs->len)];

	switch (g_rand_int_range(rand, 0, 7)) {
	case 0:
		if (at < input->len)
			input->data[at] ^= (guint8)(1 << g_rand_int_range(rand, 0, 8));
		break;
	case 1:
		if (at < input->len)
			input->data[at] = odd[g_rand_int_range(rand, 0, sizeof odd)];
		break;
	case 2:
		if (at < input->len)
			input->data[at] = (guint8)g_rand_int_range(rand, 0, 256);
		break;
	case 3:
		if (at < input->len)
			g_byte_array_remove_range(input, at, length_at(rand, input, at));
		break;
	case 4:
		insert_from(rand, input, input);
		break;
	case 5:
		insert_from(rand, input, other);
		break;
	default:
		/* Rarely: most of what follows a cut would never be reached otherwise. */
		if (g_rand_int_range(rand, 0, 8) == 0)
			g_byte_array_set_size(input, at);
		break;
	}
}

static void test_mutations(void)
{
	const char *text = g_getenv("HVSCOPE_FUZZ_SEED");
	const guint32 seed = text != NULL ? (guint32)g_ascii_strtoull(text, NULL, 0) : 1;
	GRand *rand = g_rand_new_with_seed(seed);

	for (guint i = 0; i < replay.n_mutations; i++) {
		const GByteArray *from =
			replay.inputs->pdata[g_rand_int_range(rand, 0, (gint32)replay.inputs->len)];
		g_autoptr(GByteArray) input = g_byte_array_new();
		const gint32 n_changes = g_rand_int_range(rand, 1, CHANGES_MAX + 1);

		g_byte_array_append(input, from->data, from->len);
		for (gint32 j = 0; j < n_changes; j++)
			change(rand, input);
		run_one(input);
	}
	g_rand_free(rand);
	g_test_message("%u mutations of %u inputs, seed %u", replay.n_mutations, replay.inputs->len,
	               seed);
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load_corpus(const char *folder)
{
	g_autoptr(GDir) list = g_dir_open(folder, 0, NULL);
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	if (list == NULL)
		g_error("no corpus %s", folder);
	while ((name = g_dir_read_name(list)) != NULL)
		g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
	/* The order of a directory differs between machines; the mutations must not. */
	g_ptr_array_sort(paths, compare_paths);
	for (guint i = 0; i < paths->len; i++) {
		GByteArray *input = g_byte_array_new();
		g_autofree char *bytes = NULL;
		gsize len_bytes;

		g_assert_true(g_file_get_contents(paths->pdata[i], &bytes, &len_bytes, NULL));
		g_assert_cmpuint(len_bytes, <=, INPUT_MAX_BYTES);
		g_byte_array_append(input, (const guint8 *)bytes, (guint)len_bytes);
		g_ptr_array_add(replay.inputs, input);
	}
}

int main(int argc, char **argv)
{
	const char *build = g_getenv("HVSCOPE_BUILD_ROOT");
	g_autofree char *last = NULL;
	g_autofree char *last_path = NULL;
	g_autofree char *corpus_name = NULL;
	g_autofree char *mutations_name = NULL;
	int result;

	g_test_init(&argc, &argv, NULL);
	if (argc != 4) {
		g_printerr("usage: replay NAME CORPUS_DIRECTORY MUTATIONS\n");
		return 2;
	}
	replay.inputs = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	replay.n_mutations = (guint)g_ascii_strtoull(argv[3], NULL, 10);
	load_corpus(argv[2]);
	last = g_strdup_printf("fuzz-%s.last", argv[1]);
	last_path = g_build_filename(build != NULL ? build : ".", last, NULL);
	replay.last_fd = open(last_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (replay.last_fd < 0)
		g_error("opening %s failed: %s", last_path, g_strerror(errno));

	corpus_name = g_strdup_printf("/fuzz/%s/corpus", argv[1]);
	mutations_name = g_strdup_printf("/fuzz/%s/mutations", argv[1]);
	g_test_add_func(corpus_name, test_corpus);
	g_test_add_func(mutations_name, test_mutations);
	result = g_test_run();
	close(replay.last_fd);
	if (result == 0)
		unlink(last_path);
	g_ptr_array_unref(replay.inputs);
	return result;
}

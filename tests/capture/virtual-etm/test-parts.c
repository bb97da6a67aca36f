/* test-parts.c: filters, executed code, options and STM stimulus of the virtual ETM */
#include "capture/virtual-etm/code-image.h"
#include "capture/virtual-etm/options.h"
#include "capture/virtual-etm/stimulus.h"
#include "capture/virtual-etm/view.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

static bool passes(const struct view_registers *registers, const struct flow_context *context,
                   uint64_t va, unsigned n)
{
	struct view view;

	view_resolve(&view, registers, context);
	return view_passes(&view, va, n);
}

static void test_levels(void)
{
	struct view_registers registers = { .victlr = 0x003B0201 };
	struct flow_context context = { .non_secure = true };

	for (uint8_t el = 0; el < 3; el++) {
		context.el = el;
		g_assert_cmpint(passes(&registers, &context, 0x1000, 4), ==, el == 2);
	}
	context.non_secure = false;
	context.el = 0;
	g_assert_false(passes(&registers, &context, 0x1000, 4));
	registers.victlr = 0x201;
	g_assert_true(passes(&registers, &context, 0x1000, 4));
}

static void test_ranges(void)
{
	struct view_registers registers = {
		.victlr = 0x201,
		.viiectlr = 1 | 2 << 16,
		.acvr = { 0x1000, 0x1FFC, 0x1800, 0x18FC },
	};
	const struct flow_context context = { .el = 2, .non_secure = true };

	g_assert_false(passes(&registers, &context, 0xFF0, 4));
	g_assert_true(passes(&registers, &context, 0xFF0, 5));
	g_assert_true(passes(&registers, &context, 0x1FFC, 1));
	g_assert_false(passes(&registers, &context, 0x2000, 1));
	g_assert_false(passes(&registers, &context, 0x1800, 64));
	g_assert_true(passes(&registers, &context, 0x1800, 65));
	registers.viiectlr = 2 << 16;
	g_assert_true(passes(&registers, &context, 0x2000, 1));
	g_assert_false(passes(&registers, &context, 0x1840, 1));
}

static void test_context_comparators(void)
{
	struct view_registers registers = {
		.victlr = 0x201,
		.viiectlr = 1,
		.acvr = { 0, UINT64_MAX },
		.acatr = { VIEW_CONTEXT_VMID, VIEW_CONTEXT_VMID },
		.vmidcvr = 2,
		.cidcvr = 97,
	};
	struct flow_context context = { .el = 1, .non_secure = true, .vmid = 2 };

	g_assert_true(passes(&registers, &context, 0x1000, 1));
	context.vmid = 3;
	g_assert_false(passes(&registers, &context, 0x1000, 1));
	registers.acatr[0] = VIEW_CONTEXT_CID;
	g_assert_false(passes(&registers, &context, 0x1000, 1));
	context.context_id = 97;
	g_assert_true(passes(&registers, &context, 0x1000, 1));
	/* This comparator is not for EL1. */
	registers.acatr[0] |= 1 << 13;
	g_assert_false(passes(&registers, &context, 0x1000, 1));
}

static struct flow_block *block_new(uint32_t first, uint32_t second)
{
	struct flow_block *block = g_malloc0(sizeof *block + 2 * sizeof block->code[0]);

	block->n = 2;
	block->code[0] = first;
	block->code[1] = second;
	return block;
}

struct image {
	GByteArray *bytes;
	GString *regions;
};

static void take_page(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(((struct image *)data)->bytes, bytes, (guint)len_bytes);
}

static void take_region(void *data, const struct code_image_region *region)
{
	g_string_append_printf(((struct image *)data)->regions,
	                       "%s: %" PRIx64 " %" PRIu64 "+%" PRIu64 "\n", region->space,
	                       region->va, region->offset_bytes, region->len_bytes);
}

static uint32_t word_at(const GByteArray *bytes, size_t offset)
{
	uint32_t word;

	g_assert_cmpuint(offset + sizeof word, <=, bytes->len);
	memcpy(&word, bytes->data + offset, sizeof word);
	return word;
}

/* Trap: one address, other code in another domain or process. */
static void test_code_spaces(void)
{
	struct code_image *code = code_image_new();
	struct flow_block *one = block_new(11, 12), *two = block_new(21, 22);
	struct flow_context context = { .el = 0, .non_secure = true, .vmid = 1, .context_id = 7 };
	const uint32_t user1 = code_image_space(code, &context);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(GString) regions = g_string_new(NULL);
	struct image image = { bytes, regions };
	uint32_t user2, kernel1, kernel2, xen;

	context.context_id = 8;
	user2 = code_image_space(code, &context);
	context.el = 1;
	kernel1 = code_image_space(code, &context);
	context.context_id = 9;
	g_assert_cmpuint(code_image_space(code, &context), ==, kernel1);
	context.vmid = 2;
	kernel2 = code_image_space(code, &context);
	context.el = 2;
	xen = code_image_space(code, &context);
	context.vmid = 1;
	g_assert_cmpuint(code_image_space(code, &context), ==, xen);

	code_image_note(code, user1, one, 0x400010);
	code_image_note(code, user2, two, 0x400010);
	code_image_note(code, kernel1, one, 0x400FF8);
	code_image_note(code, kernel1, two, 0x401000);
	code_image_note(code, kernel2, two, 0x400FF8);
	code_image_note(code, xen, one, 0x200000);
	g_assert_cmpuint(code_image_conflicts(code), ==, 0);
	/* The same address of the same space, changed. */
	code_image_note(code, xen, two, 0x200000);
	g_assert_cmpuint(code_image_conflicts(code), ==, 2);

	code_image_write(code, take_page, take_region, &image);
	g_assert_cmpstr(regions->str, ==,
	                "EL0N vmid=1 cid=7: 400000 0+4096\n"
	                "EL0N vmid=1 cid=8: 400000 4096+4096\n"
	                "EL1N vmid=1: 400000 8192+8192\n"
	                "EL1N vmid=2: 400000 16384+4096\n"
	                "EL2N: 200000 20480+4096\n");
	g_assert_cmpuint(word_at(bytes, 0x10), ==, 11);
	g_assert_cmpuint(word_at(bytes, 4096 + 0x14), ==, 22);
	g_assert_cmpuint(word_at(bytes, 8192 + 0xFFC), ==, 12);
	g_assert_cmpuint(word_at(bytes, 8192 + 0x1000), ==, 21);
	g_assert_cmpuint(word_at(bytes, 20480), ==, 11);
	g_free(one);
	g_free(two);
	code_image_free(code);
}

static gboolean parse(struct options *options, const char *text)
{
	g_auto(GStrv) arguments = g_strsplit(text, ",", -1);

	options_deinit(options);
	options_init(options);
	return options_parse(options, (int)g_strv_length(arguments), arguments, NULL);
}

static void test_options(void)
{
	struct options options = { 0 };

	g_assert_true(parse(&options, "out=/x,shift=2,start=insn:1000,stop=+time:0x10,"
	                              "victlr=0x3B0201,acvr0=0x200000,acvr1=0x20ffff,viiectlr=1,"
	                              "stm=0xf8000000:0x1000000,exit=on,fifo=64:900"));
	g_assert_cmpstr(options.out, ==, "/x");
	g_assert_cmpuint(options.start.value, ==, 1000);
	g_assert_cmpint(options.stop.kind, ==, WINDOW_TIME);
	g_assert_true(options.stop.relative);
	g_assert_cmpuint(options.registers.view.acvr[1], ==, 0x20FFFF);
	g_assert_cmpuint(options.stm_len_bytes, ==, 0x1000000);
	g_assert_true(parse(&options, "out=/x,start=va:0xffff0000@2"));
	g_assert_cmpint(options.start.el, ==, 2);

	static const char *const wrong[] = {
		"shift=2",          "out=",           "out=/x,shift=99",   "out=/x,acvr8=1",
		"out=/x,acvrx=1",   "out=/x,start=5", "out=/x,colour=1",   "out=/x,start=+insn:1",
		"out=/x,stop=va:z", "out=/x,stm=1",   "out=/x,stm=1:0",    "out=/x,stm=1:2:0x70",
		"out=/x,fifo=1:0",  "out=/x,exit",    "out=/x,vmidcvr=-1",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_test_message("%s", wrong[i]);
		g_assert_false(parse(&options, wrong[i]));
	}
	options_deinit(&options);
}

static void collect(void *data, const uint8_t *bytes, size_t len_bytes)
{
	g_byte_array_append(data, bytes, (guint)len_bytes);
}

static void test_stimulus(void)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct stimulus stimulus;
	uint64_t ticks = 5;
	struct stimulus_store store = {
		.core = 1, .size_bytes = 4, .value = 7, .timestamp = &ticks
	};

	stimulus_init(&stimulus, 0xF8000000, 0x1000, 0x40, 62500000, collect, bytes);
	store.pa = 0xF8000000 - 4;
	g_assert_false(stimulus_write(&stimulus, &store));
	store.pa = 0xF8001000;
	g_assert_false(stimulus_write(&stimulus, &store));
	store.pa = 0xF8000240; /* between the data and the flag ports */
	g_assert_false(stimulus_write(&stimulus, &store));
	g_assert_cmpuint(stimulus.n_writes, ==, 0);
	store.pa = 0xF8000280; /* I_DMTS of port 2 */
	g_assert_true(stimulus_write(&stimulus, &store));
	g_assert_cmpuint(stimulus.encoder.master, ==, 0x41);
	g_assert_cmpuint(stimulus.encoder.channel, ==, 2);
	g_assert_true(stimulus.encoder.timestamp_known);
	store.pa = 0xF8000368; /* FLAG of port 3 */
	g_assert_true(stimulus_write(&stimulus, &store));
	g_assert_cmpuint(stimulus.encoder.channel, ==, 3);
	g_assert_cmpuint(stimulus.n_writes, ==, 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/virtual-etm/view/levels", test_levels);
	g_test_add_func("/capture/virtual-etm/view/ranges", test_ranges);
	g_test_add_func("/capture/virtual-etm/view/context", test_context_comparators);
	g_test_add_func("/capture/virtual-etm/code-spaces", test_code_spaces);
	g_test_add_func("/capture/virtual-etm/options", test_options);
	g_test_add_func("/capture/virtual-etm/stimulus", test_stimulus);
	return g_test_run();
}

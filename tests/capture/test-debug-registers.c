/* The encodings of the system registers, read back by a disassembler that others wrote. */
#include "capture/coresight/debug-registers.h"

#include <capstone/capstone.h>
#include <string.h>

static void assert_disassembles(csh handle, guint32 instruction, const char *mnemonic,
                                const char *operands)
{
	guint32 word = GUINT32_TO_LE(instruction);
	cs_insn *decoded = NULL;
	size_t n = cs_disasm(handle, (const uint8_t *)&word, sizeof word, 0, 1, &decoded);

	if (n != 1 || strcmp(decoded->mnemonic, mnemonic) != 0 ||
	    g_ascii_strcasecmp(decoded->op_str, operands) != 0)
		g_error("%08X is '%s %s', not '%s %s'", instruction,
		        n == 1 ? decoded->mnemonic : "?", n == 1 ? decoded->op_str : "", mnemonic,
		        operands);
	cs_free(decoded, n);
}

static void test_moves(void)
{
	csh handle;

	g_assert_cmpint(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle), ==, CS_ERR_OK);
	for (guint i = 0; i < n_debug_registers; i++) {
		const struct debug_register *reg = &debug_registers[i];
		g_autofree char *read = g_strdup_printf("x0, %s", reg->name);
		g_autofree char *write = g_strdup_printf("%s, x5", reg->name);
		/* The identification registers, and the counter, cannot be written. */
		gboolean read_only = g_str_has_prefix(reg->name, "ID_") ||
		                     g_str_has_prefix(reg->name, "MIDR") ||
		                     g_str_has_prefix(reg->name, "MPIDR") ||
		                     g_str_has_prefix(reg->name, "REVIDR") ||
		                     g_str_has_prefix(reg->name, "CTR_") ||
		                     g_str_has_prefix(reg->name, "ISR_") ||
		                     g_str_has_prefix(reg->name, "CNTVCT");

		assert_disassembles(handle, debug_register_mrs(reg, 0), "mrs", read);
		if (!read_only)
			assert_disassembles(handle, debug_register_msr(reg, 5), "msr", write);
	}
	cs_close(&handle);
}

/* The instructions that debug.c inserts by number. */
static void test_inserted(void)
{
	static const struct {
		guint32 word;
		const char *mnemonic, *operands;
	} cases[] = {
		{ 0xD5130400, "msr", "dbgdtr_el0, x0" },
		{ 0xD5330400, "mrs", "x0, dbgdtr_el0" },
		{ 0x910003E0, "mov", "x0, sp" },
		{ 0x9100001F, "mov", "sp, x0" },
		{ 0xD53B4520, "mrs", "x0, dlr_el0" },
		{ 0xD51B4520, "msr", "dlr_el0, x0" },
		{ 0xD53B4500, "mrs", "x0, dspsr_el0" },
		{ 0xD51B4500, "msr", "dspsr_el0, x0" },
		{ 0xAA0303E0, "mov", "x0, x3" },
		{ 0xAA0003E3, "mov", "x3, x0" },
		{ 0xD4A00001, "dcps1", "" },
		{ 0xD4A00002, "dcps2", "" },
		{ 0xD4A00003, "dcps3", "" },
	};
	csh handle;

	g_assert_cmpint(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle), ==, CS_ERR_OK);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_disassembles(handle, cases[i].word, cases[i].mnemonic, cases[i].operands);
	cs_close(&handle);
}

static void test_levels(void)
{
	static const struct {
		const char *name;
		guint level;
	} cases[] = { { "TPIDR_EL0", 0 }, { "SP_EL0", 1 }, { "ttbr0_el1", 1 }, { "SP_EL1", 2 },
		      { "VTTBR_EL2", 2 }, { "SP_EL2", 3 }, { "SCR_EL3", 3 } };

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpuint(debug_register_level(debug_register_find(cases[i].name)), ==,
		                 cases[i].level);
	g_assert_null(debug_register_find("VTTBR"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capture/debug-registers/moves", test_moves);
	g_test_add_func("/capture/debug-registers/inserted", test_inserted);
	g_test_add_func("/capture/debug-registers/levels", test_levels);
	return g_test_run();
}

#include "awareness/symbols/dwarf-worker.h"

#include <dwarf.h>
#include <string.h>

/* AArch64 numbers go up to 95 (v31); 46 and above are SVE's (AADWARF64, 4.1). */
enum {
	RULES = 128
};

static void fdes_load(struct worker *self)
{
	Dwarf_Cie *cies;
	Dwarf_Signed n_cies;
	Dwarf_Error error = NULL;

	self->fdes_tried = TRUE;
	dwarf_set_frame_rule_table_size(self->dbg, RULES);
	dwarf_set_frame_cfa_value(self->dbg, DW_FRAME_CFA_COL3);
	dwarf_set_frame_same_value(self->dbg, DW_FRAME_SAME_VAL);
	dwarf_set_frame_undefined_value(self->dbg, DW_FRAME_UNDEFINED_VAL);
	dwarf_set_frame_rule_initial_value(self->dbg, DW_FRAME_SAME_VAL);
	if (dwarf_get_fde_list(self->dbg, &cies, &n_cies, &self->fdes, &self->n_fdes, &error) ==
	    DW_DLV_OK)
		return;
	if (dwarf_get_fde_list_eh(self->dbg, &cies, &n_cies, &self->fdes, &self->n_fdes, &error) !=
	    DW_DLV_OK)
		self->n_fdes = 0;
}

static struct cfi_rule rule_of(const Dwarf_Regtable_Entry3 *entry, gboolean is_cfa)
{
	int64_t offset = (int64_t)entry->dw_offset_or_block_len;

	if (entry->dw_value_type == DW_EXPR_EXPRESSION ||
	    entry->dw_value_type == DW_EXPR_VAL_EXPRESSION)
		return (struct cfi_rule) { .kind = CFI_EXPRESSION };
	if (entry->dw_regnum == DW_FRAME_SAME_VAL)
		return (struct cfi_rule) { .kind = CFI_SAME };
	if (entry->dw_regnum == DW_FRAME_UNDEFINED_VAL)
		return (struct cfi_rule) { .kind = CFI_UNDEFINED };
	if (is_cfa)
		return (struct cfi_rule) { CFI_REGISTER, entry->dw_regnum, offset };
	if (entry->dw_value_type == DW_EXPR_VAL_OFFSET)
		return (struct cfi_rule) { CFI_IS_CFA, 0, offset };
	if (entry->dw_offset_relevant)
		return (struct cfi_rule) { CFI_AT_CFA, 0, offset };
	return (struct cfi_rule) { CFI_REGISTER, entry->dw_regnum, 0 };
}

enum worker_status worker_cfi(struct worker *self, uint64_t address, struct worker_buffer *out,
                              Dwarf_Error *error)
{
	Dwarf_Regtable_Entry3 rules[RULES];
	Dwarf_Regtable3 table = { .rt3_reg_table_size = RULES, .rt3_rules = rules };
	Dwarf_Fde fde;
	Dwarf_Addr low, high, row_pc;
	Dwarf_Cie cie;
	struct cfi_row row = { 0 };
	Dwarf_Unsigned cie_bytes, code_align;
	Dwarf_Signed data_align;
	Dwarf_Small version;
	char *augmenter;
	Dwarf_Half return_register;
	Dwarf_Ptr initial;
	Dwarf_Unsigned initial_bytes;
	Dwarf_Half offset_size;
	int result;

	if (!self->fdes_tried)
		fdes_load(self);
	if (self->n_fdes == 0)
		return WORKER_NOT_FOUND;
	result = dwarf_get_fde_at_pc(self->fdes, address, &fde, &low, &high, error);
	if (result == DW_DLV_NO_ENTRY)
		return WORKER_NOT_FOUND;
	if (result != DW_DLV_OK)
		return WORKER_DAMAGED;
	memset(rules, 0, sizeof(rules));
	if (dwarf_get_fde_info_for_all_regs3(fde, address, &table, &row_pc, error) != DW_DLV_OK ||
	    dwarf_get_cie_of_fde(fde, &cie, error) != DW_DLV_OK ||
	    dwarf_get_cie_info_b(cie, &cie_bytes, &version, &augmenter, &code_align, &data_align,
	                         &return_register, &initial, &initial_bytes, &offset_size,
	                         error) != DW_DLV_OK)
		return WORKER_DAMAGED;
	row.start = low;
	row.end = high + 1; /* libdwarf's end is inclusive */
	row.return_register = return_register;
	row.cfa = rule_of(&table.rt3_cfa_rule, TRUE);
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		row.rules[i] = rule_of(&rules[i], FALSE);
	worker_put(out, &row, sizeof(row));
	return WORKER_OK;
}

#include "awareness/os/decode.h"

#include <string.h>

/* One field; `words` are for values 0, 1, 2, ..., parted by '|', an empty one for a
 * value that has no name. */
struct field_rule {
	const char *name;
	unsigned high, low;
	const char *words;
};

static const char granule0_words[] = "4 KiB|64 KiB|16 KiB";
static const char granule1_words[] = "|16 KiB|4 KiB|64 KiB";
static const char size_words[] = "32 bits|36 bits|40 bits|42 bits|44 bits|48 bits|52 bits";
static const char share_words[] = "non-shareable||outer shareable|inner shareable";
static const char cache_words[] =
	"non-cacheable|write-back write-allocate|write-through|write-back no write-allocate";

static const struct field_rule esr_rules[] = {
	{ "EC", 31, 26, NULL },
	{ "IL", 25, 25, "16-bit instruction|32-bit instruction" },
	{ "ISS", 24, 0, NULL },
};

/* The ISS of data aborts (EC 0x24, 0x25). */
static const struct field_rule data_abort_rules[] = {
	{ "ISV", 24, 24, "no syndrome|valid syndrome" },
	{ "SAS", 23, 22, "byte|halfword|word|doubleword" },
	{ "SSE", 21, 21, NULL },
	{ "SRT", 20, 16, NULL },
	{ "SF", 15, 15, "32-bit register|64-bit register" },
	{ "AR", 14, 14, NULL },
	{ "FnV", 10, 10, NULL },
	{ "EA", 9, 9, NULL },
	{ "CM", 8, 8, "|cache maintenance" },
	{ "S1PTW", 7, 7, "|on a stage 1 table walk" },
	{ "WnR", 6, 6, "read|write" },
	{ "DFSC", 5, 0, NULL },
};

static const struct field_rule instruction_abort_rules[] = {
	{ "FnV", 10, 10, NULL },
	{ "EA", 9, 9, NULL },
	{ "S1PTW", 7, 7, "|on a stage 1 table walk" },
	{ "IFSC", 5, 0, NULL },
};

static const struct field_rule immediate_rules[] = {
	{ "imm16", 15, 0, NULL },
};

static const struct field_rule msr_rules[] = {
	{ "Op0", 21, 20, NULL },
	{ "Op2", 19, 17, NULL },
	{ "Op1", 16, 14, NULL },
	{ "CRn", 13, 10, NULL },
	{ "Rt", 9, 5, NULL },
	{ "CRm", 4, 1, NULL },
	{ "Direction", 0, 0, "write (MSR)|read (MRS)" },
};

static const struct field_rule wfx_rules[] = {
	{ "TI", 1, 0, "WFI|WFE|WFIT|WFET" },
};

static const struct field_rule hcr_rules[] = {
	{ "FWB", 46, 46, "|stage 2 overrides memory types" },
	{ "API", 41, 41, NULL },
	{ "APK", 40, 40, NULL },
	{ "TEA", 37, 37, "|external aborts to EL2" },
	{ "E2H", 34, 34, "|EL2 hosts an operating system (VHE)" },
	{ "RW", 31, 31, "EL1 is AArch32|EL1 is AArch64" },
	{ "TRVM", 30, 30, "|reads of EL1 translation registers trap" },
	{ "HCD", 29, 29, "|HVC is undefined" },
	{ "TDZ", 28, 28, NULL },
	{ "TGE", 27, 27, "|exceptions of EL0 go to EL2" },
	{ "TVM", 26, 26, "|writes of EL1 translation registers trap" },
	{ "TTLB", 25, 25, "|TLB maintenance traps" },
	{ "TPU", 24, 24, NULL },
	{ "TPC", 23, 23, NULL },
	{ "TSW", 22, 22, "|cache maintenance by set and way traps" },
	{ "TACR", 21, 21, NULL },
	{ "TIDCP", 20, 20, NULL },
	{ "TSC", 19, 19, "|SMC traps" },
	{ "TID3", 18, 18, "|ID registers trap" },
	{ "TID2", 17, 17, NULL },
	{ "TID1", 16, 16, NULL },
	{ "TID0", 15, 15, NULL },
	{ "TWE", 14, 14, "|WFE traps" },
	{ "TWI", 13, 13, "|WFI traps" },
	{ "DC", 12, 12, "|stage 1 off, memory cacheable" },
	{ "BSU", 11, 10, NULL },
	{ "FB", 9, 9, "|maintenance is broadcast" },
	{ "VSE", 8, 8, "|virtual SError pending" },
	{ "VI", 7, 7, "|virtual IRQ pending" },
	{ "VF", 6, 6, "|virtual FIQ pending" },
	{ "AMO", 5, 5, "|SError to EL2" },
	{ "IMO", 4, 4, "|IRQ to EL2" },
	{ "FMO", 3, 3, "|FIQ to EL2" },
	{ "PTW", 2, 2, "|tables in Device memory fault" },
	{ "SWIO", 1, 1, NULL },
	{ "VM", 0, 0, "|stage 2 on" },
};

static const struct field_rule tcr_el1_rules[] = {
	{ "DS", 59, 59, "|52-bit addresses (LPA2)" },
	{ "HPD1", 42, 42, "|no hierarchical attributes (TTBR1)" },
	{ "HPD0", 41, 41, "|no hierarchical attributes (TTBR0)" },
	{ "HD", 40, 40, "|hardware sets dirty" },
	{ "HA", 39, 39, "|hardware sets the access flag" },
	{ "TBI1", 38, 38, "|top byte ignored (TTBR1)" },
	{ "TBI0", 37, 37, "|top byte ignored (TTBR0)" },
	{ "AS", 36, 36, "8-bit ASID|16-bit ASID" },
	{ "IPS", 34, 32, size_words },
	{ "TG1", 31, 30, granule1_words },
	{ "SH1", 29, 28, share_words },
	{ "ORGN1", 27, 26, cache_words },
	{ "IRGN1", 25, 24, cache_words },
	{ "EPD1", 23, 23, "|no walks by TTBR1" },
	{ "A1", 22, 22, "ASID of TTBR0|ASID of TTBR1" },
	{ "T1SZ", 21, 16, NULL },
	{ "TG0", 15, 14, granule0_words },
	{ "SH0", 13, 12, share_words },
	{ "ORGN0", 11, 10, cache_words },
	{ "IRGN0", 9, 8, cache_words },
	{ "EPD0", 7, 7, "|no walks by TTBR0" },
	{ "T0SZ", 5, 0, NULL },
};

static const struct field_rule tcr_el2_rules[] = {
	{ "DS", 32, 32, "|52-bit addresses (LPA2)" },
	{ "HPD", 24, 24, "|no hierarchical attributes" },
	{ "HD", 22, 22, NULL },
	{ "HA", 21, 21, "|hardware sets the access flag" },
	{ "TBI", 20, 20, "|top byte ignored" },
	{ "PS", 18, 16, size_words },
	{ "TG0", 15, 14, granule0_words },
	{ "SH0", 13, 12, share_words },
	{ "ORGN0", 11, 10, cache_words },
	{ "IRGN0", 9, 8, cache_words },
	{ "T0SZ", 5, 0, NULL },
};

static const struct field_rule vtcr_rules[] = {
	{ "SL2", 33, 33, NULL },
	{ "DS", 32, 32, "|52-bit addresses (LPA2)" },
	{ "HD", 22, 22, NULL },
	{ "HA", 21, 21, "|hardware sets the access flag" },
	{ "VS", 19, 19, "8-bit VMID|16-bit VMID" },
	{ "PS", 18, 16, size_words },
	{ "TG0", 15, 14, granule0_words },
	{ "SH0", 13, 12, share_words },
	{ "ORGN0", 11, 10, cache_words },
	{ "IRGN0", 9, 8, cache_words },
	{ "SL0", 7, 6, NULL },
	{ "T0SZ", 5, 0, NULL },
};

static const struct field_rule sctlr_rules[] = {
	{ "UCI", 26, 26, NULL },
	{ "EE", 25, 25, "little-endian|big-endian" },
	{ "E0E", 24, 24, NULL },
	{ "SPAN", 23, 23, NULL },
	{ "UCT", 15, 15, NULL },
	{ "nTWE", 18, 18, NULL },
	{ "nTWI", 16, 16, NULL },
	{ "WXN", 19, 19, "|writable means not executable" },
	{ "I", 12, 12, "instruction cache off|instruction cache on" },
	{ "SA0", 4, 4, NULL },
	{ "SA", 3, 3, "|stack alignment checked" },
	{ "C", 2, 2, "data cache off|data cache on" },
	{ "A", 1, 1, "|alignment checked" },
	{ "M", 0, 0, "MMU off|MMU on" },
};

static const struct field_rule psr_rules[] = {
	{ "N", 31, 31, NULL },
	{ "Z", 30, 30, NULL },
	{ "C", 29, 29, NULL },
	{ "V", 28, 28, NULL },
	{ "DIT", 24, 24, NULL },
	{ "UAO", 23, 23, NULL },
	{ "PAN", 22, 22, NULL },
	{ "SS", 21, 21, "|single step" },
	{ "IL", 20, 20, "|illegal state" },
	{ "D", 9, 9, "|debug masked" },
	{ "A", 8, 8, "|SError masked" },
	{ "I", 7, 7, "|IRQ masked" },
	{ "F", 6, 6, "|FIQ masked" },
	{ "nRW", 4, 4, "AArch64|AArch32" },
	{ "M", 3, 0, "EL0t||||EL1t|EL1h|||EL2t|EL2h|||EL3t|EL3h" },
};

static const struct field_rule ttbr_rules[] = {
	{ "ASID", 63, 48, NULL },
	{ "BADDR", 47, 1, NULL },
	{ "CnP", 0, 0, "|common with other cores" },
};

static const struct field_rule vttbr_rules[] = {
	{ "VMID", 63, 48, NULL },
	{ "BADDR", 47, 1, NULL },
	{ "CnP", 0, 0, "|common with other cores" },
};

static const struct field_rule hpfar_rules[] = {
	{ "FIPA (bits 47:12 of the IPA)", 39, 4, NULL },
};

static const struct field_rule cptr_rules[] = {
	{ "TCPAC", 31, 31, "|CPACR_EL1 traps" },
	{ "TTA", 20, 20, "|trace registers trap" },
	{ "TFP", 10, 10, "|floating point traps" },
	{ "TZ", 8, 8, NULL },
};

#define RULES(array) array, G_N_ELEMENTS(array)

static const struct {
	const char *pattern; /* of the register's name, in lower case */
	const struct field_rule *rules;
	gsize n_rules;
} registers[] = {
	{ "esr_el?", RULES(esr_rules) },     { "hcr_el2", RULES(hcr_rules) },
	{ "tcr_el1", RULES(tcr_el1_rules) }, { "tcr_el2", RULES(tcr_el2_rules) },
	{ "vtcr_el2", RULES(vtcr_rules) },   { "sctlr_el?", RULES(sctlr_rules) },
	{ "cpsr", RULES(psr_rules) },        { "spsr_el?", RULES(psr_rules) },
	{ "vttbr_el2", RULES(vttbr_rules) }, { "ttbr?_el1", RULES(ttbr_rules) },
	{ "hpfar_el2", RULES(hpfar_rules) }, { "cptr_el2", RULES(cptr_rules) },
};

/* DDI 0487, ESR_EL1.EC. */
const char *register_exception_class(unsigned ec)
{
	switch (ec) {
	case 0x00:
		return "unknown reason";
	case 0x01:
		return "trapped WFI or WFE";
	case 0x03:
		return "trapped MCR or MRC (CP15)";
	case 0x07:
		return "trapped floating point or SIMD";
	case 0x0e:
		return "illegal execution state";
	case 0x11:
		return "SVC from AArch32";
	case 0x12:
		return "HVC from AArch32";
	case 0x13:
		return "SMC from AArch32";
	case 0x15:
		return "SVC from AArch64";
	case 0x16:
		return "HVC from AArch64";
	case 0x17:
		return "SMC from AArch64";
	case 0x18:
		return "trapped MSR, MRS or system instruction";
	case 0x19:
		return "trapped SVE";
	case 0x20:
		return "instruction abort from a lower level";
	case 0x21:
		return "instruction abort from this level";
	case 0x22:
		return "PC alignment";
	case 0x24:
		return "data abort from a lower level";
	case 0x25:
		return "data abort from this level";
	case 0x26:
		return "SP alignment";
	case 0x2c:
		return "floating point exception";
	case 0x2f:
		return "SError";
	case 0x30:
		return "breakpoint from a lower level";
	case 0x31:
		return "breakpoint from this level";
	case 0x32:
		return "software step from a lower level";
	case 0x33:
		return "software step from this level";
	case 0x34:
		return "watchpoint from a lower level";
	case 0x35:
		return "watchpoint from this level";
	case 0x3c:
		return "BRK from AArch64";
	default:
		return NULL;
	}
}

/* Fault status codes that data and instruction aborts share. */
static const char *fault_status(unsigned status)
{
	static const char *const levels[4][4] = {
		{ "address size fault, level 0", "address size fault, level 1",
		  "address size fault, level 2", "address size fault, level 3" },
		{ "translation fault, level 0", "translation fault, level 1",
		  "translation fault, level 2", "translation fault, level 3" },
		{ "access flag fault, level 0", "access flag fault, level 1",
		  "access flag fault, level 2", "access flag fault, level 3" },
		{ "permission fault, level 0", "permission fault, level 1",
		  "permission fault, level 2", "permission fault, level 3" },
	};

	if (status < 16)
		return levels[status >> 2][status & 3];
	switch (status) {
	case 0x10:
		return "external abort";
	case 0x14:
	case 0x15:
	case 0x16:
	case 0x17:
		return "external abort on a table walk";
	case 0x21:
		return "alignment fault";
	case 0x30:
		return "TLB conflict";
	default:
		return NULL;
	}
}

static const char *word_for(const char *words, uint64_t value)
{
	g_auto(GStrv) list = words != NULL ? g_strsplit(words, "|", -1) : NULL;
	const char *interned = NULL;

	if (list != NULL && value < g_strv_length(list) && list[value][0] != '\0')
		interned = g_intern_string(list[value]);
	return interned;
}

static void add_fields(const struct field_rule *rules, gsize n_rules, uint64_t value,
                       GArray *fields)
{
	for (gsize i = 0; i < n_rules; i++) {
		unsigned width = rules[i].high - rules[i].low + 1;
		struct register_field field = {
			.name = rules[i].name,
			.high = rules[i].high,
			.low = rules[i].low,
			.value =
				value >> rules[i].low & (width == 64 ? ~0ull : (1ull << width) - 1),
		};

		field.meaning = word_for(rules[i].words, field.value);
		if (strcmp(field.name, "EC") == 0)
			field.meaning = register_exception_class((unsigned)field.value);
		else if (g_str_has_suffix(field.name, "FSC"))
			field.meaning = fault_status((unsigned)field.value);
		if (width == 1 && field.value == 0 && field.meaning == NULL)
			continue;
		g_array_append_val(fields, field);
	}
}

static void add_syndrome(uint64_t value, GArray *fields)
{
	switch (value >> 26 & 0x3f) {
	case 0x01:
		add_fields(RULES(wfx_rules), value, fields);
		break;
	case 0x15:
	case 0x16:
	case 0x17:
	case 0x3c:
		add_fields(RULES(immediate_rules), value, fields);
		break;
	case 0x18:
		add_fields(RULES(msr_rules), value, fields);
		break;
	case 0x20:
	case 0x21:
		add_fields(RULES(instruction_abort_rules), value, fields);
		break;
	case 0x24:
	case 0x25:
		add_fields(RULES(data_abort_rules), value, fields);
		break;
	default:
		break;
	}
}

gboolean register_decode(const char *name, uint64_t value, GArray *fields)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);

	for (gsize i = 0; i < G_N_ELEMENTS(registers); i++) {
		if (!g_pattern_match_simple(registers[i].pattern, lower))
			continue;
		add_fields(registers[i].rules, registers[i].n_rules, value, fields);
		if (g_str_has_prefix(lower, "esr_"))
			add_syndrome(value, fields);
		return TRUE;
	}
	return FALSE;
}

/* vmsa.h: the translation table walk of VMSAv8-64
 *
 * Pure: takes register values and a function that fetches a descriptor, gives the
 * output address with every step that led there, or the fault with its stage and
 * level. It knows no target, no cache and no machine. Stage 1 for EL1&0, EL2 and
 * EL2&0 (VHE); stage 2; and both composed, each stage-1 descriptor being fetched
 * through stage 2. Granules of 4, 16 and 64 KiB, concatenated roots, 52-bit
 * addresses (FEAT_LPA with 64 KiB, FEAT_LPA2 with TCR.DS).
 *
 * Rules from Arm DDI 0487, chapter D8 and the pseudocode AArch64.S1Walk, S2Walk,
 * S2InvalidSL, S2InconsistentSL. Thread-safe: there is no state.
 */
#pragma once

#include "awareness/mmu/address.h"

enum vmsa_limits {
	/* Five stage-1 levels, each after at most five of stage 2, then stage 2 of the
	 * output. */
	VMSA_STEPS_MAX = 5 * 6 + 5,
};

enum vmsa_regime {
	VMSA_REGIME_EL10, /* EL1&0: two ranges, may be under stage 2 */
	VMSA_REGIME_EL2,  /* one range, TCR_EL2 in its own layout */
	VMSA_REGIME_EL20, /* VHE: two ranges, TCR_EL2 in the layout of TCR_EL1 */
};

enum vmsa_access {
	/* A debugger's look: a clear access flag and missing permissions are told in
	 * the attributes and are no fault. */
	VMSA_ACCESS_LOOK,
	/* What `AT S12E1R` does: a data read from EL1, with all its checks. */
	VMSA_ACCESS_READ,
};

struct vmsa_stage1 {
	enum vmsa_regime regime;
	gboolean enabled; /* SCTLR.M, and neither HCR.DC nor HCR.TGE against it */
	gboolean big_endian;
	uint64_t tcr;
	uint64_t ttbr0;
	uint64_t ttbr1; /* unused in VMSA_REGIME_EL2 */
	uint64_t mair;
};

struct vmsa_stage2 {
	gboolean enabled; /* HCR.VM or HCR.DC */
	gboolean big_endian;
	gboolean protected_walk; /* HCR.PTW: a stage-1 table in Device memory faults */
	uint64_t vtcr;
	uint64_t vttbr;
};

/* What the implementation can do, and how strictly to judge. */
struct vmsa_features {
	unsigned pa_bits;      /* ID_AA64MMFR0_EL1.PARange: 32 to 52 */
	gboolean large_va;     /* FEAT_LVA: TxSZ down to 12 with 64 KiB */
	gboolean small_tables; /* FEAT_TTST: TxSZ up to 48 */
	gboolean lpa2;         /* FEAT_LPA2: TCR.DS counts */
	/* Accept block descriptors at levels where the architecture has none, as QEMU
	 * 7.2 does; for comparing against it only. */
	gboolean blocks_anywhere;
};

enum vmsa_fault {
	VMSA_FAULT_NONE,
	VMSA_FAULT_TRANSLATION,
	VMSA_FAULT_ADDRESS_SIZE,
	VMSA_FAULT_ACCESS_FLAG,
	VMSA_FAULT_PERMISSION,
	VMSA_FAULT_UNREADABLE, /* the descriptor could not be fetched; not the guest's fault */
};

/* One descriptor. */
struct vmsa_step {
	uint8_t stage; /* 1 or 2 */
	int8_t level;  /* -1 to 3 */
	/* For stage 1 under stage 2: 1 while stage 2 translates the descriptor's own
	 * address; what precedes a stage-1 step belongs to it. */
	gboolean for_table;
	uint64_t table_ipa; /* stage 1: the descriptor's address before stage 2 */
	struct pa pa;       /* where the descriptor was fetched */
	uint64_t descriptor;
};

struct vmsa_attributes {
	gboolean access_flag;
	gboolean contiguous;
	uint8_t memory;                    /* stage 1: the MAIR byte; stage 2: MemAttr[3:0] */
	uint8_t ap;                        /* stage 1: AP[2:1] after APTable; stage 2: S2AP */
	uint8_t shareability;              /* SH[1:0] */
	gboolean execute_never;            /* UXN or XN; stage 2: XN[1] */
	gboolean privileged_execute_never; /* PXN after PXNTable; stage 2: XN[0] */
	gboolean not_global;
	uint64_t size_bytes; /* of the page or block; 0 where the stage is off */
};

struct vmsa_walk {
	enum vmsa_fault fault;
	uint8_t fault_stage; /* 1 or 2 */
	int8_t fault_level;
	gboolean fault_on_table; /* stage 2 refused a stage-1 descriptor (S1PTW) */
	struct ipa ipa;          /* of stage 1; valid once stage 1 is through */
	gboolean has_ipa;
	struct pa pa; /* valid without a fault */
	struct vmsa_attributes stage1;
	struct vmsa_attributes stage2;
	unsigned n_steps;
	struct vmsa_step steps[VMSA_STEPS_MAX];
};

/* Fetches the 8 bytes at `pa` as they lie in memory, in the byte order of the host
 * after a little-endian load. Returns FALSE if they cannot be read. */
typedef gboolean (*vmsa_fetch_fn)(gpointer data, struct pa pa, uint64_t *descriptor);

/* Stage 2 alone, of one IPA. */
void vmsa_walk_stage2(const struct vmsa_stage2 *stage2, const struct vmsa_features *features,
                      enum vmsa_access access, struct ipa ipa, vmsa_fetch_fn fetch, gpointer data,
                      struct vmsa_walk *out);

/* Both stages; either may be off (`enabled` FALSE: the address goes through as it
 * is). `stage2` NULL is off too. */
void vmsa_walk_va(const struct vmsa_stage1 *stage1, const struct vmsa_stage2 *stage2,
                  const struct vmsa_features *features, enum vmsa_access access, struct va va,
                  vmsa_fetch_fn fetch, gpointer data, struct vmsa_walk *out);

/* One set of tables as the registers describe it, for going through all of it. */
struct vmsa_range {
	uint8_t stage;
	uint64_t first_va; /* of the range: 0, or 2^64 - 2^bits for TTBR1 */
	unsigned bits;     /* of input address */
	unsigned granule_bits;
	int start_level;
	uint64_t root; /* IPA or PA of the first table */
	unsigned output_bits;
	gboolean high_output; /* 52-bit output addresses in the descriptors */
	gboolean lpa2;
	gboolean big_endian;
	gboolean hierarchy; /* APTable and so on count */
	gboolean sets_access_flag;
	uint64_t mair;
};

/* FALSE where the registers make no valid range. */
gboolean vmsa_stage1_range(const struct vmsa_stage1 *stage1, const struct vmsa_features *features,
                           gboolean upper, struct vmsa_range *out);
gboolean vmsa_stage2_range(const struct vmsa_stage2 *stage2, const struct vmsa_features *features,
                           struct vmsa_range *out);

enum vmsa_entry {
	VMSA_ENTRY_INVALID,
	VMSA_ENTRY_TABLE, /* *address is the next table */
	VMSA_ENTRY_LEAF,  /* *address is the output, *attributes its own (no APTable) */
};

/* What one descriptor of the range says at `level`. */
enum vmsa_entry vmsa_decode_entry(const struct vmsa_range *range,
                                  const struct vmsa_features *features, uint64_t descriptor,
                                  int level, uint64_t *address, struct vmsa_attributes *attributes);

/* The VMID of VTTBR_EL2: 16 bits of it with VTCR_EL2.VS, else 8. */
unsigned vmsa_vmid(uint64_t vttbr, uint64_t vtcr);

/* Sets up the two stages from the values of SCTLR_EL1 and so on. */
void vmsa_stage1_from_el1(struct vmsa_stage1 *out, uint64_t sctlr, uint64_t tcr, uint64_t ttbr0,
                          uint64_t ttbr1, uint64_t mair, uint64_t hcr);
void vmsa_stage2_from_el2(struct vmsa_stage2 *out, uint64_t hcr, uint64_t vtcr, uint64_t vttbr,
                          uint64_t sctlr_el2);

/* The implemented physical address size of ID_AA64MMFR0_EL1, in bits; 48 for
 * reserved values. */
void vmsa_features_from_id(struct vmsa_features *out, uint64_t id_aa64mmfr0, uint64_t id_aa64mmfr2);

/* One word or two: "translation", "access flag". */
const char *vmsa_fault_name(enum vmsa_fault fault);

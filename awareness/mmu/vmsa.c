#include "awareness/mmu/vmsa.h"

#include <string.h>

/* Everything a walk carries along. */
struct walker {
	const struct vmsa_stage2 *stage2;
	const struct vmsa_features *features;
	enum vmsa_access access;
	vmsa_fetch_fn fetch;
	gpointer data;
	struct vmsa_walk *out;
};

static uint64_t bits_of(uint64_t value, unsigned high, unsigned low)
{
	return value >> low & (high - low == 63 ? ~0ull : (1ull << (high - low + 1)) - 1);
}

static uint64_t mask_bits(unsigned n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

const char *vmsa_fault_name(enum vmsa_fault fault)
{
	static const char *const names[] = {
		[VMSA_FAULT_NONE] = "none",
		[VMSA_FAULT_TRANSLATION] = "translation",
		[VMSA_FAULT_ADDRESS_SIZE] = "address size",
		[VMSA_FAULT_ACCESS_FLAG] = "access flag",
		[VMSA_FAULT_PERMISSION] = "permission",
		[VMSA_FAULT_UNREADABLE] = "unreadable descriptor",
	};

	return names[fault];
}

unsigned vmsa_vmid(uint64_t vttbr, uint64_t vtcr)
{
	return (unsigned)bits_of(vttbr, (vtcr >> 19 & 1) != 0 ? 63 : 55, 48);
}

static unsigned size_field(unsigned field)
{
	static const unsigned bits[] = { 32, 36, 40, 42, 44, 48, 52, 48 };

	return bits[field & 7];
}

void vmsa_features_from_id(struct vmsa_features *out, uint64_t id_aa64mmfr0, uint64_t id_aa64mmfr2)
{
	*out = (struct vmsa_features) {
		.pa_bits = size_field((unsigned)(id_aa64mmfr0 & 0xf)),
		.large_va = bits_of(id_aa64mmfr2, 19, 16) != 0,
		.small_tables = bits_of(id_aa64mmfr2, 31, 28) != 0,
		/* TGran4 == 1 or TGran16 == 2 announces FEAT_LPA2. */
		.lpa2 = bits_of(id_aa64mmfr0, 31, 28) == 1 || bits_of(id_aa64mmfr0, 23, 20) == 2,
	};
}

void vmsa_stage1_from_el1(struct vmsa_stage1 *out, uint64_t sctlr, uint64_t tcr, uint64_t ttbr0,
                          uint64_t ttbr1, uint64_t mair, uint64_t hcr)
{
	gboolean against = (hcr >> 12 & 1) != 0 || ((hcr >> 27 & 1) != 0 && (hcr >> 34 & 1) == 0);

	*out = (struct vmsa_stage1) {
		.regime = VMSA_REGIME_EL10,
		.enabled = (sctlr & 1) != 0 && !against,
		.big_endian = (sctlr >> 25 & 1) != 0,
		.tcr = tcr,
		.ttbr0 = ttbr0,
		.ttbr1 = ttbr1,
		.mair = mair,
	};
}

void vmsa_stage2_from_el2(struct vmsa_stage2 *out, uint64_t hcr, uint64_t vtcr, uint64_t vttbr,
                          uint64_t sctlr_el2)
{
	*out = (struct vmsa_stage2) {
		.enabled = (hcr & 1) != 0 || (hcr >> 12 & 1) != 0,
		.big_endian = (sctlr_el2 >> 25 & 1) != 0,
		.protected_walk = (hcr >> 2 & 1) != 0,
		.vtcr = vtcr,
		.vttbr = vttbr,
	};
}

/* TG0 and TG1 name the same sizes by different numbers; reserved values act as
 * 4 KiB (D8.2, "Translation granule"). */
static unsigned granule_of(unsigned field, gboolean upper)
{
	if (upper)
		return field == 3 ? 16 : field == 1 ? 14 : 12;
	return field == 1 ? 16 : field == 2 ? 14 : 12;
}

static int stage1_start_level(unsigned bits, unsigned granule_bits)
{
	return 3 - (int)((bits - granule_bits - 1) / (granule_bits - 3));
}

/* The first table is aligned to its own size, at least 64 bytes where the address
 * has its upper bits in the low ones. */
static uint64_t root_of(uint64_t ttbr, const struct vmsa_range *range, gboolean high_output)
{
	unsigned stride = range->granule_bits - 3;
	unsigned table_bits = range->bits - (unsigned)(4 - range->start_level) * stride;
	uint64_t root = bits_of(ttbr, 47, 0) & ~mask_bits(table_bits);

	if (high_output)
		root = (root & ~mask_bits(6)) | bits_of(ttbr, 5, 2) << 48;
	return root;
}

static unsigned output_bits(unsigned field, const struct vmsa_features *features, gboolean ds,
                            unsigned granule_bits)
{
	unsigned bits = MIN(size_field(field), features->pa_bits);

	return ds || granule_bits == 16 ? bits : MIN(bits, 48);
}

/* TxSZ as a count of address bits; 0 where it is out of bounds, which ends in a
 * level 0 translation fault. */
static unsigned input_bits(unsigned txsz, unsigned granule_bits, gboolean ds,
                           const struct vmsa_features *features)
{
	gboolean large = ds || (granule_bits == 16 && features->large_va);
	unsigned most = features->small_tables ? (granule_bits == 16 ? 47 : 48) : 39;

	return txsz < (large ? 12u : 16u) || txsz > most ? 0 : 64 - txsz;
}

static gboolean stage1_lookup(const struct vmsa_stage1 *stage1,
                              const struct vmsa_features *features, gboolean upper,
                              struct vmsa_range *out)
{
	gboolean two = stage1->regime != VMSA_REGIME_EL2;
	uint64_t tcr = stage1->tcr;
	gboolean ds = features->lpa2 && (tcr >> (two ? 59 : 32) & 1) != 0;
	unsigned granule = upper ? granule_of((unsigned)bits_of(tcr, 31, 30), TRUE)
	                         : granule_of((unsigned)bits_of(tcr, 15, 14), FALSE);
	unsigned txsz = (unsigned)(upper ? bits_of(tcr, 21, 16) : bits_of(tcr, 5, 0));
	unsigned size = (unsigned)(two ? bits_of(tcr, 34, 32) : bits_of(tcr, 18, 16));
	unsigned bits = input_bits(txsz, granule, ds && granule != 16, features);
	unsigned hpd_bit = !two ? 24 : upper ? 42 : 41;

	ds = ds && granule != 16;
	if (bits == 0)
		return FALSE;
	*out = (struct vmsa_range) {
		.stage = 1,
		.bits = bits,
		.granule_bits = granule,
		.first_va = upper ? ~mask_bits(bits) : 0,
		.start_level = stage1_start_level(bits, granule),
		.output_bits = output_bits(size, features, ds, granule),
		.lpa2 = ds,
		.big_endian = stage1->big_endian,
		.hierarchy = (tcr >> hpd_bit & 1) == 0,
		.sets_access_flag = (tcr >> (two ? 39 : 21) & 1) != 0,
		.mair = stage1->mair,
	};
	out->high_output = out->output_bits > 48;
	out->root = root_of(upper ? stage1->ttbr1 : stage1->ttbr0, out, out->high_output);
	return TRUE;
}

gboolean vmsa_stage1_range(const struct vmsa_stage1 *stage1, const struct vmsa_features *features,
                           gboolean upper, struct vmsa_range *out)
{
	gboolean two = stage1->regime != VMSA_REGIME_EL2;
	struct vmsa_range lookup;

	if (!stage1->enabled || (upper && !two))
		return FALSE;
	if (two && (stage1->tcr >> (upper ? 23 : 7) & 1) != 0)
		return FALSE;
	if (!stage1_lookup(stage1, features, upper, &lookup))
		return FALSE;
	*out = lookup;
	return TRUE;
}

static int stage2_start_level(const struct vmsa_stage2 *stage2, unsigned granule_bits, gboolean ds)
{
	unsigned sl0 = (unsigned)bits_of(stage2->vtcr, 7, 6);

	if (granule_bits == 12) {
		if (ds && (stage2->vtcr >> 33 & 1) != 0)
			return sl0 == 0 ? -1 : 4;
		return sl0 == 3 ? 3 : 2 - (int)sl0;
	}
	return sl0 == 3 ? (ds ? 0 : 4) : 3 - (int)sl0;
}

/* AArch64.S2InvalidSL and S2InconsistentSL: whether the start level fits the
 * implementation and the input size. */
static gboolean stage2_valid(const struct vmsa_range *lookup, const struct vmsa_features *features)
{
	const struct vmsa_range *range = lookup;
	int level = range->start_level;
	int stride = (int)range->granule_bits - 3;
	int extra;

	if (level > 3 || (level == 3 && range->granule_bits == 12 && !features->small_tables))
		return FALSE;
	if (!lookup->lpa2) {
		if (range->granule_bits == 12 && level == 0 && features->pa_bits < 44)
			return FALSE;
		if (range->granule_bits == 14 && level == 1 && features->pa_bits < 42)
			return FALSE;
		if (range->granule_bits == 16 && level == 1 && features->pa_bits < 44)
			return FALSE;
	}
	extra = (int)range->bits - ((3 - level) * stride + (int)range->granule_bits);
	return extra >= 1 && extra <= stride + 4;
}

static gboolean stage2_lookup(const struct vmsa_stage2 *stage2,
                              const struct vmsa_features *features, struct vmsa_range *out)
{
	uint64_t vtcr = stage2->vtcr;
	unsigned granule = granule_of((unsigned)bits_of(vtcr, 15, 14), FALSE);
	gboolean ds = features->lpa2 && granule != 16 && (vtcr >> 32 & 1) != 0;
	unsigned bits = input_bits((unsigned)bits_of(vtcr, 5, 0), granule, ds, features);

	if (bits == 0)
		return FALSE;
	*out = (struct vmsa_range) {
		.stage = 2,
		.bits = bits,
		.granule_bits = granule,
		.start_level = stage2_start_level(stage2, granule, ds),
		.output_bits = output_bits((unsigned)bits_of(vtcr, 18, 16), features, ds, granule),
		.lpa2 = ds,
		.big_endian = stage2->big_endian,
		.sets_access_flag = (vtcr >> 21 & 1) != 0,
	};
	out->high_output = out->output_bits > 48;
	/* An input wider than the output is CONSTRAINED UNPREDICTABLE; a fault is one
	 * of the choices, and QEMU's. */
	if (bits > out->output_bits || !stage2_valid(out, features))
		return FALSE;
	out->root = root_of(stage2->vttbr, out, out->high_output);
	return TRUE;
}

gboolean vmsa_stage2_range(const struct vmsa_stage2 *stage2, const struct vmsa_features *features,
                           struct vmsa_range *out)
{
	struct vmsa_range lookup;

	if (!stage2->enabled || !stage2_lookup(stage2, features, &lookup))
		return FALSE;
	*out = lookup;
	return TRUE;
}

static gboolean fault(struct walker *w, enum vmsa_fault kind, unsigned stage, int level)
{
	w->out->fault = kind;
	w->out->fault_stage = (uint8_t)stage;
	w->out->fault_level = (int8_t)level;
	return FALSE;
}

/* Where the output address of a descriptor is, down to `low` bits. */
static uint64_t descriptor_address(const struct vmsa_range *lookup, uint64_t descriptor,
                                   unsigned low)
{
	uint64_t address = bits_of(descriptor, lookup->lpa2 ? 49 : 47, 0) & ~mask_bits(low);

	if (lookup->lpa2)
		address |= bits_of(descriptor, 9, 8) << 50;
	else if (lookup->high_output && lookup->granule_bits == 16)
		address = (address & ~(0xfull << 12)) | bits_of(descriptor, 15, 12) << 48;
	return address;
}

static gboolean block_allowed(const struct vmsa_range *lookup, const struct vmsa_features *features,
                              int level)
{
	if (features->blocks_anywhere)
		return level >= 0;
	switch (lookup->granule_bits) {
	case 12:
		return level == 1 || level == 2 || (level == 0 && lookup->lpa2);
	case 14:
		return level == 2 || (level == 1 && lookup->lpa2);
	default:
		return level == 2 || (level == 1 && features->pa_bits == 52);
	}
}

/* What the tables above said that binds the entries below. */
struct hierarchy {
	unsigned ap_table; /* APTable[1:0], gathered */
	gboolean execute_never;
	gboolean privileged_execute_never;
};

static void gather(struct hierarchy *h, uint64_t descriptor)
{
	h->ap_table |= (unsigned)bits_of(descriptor, 62, 61);
	h->execute_never |= (descriptor >> 60 & 1) != 0;
	h->privileged_execute_never |= (descriptor >> 59 & 1) != 0;
}

static void fill_attributes(const struct vmsa_range *lookup, const struct hierarchy *h,
                            uint64_t descriptor, unsigned size_bits, struct vmsa_attributes *out)
{
	*out = (struct vmsa_attributes) {
		.access_flag = (descriptor >> 10 & 1) != 0,
		.contiguous = (descriptor >> 52 & 1) != 0,
		.ap = (uint8_t)bits_of(descriptor, 7, 6),
		/* With LPA2 these bits carry the address, and TCR.SH takes their place. */
		.shareability = lookup->lpa2 ? 0 : (uint8_t)bits_of(descriptor, 9, 8),
		.size_bytes = 1ull << size_bits,
	};
	if (lookup->stage == 2) {
		out->memory = (uint8_t)bits_of(descriptor, 5, 2);
		out->execute_never = (descriptor >> 54 & 1) != 0;
		out->privileged_execute_never = (descriptor >> 53 & 1) != 0;
		return;
	}
	out->memory = (uint8_t)(lookup->mair >> bits_of(descriptor, 4, 2) * 8);
	/* APTable[1] makes read-only, APTable[0] takes EL0's access away. */
	out->ap |= (uint8_t)(h->ap_table & 2);
	if ((h->ap_table & 1) != 0)
		out->ap &= 2;
	out->execute_never = (descriptor >> 54 & 1) != 0 || h->execute_never;
	out->privileged_execute_never = (descriptor >> 53 & 1) != 0 || h->privileged_execute_never;
	out->not_global = (descriptor >> 11 & 1) != 0;
}

static gboolean translate_stage2(struct walker *w, struct ipa ipa, gboolean for_table,
                                 struct pa *out);

/* Fetches one descriptor of `lookup` at `address`, through stage 2 for stage 1. */
static gboolean fetch_descriptor(struct walker *w, const struct vmsa_range *lookup,
                                 uint64_t address, int level, gboolean for_table,
                                 uint64_t *descriptor)
{
	struct pa pa = { address };
	uint64_t raw;

	if (lookup->stage == 1 && w->stage2 != NULL &&
	    !translate_stage2(w, (struct ipa) { address }, TRUE, &pa))
		return FALSE;
	if (!w->fetch(w->data, pa, &raw))
		return fault(w, VMSA_FAULT_UNREADABLE, lookup->stage, level);
	if (lookup->big_endian)
		raw = GUINT64_SWAP_LE_BE(raw);
	if (w->out->n_steps < VMSA_STEPS_MAX)
		w->out->steps[w->out->n_steps++] = (struct vmsa_step) {
			.stage = lookup->stage,
			.level = (int8_t)level,
			.for_table = for_table,
			.table_ipa = address,
			.pa = pa,
			.descriptor = raw,
		};
	*descriptor = raw;
	return TRUE;
}

enum vmsa_entry vmsa_decode_entry(const struct vmsa_range *range,
                                  const struct vmsa_features *features, uint64_t descriptor,
                                  int level, uint64_t *address, struct vmsa_attributes *attributes)
{
	static const struct hierarchy none;
	unsigned size_bits =
		range->granule_bits + (unsigned)(3 - level) * (range->granule_bits - 3);
	gboolean leaf = level == 3 || (descriptor & 2) == 0;

	if ((descriptor & 1) == 0 || (level == 3 && (descriptor & 2) == 0) ||
	    (leaf && level < 3 && !block_allowed(range, features, level)))
		return VMSA_ENTRY_INVALID;
	*address = descriptor_address(range, descriptor, range->granule_bits);
	if (*address >> range->output_bits != 0)
		return VMSA_ENTRY_INVALID;
	if (!leaf)
		return VMSA_ENTRY_TABLE;
	*address &= ~mask_bits(size_bits);
	fill_attributes(range, &none, descriptor, size_bits, attributes);
	return VMSA_ENTRY_LEAF;
}

static gboolean finish(struct walker *w, const struct vmsa_range *lookup, const struct hierarchy *h,
                       uint64_t input, uint64_t descriptor, int level, uint64_t *output,
                       struct vmsa_attributes *attributes)
{
	unsigned stride = lookup->granule_bits - 3;
	unsigned size_bits = lookup->granule_bits + (unsigned)(3 - level) * stride;
	/* A 64 KiB page's upper address bits are below its size. */
	uint64_t address = descriptor_address(lookup, descriptor, lookup->granule_bits);

	if (address >> lookup->output_bits != 0)
		return fault(w, VMSA_FAULT_ADDRESS_SIZE, lookup->stage, level);
	fill_attributes(lookup, h, descriptor, size_bits, attributes);
	if (w->access == VMSA_ACCESS_READ && !attributes->access_flag && !lookup->sets_access_flag)
		return fault(w, VMSA_FAULT_ACCESS_FLAG, lookup->stage, level);
	*output = (address & ~mask_bits(size_bits)) | (input & mask_bits(size_bits));
	return TRUE;
}

static gboolean walk_tables(struct walker *w, const struct vmsa_range *lookup, uint64_t input,
                            gboolean for_table, uint64_t *output, int *level_out,
                            struct vmsa_attributes *attributes)
{
	unsigned stride = lookup->granule_bits - 3;
	uint64_t table = lookup->root;
	int level = lookup->start_level;
	unsigned index_bits = lookup->bits - lookup->granule_bits - (unsigned)(3 - level) * stride;
	struct hierarchy h = { 0 };

	if (table >> lookup->output_bits != 0)
		return fault(w, VMSA_FAULT_ADDRESS_SIZE, lookup->stage, 0);
	for (;; level++, index_bits = stride) {
		unsigned shift = lookup->granule_bits + (unsigned)(3 - level) * stride;
		uint64_t index = input >> shift & mask_bits(index_bits);
		uint64_t descriptor;

		if (!fetch_descriptor(w, lookup, table + index * 8, level, for_table, &descriptor))
			return FALSE;
		*level_out = level;
		if ((descriptor & 1) == 0 || (level == 3 && (descriptor & 2) == 0))
			return fault(w, VMSA_FAULT_TRANSLATION, lookup->stage, level);
		if (level == 3)
			return finish(w, lookup, &h, input, descriptor, level, output, attributes);
		if ((descriptor & 2) == 0) {
			if (!block_allowed(lookup, w->features, level))
				return fault(w, VMSA_FAULT_TRANSLATION, lookup->stage, level);
			return finish(w, lookup, &h, input, descriptor, level, output, attributes);
		}
		table = descriptor_address(lookup, descriptor, lookup->granule_bits);
		if (table >> lookup->output_bits != 0)
			return fault(w, VMSA_FAULT_ADDRESS_SIZE, lookup->stage, level);
		if (lookup->hierarchy)
			gather(&h, descriptor);
	}
}

static gboolean translate_stage2(struct walker *w, struct ipa ipa, gboolean for_table,
                                 struct pa *out)
{
	struct vmsa_attributes attributes = { 0 };
	struct vmsa_range lookup;
	gboolean done;
	int level = 0;

	if (!stage2_lookup(w->stage2, w->features, &lookup) ||
	    (lookup.bits < 64 && ipa.value >> lookup.bits != 0))
		done = fault(w, VMSA_FAULT_TRANSLATION, 2, 0);
	else
		done = walk_tables(w, &lookup, ipa.value, for_table, &out->value, &level,
		                   &attributes);
	if (done && w->access == VMSA_ACCESS_READ) {
		gboolean device = (attributes.memory & 0xc) == 0;

		if ((attributes.ap & 1) == 0 || (for_table && w->stage2->protected_walk && device))
			done = fault(w, VMSA_FAULT_PERMISSION, 2, level);
	}
	if (!done)
		w->out->fault_on_table = for_table;
	else if (!for_table)
		w->out->stage2 = attributes;
	return done;
}

void vmsa_walk_stage2(const struct vmsa_stage2 *stage2, const struct vmsa_features *features,
                      enum vmsa_access access, struct ipa ipa, vmsa_fetch_fn fetch, gpointer data,
                      struct vmsa_walk *out)
{
	struct walker w = {
		.stage2 = stage2,
		.features = features,
		.access = access,
		.fetch = fetch,
		.data = data,
		.out = out,
	};

	*out = (struct vmsa_walk) { .ipa = ipa, .has_ipa = TRUE, .pa = { ipa.value } };
	if (stage2 != NULL && stage2->enabled)
		translate_stage2(&w, ipa, FALSE, &out->pa);
}

/* The tag byte counts for nothing where TBI says so. */
static uint64_t without_tag(const struct vmsa_stage1 *stage1, uint64_t va, gboolean upper,
                            gboolean *ignored)
{
	gboolean two = stage1->regime != VMSA_REGIME_EL2;
	unsigned bit = !two ? 20 : upper ? 38 : 37;

	*ignored = (stage1->tcr >> bit & 1) != 0;
	if (!*ignored)
		return va;
	return upper ? va | 0xffull << 56 : va & ~(0xffull << 56);
}

/* SCTLR.M = 0: the address goes through, if the implementation has that many bits
 * (AArch64.S1DisabledOutput). */
static gboolean stage1_off(struct walker *w, const struct vmsa_stage1 *stage1, uint64_t va)
{
	gboolean upper = stage1->regime != VMSA_REGIME_EL2 && (va >> 55 & 1) != 0;
	gboolean ignored;
	uint64_t address;

	without_tag(stage1, va, upper, &ignored);
	address = ignored ? va & ~(0xffull << 56) : va;
	if (address >> w->features->pa_bits != 0)
		return fault(w, VMSA_FAULT_ADDRESS_SIZE, 1, 0);
	w->out->ipa.value = address;
	return TRUE;
}

static gboolean translate_stage1(struct walker *w, const struct vmsa_stage1 *stage1, uint64_t va)
{
	gboolean two = stage1->regime != VMSA_REGIME_EL2;
	gboolean upper = two && (va >> 55 & 1) != 0;
	gboolean ignored;
	uint64_t address = without_tag(stage1, va, upper, &ignored);
	struct vmsa_range lookup;
	int level;

	if (!stage1->enabled)
		return stage1_off(w, stage1, va);
	if (!stage1_lookup(stage1, w->features, upper, &lookup) ||
	    address >> lookup.bits != lookup.first_va >> lookup.bits ||
	    (two && (stage1->tcr >> (upper ? 23 : 7) & 1) != 0))
		return fault(w, VMSA_FAULT_TRANSLATION, 1, 0);
	return walk_tables(w, &lookup, address & mask_bits(lookup.bits), FALSE, &w->out->ipa.value,
	                   &level, &w->out->stage1);
}

void vmsa_walk_va(const struct vmsa_stage1 *stage1, const struct vmsa_stage2 *stage2,
                  const struct vmsa_features *features, enum vmsa_access access, struct va va,
                  vmsa_fetch_fn fetch, gpointer data, struct vmsa_walk *out)
{
	struct walker w = {
		.stage2 = stage2 != NULL && stage2->enabled ? stage2 : NULL,
		.features = features,
		.access = access,
		.fetch = fetch,
		.data = data,
		.out = out,
	};

	memset(out, 0, sizeof(*out));
	if (!translate_stage1(&w, stage1, va.value))
		return;
	out->has_ipa = TRUE;
	out->pa.value = out->ipa.value;
	if (w.stage2 != NULL)
		translate_stage2(&w, out->ipa, FALSE, &out->pa);
}

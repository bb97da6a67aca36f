/* Random two-stage tables, made by a builder that shares nothing with the walk:
 * where it put a page is where the walk must end, and what it broke is the fault
 * that the walk must report. */
#include "awareness/mmu/vmsa.h"

#include <string.h>

enum {
	MAX_PLACES = 64
};

/* One descriptor that the builder wrote on the way to the address in question. */
struct place {
	unsigned stage;
	int level;
	gboolean for_table; /* stage 2, on the way to a stage-1 table */
	gboolean leaf;
	uint64_t pa;
};

/* One stage as the builder sees it. */
struct geometry {
	unsigned granule; /* log2 */
	unsigned bits;    /* of input */
	int start;        /* level */
	unsigned output;  /* bits */
	gboolean lpa2;
	gboolean wide; /* 64 KiB with 52 bits */
	uint64_t root;
};

struct builder {
	GRand *rand;
	GHashTable *words; /* PA -> descriptor + 1 is never 0, so 0 is absent */
	GHashTable *used;  /* granule-aligned PAs of tables */
	struct vmsa_features features;
	struct geometry one, two;
	struct vmsa_stage1 stage1;
	struct vmsa_stage2 stage2;
	struct place places[MAX_PLACES];
	unsigned n_places;
};

static uint64_t random_bits(struct builder *b, unsigned n)
{
	uint64_t value = (uint64_t)g_rand_int(b->rand) << 32 | g_rand_int(b->rand);

	return n >= 64 ? value : value & ((1ull << n) - 1);
}

static unsigned pick(struct builder *b, unsigned low, unsigned high)
{
	return low + g_rand_int(b->rand) % (high - low + 1);
}

static void put_word(struct builder *b, uint64_t pa, uint64_t value)
{
	g_hash_table_insert(b->words, GSIZE_TO_POINTER(pa / 8), GSIZE_TO_POINTER(value));
}

static uint64_t get_word(struct builder *b, uint64_t pa)
{
	return GPOINTER_TO_SIZE(g_hash_table_lookup(b->words, GSIZE_TO_POINTER(pa / 8)));
}

static gboolean fetch(gpointer data, struct pa pa, uint64_t *descriptor)
{
	*descriptor = get_word(data, pa.value);
	return TRUE;
}

/* A fresh piece of 2^size bits of physical memory, aligned to its size. */
static uint64_t take_memory(struct builder *b, unsigned size, unsigned address_bits)
{
	for (;;) {
		uint64_t pa = random_bits(b, address_bits) >> size << size;
		uint64_t first = pa >> 16;
		uint64_t n = size > 16 ? 1ull << (size - 16) : 1;
		gboolean free = TRUE;

		for (uint64_t i = 0; i < n && free; i++)
			free = !g_hash_table_contains(b->used, GSIZE_TO_POINTER(first + i + 1));
		if (!free)
			continue;
		for (uint64_t i = 0; i < n; i++)
			g_hash_table_add(b->used, GSIZE_TO_POINTER(first + i + 1));
		return pa;
	}
}

/* Where an output address goes in a descriptor. */
static uint64_t place_address(const struct geometry *g, uint64_t address)
{
	uint64_t low48 = address & 0xffffffffffffull;

	if (g->lpa2)
		return (address & 0x3ffffffffffffull) | (address >> 50 & 3) << 8;
	if (g->wide)
		return low48 | (address >> 48 & 0xf) << 12;
	return low48;
}

static uint64_t random_attributes(struct builder *b, const struct geometry *g)
{
	uint64_t value = random_bits(b, 4) << 51 | random_bits(b, 1) << 11 | random_bits(b, 3) << 2;

	/* Accessed, readable, of normal memory: what a test wants broken it breaks. */
	value |= 1ull << 10 | random_bits(b, 1) << 7 | 1ull << 6;
	if (!g->lpa2)
		value |= random_bits(b, 2) << 8;
	return value | 3ull << 4;
}

static void remember(struct builder *b, unsigned stage, int level, gboolean for_table,
                     gboolean leaf, uint64_t pa)
{
	g_assert_cmpuint(b->n_places, <, MAX_PLACES);
	b->places[b->n_places++] = (struct place) { stage, level, for_table, leaf, pa };
}

/* Maps the block of `level` that holds `input` to `output`, at stage 2. FALSE if
 * something is in the way. */
static gboolean map_stage2(struct builder *b, uint64_t input, uint64_t output, int leaf_level,
                           gboolean for_table)
{
	const struct geometry *g = &b->two;
	unsigned per = g->granule - 3;
	uint64_t table = g->root;

	for (int level = g->start; level <= leaf_level; level++) {
		unsigned shift = g->granule + per * (unsigned)(3 - level);
		/* The first table is as wide as what is left of the input. */
		uint64_t index =
			level == g->start ? input >> shift : (input >> shift) % (1ull << per);
		uint64_t pa = table + index * 8;
		uint64_t word = get_word(b, pa);

		remember(b, 2, level, for_table, level == leaf_level, pa);
		if (level == leaf_level) {
			if (word != 0)
				return FALSE;
			put_word(b, pa,
			         place_address(g, output) | random_attributes(b, g) |
			                 (level == 3 ? 3 : 1));
			return TRUE;
		}
		if (word == 0) {
			table = take_memory(b, g->granule, g->output);
			put_word(b, pa, place_address(g, table) | 3);
			g_hash_table_insert(b->words, GSIZE_TO_POINTER((pa / 8) | 1ull << 60),
			                    GSIZE_TO_POINTER(table));
		} else if ((word & 3) == 3) {
			table = GPOINTER_TO_SIZE(g_hash_table_lookup(
				b->words, GSIZE_TO_POINTER((pa / 8) | 1ull << 60)));
		} else {
			return FALSE;
		}
	}
	return FALSE;
}

/* A legal level for a leaf. */
static int leaf_level(struct builder *b, const struct geometry *g)
{
	int first = g->granule == 12   ? (g->lpa2 ? 0 : 1)
	            : g->granule == 14 ? (g->lpa2 ? 1 : 2)
	                               : (b->features.pa_bits == 52 ? 1 : 2);

	first = MAX(first, g->start);
	return (int)pick(b, 0, (unsigned)(3 - first)) + first;
}

static unsigned leaf_size(const struct geometry *g, int level)
{
	return g->granule + (unsigned)(3 - level) * (g->granule - 3);
}

/* Puts one stage-1 table at a random IPA, backed at stage 2. */
static gboolean take_table(struct builder *b, unsigned size, gboolean under_two, uint64_t *ipa,
                           uint64_t *pa)
{
	unsigned limit = MIN(b->one.output, b->features.pa_bits);
	int level;
	unsigned block;

	if (!under_two) {
		*ipa = *pa = take_memory(b, size, limit);
		return TRUE;
	}
	*ipa = random_bits(b, MIN(limit, b->two.bits)) >> size << size;
	do
		level = leaf_level(b, &b->two);
	while (leaf_size(&b->two, level) > b->two.output);
	block = leaf_size(&b->two, level);
	if (block < size)
		return FALSE;
	*pa = random_bits(b, b->two.output) >> block << block;
	if (!map_stage2(b, *ipa, *pa, level, TRUE))
		return FALSE;
	*pa |= *ipa & ((1ull << block) - 1);
	return TRUE;
}

static const unsigned granules[] = { 12, 14, 16 };
static const unsigned sizes[] = { 32, 36, 40, 42, 44, 48, 52 };

static void choose_features(struct builder *b)
{
	b->features = (struct vmsa_features) {
		.pa_bits = sizes[pick(b, 2, 6)],
		.large_va = pick(b, 0, 1) != 0,
		.small_tables = pick(b, 0, 1) != 0,
		.lpa2 = pick(b, 0, 1) != 0,
	};
}

static unsigned levels_needed(unsigned bits, unsigned granule)
{
	unsigned n = 0;

	for (unsigned left = bits - granule; left > 0; n++)
		left -= MIN(left, granule - 3);
	return n;
}

static void choose_stage1(struct builder *b, gboolean upper)
{
	struct geometry *g = &b->one;
	unsigned ps = pick(b, 0, 6);
	static const unsigned tg0[] = { [12] = 0, [14] = 2, [16] = 1 };
	static const unsigned tg1[] = { [12] = 2, [14] = 1, [16] = 3 };
	unsigned most;
	uint64_t tcr;

	*g = (struct geometry) { .granule = granules[pick(b, 0, 2)] };
	g->lpa2 = b->features.lpa2 && g->granule != 16 && pick(b, 0, 1) != 0;
	most = g->lpa2 || (g->granule == 16 && b->features.large_va) ? 52 : 48;
	g->bits = pick(b, b->features.small_tables ? (g->granule == 16 ? 17 : 16) : 25, most);
	g->start = 4 - (int)levels_needed(g->bits, g->granule);
	g->output = MIN(sizes[ps], b->features.pa_bits);
	if (!g->lpa2 && g->granule != 16)
		g->output = MIN(g->output, 48);
	g->wide = g->granule == 16 && g->output == 52;
	tcr = (uint64_t)(64 - g->bits) << (upper ? 16 : 0) | (uint64_t)(upper ? 25 : 25)
	                                                             << (upper ? 0 : 16);
	tcr |= (uint64_t)tg0[g->granule] << 14 | (uint64_t)tg1[g->granule] << 30;
	tcr |= (uint64_t)ps << 32 | (uint64_t)g->lpa2 << 59;
	tcr |= random_bits(b, 2) << 37; /* TBI */
	b->stage1 = (struct vmsa_stage1) {
		.regime = VMSA_REGIME_EL10, .enabled = TRUE, .tcr = tcr, .mair = random_bits(b, 64)
	};
}

/* The low limit of the input at each start level is one bit past a full table. */
static void choose_stage2(struct builder *b)
{
	struct geometry *g = &b->two;
	static const unsigned tg0[] = { [12] = 0, [14] = 2, [16] = 1 };
	unsigned sl0;

	for (;;) {
		unsigned ps = pick(b, 1, 6);
		unsigned per, low, high, most;

		*g = (struct geometry) { .granule = granules[pick(b, 0, 2)] };
		per = g->granule - 3;
		g->lpa2 = b->features.lpa2 && g->granule != 16 && pick(b, 0, 1) != 0;
		g->start = (int)pick(b, 0, 3);
		sl0 = g->granule == 12 ? 2 - (unsigned)g->start : 3 - (unsigned)g->start;
		if (g->start == 3 && g->granule == 12) {
			if (!b->features.small_tables)
				continue;
			sl0 = 3;
		}
		if (g->start == 0 && (g->granule == 16 || (g->granule == 14 && !g->lpa2)))
			continue;
		if (!g->lpa2 && ((g->granule == 12 && g->start == 0 && b->features.pa_bits < 44) ||
		                 (g->granule == 14 && g->start == 1 && b->features.pa_bits < 42) ||
		                 (g->granule == 16 && g->start == 1 && b->features.pa_bits < 44)))
			continue;
		g->output = MIN(sizes[ps], b->features.pa_bits);
		if (!g->lpa2 && g->granule != 16)
			g->output = MIN(g->output, 48);
		g->wide = g->granule == 16 && g->output == 52;
		low = per * (unsigned)(3 - g->start) + g->granule + 1;
		high = low + per + 3;
		most = MIN(g->output,
		           g->lpa2 || (g->granule == 16 && b->features.large_va) ? 52u : 48u);
		low = MAX(low, b->features.small_tables ? 17u : 25u);
		high = MIN(high, most);
		if (low > high)
			continue;
		g->bits = pick(b, low, high);
		/* The output must have room for a table next to the root. */
		if (g->output < 36)
			continue;
		b->stage2 = (struct vmsa_stage2) {
			.enabled = TRUE,
			.vtcr = (uint64_t)(64 - g->bits) | (uint64_t)sl0 << 6 |
			        (uint64_t)tg0[g->granule] << 14 | (uint64_t)ps << 16 |
			        (uint64_t)g->lpa2 << 32,
		};
		break;
	}
	{
		unsigned entries =
			g->bits - g->granule - (g->granule - 3) * (unsigned)(3 - g->start);
		uint64_t root = take_memory(b, MAX(entries + 3, 6u), g->output);

		g->root = root;
		b->stage2.vttbr = (root & 0xffffffffffffull) | random_bits(b, 8) << 48;
		if (g->output > 48)
			b->stage2.vttbr |= root >> 48 << 2;
	}
}

/* Maps `va` through stage 1, each table through stage 2. */
static gboolean map_stage1(struct builder *b, uint64_t va, gboolean upper, gboolean under_two,
                           int leaf, uint64_t output)
{
	struct geometry *g = &b->one;
	unsigned per = g->granule - 3;
	uint64_t input = va & ((1ull << g->bits) - 1);
	unsigned entries = g->bits - g->granule - per * (unsigned)(3 - g->start);
	uint64_t ipa, pa;
	uint64_t ttbr;

	if (!take_table(b, MAX(entries + 3, 6u), under_two, &ipa, &pa))
		return FALSE;
	ttbr = (ipa & 0xffffffffffffull) | (g->output > 48 ? ipa >> 48 << 2 : 0) |
	       random_bits(b, 16) << 48;
	*(upper ? &b->stage1.ttbr1 : &b->stage1.ttbr0) = ttbr;
	for (int level = g->start;; level++) {
		unsigned shift = g->granule + per * (unsigned)(3 - level);
		uint64_t index =
			level == g->start ? input >> shift : (input >> shift) % (1ull << per);
		uint64_t word = pa + index * 8;

		remember(b, 1, level, FALSE, level == leaf, word);
		if (level == leaf) {
			put_word(b, word,
			         place_address(g, output) | random_attributes(b, g) |
			                 (level == 3 ? 3 : 1));
			return TRUE;
		}
		if (!take_table(b, g->granule, under_two, &ipa, &pa))
			return FALSE;
		put_word(b, word, place_address(g, ipa) | 3 | random_bits(b, 2) << 59);
	}
}

/* A whole random configuration with one mapped address. */
struct scene {
	uint64_t va, ipa, pa;
	gboolean under_two;
};

static gboolean make_scene(struct builder *b, struct scene *s)
{
	gboolean upper = pick(b, 0, 1) != 0;
	int leaf;
	unsigned size;

	g_hash_table_remove_all(b->words);
	g_hash_table_remove_all(b->used);
	b->n_places = 0;
	choose_features(b);
	s->under_two = pick(b, 0, 3) != 0;
	choose_stage1(b, upper);
	if (s->under_two)
		choose_stage2(b);
	leaf = leaf_level(b, &b->one);
	size = leaf_size(&b->one, leaf);
	if (size > b->one.output)
		return FALSE;
	s->va = random_bits(b, b->one.bits);
	if (upper)
		s->va |= b->one.bits == 64 ? 0 : ~0ull << b->one.bits;
	s->ipa = random_bits(b, s->under_two ? MIN(b->one.output, b->two.bits) : b->one.output);
	s->ipa = s->ipa >> size << size;
	if (!map_stage1(b, s->va, upper, s->under_two, leaf, s->ipa))
		return FALSE;
	s->ipa |= s->va & ((1ull << size) - 1);
	s->pa = s->ipa;
	if (s->under_two) {
		if (s->ipa >> b->two.bits != 0)
			return FALSE;
		leaf = leaf_level(b, &b->two);
		size = leaf_size(&b->two, leaf);
		if (size > b->two.output)
			return FALSE;
		s->pa = random_bits(b, b->two.output) >> size << size;
		if (!map_stage2(b, s->ipa, s->pa, leaf, FALSE))
			return FALSE;
		s->pa |= s->ipa & ((1ull << size) - 1);
	}
	return TRUE;
}

static void walk(struct builder *b, const struct scene *s, enum vmsa_access access, uint64_t va,
                 struct vmsa_walk *out)
{
	vmsa_walk_va(&b->stage1, s->under_two ? &b->stage2 : NULL, &b->features, access,
	             (struct va) { va }, fetch, b, out);
}

static void check_good(struct builder *b, const struct scene *s)
{
	struct vmsa_walk out;

	walk(b, s, pick(b, 0, 1) != 0 ? VMSA_ACCESS_READ : VMSA_ACCESS_LOOK, s->va, &out);
	g_assert_cmpint(out.fault, ==, VMSA_FAULT_NONE);
	g_assert_cmphex(out.ipa.value, ==, s->ipa);
	g_assert_cmphex(out.pa.value, ==, s->pa);
	g_assert_cmpuint(out.n_steps, ==, b->n_places);
}

/* The tag is nothing with TBI, and out of range without. */
static void check_tag(struct builder *b, const struct scene *s)
{
	gboolean upper = (s->va >> 55 & 1) != 0;
	gboolean ignored = (b->stage1.tcr >> (upper ? 38 : 37) & 1) != 0;
	uint64_t va = s->va ^ (1ull + random_bits(b, 8) % 255) << 56;
	struct vmsa_walk out;

	walk(b, s, VMSA_ACCESS_LOOK, va, &out);
	if (ignored) {
		g_assert_cmphex(out.pa.value, ==, s->pa);
		g_assert_cmpint(out.fault, ==, VMSA_FAULT_NONE);
		return;
	}
	g_assert_cmpint(out.fault, ==, VMSA_FAULT_TRANSLATION);
	g_assert_cmpint(out.fault_level, ==, 0);
	g_assert_cmpuint(out.n_steps, ==, 0);
}

/* Breaks one descriptor; `kind` says how and what must come of it. */
static void check_broken(struct builder *b, const struct scene *s, enum vmsa_fault kind)
{
	const struct place *p = &b->places[pick(b, 0, b->n_places - 1)];
	const struct geometry *g = p->stage == 1 ? &b->one : &b->two;
	uint64_t word = get_word(b, p->pa);
	struct vmsa_walk out;

	/* A stage-2 table may serve several addresses: the first meets the damage. */
	for (const struct place *first = b->places; first < p; first++) {
		if (first->pa == p->pa)
			p = first;
	}
	switch (kind) {
	case VMSA_FAULT_TRANSLATION:
		/* At level 3 a descriptor of the block's form is not valid either. */
		put_word(b, p->pa, p->level == 3 && pick(b, 0, 1) ? word & ~2ull : word & ~1ull);
		break;
	case VMSA_FAULT_ADDRESS_SIZE:
		if (g->output >= 48)
			return;
		put_word(b, p->pa, word | 1ull << pick(b, g->output, 47));
		break;
	case VMSA_FAULT_ACCESS_FLAG:
		if (!p->leaf)
			return;
		put_word(b, p->pa, word & ~(1ull << 10));
		break;
	default:
		if (!p->leaf || p->stage == 1)
			return;
		put_word(b, p->pa, word & ~(1ull << 6));
		break;
	}
	walk(b, s, VMSA_ACCESS_READ, s->va, &out);
	g_assert_cmpint(out.fault, ==, kind);
	g_assert_cmpint(out.fault_level, ==, p->level);
	g_assert_cmpint(out.fault_stage, ==, p->stage);
	g_assert_cmpint(out.fault_on_table, ==, p->for_table);
	put_word(b, p->pa, word);
}

static void test_random(void)
{
	struct builder b = {
		.rand = g_rand_new_with_seed(20240229),
		.words = g_hash_table_new(g_direct_hash, g_direct_equal),
		.used = g_hash_table_new(g_direct_hash, g_direct_equal),
	};
	unsigned n_scenes = 0;
	unsigned n_two = 0;

	while (n_scenes < 100000) {
		struct scene s;

		if (!make_scene(&b, &s))
			continue;
		n_scenes++;
		n_two += s.under_two ? 1 : 0;
		check_good(&b, &s);
		check_tag(&b, &s);
		check_broken(&b, &s, VMSA_FAULT_TRANSLATION);
		check_broken(&b, &s, VMSA_FAULT_ADDRESS_SIZE);
		check_broken(&b, &s, VMSA_FAULT_ACCESS_FLAG);
		check_broken(&b, &s, VMSA_FAULT_PERMISSION);
	}
	g_test_message("%u configurations, %u of them with two stages", n_scenes, n_two);
	g_assert_cmpuint(n_two, >, 20000);
	g_hash_table_unref(b.words);
	g_hash_table_unref(b.used);
	g_rand_free(b.rand);
}

static gboolean fetch_random(gpointer data, struct pa pa, uint64_t *descriptor)
{
	uint64_t x = pa.value * 0x9e3779b97f4a7c15ull + *(uint64_t *)data;

	x ^= x >> 29;
	*descriptor = x * 0xbf58476d1ce4e5b9ull;
	return (x & 31) != 0;
}

/* Any register values over any memory: it ends, within its own array. */
static void test_noise(void)
{
	GRand *rand = g_rand_new_with_seed(7);
	uint64_t words[12];

	for (unsigned i = 0; i < 300000; i++) {
		struct vmsa_stage1 one;
		struct vmsa_stage2 two;
		struct vmsa_features features;
		struct vmsa_walk out;

		for (gsize n = 0; n < G_N_ELEMENTS(words); n++)
			words[n] = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
		vmsa_stage1_from_el1(&one, words[0] | 1, words[1], words[2], words[3], words[4],
		                     words[5]);
		one.regime = words[6] % 3;
		vmsa_stage2_from_el2(&two, words[5] | 1, words[7], words[8], words[9]);
		vmsa_features_from_id(&features, words[10], words[11]);
		vmsa_walk_va(&one, &two, &features, VMSA_ACCESS_READ, (struct va) { words[6] },
		             fetch_random, &words[11], &out);
		g_assert_cmpuint(out.n_steps, <=, VMSA_STEPS_MAX);
	}
	g_rand_free(rand);
}

static gboolean fetch_self(gpointer data, struct pa pa, uint64_t *descriptor)
{
	(void)data;
	*descriptor = (pa.value & 0xfffffffff000ull) | 0x443;
	return TRUE;
}

/* Tables that point to themselves end after their levels. */
static void test_self(void)
{
	struct vmsa_stage1 one = { .enabled = TRUE,
		                   .tcr = 25 | 25 << 16 | 2ull << 32,
		                   .ttbr0 = 0x40000000 };
	struct vmsa_stage2 two = { .enabled = TRUE,
		                   .vtcr = 24 | 1 << 6 | 2 << 16,
		                   .vttbr = 0x40000000 };
	struct vmsa_features features = { .pa_bits = 40 };
	struct vmsa_walk out;

	vmsa_walk_va(&one, &two, &features, VMSA_ACCESS_LOOK, (struct va) { 0x40000123 },
	             fetch_self, NULL, &out);
	g_assert_cmpint(out.fault, ==, VMSA_FAULT_NONE);
	g_assert_cmpuint(out.n_steps, ==, 3 * 4 + 3);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/vmsa/random-tables", test_random);
	g_test_add_func("/awareness/vmsa/noise", test_noise);
	g_test_add_func("/awareness/vmsa/self-reference", test_self);
	return g_test_run();
}

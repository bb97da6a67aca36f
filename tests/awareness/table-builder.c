#include "tests/awareness/table-builder.h"

#include <string.h>

void builder_init(struct builder *self, unsigned seed)
{
	*self = (struct builder) {
		.rand = g_rand_new_with_seed(seed),
		.words = g_hash_table_new(g_direct_hash, g_direct_equal),
		.used = g_hash_table_new(g_direct_hash, g_direct_equal),
	};
}

void builder_deinit(struct builder *self)
{
	g_hash_table_unref(self->words);
	g_hash_table_unref(self->used);
	g_rand_free(self->rand);
}

uint64_t builder_random_bits(struct builder *b, unsigned n)
{
	uint64_t value = (uint64_t)g_rand_int(b->rand) << 32 | g_rand_int(b->rand);

	return n >= 64 ? value : value & ((1ull << n) - 1);
}

unsigned builder_pick(struct builder *b, unsigned low, unsigned high)
{
	return low + g_rand_int(b->rand) % (high - low + 1);
}

void builder_put_word(struct builder *b, uint64_t pa, uint64_t value)
{
	g_hash_table_insert(b->words, GSIZE_TO_POINTER(pa / 8), GSIZE_TO_POINTER(value));
	if (b->ram != NULL && pa - b->ram_base < b->ram_bytes)
		memcpy(b->ram + (pa - b->ram_base), &value, sizeof(value));
}

uint64_t builder_get_word(struct builder *b, uint64_t pa)
{
	return GPOINTER_TO_SIZE(g_hash_table_lookup(b->words, GSIZE_TO_POINTER(pa / 8)));
}

/* An address of the window, aligned to 2^size. */
static uint64_t window_address(struct builder *b, unsigned size)
{
	return b->ram_base + (builder_random_bits(b, 40) % b->ram_bytes >> size << size);
}

/* A fresh piece of 2^size bits of physical memory, aligned to its size. */
static uint64_t take_memory(struct builder *b, unsigned size, unsigned address_bits)
{
	for (;;) {
		uint64_t pa = b->ram != NULL ? window_address(b, size)
		                             : builder_random_bits(b, address_bits) >> size << size;
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
	uint64_t value = builder_random_bits(b, 4) << 51 | builder_random_bits(b, 1) << 11 |
	                 builder_random_bits(b, 3) << 2;

	/* Accessed, readable, of normal memory: what a test wants broken it breaks. */
	value |= 1ull << 10 | builder_random_bits(b, 1) << 7 | 1ull << 6;
	if (!g->lpa2)
		value |= builder_random_bits(b, 2) << 8;
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
		uint64_t word = builder_get_word(b, pa);

		remember(b, 2, level, for_table, level == leaf_level, pa);
		if (level == leaf_level) {
			if (word != 0)
				return FALSE;
			builder_put_word(b, pa,
			                 place_address(g, output) | random_attributes(b, g) |
			                         (level == 3 ? 3 : 1));
			return TRUE;
		}
		if (word == 0) {
			table = take_memory(b, g->granule, g->output);
			builder_put_word(b, pa, place_address(g, table) | 3);
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
	return (int)builder_pick(b, 0, (unsigned)(3 - first)) + first;
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
	*ipa = builder_random_bits(b, MIN(limit, b->two.bits)) >> size << size;
	do
		level = leaf_level(b, &b->two);
	while (leaf_size(&b->two, level) > b->two.output);
	block = leaf_size(&b->two, level);
	if (block < size)
		return FALSE;
	if (b->ram != NULL && 1ull << block > b->ram_bytes)
		return FALSE;
	*pa = b->ram != NULL ? window_address(b, block)
	                     : builder_random_bits(b, b->two.output) >> block << block;
	if (!map_stage2(b, *ipa, *pa, level, TRUE))
		return FALSE;
	*pa |= *ipa & ((1ull << block) - 1);
	return TRUE;
}

static const unsigned granules[] = { 12, 14, 16 };
static const unsigned sizes[] = { 32, 36, 40, 42, 44, 48, 52 };

static void choose_features(struct builder *b)
{
	if (b->fixed.pa_bits != 0) {
		b->features = b->fixed;
		return;
	}
	b->features = (struct vmsa_features) {
		.pa_bits = sizes[builder_pick(b, 2, 6)],
		.large_va = builder_pick(b, 0, 1) != 0,
		.small_tables = builder_pick(b, 0, 1) != 0,
		.lpa2 = builder_pick(b, 0, 1) != 0,
	};
}

static unsigned choose_granule(struct builder *b)
{
	return b->without_16k ? granules[builder_pick(b, 0, 1) * 2]
	                      : granules[builder_pick(b, 0, 2)];
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
	unsigned ps = builder_pick(b, 0, 6);
	static const unsigned tg0[] = { [12] = 0, [14] = 2, [16] = 1 };
	static const unsigned tg1[] = { [12] = 2, [14] = 1, [16] = 3 };
	unsigned most;
	uint64_t tcr;

	*g = (struct geometry) { .granule = choose_granule(b) };
	g->lpa2 = b->features.lpa2 && g->granule != 16 && builder_pick(b, 0, 1) != 0;
	most = g->lpa2 || (g->granule == 16 && b->features.large_va) ? 52 : 48;
	g->bits =
		builder_pick(b, b->features.small_tables ? (g->granule == 16 ? 17 : 16) : 25, most);
	g->start = 4 - (int)levels_needed(g->bits, g->granule);
	g->output = MIN(sizes[ps], b->features.pa_bits);
	if (!g->lpa2 && g->granule != 16)
		g->output = MIN(g->output, 48);
	g->wide = g->granule == 16 && g->output == 52;
	tcr = (uint64_t)(64 - g->bits) << (upper ? 16 : 0) | (uint64_t)(upper ? 25 : 25)
	                                                             << (upper ? 0 : 16);
	tcr |= (uint64_t)tg0[g->granule] << 14 | (uint64_t)tg1[g->granule] << 30;
	tcr |= (uint64_t)ps << 32 | (uint64_t)g->lpa2 << 59;
	tcr |= builder_random_bits(b, 2) << 37; /* TBI */
	b->stage1 = (struct vmsa_stage1) { .regime = VMSA_REGIME_EL10,
		                           .enabled = TRUE,
		                           .tcr = tcr,
		                           .mair = builder_random_bits(b, 64) };
}

/* The low limit of the input at each start level is one bit past a full table. */
static void choose_stage2(struct builder *b)
{
	struct geometry *g = &b->two;
	static const unsigned tg0[] = { [12] = 0, [14] = 2, [16] = 1 };
	unsigned sl0;

	for (;;) {
		unsigned ps = builder_pick(b, 1, 6);
		unsigned per, low, high, most;

		*g = (struct geometry) { .granule = choose_granule(b) };
		per = g->granule - 3;
		g->lpa2 = b->features.lpa2 && g->granule != 16 && builder_pick(b, 0, 1) != 0;
		g->start = (int)builder_pick(b, 0, 3);
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
		g->bits = builder_pick(b, low, high);
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
		b->stage2.vttbr = (root & 0xffffffffffffull) | builder_random_bits(b, 8) << 48;
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
	       builder_random_bits(b, 16) << 48;
	*(upper ? &b->stage1.ttbr1 : &b->stage1.ttbr0) = ttbr;
	for (int level = g->start;; level++) {
		unsigned shift = g->granule + per * (unsigned)(3 - level);
		uint64_t index =
			level == g->start ? input >> shift : (input >> shift) % (1ull << per);
		uint64_t word = pa + index * 8;

		remember(b, 1, level, FALSE, level == leaf, word);
		if (level == leaf) {
			builder_put_word(b, word,
			                 place_address(g, output) | random_attributes(b, g) |
			                         (level == 3 ? 3 : 1));
			return TRUE;
		}
		if (!take_table(b, g->granule, under_two, &ipa, &pa))
			return FALSE;
		builder_put_word(b, word,
		                 place_address(g, ipa) | 3 | builder_random_bits(b, 2) << 59);
	}
}

/* Tables of the last scene may not shine through. */
static void forget_words(struct builder *b)
{
	GHashTableIter iter;
	gpointer key;

	g_hash_table_iter_init(&iter, b->words);
	while (b->ram != NULL && g_hash_table_iter_next(&iter, &key, NULL)) {
		uint64_t pa = (GPOINTER_TO_SIZE(key) & ((1ull << 60) - 1)) * 8;

		if (pa - b->ram_base < b->ram_bytes)
			memset(b->ram + (pa - b->ram_base), 0, 8);
	}
	g_hash_table_remove_all(b->words);
}

gboolean builder_make_scene(struct builder *b, struct scene *s)
{
	gboolean upper = builder_pick(b, 0, 1) != 0;
	int leaf;
	unsigned size;

	forget_words(b);
	g_hash_table_remove_all(b->used);
	b->n_places = 0;
	choose_features(b);
	s->under_two = builder_pick(b, 0, 3) != 0;
	choose_stage1(b, upper);
	if (s->under_two)
		choose_stage2(b);
	leaf = leaf_level(b, &b->one);
	size = leaf_size(&b->one, leaf);
	if (size > b->one.output)
		return FALSE;
	s->va = builder_random_bits(b, b->one.bits);
	if (upper)
		s->va |= b->one.bits == 64 ? 0 : ~0ull << b->one.bits;
	s->ipa = builder_random_bits(b, s->under_two ? MIN(b->one.output, b->two.bits)
	                                             : b->one.output);
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
		s->pa = builder_random_bits(b, b->two.output) >> size << size;
		if (!map_stage2(b, s->ipa, s->pa, leaf, FALSE))
			return FALSE;
		s->pa |= s->ipa & ((1ull << size) - 1);
	}
	return TRUE;
}

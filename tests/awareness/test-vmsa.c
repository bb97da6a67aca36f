/* Random two-stage tables: where the builder put a page is where the walk must end, and
 * what is broken in them is the fault that the walk must report. */
#include "tests/awareness/table-builder.h"

#include <string.h>

static gboolean fetch(gpointer data, struct pa pa, uint64_t *descriptor)
{
	*descriptor = builder_get_word(data, pa.value);
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

	walk(b, s, builder_pick(b, 0, 1) != 0 ? VMSA_ACCESS_READ : VMSA_ACCESS_LOOK, s->va, &out);
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
	uint64_t va = s->va ^ (1ull + builder_random_bits(b, 8) % 255) << 56;
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
	const struct place *p = &b->places[builder_pick(b, 0, b->n_places - 1)];
	const struct geometry *g = p->stage == 1 ? &b->one : &b->two;
	uint64_t word = builder_get_word(b, p->pa);
	struct vmsa_walk out;

	/* A stage-2 table may serve several addresses: the first meets the damage. */
	for (const struct place *first = b->places; first < p; first++) {
		if (first->pa == p->pa)
			p = first;
	}
	switch (kind) {
	case VMSA_FAULT_TRANSLATION:
		/* At level 3 a descriptor of the block's form is not valid either. */
		builder_put_word(b, p->pa,
		                 p->level == 3 && builder_pick(b, 0, 1) ? word & ~2ull
		                                                        : word & ~1ull);
		break;
	case VMSA_FAULT_ADDRESS_SIZE:
		if (g->output >= 48)
			return;
		builder_put_word(b, p->pa, word | 1ull << builder_pick(b, g->output, 47));
		break;
	case VMSA_FAULT_ACCESS_FLAG:
		if (!p->leaf)
			return;
		builder_put_word(b, p->pa, word & ~(1ull << 10));
		break;
	default:
		if (!p->leaf || p->stage == 1)
			return;
		builder_put_word(b, p->pa, word & ~(1ull << 6));
		break;
	}
	walk(b, s, VMSA_ACCESS_READ, s->va, &out);
	g_assert_cmpint(out.fault, ==, kind);
	g_assert_cmpint(out.fault_level, ==, p->level);
	g_assert_cmpint(out.fault_stage, ==, p->stage);
	g_assert_cmpint(out.fault_on_table, ==, p->for_table);
	builder_put_word(b, p->pa, word);
}

static void test_random(void)
{
	struct builder b;
	unsigned n_scenes = 0;
	unsigned n_two = 0;

	builder_init(&b, 20240229);
	while (n_scenes < 100000) {
		struct scene s;

		if (!builder_make_scene(&b, &s))
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
	builder_deinit(&b);
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

/* table-builder.h: random translation tables for tests
 *
 * Shares nothing with the walk that is tested: it picks a configuration, puts tables
 * somewhere, and knows where each address must end and which descriptors lead there.
 */
#pragma once

#include "awareness/mmu/vmsa.h"

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

/* A whole random configuration with one mapped address. */
struct scene {
	uint64_t va, ipa, pa;
	gboolean under_two;
};

struct builder {
	GRand *rand;
	/* Where tables may lie, and their bytes, which follow every word written; a NULL
	 * `ram` leaves tables anywhere. */
	uint8_t *ram;
	uint64_t ram_base, ram_bytes;
	/* What the other side can do; pa_bits 0 means that the builder chooses. */
	struct vmsa_features fixed;
	gboolean without_16k; /* the other side has no granule of 16 KiB */
	GHashTable *words;    /* PA -> descriptor + 1 is never 0, so 0 is absent */
	GHashTable *used;     /* granule-aligned PAs of tables */
	struct vmsa_features features;
	struct geometry one, two;
	struct vmsa_stage1 stage1;
	struct vmsa_stage2 stage2;
	struct place places[MAX_PLACES];
	unsigned n_places;
};

void builder_init(struct builder *self, unsigned seed);
void builder_deinit(struct builder *self);

/* A new configuration. FALSE where the dice made none; ask again. */
gboolean builder_make_scene(struct builder *self, struct scene *scene);

uint64_t builder_random_bits(struct builder *self, unsigned n);

/* low to high, both included. */
unsigned builder_pick(struct builder *self, unsigned low, unsigned high);

uint64_t builder_get_word(struct builder *self, uint64_t pa);
void builder_put_word(struct builder *self, uint64_t pa, uint64_t value);

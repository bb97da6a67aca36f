/* tables.h: everything that a set of translation tables maps
 *
 * Goes through all tables of one range and reports what is mapped, neighbours with
 * the same attributes joined. Tables are the target's and may be anything: the
 * number of tables that are looked at is bounded. It does not judge permissions.
 */
#pragma once

#include "awareness/mmu/space.h"

enum tables_limits {
	TABLES_MAX = 100000, /* tables read in one go, against tables that loop */
};

/* A run of input addresses that is mapped to one run of output addresses. */
struct mapping {
	uint64_t input; /* VA for stage 1, IPA for stage 2 */
	uint64_t len_bytes;
	uint64_t output; /* IPA or PA: of this stage alone */
	struct vmsa_attributes attributes;
};

/* Called for each run, in rising order. Returning FALSE ends the enumeration. */
typedef gboolean (*mapping_fn)(gpointer data, const struct mapping *mapping);

enum tables_which {
	TABLES_STAGE1_LOW,  /* TTBR0 */
	TABLES_STAGE1_HIGH, /* TTBR1 */
	TABLES_STAGE2,
};

/* Returns how many tables could not be read, or -1 where the registers make no
 * valid range. `truncated` (may be NULL) says whether TABLES_MAX was reached. */
int tables_enumerate(struct space *space, enum tables_which which, mapping_fn report, gpointer data,
                     gboolean *truncated);

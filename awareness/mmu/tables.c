#include "awareness/mmu/tables.h"

#include <string.h>

struct enumeration {
	struct space *space;
	struct space *physical; /* where stage-1 tables lie; NULL: they lie at PAs */
	mapping_fn report;
	gpointer data;
	struct vmsa_range range;
	unsigned n_tables;
	int n_unreadable;
	gboolean stopped;
	gboolean truncated;
	gboolean has_run;
	struct mapping run;
};

static void flush(struct enumeration *e)
{
	if (e->has_run && !e->stopped && !e->report(e->data, &e->run))
		e->stopped = TRUE;
	e->has_run = FALSE;
}

static gboolean same_attributes(const struct vmsa_attributes *a, const struct vmsa_attributes *b)
{
	return a->memory == b->memory && a->ap == b->ap && a->shareability == b->shareability &&
	       a->execute_never == b->execute_never &&
	       a->privileged_execute_never == b->privileged_execute_never &&
	       a->not_global == b->not_global;
}

static void add_leaf(struct enumeration *e, const struct mapping *leaf)
{
	if (e->has_run && e->run.input + e->run.len_bytes == leaf->input &&
	    e->run.output + e->run.len_bytes == leaf->output &&
	    same_attributes(&e->run.attributes, &leaf->attributes)) {
		e->run.len_bytes += leaf->len_bytes;
		return;
	}
	flush(e);
	e->run = *leaf;
	e->has_run = TRUE;
}

static gboolean read_table(struct enumeration *e, uint64_t table, uint64_t *entries, size_t n)
{
	if (e->physical != NULL)
		return space_read(e->physical, (struct va) { table }, entries, n * 8, NULL, NULL);
	return pagecache_read(space_cache(e->space), (struct pa) { table }, entries, n * 8, NULL);
}

static void visit(struct enumeration *e, uint64_t table, int level, unsigned index_bits,
                  uint64_t input)
{
	unsigned stride = e->range.granule_bits - 3;
	unsigned shift = e->range.granule_bits + (unsigned)(3 - level) * stride;
	size_t n = (size_t)1 << index_bits;
	g_autofree uint64_t *entries = NULL;

	if (++e->n_tables > TABLES_MAX) {
		e->truncated = TRUE;
		return;
	}
	entries = g_new(uint64_t, n);
	if (!read_table(e, table, entries, n)) {
		e->n_unreadable++;
		return;
	}
	for (size_t i = 0; i < n && !e->stopped && !e->truncated; i++) {
		uint64_t descriptor = GUINT64_FROM_LE(entries[i]);
		struct mapping leaf = {
			.input = input + ((uint64_t)i << shift),
			.len_bytes = 1ull << shift,
		};

		if (e->range.big_endian)
			descriptor = GUINT64_SWAP_LE_BE(descriptor);
		switch (vmsa_decode_entry(&e->range, &space_config_of(e->space)->features,
		                          descriptor, level, &leaf.output, &leaf.attributes)) {
		case VMSA_ENTRY_TABLE:
			visit(e, leaf.output, level + 1, stride, leaf.input);
			break;
		case VMSA_ENTRY_LEAF:
			add_leaf(e, &leaf);
			break;
		default:
			break;
		}
	}
}

int tables_enumerate(struct space *space, enum tables_which which, mapping_fn report, gpointer data,
                     gboolean *truncated)
{
	struct space_config config = *space_config_of(space);
	struct enumeration e = { .space = space, .report = report, .data = data };
	unsigned index_bits;
	gboolean valid;

	if (which == TABLES_STAGE2)
		valid = vmsa_stage2_range(&config.stage2, &config.features, &e.range);
	else
		valid = vmsa_stage1_range(&config.stage1, &config.features,
		                          which == TABLES_STAGE1_HIGH, &e.range);
	if (!valid)
		return -1;
	config.stage1.enabled = FALSE;
	if (which != TABLES_STAGE2 && config.stage2.enabled)
		e.physical = space_new(space_cache(space), &config);
	index_bits = e.range.bits - e.range.granule_bits -
	             (unsigned)(3 - e.range.start_level) * (e.range.granule_bits - 3);
	visit(&e, e.range.root, e.range.start_level, index_bits, e.range.first_va);
	flush(&e);
	space_free(e.physical);
	if (truncated != NULL)
		*truncated = e.truncated;
	return e.n_unreadable;
}

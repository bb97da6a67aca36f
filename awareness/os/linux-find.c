/* Where the kernel is.
 *
 * The registers of any one vCPU cannot be trusted for it: stopped in the KPTI
 * trampoline, TTBR1 is tramp_pg_dir, VBAR points into the fixmap and SP_EL0 is the
 * user's. So every vCPU proposes, and what decides is the kernel's banner at the place
 * where its symbols say, or, where kallsyms leaves data out, the name of init_task. The
 * linear map shows both a second time, at addresses that no pointer of the kernel names:
 * init_task, its own group leader, must point to where it was found.
 */
#include "awareness/os/linux-private.h"

#include "awareness/mmu/tables.h"

#include <string.h>

static void propose_root(GArray *roots, const struct vmsa_stage1 *stage1)
{
	for (guint i = 0; i < roots->len; i++) {
		if (g_array_index(roots, struct vmsa_stage1, i).ttbr1 == stage1->ttbr1)
			return;
	}
	g_array_append_vals(roots, stage1, 1);
}

static void propose_slide(GArray *slides, uint64_t slide)
{
	for (guint i = 0; i < slides->len; i++) {
		if (g_array_index(slides, uint64_t, i) == slide)
			return;
	}
	g_array_append_vals(slides, &slide, 1);
}

/* The ASID, and CnP in bit 0, are no part of the table's address. */
static uint64_t without_asid(uint64_t ttbr)
{
	return ttbr & 0xfffffffffffeull;
}

/* While user code runs under KPTI, TTBR1 is tramp_pg_dir. The linker script puts it
 * one page before reserved_pg_dir, and that one before swapper_pg_dir, so that either
 * symbol tells the distance; without both the pages in between are 4 KiB long. */
static void propose_behind_trampoline(GArray *roots, const struct vmsa_stage1 *stage1,
                                      struct symbols *symbols)
{
	struct vmsa_stage1 behind = *stage1;
	uint64_t swapper, neighbour;
	uint64_t page_bytes = (stage1->tcr >> 30 & 3) == 3   ? 65536
	                      : (stage1->tcr >> 30 & 3) == 1 ? 16384
	                                                     : 4096;
	uint64_t distance = 2 * page_bytes;

	if (symbols == NULL || !symbols_address(symbols, "swapper_pg_dir", &swapper))
		distance = 2 * page_bytes;
	else if (symbols_address(symbols, "tramp_pg_dir", &neighbour))
		distance = swapper - neighbour;
	else if (symbols_address(symbols, "reserved_pg_dir", &neighbour))
		distance = swapper - neighbour + page_bytes;
	behind.ttbr1 += distance;
	propose_root(roots, &behind);
}

GArray *linux_propose_roots(const struct machine *machine, struct symbols *symbols)
{
	GArray *roots = g_array_new(FALSE, FALSE, sizeof(struct vmsa_stage1));

	for (guint i = 0; i < machine->vcpus->len; i++) {
		struct vmsa_stage1 stage1;

		if (!vcpu_stage1(g_ptr_array_index(machine->vcpus, i), &stage1) ||
		    !stage1.enabled || (stage1.tcr >> 23 & 1) != 0)
			continue;
		stage1.ttbr1 = without_asid(stage1.ttbr1);
		propose_root(roots, &stage1);
	}
	for (guint i = 0, n = roots->len; i < n; i++) {
		struct vmsa_stage1 stage1 = g_array_index(roots, struct vmsa_stage1, i);

		propose_behind_trampoline(roots, &stage1, symbols);
	}
	return roots;
}

static void propose_slides(GArray *slides, const struct machine *machine, struct symbols *symbols)
{
	uint64_t vectors, vbar;

	if (machine->has_slide)
		propose_slide(slides, machine->slide);
	propose_slide(slides, 0);
	for (guint i = 0; i < machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);

		if (symbols_address(symbols, "vectors", &vectors) &&
		    register_set_get(&vcpu->registers, "VBAR_EL1", &vbar))
			propose_slide(slides, vbar - vectors);
	}
}

/* Where the kernel's own words are, as linked. */
struct words {
	gboolean has_banner, has_comm, has_leader;
	uint64_t banner;
	uint64_t init_task;
	uint64_t comm, leader; /* members of init_task */
};

static void find_words(struct words *out, struct image *image, struct symbols *symbols)
{
	struct types *types = image_types(image, NULL);
	uint64_t comm, leader;

	*out = (struct words) { 0 };
	out->has_banner = symbols_address(symbols, "linux_banner", &out->banner);
	if (types == NULL || !symbols_address(symbols, "init_task", &out->init_task))
		return;
	out->has_comm = types_offset(types, "struct task_struct", "comm", &comm, NULL);
	out->comm = out->has_comm ? out->init_task + comm : 0;
	out->has_leader = types_offset(types, "struct task_struct", "group_leader", &leader, NULL);
	out->leader = out->has_leader ? out->init_task + leader : 0;
}

static gboolean reads_as(struct space *space, uint64_t va, const char *text)
{
	char found[32];
	size_t n = strlen(text);

	return space_read(space, (struct va) { va }, found, n, NULL, NULL) &&
	       memcmp(found, text, n) == 0;
}

/* FALSE for an alias of the image: pointers of the kernel lead to the image itself. */
static gboolean is_itself(struct space *space, const struct words *words, uint64_t slide)
{
	uint64_t leader;

	return !words->has_leader ||
	       (space_read_uint(space, (struct va) { words->leader + slide }, 8, &leader, NULL) &&
	        leader == words->init_task + slide);
}

/* What the kernel says of itself if it is there with that slide, else NULL. */
static char *read_banner(struct space *space, const struct words *words, uint64_t slide)
{
	if (words->has_banner && reads_as(space, words->banner + slide, "Linux version ") &&
	    is_itself(space, words, slide))
		return space_read_string(space, (struct va) { words->banner + slide }, 512, NULL);
	if (!words->has_banner && words->has_comm &&
	    reads_as(space, words->comm + slide, "swapper") && is_itself(space, words, slide))
		return g_strdup("Linux");
	return NULL;
}

/* Looks through all that TTBR1 maps for the root table itself: seen at a VA of the
 * image, it gives the slide. */
struct search {
	struct space *space;
	uint64_t root;    /* IPA */
	uint64_t swapper; /* as linked */
	const struct words *words;
	struct linux_place *found;
};

static gboolean try_mapping(gpointer data, const struct mapping *mapping)
{
	struct search *search = data;
	uint64_t offset = search->root - mapping->output;
	uint64_t slide;

	if (search->root < mapping->output || offset >= mapping->len_bytes)
		return TRUE;
	slide = mapping->input + offset - search->swapper;
	search->found->banner = read_banner(search->space, search->words, slide);
	search->found->slide = slide;
	return search->found->banner == NULL;
}

static gboolean try_root(struct space *space, const GArray *slides, const struct words *words,
                         struct linux_place *found)
{
	for (guint i = 0; i < slides->len && found->banner == NULL; i++) {
		found->slide = g_array_index(slides, uint64_t, i);
		found->banner = read_banner(space, words, found->slide);
	}
	return found->banner != NULL;
}

static gboolean search_root(struct space *space, struct symbols *symbols, const struct words *words,
                            struct linux_place *found)
{
	struct search search = { .space = space, .found = found, .words = words };

	if (!symbols_address(symbols, "swapper_pg_dir", &search.swapper))
		return FALSE;
	search.root = space_config_of(space)->stage1.ttbr1;
	tables_enumerate(space, TABLES_STAGE1_HIGH, try_mapping, &search, NULL);
	return found->banner != NULL;
}

static struct space *space_for(struct machine *machine, struct pagecache *cache,
                               const struct vmsa_stage1 *stage1)
{
	struct space_config config = *space_config_of(machine->physical);

	config.stage1 = *stage1;
	return space_new(cache, &config);
}

gboolean linux_find(struct machine *machine, struct pagecache *cache, struct image *image,
                    struct linux_place *out, GError **error)
{
	struct symbols *symbols = image_symbols(image, error);
	g_autoptr(GArray) roots = NULL;
	g_autoptr(GArray) slides = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	struct linux_place found = { 0 };
	struct words words;

	if (symbols == NULL)
		return FALSE;
	roots = linux_propose_roots(machine, symbols);
	propose_slides(slides, machine, symbols);
	find_words(&words, image, symbols);
	/* The cheap questions to all roots first, then the search through the tables. */
	for (guint i = 0; i < 2 * roots->len && found.banner == NULL; i++) {
		const struct vmsa_stage1 *root =
			&g_array_index(roots, struct vmsa_stage1, i % roots->len);

		found.kernel = space_for(machine, cache, root);
		if (!(i < roots->len ? try_root(found.kernel, slides, &words, &found)
		                     : search_root(found.kernel, symbols, &words, &found)))
			g_clear_pointer(&found.kernel, space_free);
	}
	if (found.banner != NULL) {
		*out = found;
		return TRUE;
	}
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
	            roots->len == 0 ? "no vCPU of %s has its MMU on: the kernel is not up yet"
	                            : "%s maps no kernel that matches its symbols (no banner where "
	                              "they have it): is it of this build?",
	            machine->name);
	return FALSE;
}

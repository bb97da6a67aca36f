/* Where the kernel is.
 *
 * The registers of any one vCPU cannot be trusted for it: stopped in the KPTI
 * trampoline, TTBR1 is tramp_pg_dir, VBAR points into the fixmap and SP_EL0 is the
 * user's. So every vCPU proposes, and only a kernel's banner at the place where its
 * symbols say decides.
 */
#include "awareness/os/linux-private.h"

#include "awareness/mmu/tables.h"

#include <string.h>

static const char banner_start[] = "Linux version ";

/* Root tables and slides that are worth a try. */
struct proposals {
	GArray *roots;  /* of struct vmsa_stage1 */
	GArray *slides; /* of uint64_t */
};

static void propose_root(struct proposals *p, const struct vmsa_stage1 *stage1)
{
	for (guint i = 0; i < p->roots->len; i++) {
		if (g_array_index(p->roots, struct vmsa_stage1, i).ttbr1 == stage1->ttbr1)
			return;
	}
	g_array_append_vals(p->roots, stage1, 1);
}

static void propose_slide(struct proposals *p, uint64_t slide)
{
	for (guint i = 0; i < p->slides->len; i++) {
		if (g_array_index(p->slides, uint64_t, i) == slide)
			return;
	}
	g_array_append_vals(p->slides, &slide, 1);
}

/* The ASID, and CnP in bit 0, are no part of the table's address. */
static uint64_t without_asid(uint64_t ttbr)
{
	return ttbr & 0xfffffffffffeull;
}

static void collect(struct proposals *p, const struct machine *machine, struct symbols *symbols)
{
	uint64_t swapper, trampoline, vectors, vbar;
	gboolean kpti = symbols_address(symbols, "swapper_pg_dir", &swapper) &&
	                symbols_address(symbols, "tramp_pg_dir", &trampoline);

	propose_slide(p, 0);
	for (guint i = 0; i < machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);
		struct vmsa_stage1 stage1;

		if (symbols_address(symbols, "vectors", &vectors) &&
		    register_set_get(&vcpu->registers, "VBAR_EL1", &vbar))
			propose_slide(p, vbar - vectors);
		if (!vcpu_stage1(vcpu, &stage1) || !stage1.enabled)
			continue;
		stage1.ttbr1 = without_asid(stage1.ttbr1);
		propose_root(p, &stage1);
		if (kpti) {
			stage1.ttbr1 += swapper - trampoline;
			propose_root(p, &stage1);
		}
	}
}

static char *read_banner(struct space *space, uint64_t banner, uint64_t slide)
{
	char start[sizeof(banner_start) - 1];
	struct va va = { banner + slide };

	if (!space_read(space, va, start, sizeof(start), NULL, NULL) ||
	    memcmp(start, banner_start, sizeof(start)) != 0)
		return NULL;
	return space_read_string(space, va, 512, NULL);
}

/* Looks through all that TTBR1 maps for the root table itself: seen at a VA of the
 * image, it gives the slide. */
struct search {
	struct space *space;
	uint64_t root;    /* IPA */
	uint64_t swapper; /* as linked */
	uint64_t banner;
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
	search->found->banner = read_banner(search->space, search->banner, slide);
	search->found->slide = slide;
	return search->found->banner == NULL;
}

static gboolean try_root(struct space *space, const struct proposals *p, struct symbols *symbols,
                         struct linux_place *found)
{
	uint64_t banner;

	if (!symbols_address(symbols, "linux_banner", &banner))
		return FALSE;
	for (guint i = 0; i < p->slides->len && found->banner == NULL; i++) {
		found->slide = g_array_index(p->slides, uint64_t, i);
		found->banner = read_banner(space, banner, found->slide);
	}
	return found->banner != NULL;
}

static gboolean search_root(struct space *space, struct symbols *symbols, struct linux_place *found)
{
	struct search search = { .space = space, .found = found };

	if (!symbols_address(symbols, "linux_banner", &search.banner) ||
	    !symbols_address(symbols, "swapper_pg_dir", &search.swapper))
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
	struct proposals p;
	struct linux_place found = { 0 };
	guint n_roots;

	if (symbols == NULL)
		return FALSE;
	p.roots = g_array_new(FALSE, FALSE, sizeof(struct vmsa_stage1));
	p.slides = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	collect(&p, machine, symbols);
	n_roots = p.roots->len;
	/* The cheap questions to all roots first, then the search through the tables. */
	for (guint i = 0; i < 2 * n_roots && found.banner == NULL; i++) {
		const struct vmsa_stage1 *root =
			&g_array_index(p.roots, struct vmsa_stage1, i % n_roots);

		found.kernel = space_for(machine, cache, root);
		if (!(i < n_roots ? try_root(found.kernel, &p, symbols, &found)
		                  : search_root(found.kernel, symbols, &found)))
			g_clear_pointer(&found.kernel, space_free);
	}
	g_array_unref(p.roots);
	g_array_unref(p.slides);
	if (found.banner != NULL) {
		*out = found;
		return TRUE;
	}
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
	            n_roots == 0 ? "no vCPU of %s has its MMU on: the kernel is not up yet"
	                         : "%s maps no kernel that matches its symbols (no banner where "
	                           "they have it): is it of this build?",
	            machine->name);
	return FALSE;
}

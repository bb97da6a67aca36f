#include "awareness/os/linux-discover.h"

#include "awareness/mmu/tables.h"
#include "awareness/os/linux-private.h"
#include "awareness/symbols/kernel-finder.h"

#include <string.h>

enum {
	/* A kernel's text is at least this long; trampolines and modules are shorter. */
	TEXT_BYTES_MIN = 2 << 20,
	/* Between text and data lie pages that were freed after the boot. */
	GAP_BYTES_MAX = 32 << 20,
};

static gboolean keep_mapping(gpointer data, const struct mapping *mapping)
{
	g_array_append_vals(data, mapping, 1);
	return TRUE;
}

/* The kernel's image: the longest executable run and what is mapped right behind. The
 * linear map is not executable, so it is never taken for it. */
static gboolean find_image(struct space *kernel, uint64_t *start, uint64_t *end)
{
	g_autoptr(GArray) mappings = g_array_new(FALSE, FALSE, sizeof(struct mapping));
	guint text = 0;
	uint64_t longest = 0;

	tables_enumerate(kernel, TABLES_STAGE1_HIGH, keep_mapping, mappings, NULL);
	for (guint i = 0; i < mappings->len; i++) {
		const struct mapping *m = &g_array_index(mappings, struct mapping, i);

		if (!m->attributes.privileged_execute_never && m->len_bytes > longest) {
			longest = m->len_bytes;
			text = i;
		}
	}
	if (longest >= TEXT_BYTES_MIN) {
		const struct mapping *first = &g_array_index(mappings, struct mapping, text);

		/* The image's first page is its header, which recent kernels map without
		 * the right to execute. */
		*start = first->input;
		if (text > 0) {
			const struct mapping *before = first - 1;

			if (before->input + before->len_bytes == first->input)
				*start = before->input;
		}
		*end = first->input + first->len_bytes;
		for (guint i = text + 1; i < mappings->len; i++) {
			const struct mapping *m = &g_array_index(mappings, struct mapping, i);

			if (m->input - *end > GAP_BYTES_MAX ||
			    m->input + m->len_bytes - *start > kernel_finder_span_max)
				break;
			*end = m->input + m->len_bytes;
		}
	}
	return longest >= TEXT_BYTES_MIN;
}

static gboolean read_kernel(gpointer data, uint64_t va, void *buffer, size_t len_bytes)
{
	return space_read(data, (struct va) { va }, buffer, len_bytes, NULL, NULL);
}

static gboolean discover_in(struct space *kernel, const char *name, struct symbol_cache *remembered,
                            struct discovery *out, GError **error)
{
	struct kernel_reader reader = { .read = read_kernel, .data = kernel };
	struct kernel_found found;
	uint64_t start, end;

	if (!find_image(kernel, &start, &end)) {
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "its tables map no kernel (no long run of code in the upper half)");
		return FALSE;
	}
	if (!kernel_find(&reader, start, end, remembered, &found, error)) {
		g_prefix_error(error,
		               "between 0x%" G_GINT64_MODIFIER "x and 0x%" G_GINT64_MODIFIER "x: ",
		               start, end);
		return FALSE;
	}
	out->image = image_new_from_parts(name, found.build_id, g_steal_pointer(&found.symbols),
	                                  g_steal_pointer(&found.types));
	out->banner = g_strdup(found.banner);
	out->reads = found.reads;
	out->bytes_read = found.bytes_read;
	out->from_cache = found.from_cache;
	kernel_found_clear(&found);
	return TRUE;
}

gboolean linux_discover(struct machine *machine, struct pagecache *cache,
                        struct symbol_cache *remembered, struct discovery *out, GError **error)
{
	g_autoptr(GArray) roots = linux_propose_roots(machine, NULL);
	g_autofree char *name = g_strdup_printf("the kernel of %s", machine->name);
	struct discovery found = { 0 };
	g_autoptr(GError) last = NULL;

	for (guint i = 0; i < roots->len && found.image == NULL; i++) {
		struct space_config config = *space_config_of(machine->physical);

		config.stage1 = g_array_index(roots, struct vmsa_stage1, i);
		found.kernel = space_new(cache, &config);
		g_clear_error(&last);
		if (!discover_in(found.kernel, name, remembered, &found, &last))
			g_clear_pointer(&found.kernel, space_free);
	}
	if (found.image != NULL) {
		*out = found;
		return TRUE;
	}
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND, "no Linux kernel was found in %s: %s",
	            machine->name,
	            last != NULL ? last->message
	                         : "none of its vCPUs has its MMU on with two ranges");
	return FALSE;
}

#include "awareness/mmu/space.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - space - error, space_error)

enum space_limits {
	PAGE_BYTES = 4096,
	TRANSLATIONS_MAX = 1 << 18,
};

struct space {
	struct pagecache *cache;
	struct space_config config;
	uint64_t epoch;
	GHashTable *translations; /* VA page number -> PA page number + 1 */
};

struct space *space_new(struct pagecache *cache, const struct space_config *config)
{
	struct space *self = g_new0(struct space, 1);

	self->cache = cache;
	self->config = *config;
	self->epoch = target_epoch(pagecache_target(cache));
	self->translations = g_hash_table_new(g_direct_hash, g_direct_equal);
	return self;
}

void space_free(struct space *self)
{
	if (self == NULL)
		return;
	g_hash_table_unref(self->translations);
	g_free(self);
}

const struct space_config *space_config_of(const struct space *self)
{
	return &self->config;
}

struct pagecache *space_cache(const struct space *self)
{
	return self->cache;
}

static gboolean fetch_descriptor(gpointer data, struct pa pa, uint64_t *descriptor)
{
	uint64_t raw;

	if (!pagecache_read(data, pa, &raw, sizeof(raw), NULL))
		return FALSE;
	*descriptor = GUINT64_FROM_LE(raw);
	return TRUE;
}

void space_walk(struct space *self, struct va va, struct vmsa_walk *out)
{
	vmsa_walk_va(&self->config.stage1, &self->config.stage2, &self->config.features,
	             VMSA_ACCESS_LOOK, va, fetch_descriptor, self->cache, out);
}

char *space_describe_fault(const struct vmsa_walk *walk)
{
	return g_strdup_printf("%s%s, stage %u level %d%s", vmsa_fault_name(walk->fault),
	                       walk->fault == VMSA_FAULT_UNREADABLE ? "" : " fault",
	                       walk->fault_stage, walk->fault_level,
	                       walk->fault_on_table ? ", on a stage 1 table" : "");
}

static void forget_old(struct space *self)
{
	uint64_t now = target_epoch(pagecache_target(self->cache));

	if (now == self->epoch && g_hash_table_size(self->translations) < TRANSLATIONS_MAX)
		return;
	g_hash_table_remove_all(self->translations);
	self->epoch = now;
}

gboolean space_translate(struct space *self, struct va va, struct pa *out, GError **error)
{
	gpointer key = GSIZE_TO_POINTER(va.value / PAGE_BYTES);
	gsize known;
	struct vmsa_walk walk;

	forget_old(self);
	known = GPOINTER_TO_SIZE(g_hash_table_lookup(self->translations, key));
	if (known != 0) {
		out->value = (known - 1) * PAGE_BYTES + va.value % PAGE_BYTES;
		return TRUE;
	}
	space_walk(self, va, &walk);
	if (walk.fault != VMSA_FAULT_NONE) {
		g_autofree char *what = space_describe_fault(&walk);

		g_set_error(error, SPACE_ERROR, SPACE_ERROR_FAULT, "0x%" G_GINT64_MODIFIER "x: %s",
		            va.value, what);
		return FALSE;
	}
	g_hash_table_insert(self->translations, key,
	                    GSIZE_TO_POINTER(walk.pa.value / PAGE_BYTES + 1));
	*out = walk.pa;
	return TRUE;
}

gboolean space_read(struct space *self, struct va va, void *out, size_t len_bytes, size_t *n_read,
                    GError **error)
{
	size_t done = 0;
	gboolean whole = TRUE;

	while (whole && done < len_bytes) {
		uint64_t at = va.value + done;
		size_t chunk = MIN(len_bytes - done, PAGE_BYTES - at % PAGE_BYTES);
		struct pa pa;

		whole = space_translate(self, (struct va) { at }, &pa, error) &&
		        pagecache_read(self->cache, pa, (uint8_t *)out + done, chunk, error);
		done += whole ? chunk : 0;
	}
	if (n_read != NULL)
		*n_read = done;
	return whole;
}

gboolean space_read_uint(struct space *self, struct va va, size_t len_bytes, uint64_t *out,
                         GError **error)
{
	uint64_t raw = 0;

	g_return_val_if_fail(len_bytes <= sizeof(raw), FALSE);
	if (!space_read(self, va, &raw, len_bytes, NULL, error))
		return FALSE;
	*out = GUINT64_FROM_LE(raw);
	return TRUE;
}

char *space_read_string(struct space *self, struct va va, size_t max_bytes, GError **error)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GError) gap = NULL;

	while (text->len < max_bytes) {
		char buffer[64];
		size_t n = MIN(sizeof(buffer) - (va.value + text->len) % sizeof(buffer),
		               max_bytes - text->len);
		const char *zero;

		if (!space_read(self, (struct va) { va.value + text->len }, buffer, n, NULL, &gap))
			break;
		zero = memchr(buffer, 0, n);
		g_string_append_len(text, buffer, zero != NULL ? zero - buffer : (gssize)n);
		if (zero != NULL)
			break;
	}
	if (gap != NULL && text->len == 0) {
		g_string_free(text, TRUE);
		g_propagate_error(error, g_steal_pointer(&gap));
		return NULL;
	}
	for (gsize i = 0; i < text->len; i++) {
		if (!g_ascii_isprint(text->str[i]) && !g_ascii_isspace(text->str[i]))
			text->str[i] = '?';
	}
	return g_string_free(text, FALSE);
}

gboolean space_write(struct space *self, struct va va, const void *data, size_t len_bytes,
                     GError **error)
{
	size_t done = 0;

	while (done < len_bytes) {
		uint64_t at = va.value + done;
		size_t chunk = MIN(len_bytes - done, PAGE_BYTES - at % PAGE_BYTES);
		struct target_transfer transfer = {
			.data = (uint8_t *)(uintptr_t)data + done,
			.len_bytes = chunk,
		};

		if (!space_translate(self, (struct va) { at }, &transfer.pa, error) ||
		    !target_write(pagecache_target(self->cache), &transfer, 1, error))
			return FALSE;
		done += chunk;
	}
	return TRUE;
}

void space_prefetch(struct space *self, const struct space_piece *pieces, size_t n_pieces)
{
	g_autoptr(GArray) physical = g_array_new(FALSE, FALSE, sizeof(struct pagecache_piece));

	for (size_t i = 0; i < n_pieces; i++) {
		for (size_t done = 0; done < pieces[i].len_bytes;) {
			uint64_t at = pieces[i].va.value + done;
			struct pagecache_piece piece = {
				.len_bytes = MIN(pieces[i].len_bytes - done,
				                 PAGE_BYTES - at % PAGE_BYTES),
			};

			if (space_translate(self, (struct va) { at }, &piece.pa, NULL))
				g_array_append_val(physical, piece);
			done += piece.len_bytes;
		}
	}
	pagecache_prefetch(self->cache, (struct pagecache_piece *)(gpointer)physical->data,
	                   physical->len);
}

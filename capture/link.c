#include "capture/link.h"

GQuark link_error_quark(void)
{
	return g_quark_from_static_string("hvscope-link-error");
}

gboolean link_read_block(struct link *link, enum link_space space, guint64 addr, guint32 *words,
                         gsize n_words, GError **error)
{
	if (space == LINK_SPACE_MEMORY && !link->has_memory) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_UNSUPPORTED,
		            "%s gives no access to physical memory (asked for 0x%" G_GINT64_MODIFIER
		            "x)",
		            link->description, addr);
		return FALSE;
	}
	return link->class->read_block(link, space, addr, words, n_words, error);
}

gboolean link_read32(struct link *link, enum link_space space, guint64 addr, guint32 *value,
                     GError **error)
{
	guint32 word;

	if (!link_read_block(link, space, addr, &word, 1, error))
		return FALSE;
	*value = word;
	return TRUE;
}

gboolean link_write32(struct link *link, enum link_space space, guint64 addr, guint32 value,
                      GError **error)
{
	return link->class->write32(link, space, addr, value, error);
}

gboolean link_read_fifo(struct link *link, guint64 addr, guint32 stop_word, guint32 *words,
                        gsize max_words, gsize *n_words, GError **error)
{
	gsize n = 0;

	if (link->class->read_fifo != NULL)
		return link->class->read_fifo(link, addr, stop_word, words, max_words, n_words,
		                              error);
	while (n < max_words) {
		guint32 word;

		if (!link_read32(link, LINK_SPACE_DEBUG, addr, &word, error))
			return FALSE;
		if (word == stop_word)
			break;
		words[n++] = word;
	}
	*n_words = n;
	return TRUE;
}

void link_close(struct link *link)
{
	if (link == NULL)
		return;
	g_free(link->description);
	link->class->close(link);
}

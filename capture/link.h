/* link.h: words on a target's buses
 *
 * What every way of reaching a target has in common: read and write 32-bit words
 * of the debug components and of physical memory. A link knows no component, no
 * board and no order of things; it retries nothing that could have a side effect.
 * Addresses are absolute in the link's own view (enum link_view), so a caller adds
 * the window's base for that view (board.h).
 *
 * A link belongs to one thread. Every call blocks, for link_class's time limit at
 * most. After LINK_ERROR_LOST a link is of no use but to be closed.
 */
#pragma once

#include <glib.h>

#define LINK_ERROR (link_error_quark())
GQuark link_error_quark(void);

enum link_error {
	LINK_ERROR_ADDRESS,  /* the link's own description ("openocd:...") is wrong */
	LINK_ERROR_CONNECT,  /* nobody is there, or it is not what was expected */
	LINK_ERROR_LOST,     /* the other side went away */
	LINK_ERROR_FAULT,    /* the bus answered with an error, or not in time */
	LINK_ERROR_PROTOCOL, /* an answer that makes no sense */
	LINK_ERROR_UNSUPPORTED,
};

/* Where a component's registers are seen from, which decides the window's base and
 * whether the software lock (LAR) holds. */
enum link_view {
	LINK_VIEW_EXTERNAL, /* a debug APB access port: address bit 31 set, no software lock */
	LINK_VIEW_CPU,      /* the system bus: /dev/mem, AXI access port */
};

enum link_space {
	LINK_SPACE_DEBUG,  /* component registers */
	LINK_SPACE_MEMORY, /* physical memory and system registers, by PA */
};

struct link;

struct link_class {
	const char *name;
	gboolean (*read_block)(struct link *link, enum link_space space, guint64 addr,
	                       guint32 *words, gsize n_words, GError **error);
	gboolean (*write32)(struct link *link, enum link_space space, guint64 addr, guint32 value,
	                    GError **error);
	/* May be NULL: read_block of one word, again and again. */
	gboolean (*read_fifo)(struct link *link, guint64 addr, guint32 stop_word, guint32 *words,
	                      gsize max_words, gsize *n_words, GError **error);
	void (*close)(struct link *link);
};

/* The head of every link; each kind embeds it. */
struct link {
	const struct link_class *class;
	enum link_view view;
	gboolean has_memory;    /* LINK_SPACE_MEMORY works */
	gsize best_block_words; /* a read_block of so many words is as fast as it gets */
	char *description;      /* for messages: "openocd at localhost:6666" */
};

gboolean link_read32(struct link *link, enum link_space space, guint64 addr, guint32 *value,
                     GError **error);
gboolean link_write32(struct link *link, enum link_space space, guint64 addr, guint32 value,
                      GError **error);
/* n_words ascending words from addr. On an error `words` may be partly written. */
gboolean link_read_block(struct link *link, enum link_space space, guint64 addr, guint32 *words,
                         gsize n_words, GError **error);
/* Reads the same debug register up to max_words times and stops after a word equal to
 * stop_word, which is not stored. *n_words: how many are in `words`. */
gboolean link_read_fifo(struct link *link, guint64 addr, guint32 stop_word, guint32 *words,
                        gsize max_words, gsize *n_words, GError **error);
/* Undoes what opening changed on the other side, and frees. NULL is allowed. */
void link_close(struct link *link);
typedef struct link Link; /* for g_autoptr(Link) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Link, link_close)

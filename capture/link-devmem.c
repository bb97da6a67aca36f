#include "capture/link-devmem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	MAX_MAPPED_PAGES = 512,
};

struct link_devmem {
	struct link head;
	int fd;
	guint64 size_bytes; /* of a plain file; G_MAXUINT64 for a device */
	GHashTable *pages;  /* page number -> mapping */
};

static void unmap(gpointer mapping)
{
	munmap(mapping, PAGE_BYTES);
}

/* The word at `addr`, or NULL. */
static volatile guint32 *word_at(struct link_devmem *self, guint64 addr, GError **error)
{
	gpointer key = GSIZE_TO_POINTER((gsize)(addr / PAGE_BYTES));
	gpointer page = g_hash_table_lookup(self->pages, key);

	if ((addr & 3) != 0 || addr >= self->size_bytes || self->size_bytes - addr < 4) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_FAULT,
		            "0x%" G_GINT64_MODIFIER "x is not a word of %s", addr,
		            self->head.description);
		return NULL;
	}
	if (page == NULL) {
		if (g_hash_table_size(self->pages) >= MAX_MAPPED_PAGES)
			g_hash_table_remove_all(self->pages);
		page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
		            (off_t)(addr & ~(guint64)(PAGE_BYTES - 1)));
		if (page == MAP_FAILED) {
			g_set_error(error, LINK_ERROR, LINK_ERROR_FAULT,
			            "mapping 0x%" G_GINT64_MODIFIER
			            "x of %s: %s; is it allowed (CONFIG_STRICT_DEVMEM, root), and "
			            "under "
			            "Xen in Dom0's device tree?",
			            addr, self->head.description, g_strerror(errno));
			return NULL;
		}
		g_hash_table_insert(self->pages, key, page);
	}
	return (volatile guint32 *)((guint8 *)page + (addr & (PAGE_BYTES - 1)));
}

static gboolean devmem_read_block(struct link *link, enum link_space space, guint64 addr,
                                  guint32 *words, gsize n_words, GError **error)
{
	struct link_devmem *self = (struct link_devmem *)link;

	(void)space;
	for (gsize i = 0; i < n_words; i++) {
		volatile guint32 *word = word_at(self, addr + 4 * i, error);

		if (word == NULL)
			return FALSE;
		words[i] = *word;
	}
	return TRUE;
}

static gboolean devmem_write32(struct link *link, enum link_space space, guint64 addr,
                               guint32 value, GError **error)
{
	volatile guint32 *word = word_at((struct link_devmem *)link, addr, error);

	(void)space;
	if (word == NULL)
		return FALSE;
	*word = value;
	return TRUE;
}

static void devmem_close(struct link *link)
{
	struct link_devmem *self = (struct link_devmem *)link;

	g_hash_table_unref(self->pages);
	if (self->fd >= 0)
		close(self->fd);
	g_free(self);
}

static const struct link_class devmem_class = {
	.name = "devmem",
	.read_block = devmem_read_block,
	.write32 = devmem_write32,
	.close = devmem_close,
};

struct link *link_devmem_new(const char *path, GError **error)
{
	struct link_devmem *self = g_new0(struct link_devmem, 1);
	struct stat info;

	if (path == NULL)
		path = "/dev/mem";
	self->head.class = &devmem_class;
	self->head.view = LINK_VIEW_CPU;
	self->head.has_memory = TRUE;
	self->head.best_block_words = PAGE_BYTES / 4;
	self->head.description = g_strdup(path);
	self->pages = g_hash_table_new_full(NULL, NULL, NULL, unmap);
	self->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (self->fd < 0 || fstat(self->fd, &info) != 0) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_CONNECT,
		            "%s: %s; this link runs on the target itself, as root", path,
		            g_strerror(errno));
		link_close(&self->head);
		return NULL;
	}
	self->size_bytes = S_ISREG(info.st_mode) ? (guint64)info.st_size : G_MAXUINT64;
	return &self->head;
}

#include "awareness/symbols/kernel-window.h"

#include <string.h>
#include <sys/mman.h>

enum page_state {
	PAGE_UNREAD,
	PAGE_READ,
	PAGE_HOLE
};

struct kernel_window {
	struct kernel_reader reader;
	uint64_t start;
	uint64_t len_bytes;
	uint8_t *bytes; /* mapped without reserve: only what is read takes memory */
	uint8_t *pages; /* enum page_state of each */
	unsigned run_pages;
	uint64_t reads;
	uint64_t bytes_read;
};

struct kernel_window *kernel_window_new(const struct kernel_reader *reader, uint64_t start,
                                        uint64_t end)
{
	struct kernel_window *self;
	void *bytes;

	start &= ~(uint64_t)(WINDOW_PAGE - 1);
	if (end <= start)
		return NULL;
	end = start + MIN(end - start, kernel_finder_span_max);
	end -= end % WINDOW_PAGE;
	if (end <= start)
		return NULL;
	bytes = mmap(NULL, end - start, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED)
		return NULL;
	self = g_new0(struct kernel_window, 1);
	self->reader = *reader;
	self->start = start;
	self->len_bytes = end - start;
	self->bytes = bytes;
	self->run_pages = WINDOW_RUN_PAGES;
	self->pages = g_new0(uint8_t, (end - start) / WINDOW_PAGE);
	return self;
}

void kernel_window_free(struct kernel_window *self)
{
	if (self == NULL)
		return;
	munmap(self->bytes, self->len_bytes);
	g_free(self->pages);
	g_free(self);
}

void kernel_window_set_run(struct kernel_window *self, unsigned pages)
{
	self->run_pages = CLAMP(pages, 1, WINDOW_RUN_PAGES);
}

uint64_t kernel_window_start(const struct kernel_window *self)
{
	return self->start;
}

uint64_t kernel_window_end(const struct kernel_window *self)
{
	return self->start + self->len_bytes;
}

static gboolean pages_read(struct kernel_window *self, uint64_t page, uint64_t count)
{
	gboolean ok;

	self->reads++;
	self->bytes_read += count * WINDOW_PAGE;
	ok = self->reader.read(self->reader.data, self->start + page * WINDOW_PAGE,
	                       self->bytes + page * WINDOW_PAGE, count * WINDOW_PAGE);
	if (ok)
		memset(self->pages + page, PAGE_READ, count);
	else if (count == 1)
		self->pages[page] = PAGE_HOLE;
	return ok;
}

static gboolean page_ensure(struct kernel_window *self, uint64_t page)
{
	uint64_t total = self->len_bytes / WINDOW_PAGE, count = 0;

	if (self->pages[page] != PAGE_UNREAD)
		return self->pages[page] == PAGE_READ;
	while (count < self->run_pages && page + count < total &&
	       self->pages[page + count] == PAGE_UNREAD)
		count++;
	if (count > 1 && pages_read(self, page, count))
		return TRUE;
	return pages_read(self, page, 1);
}

uint64_t kernel_window_readable(struct kernel_window *self, uint64_t va, uint64_t max_bytes)
{
	uint64_t at, left;

	if (va < self->start || va - self->start >= self->len_bytes)
		return 0;
	left = MIN(max_bytes, self->len_bytes - (va - self->start));
	for (at = va - self->start; at < va - self->start + left;
	     at += WINDOW_PAGE - at % WINDOW_PAGE) {
		if (!page_ensure(self, at / WINDOW_PAGE))
			return at > va - self->start ? at - (va - self->start) : 0;
	}
	return left;
}

const uint8_t *kernel_window_get(struct kernel_window *self, uint64_t va, uint64_t len_bytes)
{
	if (len_bytes > self->len_bytes || kernel_window_readable(self, va, len_bytes) < len_bytes)
		return NULL;
	return self->bytes + (va - self->start);
}

void kernel_window_cost(const struct kernel_window *self, uint64_t *reads, uint64_t *bytes)
{
	*reads = self->reads;
	*bytes = self->bytes_read;
}

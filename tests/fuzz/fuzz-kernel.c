/* A guest's memory in which a kernel is looked for. */
#include "awareness/symbols/kernel-finder.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

struct memory {
	const uint8_t *bytes;
	size_t len_bytes;
};

static const uint64_t base = UINT64_C(0xffffffc008000000);

static gboolean memory_read(gpointer data, uint64_t va, void *buffer, size_t len)
{
	const struct memory *self = data;
	uint64_t offset = va - base, have;

	if (offset >= self->len_bytes)
		return FALSE;
	have = MIN(len, self->len_bytes - offset);
	memcpy(buffer, self->bytes + offset, have);
	memset((uint8_t *)buffer + have, 0, len - have);
	return TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct memory memory = { bytes, len_bytes };
	struct kernel_reader reader = { memory_read, &memory };
	struct kernel_found found;

	if (kernel_find(&reader, base, base + len_bytes + 4096, NULL, &found, NULL)) {
		g_assert_nonnull(found.symbols);
		kernel_found_clear(&found);
	}
	return 0;
}

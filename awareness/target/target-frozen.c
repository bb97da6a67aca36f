#include "awareness/target/target-frozen.h"

#include <gio/gio.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void target_frozen_init(struct target_frozen *self, const struct target_ops *ops,
                        const char *description)
{
	target_base_init(&self->target, ops, description);
	self->segments = g_array_new(FALSE, FALSE, sizeof(struct frozen_segment));
	register_file_init(&self->registers);
	self->maps = g_ptr_array_new_with_free_func((GDestroyNotify)g_mapped_file_unref);
}

void target_frozen_deinit(struct target_frozen *self)
{
	g_clear_pointer(&self->segments, g_array_unref);
	register_file_deinit(&self->registers);
	g_clear_pointer(&self->maps, g_ptr_array_unref);
	target_base_deinit(&self->target);
}

static void frozen_free(struct target *target)
{
	struct target_frozen *self = (struct target_frozen *)target;

	target_frozen_deinit(self);
	g_free(self);
}

void target_frozen_add(struct target_frozen *self, struct pa base, uint8_t *bytes,
                       uint64_t len_bytes)
{
	struct frozen_segment segment = { .base = base, .bytes = bytes, .len_bytes = len_bytes };
	struct target_region region = { .base = base, .len_bytes = len_bytes };

	if (len_bytes == 0)
		return;
	g_array_append_val(self->segments, segment);
	g_array_append_val(self->target.regions, region);
}

void target_frozen_seal(struct target_frozen *self)
{
	GPtrArray *names = self->registers.names;

	for (guint i = 0; i < names->len; i++)
		g_ptr_array_add(self->target.register_names, g_strdup(g_ptr_array_index(names, i)));
	self->target.n_cpus = self->registers.cpus->len;
	target_base_seal(&self->target);
	if (g_hash_table_contains(self->target.register_index, "ttbr0_el2") ||
	    g_hash_table_contains(self->target.register_index, "ttbr1_el1"))
		self->target.capabilities |= TARGET_HAS_SYSTEM_REGISTERS;
}

static uint8_t *find_bytes(const struct target_frozen *self, struct pa pa, size_t *len_bytes)
{
	for (guint i = 0; i < self->segments->len; i++) {
		const struct frozen_segment *segment =
			&g_array_index(self->segments, struct frozen_segment, i);
		uint64_t offset = pa.value - segment->base.value;

		if (pa.value < segment->base.value || offset >= segment->len_bytes)
			continue;
		*len_bytes = MIN(*len_bytes, segment->len_bytes - offset);
		return segment->bytes + offset;
	}
	return NULL;
}

/* Moves one piece, across segments that touch. */
static gboolean move(const struct target_frozen *self, struct target_transfer *transfer,
                     gboolean write)
{
	size_t done = 0;

	while (done < transfer->len_bytes) {
		size_t chunk = transfer->len_bytes - done;
		struct pa pa = { transfer->pa.value + done };
		uint8_t *bytes = find_bytes(self, pa, &chunk);

		if (bytes == NULL)
			return FALSE;
		if (write)
			memcpy(bytes, (const uint8_t *)transfer->data + done, chunk);
		else
			memcpy((uint8_t *)transfer->data + done, bytes, chunk);
		done += chunk;
	}
	return TRUE;
}

gboolean target_frozen_read(struct target *target, struct target_transfer *transfers,
                            size_t n_transfers, GError **error)
{
	(void)error;
	for (size_t i = 0; i < n_transfers; i++)
		transfers[i].ok = move((const struct target_frozen *)target, &transfers[i], FALSE);
	return TRUE;
}

gboolean target_frozen_write(struct target *target, struct target_transfer *transfers,
                             size_t n_transfers, GError **error)
{
	(void)error;
	for (size_t i = 0; i < n_transfers; i++)
		transfers[i].ok = move((const struct target_frozen *)target, &transfers[i], TRUE);
	return TRUE;
}

gboolean target_frozen_register_get(struct target *target, unsigned cpu, const char *name,
                                    struct target_register *out, GError **error)
{
	struct target_frozen *self = (struct target_frozen *)target;
	const struct target_register *value =
		g_hash_table_lookup(g_ptr_array_index(self->registers.cpus, cpu), name);

	if (value == NULL) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER,
		            "%s holds no register %s of core %u", target->description, name, cpu);
		return FALSE;
	}
	*out = *value;
	return TRUE;
}

gboolean target_frozen_register_set(struct target *target, unsigned cpu, const char *name,
                                    const struct target_register *value, GError **error)
{
	struct target_frozen *self = (struct target_frozen *)target;

	(void)error;
	register_file_set(&self->registers, g_ptr_array_index(self->registers.cpus, cpu), name,
	                  value);
	return TRUE;
}

const struct target_ops target_frozen_ops = {
	.read = target_frozen_read,
	.register_get = target_frozen_register_get,
	.free = frozen_free,
};

static GMappedFile *unpack(const char *path, const char *program, GError **error)
{
	g_autoptr(GSubprocessLauncher) launcher =
		g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
	g_autoptr(GSubprocess) process = NULL;
	GMappedFile *map = NULL;
	int fd = memfd_create("hvscope-unpacked", MFD_CLOEXEC);

	if (fd < 0) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
		            "cannot unpack %s: no memory file: %s", path, g_strerror(errno));
		return NULL;
	}
	g_subprocess_launcher_take_stdout_fd(launcher, dup(fd));
	process = g_subprocess_launcher_spawn(launcher, error, program, "-dc", "--", path, NULL);
	if (process != NULL && g_subprocess_wait_check(process, NULL, error))
		map = g_mapped_file_new_from_fd(fd, FALSE, error);
	close(fd);
	if (map == NULL)
		g_prefix_error(error, "cannot unpack %s with %s: ", path, program);
	return map;
}

GMappedFile *target_frozen_map(const char *path, GError **error)
{
	GMappedFile *map;

	if (g_str_has_suffix(path, ".xz"))
		return unpack(path, "xz", error);
	if (g_str_has_suffix(path, ".zst"))
		return unpack(path, "zstd", error);
	map = g_mapped_file_new(path, FALSE, error);
	if (map == NULL)
		g_prefix_error(error, "cannot open the memory image: ");
	return map;
}

#include "awareness/target/target-frozen.h"

#include <string.h>

/* `where` is FILE+STATE; the last '+' parts them, since a path may hold one. */
static gboolean split_where(const char *where, char **image, char **state, GError **error)
{
	const char *plus = strrchr(where, '+');

	if (plus == NULL || plus == where || plus[1] == '\0') {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_SPEC,
		            "cannot open the target 'ram:%s': it must be ram:FILE+STATE, the raw "
		            "image and the register file (JSON)",
		            where);
		return FALSE;
	}
	*image = g_strndup(where, (gsize)(plus - where));
	*state = g_strdup(plus + 1);
	return TRUE;
}

static gboolean load_state(struct target_frozen *self, const char *path, GError **error)
{
	g_autofree char *text = NULL;
	gsize len_bytes;

	if (!g_file_get_contents(path, &text, &len_bytes, error)) {
		g_prefix_error(error, "cannot open the register file: ");
		return FALSE;
	}
	if (!register_file_parse(&self->registers, text, len_bytes, path, error))
		return FALSE;
	if (self->registers.has_ram)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
	            "%s does not say where the RAM image begins: \"ram_base\" is missing", path);
	return FALSE;
}

static gboolean load_image(struct target_frozen *self, const char *path, GError **error)
{
	GMappedFile *map = target_frozen_map(path, error);
	uint64_t len_bytes;

	if (map == NULL)
		return FALSE;
	g_ptr_array_add(self->maps, map);
	len_bytes = g_mapped_file_get_length(map);
	if (self->registers.ram.len_bytes != 0)
		len_bytes = MIN(len_bytes, self->registers.ram.len_bytes);
	if (self->registers.ram.base.value + len_bytes < self->registers.ram.base.value) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
		            "%s does not fit behind the ram_base of its register file", path);
		return FALSE;
	}
	target_frozen_add(self, self->registers.ram.base,
	                  (uint8_t *)g_mapped_file_get_contents(map), len_bytes);
	return TRUE;
}

struct target *target_ram_open(const char *where, GError **error)
{
	g_autofree char *image = NULL;
	g_autofree char *state = NULL;
	g_autofree char *description = g_strconcat("ram:", where, NULL);
	struct target_frozen *self;

	if (!split_where(where, &image, &state, error))
		return NULL;
	self = g_new0(struct target_frozen, 1);
	target_frozen_init(self, &target_frozen_ops, description);
	if (!load_state(self, state, error) || !load_image(self, image, error)) {
		target_free(&self->target);
		return NULL;
	}
	target_frozen_seal(self);
	return &self->target;
}

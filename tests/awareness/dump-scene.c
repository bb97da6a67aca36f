#include "tests/awareness/dump-scene.h"

#include "awareness/target/register-file.h"

#include <string.h>

static void copy_registers(struct scene *self)
{
	g_autofree char *text = NULL;
	gsize len_bytes;
	struct register_file file;

	g_assert_true(g_file_get_contents(self->data.state, &text, &len_bytes, NULL));
	register_file_init(&file);
	g_assert_true(register_file_parse(&file, text, len_bytes, "state", NULL));
	self->base = file.ram.base.value;
	self->len_bytes = file.ram.len_bytes;
	self->target = target_fake_new(file.cpus->len);
	for (guint cpu = 0; cpu < file.cpus->len; cpu++) {
		for (guint i = 0; i < file.names->len; i++) {
			const char *name = g_ptr_array_index(file.names, i);
			const struct target_register *value =
				g_hash_table_lookup(g_ptr_array_index(file.cpus, cpu), name);

			if (value != NULL)
				target_fake_set_register(self->target, cpu, name, value->low);
		}
	}
	register_file_deinit(&file);
}

gboolean scene_init(struct scene *self)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *ram = NULL;
	gsize len_bytes;

	if (!dump_data_init(&self->data))
		return FALSE;
	copy_registers(self);
	self->ram =
		target_fake_add_memory(self->target, (struct pa) { self->base }, self->len_bytes);
	g_assert_true(g_file_get_contents(self->data.ram, &ram, &len_bytes, NULL));
	memcpy(self->ram, ram, MIN(len_bytes, self->len_bytes));
	target_fake_seal(self->target);
	self->file = system_file_load(self->data.system, &error);
	g_assert_no_error(error);
	self->system = system_new(self->target, self->file, &error);
	g_assert_no_error(error);
	return TRUE;
}

void scene_deinit(struct scene *self)
{
	system_free(self->system);
	target_free(self->target);
	system_file_free(self->file);
	dump_data_deinit(&self->data);
}

#include "gui/debug/recent-targets.h"

static char *file_path(void)
{
	return g_build_filename(g_get_user_config_dir(), "hvscope", "targets.ini", NULL);
}

static void free_target(gpointer data)
{
	struct recent_target *self = data;

	g_free(self->target);
	g_free(self->system_path);
	g_free(self);
}

static void append(GPtrArray *list, const char *target, const char *system_path)
{
	struct recent_target *one = g_new0(struct recent_target, 1);

	one->target = g_strdup(target);
	one->system_path = g_strdup(system_path);
	g_ptr_array_add(list, one);
}

GPtrArray *recent_targets_load(void)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(free_target);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autofree char *path = file_path();

	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
		return list;
	for (guint i = 0; i < RECENT_TARGETS_MAX; i++) {
		g_autofree char *group = g_strdup_printf("target %u", i);
		g_autofree char *target = g_key_file_get_string(file, group, "target", NULL);
		g_autofree char *system_path = g_key_file_get_string(file, group, "system", NULL);

		if (target != NULL)
			append(list, target, system_path);
	}
	return list;
}

void recent_targets_add(const char *target, const char *system_path)
{
	g_autoptr(GPtrArray) before = recent_targets_load();
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_target);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autofree char *path = file_path();
	g_autofree char *folder = g_path_get_dirname(path);
	g_autoptr(GError) error = NULL;

	append(list, target, system_path);
	for (guint i = 0; i < before->len && list->len < RECENT_TARGETS_MAX; i++) {
		const struct recent_target *one = g_ptr_array_index(before, i);

		if (g_strcmp0(one->target, target) != 0)
			append(list, one->target, one->system_path);
	}
	for (guint i = 0; i < list->len; i++) {
		const struct recent_target *one = g_ptr_array_index(list, i);
		g_autofree char *group = g_strdup_printf("target %u", i);

		g_key_file_set_string(file, group, "target", one->target);
		if (one->system_path != NULL)
			g_key_file_set_string(file, group, "system", one->system_path);
	}
	g_mkdir_with_parents(folder, 0700);
	if (!g_key_file_save_to_file(file, path, &error))
		g_message("%s", error->message);
}

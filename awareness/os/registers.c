#include "awareness/os/registers.h"

void register_set_init(struct register_set *self)
{
	self->values = g_array_new(FALSE, FALSE, sizeof(struct register_value));
}

void register_set_deinit(struct register_set *self)
{
	g_clear_pointer(&self->values, g_array_unref);
}

void register_set_put(struct register_set *self, const char *name, uint64_t value,
                      enum register_source source, gboolean doubtful)
{
	struct register_value *known =
		(struct register_value *)(gpointer)register_set_find(self, name);
	struct register_value added = {
		.name = g_intern_string(name),
		.value = value,
		.source = source,
		.doubtful = doubtful,
	};

	if (known != NULL)
		*known = added;
	else
		g_array_append_val(self->values, added);
}

const struct register_value *register_set_find(const struct register_set *self, const char *name)
{
	for (guint i = 0; i < self->values->len; i++) {
		const struct register_value *value =
			&g_array_index(self->values, struct register_value, i);

		if (g_ascii_strcasecmp(value->name, name) == 0)
			return value;
	}
	return NULL;
}

gboolean register_set_get(const struct register_set *self, const char *name, uint64_t *value)
{
	const struct register_value *found = register_set_find(self, name);

	if (found == NULL)
		return FALSE;
	*value = found->value;
	return TRUE;
}

const char *register_source_name(enum register_source source)
{
	static const char *const names[] = {
		[REGISTER_SOURCE_CORE] = "core",
		[REGISTER_SOURCE_FRAME] = "hypervisor frame",
		[REGISTER_SOURCE_SAVED_VCPU] = "saved vCPU",
		[REGISTER_SOURCE_SAVED_TASK] = "saved task",
		[REGISTER_SOURCE_PT_REGS] = "pt_regs",
	};

	return names[source];
}

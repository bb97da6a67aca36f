#include "base/system-file-private.h"

#include <string.h>

enum {
	CHANNEL_MAX = 65535,
	PORTS = 16 /* stimulus ports, thus channels, of a page: docs/instrument/README.md */
};

void system_machine_backend_init(struct system_machine *machine)
{
	machine->backend = SYSTEM_NO_VALUE;
	machine->notify_va = g_array_new(FALSE, FALSE, sizeof(guint64));
	machine->stm_channels = g_array_new(FALSE, FALSE, sizeof(struct system_channels));
}

void system_machine_backend_deinit(struct system_machine *machine)
{
	g_strfreev(machine->backend_tasks);
	g_array_unref(machine->notify_va);
	g_array_unref(machine->stm_channels);
}

void system_machine_backend_copy(struct system_machine *machine, const struct system_machine *from)
{
	machine->backend = from->backend;
	g_strfreev(machine->backend_tasks);
	machine->backend_tasks = g_strdupv(from->backend_tasks);
	g_array_set_size(machine->notify_va, 0);
	g_array_append_vals(machine->notify_va, from->notify_va->data, from->notify_va->len);
	g_array_set_size(machine->stm_channels, 0);
	g_array_append_vals(machine->stm_channels, from->stm_channels->data,
	                    from->stm_channels->len);
}

static gboolean notify_read(const struct place *at, GArray *notify_va, GError **error)
{
	g_auto(GStrv) items = NULL;

	if (!place_list(at, "notify", &items, error))
		return FALSE;
	for (gsize i = 0; items != NULL && items[i] != NULL; i++) {
		guint64 address_va;

		if (!place_number_parse(g_strstrip(items[i]), G_MAXUINT64, &address_va) ||
		    address_va % 4 != 0)
			return place_fail(at, "notify", SYSTEM_FILE_ERROR_VALUE, error,
			                  "expected the address of an HVC instruction, as in "
			                  "0xffff800008012344, found '%s'",
			                  items[i]);
		g_array_append_val(notify_va, address_va);
	}
	return TRUE;
}

/* "3", "48-63" */
static gboolean channels_parse(char *item, struct system_channels *out)
{
	char *dash = strchr(item, '-');
	guint64 first, last;

	if (dash != NULL)
		*dash++ = '\0';
	if (!place_number_parse(g_strstrip(item), CHANNEL_MAX, &first))
		return FALSE;
	last = first;
	if (dash != NULL && !place_number_parse(g_strstrip(dash), CHANNEL_MAX, &last))
		return FALSE;
	*out = (struct system_channels) { (guint32)first, (guint32)last };
	return first <= last;
}

static gboolean channels_read(const struct place *at, struct system_machine *machine,
                              GError **error)
{
	g_auto(GStrv) items = NULL;

	if (!place_list(at, "stm_channels", &items, error))
		return FALSE;
	for (gsize i = 0; items != NULL && items[i] != NULL; i++) {
		g_autofree char *found = g_strdup(items[i]);
		struct system_channels channels;

		if (!channels_parse(items[i], &channels))
			return place_fail(at, "stm_channels", SYSTEM_FILE_ERROR_VALUE, error,
			                  "expected channels from 0 to %d, as in 3;48-63, "
			                  "found '%s'",
			                  CHANNEL_MAX, found);
		g_array_append_val(machine->stm_channels, channels);
	}
	/* Domain N, whose VMID is N+1, has page N+1. */
	if (machine->stm_channels->len == 0 && machine->vmid > 0) {
		const guint32 first = (guint32)machine->vmid * PORTS;
		const struct system_channels channels = { first, first + PORTS - 1 };

		g_array_append_val(machine->stm_channels, channels);
	}
	return TRUE;
}

gboolean system_machine_backend_read(const struct place *at, struct system_machine *machine,
                                     GError **error)
{
	guint64 backend = SYSTEM_MACHINES_MAX + 1;

	if (!place_number(at, "backend", 1, SYSTEM_MACHINES_MAX, &backend, error) ||
	    !place_list(at, "backend_tasks", &machine->backend_tasks, error) ||
	    !notify_read(at, machine->notify_va, error) || !channels_read(at, machine, error))
		return FALSE;
	if (backend <= SYSTEM_MACHINES_MAX)
		machine->backend = (gint)backend;
	else if (machine->backend_tasks != NULL)
		return place_fail(at, "backend_tasks", SYSTEM_FILE_ERROR_VALUE, error,
		                  "there is no key 'backend' whose tasks these could be");
	for (gsize i = 0; machine->backend_tasks != NULL && machine->backend_tasks[i] != NULL;
	     i++) {
		if (*g_strstrip(machine->backend_tasks[i]) == '\0')
			return place_fail(at, "backend_tasks", SYSTEM_FILE_ERROR_VALUE, error,
			                  "the name of task %" G_GSIZE_FORMAT " is empty", i);
	}
	return TRUE;
}

gboolean system_machine_backend_check(const struct place *at, const struct system_machine *machine,
                                      GError **error)
{
	const struct system_machine *backend;

	if (machine->backend == SYSTEM_NO_VALUE)
		return TRUE;
	backend = system_file_machine(at->file, (guint)machine->backend);
	if (backend != NULL && backend != machine && machine->vmid > 0 && backend->vmid > 0)
		return TRUE;
	return place_fail(at, "backend", SYSTEM_FILE_ERROR_VALUE, error,
	                  "expected the number of another virtual machine of this file, found %d",
	                  machine->backend);
}

/* By name, as many as have it; else it is a context ID. */
static gboolean tasks_add(GArray *out, const struct system_machine *backend, const char *text)
{
	const guint n = out->len;
	guint64 id;

	for (guint i = 0; i < backend->tasks->len; i++) {
		const struct system_task *task =
			&g_array_index(backend->tasks, struct system_task, i);

		if (strcmp(task->name, text) == 0)
			g_array_append_val(out, task->context_id);
	}
	if (out->len == n && place_number_parse(text, G_MAXUINT32, &id)) {
		const guint32 context_id = (guint32)id;

		g_array_append_val(out, context_id);
	}
	return out->len > n;
}

GArray *system_file_backend_tasks(const struct system_file *self,
                                  const struct system_machine *machine, GPtrArray *unknown)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));
	const struct system_machine *backend = system_file_machine(self, (guint)machine->backend);

	for (char **text = machine->backend_tasks; text != NULL && *text != NULL; text++) {
		if (!tasks_add(out, backend, *text))
			g_ptr_array_add(unknown, *text);
	}
	return out;
}

gboolean system_machine_has_channel(const struct system_machine *machine, guint32 channel)
{
	for (guint i = 0; i < machine->stm_channels->len; i++) {
		const struct system_channels *channels =
			&g_array_index(machine->stm_channels, struct system_channels, i);

		if (channel >= channels->first && channel <= channels->last)
			return TRUE;
	}
	return FALSE;
}

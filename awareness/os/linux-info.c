/* Command lines and modules of a Linux guest. */
#include "awareness/os/linux-private.h"

enum {
	COMMAND_LINE_MAX = 4096,
	MODULE_NAME_MAX = 64,
};

char *linux_command_line(struct machine *machine, GError **error)
{
	uint64_t pointer;

	if (!program_read_variable(&machine->program, "saved_command_line", 8, &pointer, error))
		return NULL;
	return space_read_string(machine->kernel, (struct va) { pointer }, COMMAND_LINE_MAX, error);
}

char *linux_task_command_line(struct machine *machine, const struct task *task, GError **error)
{
	static const struct field fields[] = { { "arg_start", FALSE }, { "arg_end", FALSE } };
	struct space *space = linux_process_space(machine, task, error);
	struct layout layout;
	uint64_t values[2];
	char text[COMMAND_LINE_MAX + 1] = "";
	size_t n = 0;
	gboolean done;

	if (space == NULL)
		return NULL;
	done = layout_init(&layout, &machine->program, "struct mm_struct", fields, 2, error) &&
	       layout_read(&layout, machine->kernel, task->mm, values, error);
	if (done && values[1] > values[0])
		done = space_read(space, (struct va) { values[0] }, text,
		                  MIN(values[1] - values[0], COMMAND_LINE_MAX), &n, error) ||
		       n > 0;
	space_free(space);
	if (!done)
		return NULL;
	for (size_t i = 0; i + 1 < n; i++) {
		if (!g_ascii_isprint(text[i]))
			text[i] = text[i] == '\0' ? ' ' : '?';
	}
	return g_strdup(text);
}

void linux_module_free(struct linux_module *self)
{
	g_free(self->name);
	g_free(self);
}

static void free_module(gpointer data)
{
	linux_module_free(data);
}

GPtrArray *linux_modules(struct machine *machine, GError **error)
{
	/* 6.4 split `core_layout` into an array of memories. */
	static const struct field fields[] = {
		{ "list.next", FALSE },
		{ "mem[0].base|core_layout.base", FALSE },
		{ "mem[0].size|core_layout.size", FALSE },
		{ "name", FALSE },
	};
	g_autoptr(GPtrArray) modules = g_ptr_array_new_with_free_func(free_module);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
	struct layout layout;
	struct va head;
	uint64_t next;

	/* A kernel without CONFIG_MODULES. */
	if (!program_has(&machine->program, "modules"))
		return g_steal_pointer(&modules);
	if (!layout_init(&layout, &machine->program, "struct module", fields, 4, error) ||
	    !program_address(&machine->program, "modules", &head, error) ||
	    !space_read_uint(machine->kernel, head, 8, &next, error))
		return NULL;
	while (next != head.value && modules->len < LINUX_MODULES_MAX) {
		struct va va = { next - layout.offset_bytes[0] };
		struct linux_module *module;
		uint64_t values[4];

		if (!g_hash_table_add(seen, GSIZE_TO_POINTER(next)) ||
		    !layout_read(&layout, machine->kernel, va, values, NULL)) {
			machine_add_gap(machine, "the list of modules breaks off after %u",
			                modules->len);
			break;
		}
		module = g_new0(struct linux_module, 1);
		module->base.value = values[1];
		module->len_bytes = values[2];
		module->name = space_read_string(machine->kernel, layout_member(&layout, va, 3),
		                                 MODULE_NAME_MAX, NULL);
		g_ptr_array_add(modules, module);
		next = values[0];
	}
	return g_steal_pointer(&modules);
}

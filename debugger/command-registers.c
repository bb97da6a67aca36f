/* The register commands of `hvscope debug`. */
#include "debugger/command.h"
#include "base/json.h"

#include "awareness/os/decode.h"

#include <stdio.h>
#include <string.h>

struct vcpu *debug_find_vcpu(struct debug *self, const char *text, struct machine **machine,
                             GError **error)
{
	const char *colon = strrchr(text, ':');
	g_autofree char *name = colon != NULL ? g_strndup(text, (gsize)(colon - text)) : NULL;
	uint64_t id;

	*machine = debug_machine(self, name, error);
	if (*machine == NULL)
		return NULL;
	if (!address_parse_number(colon != NULL ? colon + 1 : text, &id)) {
		g_set_error(error, DEBUG_ERROR, DEBUG_ERROR_USAGE,
		            "'%s' names no vCPU: the form is MACHINE:NUMBER", text);
		return NULL;
	}
	for (guint i = 0; i < (*machine)->vcpus->len; i++) {
		struct vcpu *vcpu = g_ptr_array_index((*machine)->vcpus, i);

		if (vcpu->id == id)
			return vcpu;
	}
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND, "%s has no vCPU %" G_GUINT64_FORMAT,
	            (*machine)->name, id);
	return NULL;
}

static void json_fields(JsonBuilder *b, const struct register_value *value)
{
	g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(struct register_field));

	if (!register_decode(value->name, value->value, fields))
		return;
	json_add_array(b, "fields");
	for (guint i = 0; i < fields->len; i++) {
		const struct register_field *field =
			&g_array_index(fields, struct register_field, i);

		json_builder_begin_object(b);
		json_add_text(b, "name", field->name);
		debug_json_hex(b, "value", field->value);
		json_add_text(b, "meaning", field->meaning);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void print_fields(struct debug *self, const struct register_value *value)
{
	g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(struct register_field));

	register_decode(value->name, value->value, fields);
	for (guint i = 0; i < fields->len; i++) {
		const struct register_field *field =
			&g_array_index(fields, struct register_field, i);

		fprintf(self->out, "    %-6s [%u:%u] 0x%" G_GINT64_MODIFIER "x%s%s\n", field->name,
		        field->high, field->low, field->value, field->meaning != NULL ? "  " : "",
		        field->meaning != NULL ? field->meaning : "");
	}
}

static void json_set(JsonBuilder *b, const struct register_set *set, gboolean decode)
{
	json_builder_begin_array(b);
	for (guint i = 0; i < set->values->len; i++) {
		const struct register_value *value =
			&g_array_index(set->values, struct register_value, i);

		json_builder_begin_object(b);
		json_add_text(b, "name", value->name);
		debug_json_hex(b, "value", value->value);
		json_add_text(b, "source", register_source_name(value->source));
		json_add_bool(b, "doubtful", value->doubtful);
		if (decode)
			json_fields(b, value);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void print_set(struct debug *self, const struct machine *machine,
                      const struct register_set *set, gboolean decode)
{
	for (guint i = 0; i < set->values->len; i++) {
		const struct register_value *value =
			&g_array_index(set->values, struct register_value, i);
		g_autofree char *symbol =
			strcmp(value->name, "pc") == 0 || strcmp(value->name, "x30") == 0
				? debug_describe_address(machine, (struct va) { value->value })
				: g_strdup("");
		const char *angle = strchr(symbol, '<');

		fprintf(self->out, "%-16s 0x%016" G_GINT64_MODIFIER "x  %s%s%s%s\n", value->name,
		        value->value, register_source_name(value->source),
		        value->doubtful ? " (in doubt)" : "", angle != NULL ? "  " : "",
		        angle != NULL ? angle : "");
		if (decode)
			print_fields(self, value);
	}
}

static gboolean show_vcpu(struct debug *self, const char *text, gboolean decode, GError **error)
{
	struct machine *machine;
	struct vcpu *vcpu = debug_find_vcpu(self, text, &machine, error);
	JsonBuilder *b;

	if (vcpu == NULL)
		return FALSE;
	if (!self->json) {
		print_set(self, machine, &vcpu->registers, decode);
		return TRUE;
	}
	b = json_builder_new();
	json_set(b, &vcpu->registers, decode);
	debug_json_print(self, b);
	return TRUE;
}

struct task *debug_find_task(struct debug *self, const char *text, struct machine **machine,
                             GError **error)
{
	const char *mark = strstr(text, "::");
	g_autofree char *name = mark != NULL ? g_strndup(text, (gsize)(mark - text)) : NULL;

	*machine = debug_machine(self, name, error);
	if (*machine == NULL)
		return NULL;
	text = mark != NULL ? mark + strspn(mark, ":") : text;
	return system_find_task(self->system, *machine, text, error);
}

/* The vCPU on which a running task runs: then its registers are the task's. */
static struct vcpu *vcpu_of(struct debug *self, struct machine *machine, const struct task *task)
{
	for (guint i = 0; i < machine->vcpus->len; i++) {
		struct vcpu *vcpu = g_ptr_array_index(machine->vcpus, i);

		if (system_current_task(self->system, machine, vcpu) == task)
			return vcpu;
	}
	return NULL;
}

static gboolean show_task(struct debug *self, const char *text, gboolean decode, GError **error)
{
	struct machine *machine;
	struct task *task = debug_find_task(self, text, &machine, error);
	struct register_set kernel, user;
	struct vcpu *vcpu;
	gboolean done = TRUE;

	if (task == NULL)
		return FALSE;
	vcpu = vcpu_of(self, machine, task);
	register_set_init(&kernel);
	register_set_init(&user);
	if (vcpu == NULL)
		done = machine->os->saved_registers(machine->os, machine, task, &kernel, &user,
		                                    error);
	if (done && self->json) {
		JsonBuilder *b = json_builder_new();

		json_builder_begin_object(b);
		json_add_int(b, "vcpu", vcpu != NULL ? (int)vcpu->id : -1);
		json_builder_set_member_name(b, "kernel");
		json_set(b, vcpu != NULL ? &vcpu->registers : &kernel, decode);
		json_builder_set_member_name(b, "user");
		json_set(b, &user, decode);
		json_builder_end_object(b);
		debug_json_print(self, b);
	} else if (done && vcpu != NULL) {
		fprintf(self->out, "%s runs on vCPU %u:\n", task->name, vcpu->id);
		print_set(self, machine, &vcpu->registers, decode);
	} else if (done) {
		print_set(self, machine, &kernel, decode);
		if (user.values->len > 0)
			fprintf(self->out, "in user code:\n");
		print_set(self, machine, &user, decode);
	}
	register_set_deinit(&kernel);
	register_set_deinit(&user);
	return done;
}

static gboolean run_regs(struct debug *self, int argc, char **argv, GError **error)
{
	g_autofree char *vcpu = NULL;
	g_autofree char *task = NULL;
	gboolean decode = FALSE;
	const GOptionEntry entries[] = {
		{ "decode", 0, 0, G_OPTION_ARG_NONE, &decode, NULL, NULL },
		{ "vcpu", 0, 0, G_OPTION_ARG_STRING, &vcpu, NULL, NULL },
		{ "task", 0, 0, G_OPTION_ARG_STRING, &task, NULL, NULL },
		G_OPTION_ENTRY_NULL,
	};

	if (!debug_parse(self, &argc, &argv, entries, 0, 0, error))
		return FALSE;
	if (task != NULL)
		return show_task(self, task, decode, error);
	return show_vcpu(self, vcpu != NULL ? vcpu : "0", decode, error);
}

const struct debug_command debug_commands_registers[] = {
	{ "regs", "[--vcpu M:N | --task M::T] [--decode]",
	  "registers, each with where it came from", run_regs },
	{ NULL },
};

/* `hvscope debug print`: a symbol, a member path, any expression of C that changes
 * nothing, in any machine and process. */
#include "debugger/command.h"
#include "base/json.h"

#include "awareness/symbols/expression.h"
#include "awareness/symbols/symbol-error.h"

#include <stdio.h>
#include <string.h>

static gboolean read_space(gpointer data, uint64_t va, void *buffer, size_t len_bytes)
{
	const struct place *place = data;

	return space_read(place->space, (struct va) { va }, buffer, len_bytes, NULL, NULL);
}

/* `$pc` and the like are those of the machine's vCPU that is live, else of its first. */
static gboolean read_variable(gpointer data, const char *name, uint64_t *value)
{
	const struct place *place = data;
	const struct vcpu *chosen = NULL;

	for (guint i = 0; i < place->machine->vcpus->len; i++) {
		const struct vcpu *vcpu = g_ptr_array_index(place->machine->vcpus, i);

		if (chosen == NULL || (vcpu->live && !chosen->live))
			chosen = vcpu;
	}
	return chosen != NULL && register_set_get(&chosen->registers, name, value);
}

/* What is before the expression: machine and space, and where the expression begins. */
static char *split_prefix(const char *text, const char **expression)
{
	const char *mark = strstr(text, "::");
	const char *last = NULL;

	for (; mark != NULL; mark = strstr(last, "::"))
		last = mark + strspn(mark, ":");
	*expression = last != NULL ? last : text;
	/* Any address will do for finding the space. */
	return g_strdup_printf("%.*s0", (int)(*expression - text), text);
}

static void print_value(struct debug *self, const struct value_context *context,
                        const struct value *value)
{
	g_autofree char *type = value->type != NULL ? value_describe_type(context, value) : NULL;
	g_autofree char *text = NULL;
	JsonBuilder *b;

	if (!self->json) {
		text = value_format(context, value);
		fprintf(self->out, "%s%s%s%s\n", type != NULL ? "(" : "", type != NULL ? type : "",
		        type != NULL ? ") " : "", text);
		return;
	}
	b = json_builder_new();
	json_builder_begin_object(b);
	json_add_text(b, "type", type);
	if (value->is_place)
		debug_json_hex(b, "address", value->address);
	json_builder_set_member_name(b, "value");
	json_builder_add_value(b, value_to_json(context, value));
	json_builder_end_object(b);
	debug_json_print(self, b);
}

static gboolean run_print(struct debug *self, int argc, char **argv, GError **error)
{
	struct machine *fallback;
	struct value_context context = { .read = read_space, .variable = read_variable };
	g_autofree char *address = NULL;
	const char *expression;
	struct place place;
	struct value value;
	gboolean done;

	if (!debug_parse(self, &argc, &argv, NULL, 1, 1, error) ||
	    (fallback = debug_machine(self, NULL, error)) == NULL)
		return FALSE;
	address = split_prefix(argv[1], &expression);
	if (!system_find_place(self->system, address, fallback, &place, error))
		return FALSE;
	context.data = &place;
	if (place.machine->has_program) {
		context.types = place.machine->program.types;
		context.symbols = place.machine->program.symbols;
		context.slide = place.machine->program.slide;
	}
	done = expression_evaluate(&context, expression, &value, error);
	if (done)
		print_value(self, &context, &value);
	place_deinit(&place);
	return done;
}

const struct debug_command debug_commands_print[] = {
	{ "print", "[M:::[T::]]EXPRESSION", "a variable, a member, an expression of C", run_print },
	{ NULL },
};

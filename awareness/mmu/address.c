#include "awareness/mmu/address.h"

#include <string.h>

G_DEFINE_QUARK(hvscope - address - error, address_error)

gboolean address_parse_number(const char *text, uint64_t *out)
{
	guint base = 10;
	guint64 value;

	if (g_ascii_strncasecmp(text, "0x", 2) == 0) {
		base = 16;
		text += 2;
		if (!g_ascii_isxdigit(*text))
			return FALSE;
	}
	if (!g_ascii_string_to_unsigned(text, base, 0, G_MAXUINT64, &value, NULL))
		return FALSE;
	*out = value;
	return TRUE;
}

static gboolean take_kind(const char **rest, enum address_kind *kind)
{
	if (g_ascii_strncasecmp(*rest, "ipa:", 4) == 0) {
		*kind = ADDRESS_KIND_IPA;
		*rest += 4;
	} else if (g_ascii_strncasecmp(*rest, "pa:", 3) == 0) {
		*kind = ADDRESS_KIND_PA;
		*rest += 3;
	} else {
		*kind = ADDRESS_KIND_VA;
		return FALSE;
	}
	return TRUE;
}

static gboolean check_parts(const struct address_text *parts, const char *text, GError **error)
{
	const char *wrong = NULL;

	if (*parts->place == '\0')
		wrong = "the address itself is missing";
	else if (strchr(parts->place, ':') != NULL && !strstr(parts->place, "::"))
		wrong = "a single ':' means nothing here";
	else if (strstr(parts->place, "::") != NULL)
		wrong = "there are more parts than machine, space and address";
	else if (parts->machine != NULL && *parts->machine == '\0')
		wrong = "the machine before ':::' is empty";
	else if (parts->space != NULL && *parts->space == '\0')
		wrong = "the space before '::' is empty";
	else if (parts->kind == ADDRESS_KIND_PA && (parts->machine != NULL || parts->space != NULL))
		wrong = "a physical address belongs to no machine";
	else if (parts->kind == ADDRESS_KIND_IPA && parts->space != NULL)
		wrong = "an intermediate physical address belongs to no space";
	if (wrong == NULL)
		return TRUE;
	g_set_error(error, ADDRESS_ERROR, ADDRESS_ERROR_SYNTAX,
	            "cannot read the address '%s': %s; the form is machine:::space::address, "
	            "with ipa: or pa: before the address",
	            text, wrong);
	return FALSE;
}

gboolean address_text_init(struct address_text *out, const char *text, GError **error)
{
	struct address_text parts = { 0 };
	const char *rest = text;
	const char *mark;

	mark = strstr(rest, ":::");
	if (mark != NULL) {
		parts.machine = g_strndup(rest, (gsize)(mark - rest));
		rest = mark + 3;
	}
	mark = strstr(rest, "::");
	if (mark != NULL) {
		parts.space = g_strndup(rest, (gsize)(mark - rest));
		rest = mark + 2;
	}
	take_kind(&rest, &parts.kind);
	parts.place = g_strdup(rest);
	if (!check_parts(&parts, text, error)) {
		address_text_deinit(&parts);
		return FALSE;
	}
	parts.is_number = address_parse_number(parts.place, &parts.value);
	*out = parts;
	return TRUE;
}

void address_text_deinit(struct address_text *self)
{
	g_clear_pointer(&self->machine, g_free);
	g_clear_pointer(&self->space, g_free);
	g_clear_pointer(&self->place, g_free);
}

char *address_format(const char *machine, const char *space, enum address_kind kind, uint64_t value)
{
	static const char *const prefix[] = {
		[ADDRESS_KIND_VA] = "",
		[ADDRESS_KIND_IPA] = "ipa:",
		[ADDRESS_KIND_PA] = "pa:",
	};

	return g_strdup_printf("%s%s%s%s%s0x%" G_GINT64_MODIFIER "x",
	                       machine != NULL ? machine : "", machine != NULL ? ":::" : "",
	                       space != NULL ? space : "", space != NULL ? "::" : "", prefix[kind],
	                       value);
}

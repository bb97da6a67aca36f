#include "awareness/target/register-file.h"

#include <string.h>

enum register_file_limits {
	NAME_MAX_BYTES = 128,
	REGISTERS_MAX = 4096,
	DEPTH_MAX = 16,
};

void register_file_init(struct register_file *self)
{
	*self = (struct register_file) {
		.cpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref),
		.names = g_ptr_array_new_with_free_func(g_free),
	};
}

void register_file_deinit(struct register_file *self)
{
	g_clear_pointer(&self->cpus, g_ptr_array_unref);
	g_clear_pointer(&self->names, g_ptr_array_unref);
}

GHashTable *register_file_add_cpu(struct register_file *self)
{
	GHashTable *cpu = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	g_ptr_array_add(self->cpus, cpu);
	return cpu;
}

void register_file_set(struct register_file *self, GHashTable *cpu, const char *name,
                       const struct target_register *value)
{
	if (cpu == self->cpus->pdata[0] && !g_hash_table_contains(cpu, name))
		g_ptr_array_add(self->names, g_strdup(name));
	g_hash_table_replace(cpu, g_strdup(name), g_memdup2(value, sizeof(*value)));
}

/* Where the reader is in the text. `failed` keeps what was expected there. */
struct scanner {
	const char *start;
	const char *at;
	const char *end;
	const char *failed;
};

static void skip_space(struct scanner *s)
{
	while (s->at < s->end && g_ascii_isspace(*s->at))
		s->at++;
}

static gboolean fail(struct scanner *s, const char *expected)
{
	if (s->failed == NULL)
		s->failed = expected;
	return FALSE;
}

/* Takes `c` if it is next. */
static gboolean take(struct scanner *s, char c)
{
	skip_space(s);
	if (s->at >= s->end || *s->at != c)
		return FALSE;
	s->at++;
	return TRUE;
}

static gboolean take_string(struct scanner *s, char *out, gsize out_bytes)
{
	gsize n = 0;

	if (!take(s, '"'))
		return fail(s, "a string");
	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\' || n + 1 >= out_bytes)
			return fail(s, "a short string without escapes");
		out[n++] = *s->at++;
	}
	out[n] = '\0';
	return take(s, '"') || fail(s, "the end of a string");
}

static gboolean add_digit(struct target_register *value, unsigned base, unsigned digit)
{
	unsigned __int128 wide = (unsigned __int128)value->high << 64 | value->low;

	if (wide > (~(unsigned __int128)0 - digit) / base)
		return FALSE;
	wide = wide * base + digit;
	value->low = (uint64_t)wide;
	value->high = (uint64_t)(wide >> 64);
	return TRUE;
}

static gboolean number_from(const char *text, const char *end, struct target_register *out)
{
	struct target_register value = { 0 };
	unsigned base = 10;

	if (end - text > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (text == end)
		return FALSE;
	for (; text < end; text++) {
		int digit = g_ascii_xdigit_value(*text);

		if (digit < 0 || (unsigned)digit >= base ||
		    !add_digit(&value, base, (unsigned)digit))
			return FALSE;
	}
	*out = value;
	return TRUE;
}

static gboolean take_value(struct scanner *s, struct target_register *out)
{
	char text[NAME_MAX_BYTES];
	const char *start;

	skip_space(s);
	if (s->at < s->end && *s->at == '"')
		return take_string(s, text, sizeof(text)) &&
		       (number_from(text, text + strlen(text), out) ||
		        fail(s, "a number of at most 128 bits"));
	start = s->at;
	while (s->at < s->end && g_ascii_isdigit(*s->at))
		s->at++;
	return number_from(start, s->at, out) || fail(s, "a number of at most 128 bits");
}

/* Steps over one value of any type. */
static gboolean skip_value(struct scanner *s)
{
	unsigned depth = 0;

	skip_space(s);
	do {
		gboolean quoted = s->at < s->end && *s->at == '"';

		if (s->at >= s->end)
			return fail(s, "a value");
		if (quoted) {
			const char *close = memchr(s->at + 1, '"', (gsize)(s->end - s->at - 1));

			if (close == NULL)
				return fail(s, "the end of a string");
			s->at = close;
		} else if (*s->at == '{' || *s->at == '[') {
			if (++depth > DEPTH_MAX)
				return fail(s, "less depth");
		} else if (*s->at == '}' || *s->at == ']') {
			if (depth == 0)
				return fail(s, "a value");
			depth--;
		} else if (depth == 0) {
			while (s->at + 1 < s->end && strchr(",]} \n\t\r", s->at[1]) == NULL)
				s->at++;
		}
		s->at++;
	} while (depth > 0);
	return TRUE;
}

static gboolean take_cpu(struct scanner *s, struct register_file *self)
{
	GHashTable *cpu = register_file_add_cpu(self);
	char name[NAME_MAX_BYTES];
	struct target_register value;

	if (self->cpus->len > TARGET_CPUS_MAX)
		return fail(s, "fewer cores");
	if (!take(s, '{'))
		return fail(s, "a core's registers");
	if (take(s, '}'))
		return TRUE;
	do {
		if (!take_string(s, name, sizeof(name)) || !(take(s, ':') || fail(s, "':'")) ||
		    !take_value(s, &value))
			return FALSE;
		if (g_hash_table_size(cpu) >= REGISTERS_MAX)
			return fail(s, "fewer registers");
		register_file_set(self, cpu, name, &value);
	} while (take(s, ','));
	return take(s, '}') || fail(s, "'}' or ','");
}

static gboolean take_cpus(struct scanner *s, struct register_file *self)
{
	if (!take(s, '['))
		return fail(s, "a list of cores");
	if (take(s, ']'))
		return TRUE;
	do {
		if (!take_cpu(s, self))
			return FALSE;
	} while (take(s, ','));
	return take(s, ']') || fail(s, "']' or ','");
}

static gboolean take_member(struct scanner *s, struct register_file *self)
{
	char name[NAME_MAX_BYTES];
	struct target_register value;

	if (!take_string(s, name, sizeof(name)) || !(take(s, ':') || fail(s, "':'")))
		return FALSE;
	if (strcmp(name, "cpus") == 0)
		return take_cpus(s, self);
	if (strcmp(name, "ram_base") != 0 && strcmp(name, "ram_size") != 0)
		return skip_value(s);
	if (!take_value(s, &value))
		return FALSE;
	self->has_ram = TRUE;
	if (strcmp(name, "ram_base") == 0)
		self->ram.base.value = value.low;
	else
		self->ram.len_bytes = value.low;
	return TRUE;
}

gboolean register_file_parse(struct register_file *self, const char *text, gsize len_bytes,
                             const char *what, GError **error)
{
	struct scanner s = { .start = text, .at = text, .end = text + len_bytes };
	gboolean done = take(&s, '{') || fail(&s, "'{'");

	do {
		done = done && take_member(&s, self);
	} while (done && take(&s, ','));
	done = done && (take(&s, '}') || fail(&s, "'}' or ','"));
	if (done && self->cpus->len == 0)
		done = fail(&s, "at least one core in \"cpus\"");
	if (!done)
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
		            "cannot read the registers in %s: at byte %" G_GSIZE_FORMAT
		            " there should be %s",
		            what, (gsize)(s.at - s.start), s.failed);
	return done;
}

static void format_cpu(GString *out, const struct register_file *self, GHashTable *cpu)
{
	const char *separator = "";

	g_string_append_c(out, '{');
	for (guint i = 0; i < self->names->len; i++) {
		const char *name = g_ptr_array_index(self->names, i);
		const struct target_register *value = g_hash_table_lookup(cpu, name);

		if (value == NULL)
			continue;
		g_string_append_printf(out, "%s\"%s\": \"0x", separator, name);
		if (value->high != 0)
			g_string_append_printf(out,
			                       "%" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
			                       value->high, value->low);
		else
			g_string_append_printf(out, "%" G_GINT64_MODIFIER "x", value->low);
		g_string_append_c(out, '"');
		separator = ", ";
	}
	g_string_append_c(out, '}');
}

char *register_file_format(const struct register_file *self)
{
	GString *out = g_string_new("{");

	if (self->has_ram)
		g_string_append_printf(out,
		                       "\"ram_base\": %" G_GUINT64_FORMAT
		                       ", \"ram_size\": %" G_GUINT64_FORMAT ", ",
		                       self->ram.base.value, self->ram.len_bytes);
	g_string_append(out, "\"cpus\": [");
	for (guint i = 0; i < self->cpus->len; i++) {
		if (i > 0)
			g_string_append(out, ",\n ");
		format_cpu(out, self, g_ptr_array_index(self->cpus, i));
	}
	g_string_append(out, "]}\n");
	return g_string_free(out, FALSE);
}

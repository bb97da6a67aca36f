#include "capture/ini-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(hvscope - ini - file - error, ini_file_error)

/* How much of a line a message quotes. */
enum {
	QUOTE_MAX_BYTES = 60
};

void ini_file_set_error(const struct ini_file *self, guint line, GError **error, const char *format,
                        ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, INI_FILE_ERROR, INI_FILE_ERROR_MALFORMED, "%s:%u: %s", self->name, line,
	            message);
}

/* Text fit for a message: printable, not too long, in quotes. */
static char *quote(const char *text, gsize len)
{
	const gboolean cut = len > QUOTE_MAX_BYTES;
	g_autofree char *head = g_strndup(text, cut ? QUOTE_MAX_BYTES : len);
	g_autofree char *escaped = g_strescape(head, NULL);

	return g_strdup_printf("\"%s%s\"", escaped, cut ? "..." : "");
}

static void entry_clear(gpointer data)
{
	struct ini_entry *entry = data;

	g_free(entry->key);
	g_free(entry->value);
}

static void section_clear(gpointer data)
{
	struct ini_section *section = data;

	for (guint i = 0; i < section->n_entries; i++)
		entry_clear(&section->entries[i]);
	g_free(section->entries);
	g_free(section->name);
}

void ini_file_free(struct ini_file *self)
{
	if (self == NULL)
		return;
	for (guint i = 0; i < self->n_sections; i++)
		section_clear(&self->sections[i]);
	g_free(self->sections);
	g_free(self->name);
	g_free(self);
}

/* The sections so far, and the entries of the last one. */
struct ini_parser {
	struct ini_file *file;
	GArray *sections;
	GArray *entries;
};

static void parser_end_section(struct ini_parser *parser)
{
	struct ini_section *section;
	gsize n_entries;

	if (parser->sections->len == 0)
		return;
	section = &g_array_index(parser->sections, struct ini_section, parser->sections->len - 1);
	section->entries = g_array_steal(parser->entries, &n_entries);
	section->n_entries = (guint)n_entries;
}

static gboolean parse_header(struct ini_parser *parser, const char *text, gsize len, guint line,
                             GError **error)
{
	const char *close = memchr(text, ']', len);
	struct ini_section section = { .line = line };
	g_autofree char *shown = quote(text, len);

	if (close == NULL || close != text + len - 1) {
		ini_file_set_error(parser->file, line, error,
		                   "expected '[section]' with ']' at the end of the line, found %s",
		                   shown);
		return FALSE;
	}
	section.name = g_strstrip(g_strndup(text + 1, len - 2));
	if (section.name[0] == '\0') {
		g_free(section.name);
		ini_file_set_error(parser->file, line, error,
		                   "expected a section name in brackets, found %s", shown);
		return FALSE;
	}
	parser_end_section(parser);
	g_array_append_val(parser->sections, section);
	return TRUE;
}

static gboolean parse_entry(struct ini_parser *parser, const char *text, gsize len, guint line,
                            GError **error)
{
	const char *equals = memchr(text, '=', len);
	struct ini_entry entry = { .line = line };

	if (parser->sections->len == 0) {
		g_autofree char *shown = quote(text, len);

		ini_file_set_error(parser->file, line, error,
		                   "expected a '[section]' line first, found %s", shown);
		return FALSE;
	}
	if (equals == NULL) {
		entry.key = g_strndup(text, len);
	} else {
		const gsize len_key = (gsize)(equals - text);

		entry.key = g_strstrip(g_strndup(text, len_key));
		entry.value = g_strstrip(g_strndup(equals + 1, len - len_key - 1));
	}
	g_array_append_val(parser->entries, entry);
	return TRUE;
}

/* Refuses what no ini file has and what would not survive a terminal or a JSON string. */
static gboolean check_text(struct ini_parser *parser, const char *text, gsize len, guint line,
                           GError **error)
{
	for (gsize i = 0; i < len; i++) {
		const guchar c = (guchar)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			ini_file_set_error(parser->file, line, error,
			                   "expected text, found the control character 0x%02x at "
			                   "column %" G_GSIZE_FORMAT "%s",
			                   c, i + 1, c == 0 ? ": is this a binary file?" : "");
			return FALSE;
		}
	}
	if (!g_utf8_validate(text, (gssize)len, NULL)) {
		g_autofree char *shown = quote(text, len);

		ini_file_set_error(parser->file, line, error,
		                   "expected text in UTF-8, found %s: save the file as UTF-8",
		                   shown);
		return FALSE;
	}
	return TRUE;
}

static gboolean parse_line(struct ini_parser *parser, const char *text, gsize len, guint line,
                           GError **error)
{
	for (gsize i = 0; i < len; i++) {
		if (text[i] == ';' || text[i] == '#')
			len = i;
	}
	while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL && text[len - 1] != '\0')
		len--;
	while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
		text++;
		len--;
	}
	if (len == 0)
		return TRUE;
	if (!check_text(parser, text, len, line, error))
		return FALSE;
	return text[0] == '[' ? parse_header(parser, text, len, line, error)
	                      : parse_entry(parser, text, len, line, error);
}

static gboolean parse_lines(struct ini_parser *parser, const char *bytes, gsize len_bytes,
                            GError **error)
{
	const char *end = bytes + len_bytes;

	if (len_bytes >= 2 &&
	    (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
		ini_file_set_error(parser->file, 1, error,
		                   "expected text in UTF-8, found UTF-16: save the file as UTF-8");
		return FALSE;
	}
	if (len_bytes >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		bytes += 3;
	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (gsize)(end - bytes));
		const char *stop = newline != NULL ? newline : end;

		parser->file->n_lines++;
		if (!parse_line(parser, bytes, (gsize)(stop - bytes), parser->file->n_lines, error))
			return FALSE;
		bytes = newline != NULL ? newline + 1 : end;
	}
	return TRUE;
}

struct ini_file *ini_file_parse(const char *bytes, gsize len_bytes, const char *name,
                                GError **error)
{
	g_autoptr(IniFile) file = g_new0(struct ini_file, 1);
	g_autoptr(GArray) sections = g_array_new(FALSE, FALSE, sizeof(struct ini_section));
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct ini_entry));
	struct ini_parser parser = { .file = file, .sections = sections, .entries = entries };
	gsize n_sections;

	g_array_set_clear_func(sections, section_clear);
	g_array_set_clear_func(entries, entry_clear);
	file->name = g_strdup(name);
	if (!parse_lines(&parser, bytes, len_bytes, error))
		return NULL;
	parser_end_section(&parser);
	file->sections = g_array_steal(sections, &n_sections);
	file->n_sections = (guint)n_sections;
	return g_steal_pointer(&file);
}

/* Reads at most `size_bytes` bytes; a file that shrinks meanwhile gives fewer. */
static gboolean read_all(int fd, const char *name, char *bytes, gsize size_bytes, gsize *len_bytes,
                         GError **error)
{
	gsize len = 0;

	while (len < size_bytes) {
		const ssize_t got = read(fd, bytes + len, size_bytes - len);

		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			g_set_error(error, INI_FILE_ERROR, INI_FILE_ERROR_IO,
			            "%s: reading failed: %s", name, g_strerror(errno));
			return FALSE;
		}
		len += (gsize)got;
	}
	*len_bytes = len;
	return TRUE;
}

static gboolean check_regular(int fd, const char *name, gsize *size_bytes, GError **error)
{
	struct stat info;

	if (fstat(fd, &info) != 0) {
		g_set_error(error, INI_FILE_ERROR, INI_FILE_ERROR_IO, "%s: %s", name,
		            g_strerror(errno));
		return FALSE;
	}
	if (!S_ISREG(info.st_mode)) {
		g_set_error(error, INI_FILE_ERROR, INI_FILE_ERROR_IO,
		            "%s: expected a text file, found %s", name,
		            S_ISDIR(info.st_mode) ? "a directory" : "a special file");
		return FALSE;
	}
	if (info.st_size > INI_FILE_MAX_BYTES) {
		g_set_error(error, INI_FILE_ERROR, INI_FILE_ERROR_IO,
		            "%s: expected an ini file of at most %u bytes, found %" G_GINT64_FORMAT,
		            name, INI_FILE_MAX_BYTES, (gint64)info.st_size);
		return FALSE;
	}
	*size_bytes = (gsize)info.st_size;
	return TRUE;
}

struct ini_file *ini_file_load(const char *path, const char *name, GError **error)
{
	/* Without O_NONBLOCK a FIFO of that name would hang the open. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	g_autofree char *bytes = NULL;
	gsize size_bytes;
	gsize len_bytes;
	gboolean ok;

	if (fd < 0) {
		g_set_error(error, INI_FILE_ERROR,
		            errno == ENOENT || errno == ENOTDIR ? INI_FILE_ERROR_NOT_FOUND
		                                                : INI_FILE_ERROR_IO,
		            "%s: opening it failed: %s", name, g_strerror(errno));
		return NULL;
	}
	ok = check_regular(fd, name, &size_bytes, error);
	if (ok) {
		bytes = g_malloc(size_bytes + 1);
		ok = read_all(fd, name, bytes, size_bytes, &len_bytes, error);
	}
	close(fd);
	return ok ? ini_file_parse(bytes, len_bytes, name, error) : NULL;
}

gboolean ini_section_check(const struct ini_file *self, const struct ini_section *section,
                           enum ini_keys keys, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		char *folded;
		gpointer before;

		if (entry->value == NULL || entry->key[0] == '\0') {
			g_autofree char *shown = quote(entry->key, strlen(entry->key));

			ini_file_set_error(self, entry->line, error,
			                   "expected 'key=value' in [%s], found %s", section->name,
			                   entry->value == NULL ? shown : "no key before '='");
			return FALSE;
		}
		if (keys == INI_KEYS_MAY_REPEAT)
			continue;
		folded = g_ascii_strdown(entry->key, -1);
		before = g_hash_table_lookup(seen, folded);
		if (before != NULL) {
			g_free(folded);
			ini_file_set_error(self, entry->line, error,
			                   "expected each key of [%s] once, found '%s' again "
			                   "(first in line %u)",
			                   section->name, entry->key, GPOINTER_TO_UINT(before));
			return FALSE;
		}
		g_hash_table_insert(seen, folded, GUINT_TO_POINTER(entry->line));
	}
	return TRUE;
}

gboolean ini_file_find(const struct ini_file *self, const char *name, enum ini_keys keys,
                       const struct ini_section **section, GError **error)
{
	const struct ini_section *found = NULL;

	for (guint i = 0; i < self->n_sections; i++) {
		if (g_ascii_strcasecmp(self->sections[i].name, name) != 0)
			continue;
		if (found != NULL) {
			ini_file_set_error(self, self->sections[i].line, error,
			                   "expected one section [%s], found another "
			                   "(first in line %u)",
			                   name, found->line);
			return FALSE;
		}
		found = &self->sections[i];
	}
	if (found != NULL && !ini_section_check(self, found, keys, error))
		return FALSE;
	*section = found;
	return TRUE;
}

const struct ini_entry *ini_section_entry(const struct ini_section *section, const char *key)
{
	for (guint i = 0; i < section->n_entries; i++) {
		if (g_ascii_strcasecmp(section->entries[i].key, key) == 0)
			return &section->entries[i];
	}
	return NULL;
}

gboolean ini_section_require(const struct ini_file *self, const struct ini_section *section,
                             const char *key, const struct ini_entry **entry, GError **error)
{
	const struct ini_entry *found = ini_section_entry(section, key);

	if (found == NULL) {
		ini_file_set_error(self, section->line, error, "expected '%s=' in [%s], found none",
		                   key, section->name);
		return FALSE;
	}
	if (found->value == NULL || found->value[0] == '\0') {
		ini_file_set_error(self, found->line, error,
		                   "expected a value for '%s' in [%s], found none", key,
		                   section->name);
		return FALSE;
	}
	*entry = found;
	return TRUE;
}

char *ini_entry_unquoted(const struct ini_entry *entry)
{
	const char *start = entry->value;
	gsize len = strlen(start);

	while (len > 0 && strchr(" \t\"'", start[0]) != NULL) {
		start++;
		len--;
	}
	while (len > 0 && strchr(" \t\"'", start[len - 1]) != NULL)
		len--;
	return g_strndup(start, len);
}

static gboolean parse_uint64(const char *digits, guint64 *value)
{
	guint base = 10;
	guint64 sum = 0;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
		base = 16;
		digits += 2;
	} else if (digits[0] == '0' && digits[1] != '\0') {
		base = 8;
		digits++;
	}
	if (digits[0] == '\0')
		return FALSE;
	for (; digits[0] != '\0'; digits++) {
		const int digit = g_ascii_xdigit_value(digits[0]);

		if (digit < 0 || (guint)digit >= base || !g_uint64_checked_mul(&sum, sum, base) ||
		    !g_uint64_checked_add(&sum, sum, (guint64)digit))
			return FALSE;
	}
	*value = sum;
	return TRUE;
}

gboolean ini_entry_uint64(const struct ini_file *self, const struct ini_entry *entry,
                          guint64 *value, GError **error)
{
	g_autofree char *digits = ini_entry_unquoted(entry);

	if (!parse_uint64(digits, value)) {
		g_autofree char *shown = quote(entry->value, strlen(entry->value));

		ini_file_set_error(self, entry->line, error,
		                   "expected a number of at most 64 bits (123 or 0x7b) for '%s', "
		                   "found %s",
		                   entry->key, shown);
		return FALSE;
	}
	return TRUE;
}

char **ini_entry_list(const struct ini_file *self, const struct ini_entry *entry, GError **error)
{
	g_auto(GStrv) words = g_strsplit(entry->value, ",", -1);

	for (guint i = 0; words[i] != NULL; i++) {
		g_strstrip(words[i]);
		if (words[i][0] == '\0') {
			g_autofree char *shown = quote(entry->value, strlen(entry->value));

			ini_file_set_error(
				self, entry->line, error,
				"expected names with ',' between them for '%s', found %s",
				entry->key, shown);
			return NULL;
		}
	}
	if (words[0] == NULL) {
		ini_file_set_error(self, entry->line, error, "expected a name for '%s', found none",
		                   entry->key);
		return NULL;
	}
	return g_steal_pointer(&words);
}

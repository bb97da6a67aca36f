/* ini-file.h: a line-aware reader of ini files
 *
 * Splits "[section]" and "key=value" lines as Arm's snapshot reader does: text
 * from ';' or '#' on is a comment, spaces and tabs around names and values are
 * dropped, a carriage return before the line feed too. Unlike GKeyFile it keeps
 * the line of everything, so that an error can name it, and never merges two
 * sections of one name. Sections and keys are found in any case. It knows no
 * section or key itself, and sections that nobody asks for are never judged.
 *
 * An ini_file owns everything reachable from it and is immutable.
 */
#pragma once

#include <glib.h>

#define INI_FILE_ERROR (ini_file_error_quark())
GQuark ini_file_error_quark(void);

enum ini_file_error {
	INI_FILE_ERROR_NOT_FOUND,
	INI_FILE_ERROR_IO,
	INI_FILE_ERROR_MALFORMED, /* message: "NAME:LINE: expected ..., found ..." */
};

/* The longest file that is read, bytes; a real device file has 11 thousand. */
#define INI_FILE_MAX_BYTES (4u * 1024 * 1024)

struct ini_entry {
	char *key;
	char *value; /* NULL: the line had no '=' and `key` is all of it */
	guint line;  /* from 1 */
};

struct ini_section {
	char *name;
	guint line;                /* of its header */
	struct ini_entry *entries; /* in file order, repeated keys kept */
	guint n_entries;
};

struct ini_file {
	char *name; /* for messages, as given to ini_file_load or ini_file_parse */
	guint n_lines;
	struct ini_section *sections; /* in file order, repeated sections kept */
	guint n_sections;
};
typedef struct ini_file IniFile; /* for g_autoptr(IniFile) */

/* Reads the regular file at `path`. `name` is what messages call it. Fails on what
 * ini_file_parse fails on, on a file that is not there or no regular file, and on
 * one of more than INI_FILE_MAX_BYTES. */
struct ini_file *ini_file_load(const char *path, const char *name, GError **error);

/* Parses `len_bytes` bytes. Fails on NUL and other control characters, on what is no UTF-8
 * (comments are not looked at), on a line before the first section and on a header without
 * ']' or name. A byte order mark is skipped. */
struct ini_file *ini_file_parse(const char *bytes, gsize len_bytes, const char *name,
                                GError **error);
void ini_file_free(struct ini_file *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IniFile, ini_file_free)

enum ini_keys {
	INI_KEYS_UNIQUE, /* a key that occurs twice in the section is an error */
	INI_KEYS_MAY_REPEAT,
};

/* The section `name`, NULL in *section where there is none. Fails where it occurs twice,
 * or where ini_section_check fails. */
gboolean ini_file_find(const struct ini_file *self, const char *name, enum ini_keys keys,
                       const struct ini_section **section, GError **error);

/* Whether every line of the section is "key=value" with a key. */
gboolean ini_section_check(const struct ini_file *self, const struct ini_section *section,
                           enum ini_keys keys, GError **error);

/* The first entry with that key, or NULL. */
const struct ini_entry *ini_section_entry(const struct ini_section *section, const char *key);

/* The value of `key`, at least one character long: else an error that says what is missing
 * where. The value belongs to the file. */
gboolean ini_section_require(const struct ini_file *self, const struct ini_section *section,
                             const char *key, const struct ini_entry **entry, GError **error);

/* Reads an unsigned number of up to 64 bits: decimal, 0x hexadecimal or, as C's base 0
 * that Arm's reader uses, octal after a leading 0. Quotes around it are dropped. */
gboolean ini_entry_uint64(const struct ini_file *self, const struct ini_entry *entry,
                          guint64 *value, GError **error);

/* The value without quotes (' or ") around it. Free with g_free. */
char *ini_entry_unquoted(const struct ini_entry *entry);

/* The comma-separated words of the value, trimmed. Empty words are an error. Free with
 * g_strfreev. */
char **ini_entry_list(const struct ini_file *self, const struct ini_entry *entry, GError **error);

/* Sets INI_FILE_ERROR_MALFORMED with "NAME:LINE: " before the message. */
void ini_file_set_error(const struct ini_file *self, guint line, GError **error, const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

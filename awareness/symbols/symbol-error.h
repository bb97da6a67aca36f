/* symbol-error.h: how everything in awareness/symbols fails
 *
 * One GError domain. NOT_FOUND is the only code that callers are meant to act
 * on (try another name, another version's member); the others end an attempt.
 */
#pragma once

#include <glib.h>

#define SYMBOL_ERROR (symbol_error_quark())
GQuark symbol_error_quark(void);

enum symbol_error {
	SYMBOL_ERROR_NOT_FOUND,   /* no such symbol, type, member, section or line */
	SYMBOL_ERROR_OPEN,        /* the file cannot be opened, read or written */
	SYMBOL_ERROR_DAMAGED,     /* the data contradicts its own format */
	SYMBOL_ERROR_UNSUPPORTED, /* well-formed, but of a kind that is not read here */
	SYMBOL_ERROR_MEMORY,      /* the target's memory could not be read */
	SYMBOL_ERROR_SYNTAX,      /* a member path or an expression that does not parse */
	SYMBOL_ERROR_TYPE,        /* the operation makes no sense on that type */
};

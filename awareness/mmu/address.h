/* address.h: the three kinds of address, and how a user writes one
 *
 * A virtual, an intermediate physical and a physical address are three C types,
 * so that one cannot be passed for another. This file knows how to write and
 * read addresses; it knows no machine and translates nothing.
 *
 * The written form is TRACE32's: `machine:::space::address`. The machine and the
 * space (a process) are numbers or names, each may be left out, and the address
 * is a number or anything the symbols resolve (`init_task`, `jiffies+8`). Before
 * the address `ipa:` and `pa:` say which address space it is in; without either
 * it is a VA. A PA belongs to no machine.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Virtual: what a program of some translation regime uses. */
struct va {
	uint64_t value;
};

/* Intermediate physical: what a guest takes for physical. */
struct ipa {
	uint64_t value;
};

/* Physical: what goes out on the bus. */
struct pa {
	uint64_t value;
};

#define ADDRESS_ERROR (address_error_quark())
GQuark address_error_quark(void);

enum address_error {
	ADDRESS_ERROR_SYNTAX,
};

enum address_kind {
	ADDRESS_KIND_VA,
	ADDRESS_KIND_IPA,
	ADDRESS_KIND_PA,
};

/* An address as written, before anything is looked up. */
struct address_text {
	char *machine; /* NULL where not written */
	char *space;   /* NULL where not written */
	enum address_kind kind;
	char *place;        /* what follows; never empty */
	gboolean is_number; /* `place` is a number, held in `value` */
	uint64_t value;
};

/* Takes `text` apart. `out` is written only on success and is then given back
 * with address_text_deinit(). Errors: ADDRESS_ERROR_SYNTAX. */
gboolean address_text_init(struct address_text *out, const char *text, GError **error);
void address_text_deinit(struct address_text *self);

/* Writes the address in the same form: the machine and the space may be NULL.
 * Returns a new string; parsing it gives the same parts back. */
char *address_format(const char *machine, const char *space, enum address_kind kind,
                     uint64_t value);

/* A number as C writes it: decimal, 0x hexadecimal (case does not matter), with
 * nothing before or behind. Returns FALSE for anything else, and for what does
 * not fit in 64 bits. */
gboolean address_parse_number(const char *text, uint64_t *out);

/* decode.h: what the bits of a system register say
 *
 * Fields and words for the registers that decide what a core does: exception
 * syndrome, hypervisor configuration, translation control, processor state. Pure.
 * Source: Arm DDI 0487, chapter D17 (system register descriptions).
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct register_field {
	const char *name; /* as the manual names it: "TGE", "T0SZ" */
	unsigned high, low;
	uint64_t value;
	const char *meaning; /* words, or NULL where the number says all */
};

/* Appends struct register_field for each field of the register, high ones first.
 * Fields of one bit that are 0 are left out, since there are many. Returns FALSE
 * where the register is not known here. */
gboolean register_decode(const char *name, uint64_t value, GArray *fields);

/* The words for an exception class (ESR_ELx.EC), or NULL for a reserved one. */
const char *register_exception_class(unsigned ec);

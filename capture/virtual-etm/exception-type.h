/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exception-type.h: an AArch64 exception in ETM's terms */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A vector's place in its group of four (DDI 0487, D1.3.1). */
enum vector_kind {
	VECTOR_SYNC,
	VECTOR_IRQ,
	VECTOR_FIQ,
	VECTOR_SERROR,
};

/* The enum etm4_exception_type of an exception that came by a vector of that kind with that
 * ESR_ELx.EC. `trapped`: the instruction did not execute. */
uint16_t exception_type(enum vector_kind kind, unsigned ec, bool trapped);

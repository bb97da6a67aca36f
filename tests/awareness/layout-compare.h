/* layout-compare.h: layouts against libdw's
 *
 * libdw reads the file in a program of its own (dw-layouts.c).
 */
#pragma once

#include "awareness/symbols/types.h"

/* Asserts that `types` says of every struct and union of the ELF file what libdw says,
 * size and members. Returns how many there were. */
unsigned layouts_compare(const char *path, struct types *types);

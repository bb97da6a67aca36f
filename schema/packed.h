/* packed.h: rows of vcpu_run and exit in a few bytes each
 *
 * A report goes through every run and exit of a recording. As rows of a table that takes a
 * microsecond each; this packs the same rows into blobs (hvscope.sql: packed) that are read
 * some twenty times faster. Numbers are LEB128, signed ones zigzag, times and addresses less
 * the row's before. Pure: bytes and rows, no database.
 */
#pragma once

#include "schema/rows.h"

enum {
	PACKED_ROWS_MAX = 4096 /* rows of a blob */
};

/* Where one blob stands, for writing or for reading. Zero it at the blob's start. */
struct packed_state {
	gint64 start_ns;
	guint64 return_address_va, resume_address_va, trace_offset;
};

/* Appends a row; rows of one blob have one vCPU, or one core. */
void packed_add_run(GByteArray *bytes, struct packed_state *state, const struct row_vcpu_run *row);
void packed_add_exit(GByteArray *bytes, struct packed_state *state, const struct row_exit *row);

/* Bytes being read. */
struct packed_bytes {
	const guint8 *at, *end;
};

/* Takes the next row. FALSE where the bytes are none; numbers are what they are, unchecked but
 * for the codes of enumerations, which are within their bounds. `row` is undefined then. */
gboolean packed_take_run(struct packed_bytes *bytes, struct packed_state *state,
                         struct row_vcpu_run *row);
gboolean packed_take_exit(struct packed_bytes *bytes, struct packed_state *state,
                          struct row_exit *row);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* code-image.h: the code that was executed, by who executed it
 *
 * The same virtual address holds other code in another domain, or in the same kernel
 * with another setting of its jump labels. So what ran is kept per exception level, VMID
 * and, for user code, context ID: opcodes by page, as they were when they ran. Where one
 * address of one such space had two opcodes in a window, the first is kept and the
 * conflict counted.
 */
#pragma once

#include "capture/virtual-etm/flow.h"

#include <glib.h>

struct code_image;

struct code_image *code_image_new(void);
void code_image_free(struct code_image *self);

/* The space that `context` executes in; never 0. EL1 code is one for all context IDs, EL2
 * and EL3 code for all VMIDs too. */
uint32_t code_image_space(struct code_image *self, const struct flow_context *context);

/* `block` runs at `va` in `space`. Quick when it was the last that did so. */
void code_image_note(struct code_image *self, uint32_t space, struct flow_block *block,
                     uint64_t va);

uint64_t code_image_conflicts(const struct code_image *self);

/* A run of pages of one space, all of them executed in parts; what did not run reads 0. */
struct code_image_region {
	const char *space; /* "EL2N", "EL1N vmid=2", "EL0N vmid=2 cid=97"; valid in the call */
	uint64_t va;
	uint64_t offset_bytes; /* into the whole image */
	uint64_t len_bytes;
};

/* `page` is called for each page of 4096 bytes in the order of the image, `region` after
 * the pages of each region. */
void code_image_write(const struct code_image *self,
                      void (*page)(void *data, const uint8_t *bytes, size_t len_bytes),
                      void (*region)(void *data, const struct code_image_region *region),
                      void *data);

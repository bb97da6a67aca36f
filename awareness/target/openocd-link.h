/* openocd-link.h: OpenOCD's Tcl server, for the target openocd:
 *
 * One command, one answer, both ended by the byte 0x1a (OpenOCD's manual, "Tcl Scripting
 * API"). It knows no target; whoever asks knows the commands. One thread.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct openocd_link;

/* "HOST:PORT", "HOST" or "" (localhost:6666). Errors: TARGET_ERROR_SPEC,
 * TARGET_ERROR_OPEN. */
struct openocd_link *openocd_link_open(const char *where, GError **error);
void openocd_link_free(struct openocd_link *self);

/* The result of the command, valid until the next one; NULL with TARGET_ERROR_LINK where
 * the link is gone, TARGET_ERROR_REFUSED with OpenOCD's words where the command failed. */
const char *openocd_link_eval(struct openocd_link *self, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

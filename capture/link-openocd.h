/* link-openocd.h: a target behind OpenOCD 0.12, by its Tcl server
 *
 * Speaks OpenOCD's Tcl RPC (request and answer end in 0x1a; manual, chapter "Tcl
 * Scripting API"). Reads and writes go through `mem_ap` targets, one for the
 * access port with the debug components, one for system memory; where the first
 * is missing, the second serves for both, in the CPU's view. It installs two Tcl
 * procedures once, switches OpenOCD's background polling off (it would compete
 * for the adapter) and the idle clocks per access down, and undoes both on close.
 *
 * It does not start OpenOCD and does not touch its CPU targets.
 */
#pragma once

#include "capture/link.h"

struct link_openocd_config {
	const char *host;
	guint16 port;
	guint debug_ap; /* AP numbers, from the board file */
	guint memory_ap;
	guint timeout_s; /* for one answer; 0: 30 */
};

/* Parses "HOST:PORT", "HOST" or "" (localhost:6666). *host is to be freed. */
gboolean link_openocd_parse(const char *address, char **host, guint16 *port, GError **error);

/* NULL and error where nobody listens, it is no OpenOCD, or it has no mem_ap target
 * on the access ports: the message then has the line to add to the configuration. */
struct link *link_openocd_new(const struct link_openocd_config *config, GError **error);

/* Evaluates one Tcl command. NULL and LINK_ERROR_FAULT with OpenOCD's words where it
 * fails. Free with g_free. For `link`s made here only. */
char *link_openocd_eval(struct link *link, const char *command, GError **error);

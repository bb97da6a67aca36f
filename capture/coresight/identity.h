/* identity.h: what answers at a component's address
 *
 * Reads CIDR and PIDR (CoreSight Architecture, IHI 0029, B2.2) and compares with the
 * board file. Every driver relies on this having been done first.
 */
#pragma once

#include "capture/coresight/access.h"

struct identity {
	guint32 cidr; /* 0xB105900D for a CoreSight component, 0xB105100D for a ROM table */
	guint16 part;
	guint16 designer; /* JEP106: continuation << 7 | code; Arm is 0x23B */
	guint8 revision;
	guint32 devtype;
	gboolean matches; /* the preamble is right, and the part where the board states one */
};

/* Fails only where the registers cannot be read. */
gboolean identity_read(struct access *access, guint component, struct identity *identity,
                       GError **error);
/* Fails where it is not the component that the board file says, with both part numbers. */
gboolean identity_check(struct access *access, guint component, GError **error);

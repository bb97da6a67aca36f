#include "capture/coresight/identity.h"

enum {
	CIDR_COMPONENT = 0xB105900Du,
	CIDR_CLASS = 0xF000u,
};

/* Four registers of which the low bytes count. */
static gboolean read_bytes(struct access *access, guint component, guint16 reg, const char *name,
                           guint32 *value, GError **error)
{
	guint32 word = 0;

	for (guint i = 0; i < 4; i++) {
		guint32 byte;

		if (!access_read(access, component, (guint16)(reg + 4 * i), name, &byte, error))
			return FALSE;
		word |= (byte & 0xFF) << (8 * i);
	}
	*value = word;
	return TRUE;
}

gboolean identity_read(struct access *access, guint component, struct identity *identity,
                       GError **error)
{
	const struct board_component *expected = board_component(access->board, component);
	struct identity found = { 0 };
	guint32 pidr, pidr4;

	if (!read_bytes(access, component, 0xFF0, "CIDR0", &found.cidr, error) ||
	    !read_bytes(access, component, 0xFE0, "PIDR0", &pidr, error) ||
	    !access_read(access, component, 0xFD0, "PIDR4", &pidr4, error) ||
	    !access_read(access, component, 0xFCC, "DEVTYPE", &found.devtype, error))
		return FALSE;
	found.part = pidr & 0xFFF;
	found.designer = (guint16)((pidr4 & 0xF) << 7 | (pidr >> 12 & 0x7F));
	found.revision = pidr >> 20 & 0xF;
	found.matches =
		(found.cidr & ~(guint32)CIDR_CLASS) == (CIDR_COMPONENT & ~(guint32)CIDR_CLASS) &&
		(expected->part == 0 || found.part == expected->part);
	*identity = found;
	return TRUE;
}

gboolean identity_check(struct access *access, guint component, GError **error)
{
	const struct board_component *expected = board_component(access->board, component);
	struct identity found;

	if (!identity_read(access, component, &found, error))
		return FALSE;
	if (found.matches)
		return TRUE;
	if ((found.cidr & ~(guint32)CIDR_CLASS) != (CIDR_COMPONENT & ~(guint32)CIDR_CLASS))
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_IDENTITY,
		            "%s at 0x%08" G_GINT64_MODIFIER "x: no CoreSight component there: CIDR "
		            "reads 0x%08X, expected 0x%08X; wrong board file, or its clock is off",
		            expected->name, access_address(access, component, 0), found.cidr,
		            CIDR_COMPONENT);
	else
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_IDENTITY,
		            "%s at 0x%08" G_GINT64_MODIFIER "x: PIDR says part 0x%03X, the board "
		            "file expects 0x%03X (%s); is this board a '%s'?",
		            expected->name, access_address(access, component, 0), found.part,
		            expected->part, board_kind_name(expected->kind), access->board->name);
	return FALSE;
}

#include "schema/rows.h"

static const char *const class_names[OWNER_CLASSES] = {
	[OWNER_UNKNOWN] = "unknown",       [OWNER_GUEST] = "guest",   [OWNER_HOST] = "host",
	[OWNER_HYPERVISOR] = "hypervisor", [OWNER_SECURE] = "secure", [OWNER_IDLE] = "idle",
	[OWNER_UNTRACED] = "untraced",     [OWNER_LOST] = "lost",
};

const char *owner_class_name(enum owner_class owner_class)
{
	g_return_val_if_fail((guint)owner_class < OWNER_CLASSES, "unknown");
	return class_names[owner_class];
}

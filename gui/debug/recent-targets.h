/* recent-targets.h: targets that were connected to
 *
 * Kept in targets.ini of the user's configuration, the newest first. What is not
 * understood in it is left out. Holds nothing.
 */
#pragma once

#include <glib.h>

enum {
	RECENT_TARGETS_MAX = 8
};

struct recent_target {
	char *target;
	char *system_path; /* NULL: none */
};

/* New array of struct recent_target *. */
GPtrArray *recent_targets_load(void);
void recent_targets_add(const char *target, const char *system_path);

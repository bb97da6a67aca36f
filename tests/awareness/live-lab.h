/* live-lab.h: a machine of the lab that runs, for tests
 *
 * Boots a scenario with its gdb server, and reads what its guests say on their
 * consoles. One machine serves all tests of a program: booting it is what takes the
 * time. It knows the lab's words, and nothing of awareness beyond opening it.
 */
#pragma once

#include "awareness/system.h"

#include <gio/gio.h>

struct live_lab {
	char *dir;
	char *socket;
	GSubprocess *boot;
	struct target *target;
	struct system_file *file;
	struct system *system;
};

/* FALSE, with the reason in *skip (a new string), where the lab cannot run here.
 * Everything else that goes wrong ends the test. */
gboolean live_lab_init(struct live_lab *self, const char *scenario, char **skip);
void live_lab_deinit(struct live_lab *self);

/* Lets it run for `us` of wall clock time and looks at it again. */
void live_lab_run(struct live_lab *self, unsigned us);

/* The console as it is now: one guest's lines, without what Xen and other guests
 * printed in between, and without a last line that is not yet whole. `domain` is Xen's
 * number. A new string. */
char *live_lab_console(struct live_lab *self, unsigned domain);

/* The number that the guest printed for its task of a kind ("fork"), or -1. */
int64_t live_lab_task(struct live_lab *self, unsigned domain, const char *kind);

/* Listings of /proc that the guest printed. */
struct proc_listing {
	unsigned number;
	gboolean whole;
	GHashTable *tids; /* GINT_TO_POINTER */
};
/* Of struct proc_listing, in order. */
GArray *live_lab_listings(struct live_lab *self, unsigned domain);

/* The highest listing of which anything is on the console; -1 for none. */
int live_lab_last_listing(struct live_lab *self, unsigned domain);

/* Freezes the machine into a core and expects to see in it, with no symbols of the
 * guests, what `lab` sees with them. live-frozen.c. */
void live_frozen_compare(struct live_lab *lab, const char *const guests[], uint64_t ram_base);

/* fixture.h: a simulated board, a real OpenOCD on it, and a link to that
 *
 * Owns a scratch directory, the simulator's thread and the OpenOCD process.
 */
#pragma once

#include "capture/link.h"
#include "tests/sim/server.h"

#include <gio/gio.h>

struct fixture {
	char *dir;
	struct sim_soc *soc;
	struct sim_server *server;
	GSubprocess *openocd;
	guint16 port;
};

/* FALSE after g_test_skip where there is no openocd. `extra` are further lines of
 * OpenOCD configuration, or NULL. */
gboolean fixture_init(struct fixture *self, const char *extra);
/* As above; with_apb FALSE leaves OpenOCD the AXI access port only (the CPU's view). */
gboolean fixture_init_view(struct fixture *self, const char *extra, gboolean with_apb);
void fixture_deinit(struct fixture *self);
/* A link to the running OpenOCD; aborts the test on failure. */
struct link *fixture_link(const struct fixture *self);
void fixture_kill_openocd(struct fixture *self);
/* Fails the test if the model saw anything that a chip calls UNPREDICTABLE. */
void fixture_assert_no_violations(const struct fixture *self);
/* Removes a directory and all in it. */
void fixture_remove_tree(const char *path);

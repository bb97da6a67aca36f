/* dump-data.h: the frozen Xen of the data, unpacked for a test
 *
 * Files in a folder of their own: the RAM image, and a system file that names the
 * symbols. dump_data_init() returns FALSE after g_test_skip() where the data is not
 * there.
 */
#pragma once

#include <glib.h>

struct dump_data {
	char *dir;
	char *ram;
	char *state;
	char *target; /* ram:FILE+STATE */
	char *system;
	char *expected; /* the text of walk-expected.txt */
};

gboolean dump_data_init(struct dump_data *self);
void dump_data_deinit(struct dump_data *self);

/* dump-scene.h: the frozen Xen of the data behind the fake target
 *
 * The same memory and registers as the files, but writable, and failing on demand.
 * scene_init() returns FALSE after g_test_skip() where the data is not there.
 */
#pragma once

#include "tests/awareness/dump-data.h"

#include "awareness/system.h"
#include "awareness/target/target-fake.h"

struct scene {
	struct dump_data data;
	struct target *target;
	struct system_file *file;
	struct system *system;
	uint8_t *ram;
	uint64_t base;
	uint64_t len_bytes;
};

gboolean scene_init(struct scene *self);
void scene_deinit(struct scene *self);

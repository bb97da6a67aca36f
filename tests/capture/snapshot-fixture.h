/* snapshot-fixture.h: a small good capture, for tests to break
 *
 * One core, its ETMv4 and an STM in two buffers: five ini files, a.bin (16 bytes)
 * and b.bin (8). Directories are the caller's and lie in the temporary directory.
 */
#pragma once

#include "capture/snapshot.h"

/* Makes the capture. Free the path with g_free, the directory with snapshot_fixture_remove. */
char *snapshot_fixture_new(void);
void snapshot_fixture_remove(const char *dir);

/* What its ini file `file` holds. */
const char *snapshot_fixture_file(const char *file);

/* Replaces a file; len_bytes -1: up to the NUL. */
void snapshot_fixture_write(const char *dir, const char *file, const char *bytes, gssize len_bytes);

/* Asserts that the capture opens and that snapshot_text, without the directory's path, is so. */
void snapshot_fixture_assert_text(const char *dir, const char *expected);

/* Asserts that opening `path` fails with that code and a message that begins so, where the
 * path of `dir` is left out. */
void snapshot_fixture_assert_fails(const char *dir, const char *path, enum snapshot_error code,
                                   const char *expected);

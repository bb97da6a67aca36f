/* fuzz.h: the entry point of every fuzz target
 *
 * A target is one file fuzz-NAME.c with this function, one line in
 * tests/fuzz/meson.build and a folder of inputs in tests/fuzz/corpus/NAME. clang
 * links it to libFuzzer (./run fuzz); gcc builds link it to replay.c, an ordinary
 * test that feeds it the corpus and mutations of it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Feeds one input to the parser under test and checks what must hold of any result: it may
 * abort, and returns 0 otherwise. Called many times in one process, from one thread. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes);

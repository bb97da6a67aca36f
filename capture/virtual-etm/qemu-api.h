/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-api.h: the differences between QEMU's plugin APIs
 *
 * Version 4 (QEMU 9.1 to 10.0) is what the virtual ETM is tested with. Later ones changed
 * what reading a register returns. It wraps calls, and decides nothing.
 */
#pragma once

#include <qemu-plugin.h>

#if QEMU_PLUGIN_VERSION < 4
#error "the virtual ETM needs version 4 of QEMU's plugin API (QEMU 9.1 or later)"
#endif

/* Appends the value in target byte order. */
static inline bool qemu_api_read_register(struct qemu_plugin_register *handle, GByteArray *bytes)
{
#if QEMU_PLUGIN_VERSION >= 6
	return qemu_plugin_read_register(handle, bytes);
#else
	return qemu_plugin_read_register(handle, bytes) > 0;
#endif
}

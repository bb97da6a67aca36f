/* trace-settings.h: a trace unit's registers in words
 *
 * Says what the recorded settings of an ETMv4, ETE or STM make it trace, for
 * people who have not the register's bits in their head. Only words: nothing is
 * decided by them. Bits after Arm IHI 0064 (ETMv4, chapter 7) and Arm IHI 0054
 * with the STM-500's manual (STMTCSR).
 */
#pragma once

#include "capture/snapshot.h"

/* One setting: "traces" - "timestamps, VMID". */
struct trace_setting {
	const char *name; /* static */
	char *words;
};

/* The settings of one source, in reading order, as struct trace_setting; only those
 * whose registers the capture has. Empty for protocols whose registers are not
 * known here. Unref the result. */
GArray *trace_settings_of(const struct snapshot_source *source);

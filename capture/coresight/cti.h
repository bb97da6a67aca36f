/* cti.h: cross triggers, and the timestamp generator
 *
 * Joins a trigger input of one CTI to a trigger output of another over a channel
 * (DDI 0480, chapter 4): this is how a breakpoint stops the trace. Channels 0 and 1
 * belong to OpenOCD's aarch64 target and are never touched here.
 */
#pragma once

#include "capture/coresight/access.h"

enum {
	CTI_TRACE_CHANNEL = 2,
};

void cti_program_input(struct sequence *program, guint component, guint trigger, guint channel);
void cti_program_output(struct sequence *program, guint component, guint trigger, guint channel);

/* The timestamp generator's count and its CNTFID0 (Hz; 0 where it says nothing). */
gboolean tsgen_read(struct access *access, guint component, guint64 *count, guint32 *hz,
                    gboolean *enabled, GError **error);
void tsgen_program_enable(struct sequence *program, guint component);

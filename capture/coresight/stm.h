/* stm.h: programs a System Trace Macrocell (STM-500, DDI 0528)
 *
 * Switches on software stimulus: all ports, with timestamps. Pure: it builds programs.
 */
#pragma once

#include "capture/coresight/sequence.h"

/* `timestamp_hz` goes into the stream's FREQ packets; 0: not known. */
void stm_program_start(struct sequence *program, guint component, guint8 trace_id,
                       guint32 timestamp_hz);
void stm_program_stop(struct sequence *program, guint component, guint8 trace_id);

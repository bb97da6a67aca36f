/* capture-dir.h: a scenario run into a capture directory
 *
 * The Arm snapshot files around the trace (snapshot.ini, devices with their registers,
 * trace.ini), capture.ini, system.ini with the names, truth, and the damage that the
 * scenario orders. Written here without the product's own snapshot writer, so that the
 * reader is tested against something else.
 */
#pragma once

#include "tests/synth/scenario.h"

/* Runs the scenario; `dir` is made where it is absent, files in it are replaced.
 *
 *	cstrace.bin    the trace, after the faults
 *	truth.csv      core,start_ns,duration_ns,cycles,class,el,vmid,context_id,vcpu
 *	truth-stm.csv  time_ns,master,channel,value
 *	marks.csv      core,offset,time_ns,mark: where time can be read in the undamaged file
 *	lost.csv       core,from_ns,to_ns,begin_offset,end_offset,fault: what the faults took
 */
gboolean capture_dir_write(const struct scenario *scenario, const char *dir, GError **error);

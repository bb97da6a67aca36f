/* fabric.h: programs what lies between the sources and the sink
 *
 * Funnels, replicators and the TPIU: small components with a few registers each
 * (CoreSight SoC-400 TRM, DDI 0480). Pure: it builds programs.
 */
#pragma once

#include "capture/coresight/sequence.h"

/* Opens the input ports of the mask. */
void funnel_program(struct sequence *program, guint component, guint32 port_mask);
/* Passes all trace IDs at output `port` (0 or 1) and none at the other. */
void replicator_program(struct sequence *program, guint component, guint port);

/* Starts the trace port, `width` pins wide, in continuous mode. */
void tpiu_program_start(struct sequence *program, guint component, guint width);
void tpiu_program_stop(struct sequence *program, guint component);

/* session-internal.h: what the session's two files share
 *
 * session-plan.c turns a plan into programs; session.c runs them. For nobody else.
 */
#pragma once

#include "capture/coresight/sequence.h"
#include "capture/session.h"

void session_program_sink(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config);
/* `skip`, parallel to plan->components, or NULL. */
void session_program_path(struct sequence *program, const struct session_plan *plan,
                          const struct session_config *config, const gboolean *skip);
void session_program_sources(struct sequence *program, const struct session_plan *plan,
                             guint32 timestamp_hz);
/* Sources and sink. */
void session_program_stop(struct sequence *program, const struct session_plan *plan);
/* Sink and links, after draining. */
void session_program_off(struct sequence *program, const struct session_plan *plan);

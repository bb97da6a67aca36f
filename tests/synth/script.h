/* script.h: a core that does just what the scenario says, step by step
 *
 * For tests that need one exact sequence. After the last step the core goes on running in
 * its last place until the scenario ends. */
#pragma once

#include "tests/synth/core.h"

/* Whether the scenario has steps for this core. */
gboolean script_has_core(const struct scenario *scenario, guint core);

/* Runs them; the core was begun. Ends at the scenario's end. */
void script_run(const struct scenario *scenario, struct synth_core *core,
                struct synth_output *output);

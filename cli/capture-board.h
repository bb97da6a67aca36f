/* capture-board.h: `hvscope capture` for real boards
 *
 * The part of the verb that reaches a board through a link; verb-capture.c chooses
 * it. argv[0] is "capture" or "capture probe".
 */
#pragma once

int capture_board_run(int argc, char **argv);
int capture_probe_run(int argc, char **argv);

/* server.h: the simulated chip on a socket, as OpenOCD's remote_bitbang wants it
 *
 * One thread serves one OpenOCD at a time on a unix socket and lets the chip's
 * time pass. The PS TAP and the DAP's TAP are in the chain in the order that
 * OpenOCD's target/xilinx_zynqmp.cfg declares.
 */
#pragma once

#include "tests/sim/soc.h"

struct sim_server;

/* Does not own `soc`. NULL where the socket cannot be made. */
struct sim_server *sim_server_new(struct sim_soc *soc, const char *socket_path);
void sim_server_free(struct sim_server *server);

#include "tests/sim/server.h"

#include "tests/sim/jtag.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	PS_IDCODE = 0x24738093, /* XCZU9EG, the chip of a ZCU102 */
	DAP_IDCODE = 0x5BA00477,
	PS_IR_IDCODE = 0x249,
	PS_IR_JTAG_CTRL = 0x824,
	DAP_IR_ABORT = 0x8,
	DAP_IR_DPACC = 0xA,
	DAP_IR_APACC = 0xB,
	DAP_IR_IDCODE = 0xE,
};

struct sim_server {
	struct sim_soc *soc;
	struct jtag_tap taps[2];
	struct jtag_chain chain;
	int listener;
	int stop_pipe[2];
	char *path;
	GThread *thread;
	gboolean tck, tms, tdi;
};

static guint64 ps_capture(struct jtag_tap *tap, guint *length)
{
	struct sim_server *self = tap->data;

	*length = tap->ir == PS_IR_IDCODE || tap->ir == PS_IR_JTAG_CTRL ? 32 : 1;
	if (tap->ir == PS_IR_IDCODE)
		return PS_IDCODE;
	return tap->ir == PS_IR_JTAG_CTRL ? self->soc->jtag_ctrl : 0;
}

static void ps_update(struct jtag_tap *tap, guint64 value)
{
	struct sim_server *self = tap->data;

	if (tap->ir == PS_IR_JTAG_CTRL)
		self->soc->jtag_ctrl = (guint32)value;
}

static guint64 dap_tap_capture(struct jtag_tap *tap, guint *length)
{
	struct sim_server *self = tap->data;

	switch (tap->ir) {
	case DAP_IR_DPACC:
	case DAP_IR_APACC:
		*length = 35;
		return dap_capture(&self->soc->dap, tap->ir == DAP_IR_APACC);
	case DAP_IR_ABORT:
		*length = 35;
		return 0;
	case DAP_IR_IDCODE:
		*length = 32;
		return DAP_IDCODE;
	default:
		*length = 1;
		return 0;
	}
}

static void dap_tap_update(struct jtag_tap *tap, guint64 value)
{
	struct sim_server *self = tap->data;

	if (tap->ir == DAP_IR_DPACC || tap->ir == DAP_IR_APACC)
		dap_update(&self->soc->dap, tap->ir == DAP_IR_APACC, value);
	else if (tap->ir == DAP_IR_ABORT)
		dap_abort(&self->soc->dap, value);
}

static void handle(struct sim_server *self, char c, GByteArray *answer)
{
	if (c >= '0' && c <= '7') {
		gboolean tck = ((c - '0') & 4) != 0;

		self->tms = ((c - '0') & 2) != 0;
		self->tdi = ((c - '0') & 1) != 0;
		if (tck && !self->tck) {
			jtag_chain_clock(&self->chain, self->tms, self->tdi);
			self->soc->n_clocks++;
		}
		self->tck = tck;
	} else if (c == 'R') {
		guint8 bit = jtag_chain_tdo(&self->chain) ? '1' : '0';

		g_byte_array_append(answer, &bit, 1);
	} else if (c == 't' || c == 'u') {
		jtag_chain_init(&self->chain, self->taps, G_N_ELEMENTS(self->taps));
	}
}

static gboolean send_all(int fd, const guint8 *data, gsize len_bytes)
{
	while (len_bytes > 0) {
		ssize_t n = send(fd, data, len_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		data += n;
		len_bytes -= (gsize)n;
	}
	return TRUE;
}

/* FALSE when the peer is gone. */
static gboolean serve(struct sim_server *self, int fd)
{
	static char buffer[1 << 16];
	g_autoptr(GByteArray) answer = g_byte_array_new();
	ssize_t n = read(fd, buffer, sizeof buffer);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	g_mutex_lock(&self->soc->lock);
	for (ssize_t i = 0; i < n; i++) {
		if (buffer[i] == 'Q') {
			g_mutex_unlock(&self->soc->lock);
			return FALSE;
		}
		handle(self, buffer[i], answer);
	}
	g_mutex_unlock(&self->soc->lock);
	return send_all(fd, answer->data, answer->len);
}

static gpointer server_main(gpointer data)
{
	struct sim_server *self = data;
	int peer = -1;
	gint64 last_tick_us = g_get_monotonic_time();

	for (;;) {
		struct pollfd fds[3] = { { self->stop_pipe[0], POLLIN, 0 },
			                 { peer < 0 ? self->listener : -1, POLLIN, 0 },
			                 { peer, POLLIN, 0 } };
		gint64 now_us;

		if (poll(fds, G_N_ELEMENTS(fds), 1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0)
			peer = accept(self->listener, NULL, NULL);
		if (fds[2].revents != 0 && !serve(self, peer)) {
			close(peer);
			peer = -1;
		}
		now_us = g_get_monotonic_time();
		if (now_us - last_tick_us >= 1000) {
			last_tick_us = now_us;
			g_mutex_lock(&self->soc->lock);
			sim_soc_tick(self->soc);
			g_mutex_unlock(&self->soc->lock);
		}
	}
	if (peer >= 0)
		close(peer);
	return NULL;
}

struct sim_server *sim_server_new(struct sim_soc *soc, const char *socket_path)
{
	struct sim_server *self = g_new0(struct sim_server, 1);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	self->soc = soc;
	self->path = g_strdup(socket_path);
	self->taps[0] = (struct jtag_tap) { .ir_length = 12,
		                            .ir_reset = PS_IR_IDCODE,
		                            .ir_capture = 0x51,
		                            .capture = ps_capture,
		                            .update = ps_update,
		                            .data = self };
	self->taps[1] = (struct jtag_tap) { .ir_length = 4,
		                            .ir_reset = DAP_IR_IDCODE,
		                            .ir_capture = 1,
		                            .capture = dap_tap_capture,
		                            .update = dap_tap_update,
		                            .data = self };
	jtag_chain_init(&self->chain, self->taps, G_N_ELEMENTS(self->taps));
	g_strlcpy(addr.sun_path, socket_path, sizeof addr.sun_path);
	self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (self->listener < 0 ||
	    bind(self->listener, (const struct sockaddr *)&addr, sizeof addr) != 0 ||
	    listen(self->listener, 1) != 0 || pipe2(self->stop_pipe, O_CLOEXEC) != 0) {
		g_free(self->path);
		g_free(self);
		return NULL;
	}
	self->thread = g_thread_new("sim", server_main, self);
	return self;
}

void sim_server_free(struct sim_server *server)
{
	if (server == NULL)
		return;
	if (write(server->stop_pipe[1], "q", 1) != 1)
		g_warning("sim: cannot stop the server thread");
	g_thread_join(server->thread);
	close(server->listener);
	close(server->stop_pipe[0]);
	close(server->stop_pipe[1]);
	unlink(server->path);
	g_free(server->path);
	g_free(server);
}

#include "awareness/target/gdb-link.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT_BYTES = 64 * 1024,
	REPLY_MAX = 1 << 20,
	RETRIES_MAX = 8,
	DRAIN_MS = 100,
	STOPS_MAX = 64,
};

struct gdb_link {
	int fd;
	gboolean acknowledge;
	unsigned timeout_ms;
	size_t packet_bytes;
	char input[INPUT_BYTES];
	size_t input_at, input_end;
	GString *reply;
	GString *last_sent; /* as framed, for a peer that asks again */
	GQueue stops;       /* of char *: stop replies that nobody waited for */
	char *last_stop;
};

struct gdb_link *gdb_link_new_from_fd(int fd)
{
	struct gdb_link *self = g_new0(struct gdb_link, 1);

	self->fd = fd;
	self->acknowledge = TRUE;
	self->timeout_ms = 5000;
	self->packet_bytes = 400;
	self->reply = g_string_new(NULL);
	self->last_sent = g_string_new(NULL);
	g_queue_init(&self->stops);
	return self;
}

struct gdb_link *gdb_link_open(const char *where, GError **error)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketConnection) connection = NULL;
	g_autoptr(GError) reason = NULL;
	int fd;

	g_socket_client_set_timeout(client, 10);
	if (g_str_has_prefix(where, "unix:")) {
		g_autoptr(GSocketAddress) address = g_unix_socket_address_new(where + 5);

		connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL,
		                                     &reason);
	} else {
		connection = g_socket_client_connect_to_host(client, where, 1234, NULL, &reason);
	}
	if (connection == NULL) {
		g_set_error(
			error, TARGET_ERROR, TARGET_ERROR_OPEN,
			"cannot connect to the gdb server at %s: %s; is it listening (QEMU: -gdb "
			"tcp::PORT)?",
			where, reason->message);
		return NULL;
	}
	fd = dup(g_socket_get_fd(g_socket_connection_get_socket(connection)));
	return gdb_link_new_from_fd(fd);
}

void gdb_link_free(struct gdb_link *self)
{
	if (self == NULL)
		return;
	close(self->fd);
	g_string_free(self->reply, TRUE);
	g_string_free(self->last_sent, TRUE);
	g_queue_clear_full(&self->stops, g_free);
	g_free(self->last_stop);
	g_free(self);
}

void gdb_link_set_packet_bytes(struct gdb_link *self, size_t n_bytes)
{
	self->packet_bytes = CLAMP(n_bytes, 64, 16384);
}

size_t gdb_link_packet_bytes(const struct gdb_link *self)
{
	return self->packet_bytes;
}

void gdb_link_set_timeout(struct gdb_link *self, unsigned timeout_ms)
{
	self->timeout_ms = timeout_ms;
}

unsigned gdb_link_timeout(const struct gdb_link *self)
{
	return self->timeout_ms;
}

static gboolean broken(GError **error, const char *what)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK, "the gdb server %s", what);
	return FALSE;
}

static gboolean send_bytes(struct gdb_link *self, const char *bytes, size_t len, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)self->timeout_ms * 1000;

	while (len > 0) {
		struct pollfd wait = { .fd = self->fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&wait, 1, 100) < 0 && errno != EINTR)
			return broken(error, g_strerror(errno));
		n = send(self->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return broken(error, "closed the connection while it was written to");
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (g_get_monotonic_time() > deadline) {
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_TIMEOUT,
			            "the gdb server takes no more input");
			return FALSE;
		}
	}
	return TRUE;
}

/* The next byte, or -1 with an error; -2 when the time was up. */
static int next_byte(struct gdb_link *self, gint64 deadline, GError **error)
{
	while (self->input_at == self->input_end) {
		struct pollfd wait = { .fd = self->fd, .events = POLLIN };
		gint64 left = (deadline - g_get_monotonic_time()) / 1000;
		ssize_t n;

		if (left < 0)
			return -2;
		if (poll(&wait, 1, (int)MIN(left + 1, 60000)) <= 0)
			continue;
		n = recv(self->fd, self->input, sizeof(self->input), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			broken(error, "closed the connection");
			return -1;
		}
		if (n > 0) {
			self->input_at = 0;
			self->input_end = (size_t)n;
		}
	}
	return (unsigned char)self->input[self->input_at++];
}

static gboolean append_byte(GString *reply, int byte, int *last)
{
	if (reply->len >= REPLY_MAX)
		return FALSE;
	g_string_append_c(reply, (char)byte);
	*last = byte;
	return TRUE;
}

/* What follows '$' up to the checksum. 1: whole; 0: damaged; -1 error, -2 timeout. */
static int read_body(struct gdb_link *self, gint64 deadline, GError **error)
{
	unsigned sum = 0;
	int last = -1;
	int check[2];
	gboolean fits = TRUE;

	g_string_truncate(self->reply, 0);
	for (;;) {
		int byte = next_byte(self, deadline, error);

		if (byte < 0)
			return byte;
		if (byte == '#')
			break;
		if (byte == '$') {
			/* A packet that was cut off: this is the next one. */
			g_string_truncate(self->reply, 0);
			sum = 0;
			continue;
		}
		sum += (unsigned)byte;
		if (byte == '}' || (byte == '*' && last >= 0)) {
			int next = next_byte(self, deadline, error);

			if (next < 0)
				return next;
			sum += (unsigned)next;
			if (byte == '}')
				fits = append_byte(self->reply, next ^ 0x20, &last) && fits;
			/* A run: the character counts the repeats, from 29. */
			for (int i = 0; byte == '*' && i < next - 29; i++)
				fits = append_byte(self->reply, last, &last) && fits;
			continue;
		}
		fits = append_byte(self->reply, byte, &last) && fits;
	}
	for (int i = 0; i < 2; i++) {
		int byte = next_byte(self, deadline, error);

		if (byte < 0)
			return byte;
		check[i] = g_ascii_xdigit_value((gchar)byte);
	}
	if (!fits) {
		broken(error, "sent a reply without end");
		return -1;
	}
	return check[0] >= 0 && check[1] >= 0 &&
	       (sum & 0xff) == (unsigned)(check[0] << 4 | check[1]);
}

/* One packet into self->reply: 1, or -1 with an error, or -2 at the deadline. */
static int read_packet(struct gdb_link *self, gint64 deadline, GError **error)
{
	for (unsigned tries = 0; tries < RETRIES_MAX;) {
		int byte = next_byte(self, deadline, error);
		int result;

		if (byte < 0)
			return byte;
		if (byte == '-' && self->acknowledge) {
			tries++;
			if (!send_bytes(self, self->last_sent->str, self->last_sent->len, error))
				return -1;
			continue;
		}
		if (byte != '$')
			continue;
		result = read_body(self, deadline, error);
		if (result < 0)
			return result;
		if (self->acknowledge && !send_bytes(self, result ? "+" : "-", 1, error))
			return -1;
		if (result)
			return 1;
		tries++;
		if (!self->acknowledge)
			break;
	}
	broken(error, "sends packets whose checksum is wrong");
	return -1;
}

gboolean gdb_link_send(struct gdb_link *self, const char *packet, GError **error)
{
	unsigned sum = 0;

	g_string_assign(self->last_sent, "$");
	for (const char *p = packet; *p != '\0'; p++) {
		if (strchr("$#}*", *p) != NULL) {
			g_string_append_c(self->last_sent, '}');
			g_string_append_c(self->last_sent, (char)(*p ^ 0x20));
			sum += '}' + (unsigned)(*p ^ 0x20);
		} else {
			g_string_append_c(self->last_sent, *p);
			sum += (unsigned char)*p;
		}
	}
	g_string_append_printf(self->last_sent, "#%02x", sum & 0xff);
	return send_bytes(self, self->last_sent->str, self->last_sent->len, error);
}

/* No answer to a question begins like a stop reply but for two hexadecimal digits
 * after the letter, and these only in T and S, W and X. */
static gboolean is_stop(const GString *reply)
{
	return reply->len >= 3 && strchr("TSWX", reply->str[0]) != NULL &&
	       g_ascii_isxdigit(reply->str[1]) && g_ascii_isxdigit(reply->str[2]);
}

static void keep_stop(struct gdb_link *self)
{
	if (g_queue_get_length(&self->stops) < STOPS_MAX)
		g_queue_push_tail(&self->stops, g_strndup(self->reply->str, self->reply->len));
}

const GString *gdb_link_receive(struct gdb_link *self, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)self->timeout_ms * 1000;

	for (;;) {
		int result = read_packet(self, deadline, error);

		if (result == -2)
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_TIMEOUT,
			            "the gdb server did not answer within %u ms", self->timeout_ms);
		if (result < 0)
			return NULL;
		if (!is_stop(self->reply))
			return self->reply;
		keep_stop(self);
	}
}

const GString *gdb_link_ask(struct gdb_link *self, GError **error, const char *format, ...)
{
	g_autofree char *packet = NULL;
	va_list args;

	va_start(args, format);
	packet = g_strdup_vprintf(format, args);
	va_end(args);
	if (!gdb_link_send(self, packet, error))
		return NULL;
	return gdb_link_receive(self, error);
}

gboolean gdb_link_quiet(struct gdb_link *self, GError **error)
{
	const GString *reply = gdb_link_ask(self, error, "QStartNoAckMode");

	if (reply == NULL)
		return FALSE;
	if (strcmp(reply->str, "OK") == 0)
		self->acknowledge = FALSE;
	return TRUE;
}

gboolean gdb_link_interrupt(struct gdb_link *self, GError **error)
{
	return send_bytes(self, "\x03", 1, error);
}

gboolean gdb_link_wait_stop(struct gdb_link *self, unsigned timeout_ms, const char **out,
                            GError **error)
{
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	while (g_queue_is_empty(&self->stops)) {
		int result = read_packet(self, deadline, error);

		if (result == -1)
			return FALSE;
		if (result == -2) {
			*out = NULL;
			return TRUE;
		}
		if (is_stop(self->reply))
			keep_stop(self);
	}
	g_free(self->last_stop);
	self->last_stop = g_queue_pop_head(&self->stops);
	*out = self->last_stop;
	return TRUE;
}

void gdb_link_drain(struct gdb_link *self)
{
	while (next_byte(self, g_get_monotonic_time() + DRAIN_MS * 1000, NULL) >= 0)
		;
}

#include "awareness/target/openocd-link.h"

#include "awareness/target/target.h"

#include <gio/gio.h>
#include <string.h>

enum {
	END_OF_MESSAGE = 0x1a,
	DEFAULT_PORT = 6666,
	TIMEOUT_S = 30,
	ANSWER_MAX = 4 << 20,
};

struct openocd_link {
	GSocketConnection *connection;
	char *where;
	GByteArray *answer;
	gboolean lost;
};

struct openocd_link *openocd_link_open(const char *where, GError **error)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GError) reason = NULL;
	const char *address = where[0] != '\0' ? where : "localhost";
	GSocketConnection *connection;
	struct openocd_link *self;

	g_socket_client_set_timeout(client, TIMEOUT_S);
	connection = g_socket_client_connect_to_host(client, address, DEFAULT_PORT, NULL, &reason);
	if (connection == NULL) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
		            "cannot connect to OpenOCD's Tcl server at %s: %s; does OpenOCD run, "
		            "and is this its tcl_port (6666 where nothing is configured)?",
		            address, reason->message);
		return NULL;
	}
	self = g_new0(struct openocd_link, 1);
	self->connection = connection;
	self->where = g_strdup(address);
	self->answer = g_byte_array_new();
	return self;
}

void openocd_link_free(struct openocd_link *self)
{
	if (self == NULL)
		return;
	g_object_unref(self->connection);
	g_byte_array_unref(self->answer);
	g_free(self->where);
	g_free(self);
}

static const char *lost(struct openocd_link *self, const char *why, GError **error)
{
	self->lost = TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK,
	            "OpenOCD at %s went away (%s); look at its log and start it again", self->where,
	            why);
	return NULL;
}

static const char *receive(struct openocd_link *self, GError **error)
{
	GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(self->connection));

	g_byte_array_set_size(self->answer, 0);
	for (;;) {
		guint8 chunk[16384];
		g_autoptr(GError) reason = NULL;
		gssize n = g_input_stream_read(in, chunk, sizeof(chunk), NULL, &reason);

		if (n <= 0)
			return lost(self, n == 0 ? "it closed the connection" : reason->message,
			            error);
		g_byte_array_append(self->answer, chunk, (guint)n);
		if (chunk[n - 1] == END_OF_MESSAGE)
			break;
		if (self->answer->len > ANSWER_MAX)
			return lost(self, "its answer has no end", error);
	}
	self->answer->data[self->answer->len - 1] = '\0';
	return (const char *)self->answer->data;
}

const char *openocd_link_eval(struct openocd_link *self, GError **error, const char *format, ...)
{
	GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(self->connection));
	g_autofree char *command = NULL;
	g_autofree char *request = NULL;
	g_autoptr(GError) reason = NULL;
	const char *text, *rest;
	va_list args;

	va_start(args, format);
	command = g_strdup_vprintf(format, args);
	va_end(args);
	/* An error comes back as plain text like any answer: catch says which it is. */
	request = g_strdup_printf("format \"%%d\\n%%s\" [catch {%s} hvscope_r] $hvscope_r%c",
	                          command, END_OF_MESSAGE);
	if (self->lost)
		return lost(self, "earlier", error);
	if (!g_output_stream_write_all(out, request, strlen(request), NULL, NULL, &reason))
		return lost(self, reason->message, error);
	text = receive(self, error);
	if (text == NULL)
		return NULL;
	rest = strchr(text, '\n');
	if (rest != NULL && g_str_has_prefix(text, "0\n"))
		return rest + 1;
	g_set_error(error, TARGET_ERROR, rest != NULL ? TARGET_ERROR_REFUSED : TARGET_ERROR_LINK,
	            "OpenOCD at %s: '%.80s' failed: %.200s", self->where, command,
	            rest != NULL && rest[1] != '\0' ? rest + 1
	                                            : "without a word; its log says more");
	return NULL;
}

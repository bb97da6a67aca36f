#include "capture/link-openocd.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

enum {
	END_OF_MESSAGE = 0x1a,
	DEFAULT_PORT = 6666,
	DEFAULT_TIMEOUT_S = 30,
	/* OpenOCD's read_memory takes so many elements; a quarter of it costs no speed
	 * and lets a slow adapter show progress. */
	BLOCK_WORDS = 16384,
	MAX_ANSWER_BYTES = 4 << 20,
	IDLE_CLOCKS = 8,
};

struct link_openocd {
	struct link head;
	GSocketConnection *connection;
	char *debug_target;
	char *memory_target;
	char *dap;
	char *old_idle_clocks;
	gboolean poll_was_on;
	gboolean lost;
	GByteArray *answer;
};

static const char procedures[] = "proc hvscope_fifo {target address count stop} {"
				 " set words {};"
				 " for {set i 0} {$i < $count} {incr i} {"
				 "  set word [$target read_memory $address 32 1];"
				 "  if {$word == $stop} break;"
				 "  lappend words $word };"
				 " return $words };"
				 "proc hvscope_targets {} {"
				 " set found {};"
				 " foreach t [target names] {"
				 "  if {[$t cget -type] eq \"mem_ap\"} {"
				 "   append found \"$t [$t cget -dap] [$t cget -ap-num]\\n\" } };"
				 " return $found }";

gboolean link_openocd_parse(const char *address, char **host, guint16 *port, GError **error)
{
	const char *colon = strrchr(address, ':');
	guint64 number = DEFAULT_PORT;

	if (colon != NULL && !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &number, NULL)) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_ADDRESS,
		            "openocd:%s: '%s' is no port number; write openocd:HOST:PORT, as in "
		            "openocd:localhost:6666",
		            address, colon + 1);
		return FALSE;
	}
	*host = colon != NULL ? g_strndup(address, (gsize)(colon - address)) : g_strdup(address);
	if (**host == '\0') {
		g_free(*host);
		*host = g_strdup("localhost");
	}
	*port = (guint16)number;
	return TRUE;
}

static gboolean lost(struct link_openocd *self, const char *doing, const char *why, GError **error)
{
	self->lost = TRUE;
	g_set_error(error, LINK_ERROR, LINK_ERROR_LOST,
	            "%s went away (%s) during '%.60s'; look at its log, start it again and repeat",
	            self->head.description, why, doing);
	return FALSE;
}

static gboolean receive(struct link_openocd *self, const char *doing, GError **error)
{
	GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(self->connection));

	g_byte_array_set_size(self->answer, 0);
	for (;;) {
		guint8 chunk[65536];
		g_autoptr(GError) io_error = NULL;
		gssize n = g_input_stream_read(in, chunk, sizeof chunk, NULL, &io_error);

		if (n <= 0)
			return lost(self, doing,
			            n == 0 ? "it closed the connection" : io_error->message, error);
		g_byte_array_append(self->answer, chunk, (guint)n);
		if (chunk[n - 1] == END_OF_MESSAGE)
			break;
		if (self->answer->len > MAX_ANSWER_BYTES)
			return lost(self, doing, "its answer has no end", error);
	}
	self->answer->data[self->answer->len - 1] = '\0';
	return TRUE;
}

static gboolean transact(struct link_openocd *self, const char *command, GError **error)
{
	/* An error would come back as plain text: catch says which it is. */
	g_autofree char *request =
		g_strdup_printf("format \"%%d\\n%%s\" [catch {%s} hvscope_r] $hvscope_r%c", command,
	                        END_OF_MESSAGE);
	GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(self->connection));
	g_autoptr(GError) io_error = NULL;

	if (self->lost)
		return lost(self, command, "earlier", error);
	if (!g_output_stream_write_all(out, request, strlen(request), NULL, NULL, &io_error))
		return lost(self, command, io_error->message, error);
	return receive(self, command, error);
}

/* The result of the command, inside self->answer. */
static const char *eval(struct link_openocd *self, const char *command, GError **error)
{
	const char *text;

	if (!transact(self, command, error))
		return NULL;
	text = (const char *)self->answer->data;
	if (g_str_has_prefix(text, "0\n"))
		return text + 2;
	if (g_ascii_isdigit(text[0]) && text[1] == '\n')
		g_set_error(error, LINK_ERROR, LINK_ERROR_FAULT, "OpenOCD: '%.80s': %s", command,
		            text[2] != '\0' ? g_strchomp((char *)self->answer->data + 2)
		                            : "failed, without a word; its log says more");
	else
		g_set_error(error, LINK_ERROR, LINK_ERROR_PROTOCOL,
		            "%s answered '%.40s' to '%.40s': is this OpenOCD's Tcl port (6666), "
		            "not telnet or GDB?",
		            self->head.description, text, command);
	return NULL;
}

char *link_openocd_eval(struct link *link, const char *command, GError **error)
{
	return g_strdup(eval((struct link_openocd *)link, command, error));
}

static const char *target_of(const struct link_openocd *self, enum link_space space)
{
	return space == LINK_SPACE_DEBUG ? self->debug_target : self->memory_target;
}

/* What the debug port has to say about an access that failed. */
static void explain_fault(struct link_openocd *self, const char *what, guint64 addr, GError *cause,
                          GError **error)
{
	guint64 status = 0;
	const char *text, *meaning = "";

	if (!g_error_matches(cause, LINK_ERROR, LINK_ERROR_FAULT)) {
		g_propagate_error(error, cause);
		return;
	}
	g_autofree char *command = g_strdup_printf("%s dpreg 4", self->dap);

	text = eval(self, command, NULL);
	if (text != NULL)
		status = g_ascii_strtoull(text, NULL, 16);
	/* CSYSPWRUPACK and CDBGPWRUPACK (IHI 0031, B2.2.2). */
	if (text != NULL && (status & 0xA0000000u) != 0xA0000000u)
		meaning = ": debug power is off, the target was reset or power-cycled, so restart "
			  "OpenOCD";
	else if ((status & 1u << 5) != 0)
		meaning = ", sticky error";
	else if ((status & 1u << 1) != 0)
		meaning = ", overrun";
	g_set_error(error, LINK_ERROR, LINK_ERROR_FAULT,
	            "%s of 0x%08" G_GINT64_MODIFIER
	            "x through %s failed (debug port CTRL/STAT %s%s): %s",
	            what, addr, self->head.description,
	            text != NULL ? g_strstrip((char *)self->answer->data + 2) : "unreadable",
	            meaning, cause->message);
	g_error_free(cause);
}

static gboolean parse_words(const char *text, guint32 *words, gsize max_words, gsize *n_words)
{
	gsize n = 0;

	for (;;) {
		char *end;

		while (*text == ' ')
			text++;
		if (*text == '\0')
			break;
		guint64 value = g_ascii_strtoull(text, &end, 0);

		if (end == text || value > G_MAXUINT32 || n == max_words)
			return FALSE;
		words[n++] = (guint32)value;
		text = end;
	}
	*n_words = n;
	return TRUE;
}

static gboolean run_read(struct link_openocd *self, const char *command, const char *what,
                         guint64 addr, guint32 *words, gsize max_words, gsize *n_words,
                         GError **error)
{
	GError *cause = NULL;
	const char *text = eval(self, command, &cause);

	if (text == NULL) {
		explain_fault(self, what, addr, cause, error);
		return FALSE;
	}
	if (!parse_words(text, words, max_words, n_words)) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_PROTOCOL,
		            "%s answered '%.40s' to '%s', not words", self->head.description, text,
		            command);
		return FALSE;
	}
	return TRUE;
}

static gboolean openocd_read_block(struct link *link, enum link_space space, guint64 addr,
                                   guint32 *words, gsize n_words, GError **error)
{
	struct link_openocd *self = (struct link_openocd *)link;

	while (n_words > 0) {
		gsize n = MIN(n_words, BLOCK_WORDS), got;
		g_autofree char *command = g_strdup_printf("%s read_memory 0x%" G_GINT64_MODIFIER
		                                           "x 32 %" G_GSIZE_FORMAT,
		                                           target_of(self, space), addr, n);

		if (!run_read(self, command, "a read", addr, words, n, &got, error))
			return FALSE;
		if (got != n) {
			g_set_error(error, LINK_ERROR, LINK_ERROR_PROTOCOL,
			            "%s gave %" G_GSIZE_FORMAT " words for '%s'", link->description,
			            got, command);
			return FALSE;
		}
		words += n;
		addr += n * 4;
		n_words -= n;
	}
	return TRUE;
}

static gboolean openocd_write32(struct link *link, enum link_space space, guint64 addr,
                                guint32 value, GError **error)
{
	struct link_openocd *self = (struct link_openocd *)link;
	g_autofree char *command =
		g_strdup_printf("%s write_memory 0x%" G_GINT64_MODIFIER "x 32 0x%x",
	                        target_of(self, space), addr, value);
	GError *cause = NULL;

	if (eval(self, command, &cause) != NULL)
		return TRUE;
	explain_fault(self, "a write", addr, cause, error);
	return FALSE;
}

static gboolean openocd_read_fifo(struct link *link, guint64 addr, guint32 stop_word,
                                  guint32 *words, gsize max_words, gsize *n_words, GError **error)
{
	struct link_openocd *self = (struct link_openocd *)link;
	g_autofree char *command = g_strdup_printf(
		"hvscope_fifo %s 0x%" G_GINT64_MODIFIER "x %" G_GSIZE_FORMAT " 0x%x",
		self->debug_target, addr, MIN(max_words, BLOCK_WORDS), stop_word);

	return run_read(self, command, "a FIFO read", addr, words, MIN(max_words, BLOCK_WORDS),
	                n_words, error);
}

static void openocd_close(struct link *link)
{
	struct link_openocd *self = (struct link_openocd *)link;

	if (!self->lost && self->old_idle_clocks != NULL) {
		g_autofree char *command =
			g_strdup_printf("%s memaccess %s", self->dap, self->old_idle_clocks);

		eval(self, command, NULL);
	}
	if (!self->lost && self->poll_was_on)
		eval(self, "poll on", NULL);
	g_clear_object(&self->connection);
	g_byte_array_unref(self->answer);
	g_free(self->debug_target);
	g_free(self->memory_target);
	g_free(self->dap);
	g_free(self->old_idle_clocks);
	g_free(self);
}

static const struct link_class openocd_class = {
	.name = "openocd",
	.read_block = openocd_read_block,
	.write32 = openocd_write32,
	.read_fifo = openocd_read_fifo,
	.close = openocd_close,
};

/* Chooses among "TARGET DAP AP" lines. */
static void choose_targets(struct link_openocd *self, const char *listing,
                           const struct link_openocd_config *config)
{
	g_auto(GStrv) lines = g_strsplit(listing, "\n", -1);

	for (guint i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], " ", 3);
		guint64 ap;

		if (g_strv_length(fields) != 3)
			continue;
		ap = g_ascii_strtoull(fields[2], NULL, 0);
		if (ap == config->debug_ap && self->debug_target == NULL)
			self->debug_target = g_strdup(fields[0]);
		else if (ap == config->memory_ap && self->memory_target == NULL)
			self->memory_target = g_strdup(fields[0]);
		else
			continue;
		if (self->dap == NULL)
			self->dap = g_strdup(fields[1]);
	}
}

static gboolean find_targets(struct link_openocd *self, const struct link_openocd_config *config,
                             GError **error)
{
	const char *listing = eval(self, "hvscope_targets", error);

	if (listing == NULL)
		return FALSE;
	choose_targets(self, listing, config);
	if (self->debug_target == NULL && self->memory_target == NULL) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_CONNECT,
		            "%s has no mem_ap target on access port %u (debug) or %u (memory); add "
		            "to its configuration: target create hvscope.apb mem_ap -dap "
		            "[lindex [dap names] 0] -ap-num %u",
		            self->head.description, config->debug_ap, config->memory_ap,
		            config->debug_ap);
		return FALSE;
	}
	self->head.has_memory = self->memory_target != NULL;
	self->head.view = LINK_VIEW_EXTERNAL;
	if (self->debug_target == NULL) {
		self->debug_target = g_strdup(self->memory_target);
		self->head.view = LINK_VIEW_CPU;
	}
	return TRUE;
}

static gboolean prepare(struct link_openocd *self, const struct link_openocd_config *config,
                        GError **error)
{
	const char *text;
	g_autofree char *query = NULL;
	g_autofree char *change = NULL;

	if (eval(self, procedures, error) == NULL || !find_targets(self, config, error))
		return FALSE;
	text = eval(self, "capture poll", NULL);
	self->poll_was_on = text != NULL && strstr(text, "polling: on") != NULL;
	if (self->poll_was_on && eval(self, "poll off", error) == NULL)
		return FALSE;
	query = g_strdup_printf("capture {%s memaccess}", self->dap);
	/* "memory bus access delay set to N tck" */
	text = eval(self, query, NULL);
	if (text != NULL && (text = strpbrk(text, "0123456789")) != NULL)
		self->old_idle_clocks = g_strdup_printf("%d", atoi(text));
	change = g_strdup_printf("%s memaccess %d", self->dap, IDLE_CLOCKS);
	return eval(self, change, error) != NULL;
}

struct link *link_openocd_new(const struct link_openocd_config *config, GError **error)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	struct link_openocd *self = g_new0(struct link_openocd, 1);
	g_autoptr(GError) cause = NULL;

	self->head.class = &openocd_class;
	self->head.best_block_words = BLOCK_WORDS;
	self->head.description = g_strdup_printf("openocd at %s:%u", config->host, config->port);
	self->answer = g_byte_array_new();
	g_socket_client_set_timeout(client,
	                            config->timeout_s != 0 ? config->timeout_s : DEFAULT_TIMEOUT_S);
	self->connection =
		g_socket_client_connect_to_host(client, config->host, config->port, NULL, &cause);
	if (self->connection == NULL) {
		g_set_error(error, LINK_ERROR, LINK_ERROR_CONNECT,
		            "cannot reach %s: %s; is OpenOCD running, with tcl_port %u?",
		            self->head.description, cause->message, config->port);
		link_close(&self->head);
		return NULL;
	}
	if (!prepare(self, config, error)) {
		link_close(&self->head);
		return NULL;
	}
	return &self->head;
}

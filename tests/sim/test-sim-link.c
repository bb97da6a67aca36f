/* The OpenOCD link against a real OpenOCD on a simulated chip. */
#include "capture/link-openocd.h"
#include "tests/sim/fixture.h"

#include <string.h>

static void test_words(void)
{
	struct fixture f;
	g_autoptr(GError) error = NULL;
	guint32 word = 0;

	if (!fixture_init(&f, NULL))
		return;
	struct link *link = fixture_link(&f);

	g_assert_cmpint(link->view, ==, LINK_VIEW_EXTERNAL);
	g_assert_true(link->has_memory);
	g_assert_true(link_read32(link, LINK_SPACE_DEBUG, 0x80150FE0, &word, &error));
	g_assert_cmphex(word, ==, 0x61);
	g_assert_true(link_write32(link, LINK_SPACE_DEBUG, 0x80120000, 0x70F, &error));
	g_assert_true(link_read32(link, LINK_SPACE_DEBUG, 0x80120000, &word, &error));
	g_assert_cmphex(word, ==, 0x70F);
	g_assert_true(link_write32(link, LINK_SPACE_MEMORY, 0x800001000, 0xCAFE0123, &error));
	g_assert_true(link_read32(link, LINK_SPACE_MEMORY, 0x800001000, &word, &error));
	g_assert_cmphex(word, ==, 0xCAFE0123);
	link_close(link);
	fixture_deinit(&f);
}

static void test_block(void)
{
	struct fixture f;
	g_autoptr(GError) error = NULL;
	enum {
		N_WORDS = 40000
	};
	g_autofree guint32 *in = g_new(guint32, N_WORDS);
	g_autofree guint32 *out = g_new0(guint32, N_WORDS);

	if (!fixture_init(&f, NULL))
		return;
	for (guint i = 0; i < N_WORDS; i++)
		in[i] = i * 2654435761u;
	g_mutex_lock(&f.soc->lock);
	sim_soc_memory_write(f.soc, 0x7000F00, (const guint8 *)in, (gsize)N_WORDS * 4);
	/* A chip that asks for patience now and then. */
	f.soc->dap.wait_every = 1000;
	f.soc->dap.wait_scans = 3;
	g_mutex_unlock(&f.soc->lock);
	struct link *link = fixture_link(&f);

	g_assert_true(link_read_block(link, LINK_SPACE_MEMORY, 0x7000F00, out, N_WORDS, &error));
	g_assert_cmpint(memcmp(out, in, (gsize)N_WORDS * 4), ==, 0);
	g_assert_cmpuint(f.soc->dap.n_waits, >, 30);
	link_close(link);
	fixture_deinit(&f);
}

static void test_bus_error(void)
{
	struct fixture f;
	g_autoptr(GError) error = NULL;
	guint32 word = 0;

	if (!fixture_init(&f, NULL))
		return;
	struct link *link = fixture_link(&f);

	g_assert_false(link_read32(link, LINK_SPACE_DEBUG, 0x80700FE0, &word, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_FAULT);
	g_assert_nonnull(strstr(error->message, "0x80700fe0"));
	g_clear_error(&error);
	/* The sticky error is not in the way of what follows. */
	g_assert_true(link_read32(link, LINK_SPACE_DEBUG, 0x80150FE0, &word, &error));
	g_assert_cmphex(word, ==, 0x61);
	link_close(link);
	fixture_deinit(&f);
}

static void test_killed(void)
{
	struct fixture f;
	g_autoptr(GError) error = NULL;
	guint32 word = 0;

	if (!fixture_init(&f, NULL))
		return;
	struct link *link = fixture_link(&f);

	fixture_kill_openocd(&f);
	g_assert_false(link_read32(link, LINK_SPACE_DEBUG, 0x80150FE0, &word, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_LOST);
	link_close(link);
	fixture_deinit(&f);
}

static void test_nobody(void)
{
	struct link_openocd_config config = { "127.0.0.1", 1, 1, 0, 5 };
	g_autoptr(GError) error = NULL;

	g_assert_null(link_openocd_new(&config, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_CONNECT);
}

/* One raw request on the Tcl port; the answer is to be freed. */
static char *ask(const struct fixture *f, const char *request)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketConnection) connection =
		g_socket_client_connect_to_host(client, "127.0.0.1", f->port, NULL, NULL);
	g_autofree char *line = g_strdup_printf("%s\x1a", request);
	char answer[512] = "";

	g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), line,
	                          strlen(line), NULL, NULL, NULL);
	g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(connection)), answer,
	                    sizeof answer - 1, NULL, NULL);
	return g_strdup(answer);
}

/* What opening changed is as before after closing. */
static void test_leaves_no_trace(void)
{
	struct fixture f;

	if (!fixture_init(&f, NULL))
		return;
	g_free(ask(&f, "uscale.dap memaccess 20"));

	struct link *link = fixture_link(&f);
	g_autofree char *during = link_openocd_eval(link, "capture {uscale.dap memaccess}", NULL);

	g_assert_nonnull(strstr(during, " 8 "));
	link_close(link);
	g_autofree char *after = ask(&f, "concat [capture {uscale.dap memaccess}] [capture poll]");

	g_assert_nonnull(strstr(after, " 20 "));
	g_assert_nonnull(strstr(after, "polling: on"));
	fixture_deinit(&f);
}

static void test_parse(void)
{
	g_autoptr(GError) error = NULL;
	char *host = NULL;
	guint16 port = 0;

	g_assert_true(link_openocd_parse("", &host, &port, &error));
	g_assert_cmpstr(host, ==, "localhost");
	g_assert_cmpuint(port, ==, 6666);
	g_free(host);
	g_assert_true(link_openocd_parse("box:7000", &host, &port, &error));
	g_assert_cmpstr(host, ==, "box");
	g_assert_cmpuint(port, ==, 7000);
	g_free(host);
	g_assert_false(link_openocd_parse("box:zz", &host, &port, &error));
	g_assert_error(error, LINK_ERROR, LINK_ERROR_ADDRESS);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sim/link/words", test_words);
	g_test_add_func("/sim/link/block", test_block);
	g_test_add_func("/sim/link/bus-error", test_bus_error);
	g_test_add_func("/sim/link/killed", test_killed);
	g_test_add_func("/sim/link/nobody", test_nobody);
	g_test_add_func("/sim/link/leaves-no-trace", test_leaves_no_trace);
	g_test_add_func("/sim/link/parse", test_parse);
	return g_test_run();
}

/* The gdb remote protocol against a peer of the test's own, first a good one, then one
 * that splits, merges, corrupts, repeats, stalls and lies. */
#include "awareness/target/gdb-link.h"
#include "awareness/target/target-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How the peer misbehaves. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_SPLIT,   /* one byte at a time */
	TROUBLE_CORRUPT, /* now and then a byte is wrong */
	TROUBLE_REPEAT,  /* now and then a packet comes twice */
	TROUBLE_UNASKED, /* stop replies between answers */
	TROUBLE_LIE,     /* answers of the wrong length */
	TROUBLE_STALL,   /* says nothing any more */
	TROUBLE_HANG_UP,
	TROUBLE_NOISE,
	N_TROUBLES,
};

struct peer {
	int fd;
	enum trouble trouble;
	unsigned after; /* packets before the trouble begins */
	unsigned n_packets;
	gboolean acknowledge;
	GRand *rand;
};

static const char description[] =
	"<?xml version=\"1.0\"?><target><xi:include href=\"core.xml\"/></target>";
static const char core_xml[] =
	"<feature name=\"org.gnu.gdb.aarch64.core\"><reg name=\"x0\" bitsize=\"64\"/>"
	"<reg name=\"sp\" bitsize=\"64\" regnum=\"31\"/><reg name=\"pc\" bitsize=\"64\"/>"
	"<reg name=\"cpsr\" bitsize=\"32\"/><reg name=\"TTBR1_EL1\" bitsize=\"64\" regnum=\"100\"/>"
	"</feature>";

static void send_all(struct peer *p, const char *bytes, size_t len)
{
	size_t step = p->trouble == TROUBLE_SPLIT ? 1 : len;

	for (size_t done = 0; done < len; done += step) {
		if (send(p->fd, bytes + done, MIN(step, len - done), MSG_NOSIGNAL) < 0)
			return;
	}
}

static void send_packet(struct peer *p, const char *body)
{
	g_autoptr(GString) packet = g_string_new("$");
	unsigned sum = 0;
	gboolean now = p->n_packets > p->after;

	for (const char *c = body; *c != '\0'; c++)
		sum += (unsigned char)*c;
	g_string_append_printf(packet, "%s#%02x", body, sum & 0xff);
	if (now && p->trouble == TROUBLE_CORRUPT && g_rand_int_range(p->rand, 0, 3) == 0)
		packet->str[g_rand_int_range(p->rand, 1, (gint)packet->len)] ^= 0x15;
	if (now && p->trouble == TROUBLE_UNASKED)
		send_all(p, "$T05thread:01;#d7", 17);
	send_all(p, packet->str, packet->len);
	if (now && p->trouble == TROUBLE_REPEAT && g_rand_int_range(p->rand, 0, 4) == 0)
		send_all(p, packet->str, packet->len);
}

static void send_part(struct peer *p, const char *text, const char *range)
{
	size_t offset = strtoul(range, NULL, 16);
	size_t n = strtoul(strchr(range, ',') + 1, NULL, 16);
	size_t whole = strlen(text);
	g_autofree char *part = NULL;

	offset = MIN(offset, whole);
	n = MIN(n, whole - offset);
	part = g_strdup_printf("%c%.*s", offset + n < whole ? 'm' : 'l', (int)n, text + offset);
	send_packet(p, part);
}

/* Memory is its own address, byte by byte. */
static void send_memory(struct peer *p, const char *range)
{
	uint64_t at = strtoull(range, NULL, 16);
	size_t n = strtoul(strchr(range, ',') + 1, NULL, 16);
	g_autoptr(GString) hex = g_string_new(NULL);

	if (at >= 0x10000) {
		send_packet(p, "E14");
		return;
	}
	if (p->trouble == TROUBLE_LIE && p->n_packets > p->after)
		n = n / 2;
	for (size_t i = 0; i < n; i++)
		g_string_append_printf(hex, "%02x", (unsigned)((at + i) & 0xff));
	send_packet(p, hex->str);
}

static void answer(struct peer *p, const char *question)
{
	if (g_str_has_prefix(question, "qSupported"))
		send_packet(p, "PacketSize=1000;qXfer:features:read+");
	else if (strcmp(question, "QStartNoAckMode") == 0) {
		send_packet(p, p->acknowledge ? "" : "OK");
	} else if (strcmp(question, "?") == 0)
		send_packet(p, "T05thread:01;");
	else if (g_str_has_prefix(question, "qXfer:features:read:target.xml:"))
		send_part(p, description, question + 31);
	else if (g_str_has_prefix(question, "qXfer:features:read:core.xml:"))
		send_part(p, core_xml, question + 29);
	else if (strcmp(question, "qfThreadInfo") == 0)
		send_packet(p, "m01,02");
	else if (strcmp(question, "qsThreadInfo") == 0)
		send_packet(p, "l");
	else if (question[0] == 'm')
		send_memory(p, question + 1);
	else if (question[0] == 'g')
		send_packet(p, "1100000000000000220000000000000033000000000000000f000000");
	else if (strcmp(question, "p64") == 0)
		send_packet(p, "efcdab8967452301");
	else if (question[0] == 'H' || question[0] == 'P' || question[0] == 'Z' ||
	         question[0] == 'z')
		send_packet(p, "OK");
	else
		send_packet(p, "");
}

/* Reads questions until the other side hangs up. */
static gpointer serve(gpointer data)
{
	struct peer *p = data;
	GString *question = NULL;
	char byte;

	/* As QEMU does on connecting to a running machine. */
	send_all(p, "$T02thread:01;#d4", 17);
	while (recv(p->fd, &byte, 1, 0) == 1) {
		if (byte == '$') {
			if (question != NULL)
				g_string_free(question, TRUE);
			question = g_string_new(NULL);
		} else if (byte == '#' && question != NULL) {
			char sum[2];

			if (recv(p->fd, sum, 2, MSG_WAITALL) != 2)
				break;
			p->n_packets++;
			if (p->acknowledge)
				send_all(p, "+", 1);
			if (p->n_packets > p->after && p->trouble == TROUBLE_HANG_UP)
				break;
			if (p->n_packets > p->after && p->trouble == TROUBLE_NOISE) {
				char noise[4096];

				for (size_t i = 0; i < sizeof(noise); i++)
					noise[i] = (char)g_rand_int(p->rand);
				send_all(p, noise, sizeof(noise));
			} else if (p->n_packets <= p->after || p->trouble != TROUBLE_STALL) {
				answer(p, question->str);
			}
			g_string_free(question, TRUE);
			question = NULL;
		} else if (question != NULL) {
			g_string_append_c(question, byte);
		}
	}
	if (question != NULL)
		g_string_free(question, TRUE);
	shutdown(p->fd, SHUT_RDWR);
	return NULL;
}

/* A peer in a thread of its own, and a target that talks to it. */
struct session {
	struct peer peer;
	GThread *thread;
	struct target *target;
};

static void session_init(struct session *s, enum trouble trouble, unsigned after,
                         gboolean acknowledge, GError **error)
{
	struct gdb_link *link;
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
	s->peer = (struct peer) {
		.fd = fds[1],
		.trouble = trouble,
		.after = after,
		.acknowledge = acknowledge,
		.rand = g_rand_new_with_seed(after),
	};
	s->thread = g_thread_new("peer", serve, &s->peer);
	link = gdb_link_new_from_fd(fds[0]);
	/* A good peer may be starved by the rest of the machine; one that stalls is meant to. */
	gdb_link_set_timeout(link,
	                     trouble == TROUBLE_NONE || trouble == TROUBLE_SPLIT ? 60000 : 300);
	s->target = target_gdb_new(link, "gdb:test", error);
}

static void session_deinit(struct session *s)
{
	target_free(s->target);
	g_thread_join(s->thread);
	close(s->peer.fd);
	g_rand_free(s->peer.rand);
}

static void test_good(void)
{
	for (unsigned acknowledge = 0; acknowledge < 2; acknowledge++) {
		g_autoptr(GError) error = NULL;
		struct session s;
		struct target_register value;
		uint8_t bytes[5000], far[4];
		struct target_transfer transfers[] = {
			{ .pa = { 0x1234 }, .data = bytes, .len_bytes = sizeof(bytes) },
			{ .pa = { 0x20000 }, .data = far, .len_bytes = sizeof(far) },
		};

		session_init(&s, TROUBLE_SPLIT, 0, acknowledge != 0, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(target_cpu_count(s.target), ==, 2);
		g_assert_true(target_register_get(s.target, 1, "pc", &value, &error));
		g_assert_cmphex(value.low, ==, 0x33);
		g_assert_true(target_register_get(s.target, 1, "TTBR1_EL1", &value, &error));
		g_assert_cmphex(value.low, ==, 0x0123456789abcdef);
		g_assert_true(target_read(s.target, transfers, 2, &error));
		g_assert_no_error(error);
		g_assert_true(transfers[0].ok);
		g_assert_false(transfers[1].ok);
		for (size_t i = 0; i < sizeof(bytes); i++)
			g_assert_cmpuint(bytes[i], ==, (0x1234 + i) & 0xff);
		session_deinit(&s);
	}
}

/* A write that is accepted and ignored, as QEMU does to system registers. */
static void test_ignored_write(void)
{
	g_autoptr(GError) error = NULL;
	struct target_register value = { .low = 1 };
	struct session s;

	session_init(&s, TROUBLE_NONE, 0, FALSE, &error);
	g_assert_no_error(error);
	g_assert_false(target_register_set(s.target, 0, "TTBR1_EL1", &value, &error));
	g_assert_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED);
	session_deinit(&s);
}

/* Whatever the peer does, each call ends, and what it says to have read is right. */
static void test_trouble(void)
{
	unsigned n_read = 0, n_refused = 0;

	for (unsigned trouble = TROUBLE_NONE; trouble < N_TROUBLES; trouble++) {
		for (unsigned after = 0; after < 24; after += trouble == TROUBLE_STALL ? 5 : 1) {
			g_autoptr(GError) error = NULL;
			struct session s;

			session_init(&s, trouble, after, (after & 1) != 0, &error);
			for (unsigned i = 0; s.target != NULL && i < 8; i++) {
				uint8_t bytes[64];
				struct target_transfer transfer = {
					.pa = { 0x100 + i },
					.data = bytes,
					.len_bytes = 48 + i,
				};
				g_autoptr(GError) failed = NULL;

				if (!target_read(s.target, &transfer, 1, &failed)) {
					g_assert_nonnull(failed);
					n_refused++;
				} else if (transfer.ok && trouble != TROUBLE_CORRUPT &&
				           trouble != TROUBLE_REPEAT) {
					for (size_t b = 0; b < transfer.len_bytes; b++)
						g_assert_cmpuint(bytes[b], ==, i + b);
					n_read++;
				}
			}
			n_refused += s.target == NULL ? 1 : 0;
			session_deinit(&s);
		}
	}
	g_test_message("%u reads went through, %u were refused", n_read, n_refused);
	g_assert_cmpuint(n_read, >, 100);
	g_assert_cmpuint(n_refused, >, 100);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/gdb/good", test_good);
	g_test_add_func("/awareness/gdb/ignored-write", test_ignored_write);
	g_test_add_func("/awareness/gdb/trouble", test_trouble);
	return g_test_run();
}

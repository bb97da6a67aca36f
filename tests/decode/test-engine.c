/* The engine's events against OpenCSD's own packets and elements, on every real ETMv4
 * capture. */
#include "tests/decode/data.h"
#include "tests/decode/opencsd-reference.h"

#include <string.h>

static const char *const captures[] = {
	"xen-1s",
	"bugfix-exact-match",
	"juno_r1_1",
	"juno-uname-002",
	"a57_single_step",
	"a55-test-tpiu",
	"vhe-fib-trace1",
	"vhe-fib-trace3",
	"vhe-branches-trace1",
	"vhe-branches-trace2",
};

static gboolean is_etm4(const struct snapshot_source *source)
{
	return source->protocol == SNAPSHOT_PROTOCOL_ETM4 && source->n_buffers > 0;
}

/* Where OpenCSD's packets end with an exception whose return address is still awaited, and
 * so on, ours do too: nothing is held back, so the lists are simply equal. */
static void compare_packets(const struct snapshot *snapshot, const struct snapshot_source *source)
{
	g_autoptr(GPtrArray) expected = reference_packets(snapshot, source);
	g_autoptr(GPtrArray) got = engine_lines(snapshot, source);

	for (guint i = 0; i < MIN(expected->len, got->len); i++)
		g_assert_cmpstr(got->pdata[i], ==, expected->pdata[i]);
	g_assert_cmpuint(got->len, ==, expected->len);
	g_test_message("%s: %u events equal", source->device->name, got->len);
}

static void test_packets(gconstpointer data)
{
	g_autofree char *path = data_capture(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;

	if (path == NULL)
		return;
	snapshot = snapshot_open(path, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < snapshot->n_sources; i++) {
		if (is_etm4(&snapshot->sources[i]))
			compare_packets(snapshot, &snapshot->sources[i]);
	}
}

/* "OFFSET KIND ..." without " at ADDRESS", which elements do not have. */
static char *comparable(const char *line)
{
	const char *at = strstr(line, " at ");

	return at != NULL ? g_strndup(line, (gsize)(at - line)) : g_strdup(line);
}

static const char *kind_of(const char *line)
{
	return strchr(line, ' ') + 1;
}

struct differences {
	guint context_end;      /* a context after which nothing was executed */
	guint context_repeated; /* a context that says what was already so */
	guint before_loss;      /* next to an overflow, a trace-on or bad data */
	guint missing_image;    /* full decode had lost its way for want of an image */
	guint not_an_element;   /* overflow, discard, bad data: no element of that kind */
};

/* Why the full decoder has no element for our event `i`, counted; FALSE where nothing
 * explains it. The reasons are those of docs/internals/decode.md, "Packets and full
 * decode". */
static gboolean explain(const GPtrArray *events, guint i, gboolean image_complete,
                        struct differences *differences)
{
	const char *kind = kind_of(events->pdata[i]);
	const char *next = i + 1 < events->len ? kind_of(events->pdata[i + 1]) : "END";
	const char *last = i > 0 ? kind_of(events->pdata[i - 1]) : "BEGIN";

	if (g_str_has_prefix(kind, "OVERFLOW") || g_str_has_prefix(kind, "DISCARD") ||
	    g_str_has_prefix(kind, "BAD")) {
		differences->not_an_element++;
	} else if (g_str_has_prefix(kind, "CTX") && g_str_equal(next, "END")) {
		differences->context_end++;
	} else if (g_str_has_prefix(next, "OVERFLOW") || g_str_has_prefix(next, "ON") ||
	           g_str_has_prefix(last, "OVERFLOW") || g_str_has_prefix(next, "BAD")) {
		differences->before_loss++;
	} else if (!image_complete) {
		differences->missing_image++;
	} else if (g_str_has_prefix(kind, "CTX")) {
		differences->context_repeated++;
	} else {
		return FALSE;
	}
	return TRUE;
}

/* Every element must be an event of ours with the same values; what of ours is no element
 * must have a reason. */
static void compare_elements(const struct snapshot *snapshot, const struct snapshot_source *source,
                             gboolean image_complete)
{
	g_autoptr(GPtrArray) elements = reference_elements(snapshot, source);
	g_autoptr(GPtrArray) events = engine_lines(snapshot, source);
	struct differences differences = { 0 };
	guint matched = 0, k = 0;

	for (guint i = 0; i < events->len; i++) {
		g_autofree char *event = comparable(events->pdata[i]);

		/* OpenCSD gives an exception's and a context's elements the index of the
		 * packet that completed them: values are compared, in order. */
		if (k < elements->len && g_str_equal(kind_of(event), kind_of(elements->pdata[k]))) {
			matched++;
			k++;
		} else if (!explain(events, i, image_complete, &differences)) {
			g_test_message("%s: event '%s', element '%s'", source->device->name, event,
			               k < elements->len ? (char *)elements->pdata[k] : "none");
			g_test_fail();
			return;
		}
	}
	g_test_message("%s: %u of %u elements matched; ours alone: %u at the end, %u repeated, "
	               "%u beside a loss, %u without image, %u not elements",
	               source->device->name, matched, elements->len, differences.context_end,
	               differences.context_repeated, differences.before_loss,
	               differences.missing_image, differences.not_an_element);
	g_assert_cmpuint(k, ==, elements->len);
}

static void test_elements(gconstpointer data)
{
	g_autofree char *path = data_capture(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(Snapshot) snapshot = NULL;

	if (path == NULL)
		return;
	snapshot = snapshot_open(path, &error);
	g_assert_no_error(error);
	for (guint i = 0; i < snapshot->n_sources; i++) {
		if (is_etm4(&snapshot->sources[i]))
			compare_elements(snapshot, &snapshot->sources[i],
			                 g_str_equal(data, "bugfix-exact-match"));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(captures); i++) {
		g_autofree char *packets = g_strconcat("/engine/packets/", captures[i], NULL);
		g_autofree char *elements = g_strconcat("/engine/elements/", captures[i], NULL);

		g_test_add_data_func(packets, captures[i], test_packets);
		if (!g_str_equal(captures[i], "xen-1s"))
			g_test_add_data_func(elements, captures[i], test_elements);
	}
	return g_test_run();
}

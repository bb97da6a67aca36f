/* Which vCPU it was, on pieces made by hand: what a dump, a marker and a bound task tell, what
 * follows of threads, and what must stay in doubt. */
#include <glib.h>

#include "decode/schedule-identity.h"

enum {
	IDLE_VA = 0x1000, /* a WFI */
	VMID = 3
};

/* Exits and entries of one domain, put together one after the other. */
struct story {
	struct exit_list list;
	gint64 now_ns;
	gint last[4]; /* each core's last piece, PIECE_NONE where none */
};

static void story_init(struct story *self)
{
	exit_list_init(&self->list);
	self->now_ns = 0;
	for (guint i = 0; i < G_N_ELEMENTS(self->last); i++)
		self->last[i] = PIECE_NONE;
}

/* A guest runs for 1 ms on `core`: entered at an address with a context, it ends with another
 * context (0: the same) in a WFI or, with `busy`, by an interrupt at `exit_va`. */
static gint story_run(struct story *self, guint core, guint64 entry_va, gint64 entry_context,
                      guint32 thread, guint64 exit_va, gboolean busy)
{
	const gint before = self->last[core];
	const gint at = (gint)self->list.pieces->len;
	struct guest_piece piece = {
		.core = core,
		.vmid = VMID,
		.begin_ns = self->now_ns,
		.end_ns = self->now_ns + 1000000,
		.guest_ns = 1000000,
		.first_context = self->list.contexts->len,
		.n_contexts = 1,
		.entry_context_id = entry_context,
		.exit_context_id = busy ? (gint64)thread : 0,
		.entered = TRUE,
		.has_address = TRUE,
		.entry_address_va = entry_va,
		.left = TRUE,
		.has_return_address = TRUE,
		.return_address_va = exit_va,
		.type = busy ? 14 : 3,
		.visit = (gint)self->list.visits->len,
	};
	const struct hypervisor_visit visit = { .core = core,
		                                .begin_ns = piece.end_ns,
		                                .end_ns = piece.end_ns + 500000,
		                                .from = at,
		                                .to = PIECE_NONE };

	if (before != PIECE_NONE)
		g_array_index(
			self->list.visits, struct hypervisor_visit,
			(guint)g_array_index(self->list.pieces, struct guest_piece, (guint)before)
				.visit)
			.to = at;
	g_array_append_val(self->list.contexts, thread);
	g_array_append_val(self->list.pieces, piece);
	g_array_append_val(self->list.visits, visit);
	self->now_ns += 1500000;
	self->last[core] = at;
	return at;
}

/* Wakes from idle, runs a thread, and idles again. */
static gint story_wake(struct story *self, guint core, guint32 thread)
{
	return story_run(self, core, IDLE_VA + 4, 0, thread, IDLE_VA, FALSE);
}

static struct identity *settle(const struct story *self, const struct identity_config *config,
                               struct identity_summary *summary)
{
	struct identity *identities = g_new0(struct identity, self->list.pieces->len);

	identity_settle(config, &self->list, identities, summary);
	return identities;
}

/* Two vCPUs that look alike whenever they sleep are told apart by their threads. */
static void test_threads(void)
{
	const struct identity_config config = { .vmid = VMID,
		                                .n_vcpus = 2,
		                                .unique_contexts = TRUE };
	g_autofree struct identity *identities = NULL;
	struct identity_summary summary;
	struct story story;

	story_init(&story);
	for (guint i = 0; i < 20; i++) {
		story_wake(&story, 0, 71);
		story_wake(&story, 1, 72);
	}
	identities = settle(&story, &config, &summary);
	for (guint i = 2; i < story.list.pieces->len; i++) {
		g_assert_cmpint(identities[i].number, ==, identities[i % 2].number);
		g_assert_cmpfloat(identities[i].confidence, >=, 0.95);
		g_assert_cmpint(identities[i].known, ==, KNOWN_INFERRED);
	}
	g_assert_cmpint(identities[0].number, !=, identities[1].number);
	exit_list_deinit(&story.list);
}

/* Without threads nothing tells them apart, and nothing may seem to. */
static void test_alike(void)
{
	const struct identity_config config = { .vmid = VMID, .n_vcpus = 2 };
	g_autofree struct identity *identities = NULL;
	struct identity_summary summary;
	struct story story;

	story_init(&story);
	for (guint i = 0; i < 20; i++) {
		story_wake(&story, i / 2 % 2, 0);
		story_wake(&story, (i + 1) / 3 % 2, 0);
	}
	identities = settle(&story, &config, &summary);
	for (guint i = 0; i < story.list.pieces->len; i++)
		g_assert_cmpfloat(identities[i].confidence, <, 0.95);
	exit_list_deinit(&story.list);
}

/* Where nobody says how many vCPUs there are, one that idles may be several. */
static void test_number_in_doubt(void)
{
	struct identity_config config = { .vmid = VMID };
	g_autofree struct identity *identities = NULL;
	struct identity_summary summary;
	struct story story;

	story_init(&story);
	for (guint i = 0; i < 10; i++)
		story_wake(&story, 0, 0);
	identities = settle(&story, &config, &summary);
	g_assert_cmpint(summary.n_vcpus, ==, 1);
	g_assert_cmpfloat(identities[9].confidence, <, 0.95);

	config.n_vcpus = 1;
	g_free(identities);
	identities = settle(&story, &config, &summary);
	g_assert_cmpint(identities[9].known, ==, KNOWN_EXACT);
	exit_list_deinit(&story.list);
}

/* A dump of the end says which of the vCPUs has which number of the guest's. */
static void test_dump(void)
{
	const struct identity_end ends[] = {
		{ .number = 0, .context_id = 8, .has_pc = TRUE, .pc_va = 0x8000 },
		{ .number = 1, .context_id = 7, .has_pc = TRUE, .pc_va = 0x7000 },
	};
	const struct identity_config config = { .vmid = VMID,
		                                .n_vcpus = 2,
		                                .unique_contexts = TRUE,
		                                .ends = ends,
		                                .n_ends = G_N_ELEMENTS(ends) };
	g_autofree struct identity *identities = NULL;
	struct identity_summary summary;
	struct story story;

	story_init(&story);
	for (guint i = 0; i < 4; i++) {
		story_run(&story, 0, 0x7000, 7, 7, 0x7000, TRUE);
		story_run(&story, 1, 0x8000, 8, 8, 0x8000, TRUE);
	}
	identities = settle(&story, &config, &summary);
	g_assert_cmpuint(summary.numbered, ==, 3);
	for (guint i = 0; i < story.list.pieces->len; i++) {
		g_assert_cmpint(identities[i].number, ==, i % 2 == 0 ? 1 : 0);
		g_assert_cmpfloat(identities[i].confidence, >=, 0.95);
	}
	exit_list_deinit(&story.list);
}

/* The hypervisor's markers are its own word. */
static void test_markers(void)
{
	static const char text[] = "[system]\nhypervisor=xen\n[machine 3]\nvcpus=2\n";
	g_autoptr(system_file) system = system_file_parse(text, sizeof text - 1, "m.ini", NULL);
	g_autoptr(GArray) markers = g_array_new(FALSE, FALSE, sizeof(struct schedule_marker));
	const struct schedule_given given = { .system = system, .markers = markers };
	g_autofree struct identity *identities = NULL;
	struct identity_summary summary;
	g_autofree gint *marked = NULL;
	struct schedule_marker marker;
	struct story story;

	g_assert_false(schedule_marker_parse(16, 0x10000201, &marker)); /* a guest's page */
	g_assert_false(schedule_marker_parse(1, 0x20000201, &marker));  /* no switch */
	story_init(&story);
	for (guint i = 0; i < 10; i++) {
		story_wake(&story, 0, 0);
		g_assert_true(schedule_marker_parse(0, 0x10000200 | i % 2, &marker));
		marker.time_ns = story.now_ns - 100000;
		g_array_append_val(markers, marker);
	}
	story_wake(&story, 0, 0);
	marked = schedule_marked(&given, &story.list);
	g_assert_cmpint(marked[0], ==, IDENTITY_NO_NUMBER);
	identities = g_new0(struct identity, story.list.pieces->len);
	schedule_tell_apart(&given, &story.list, marked, VMID, identities, &summary);
	for (guint i = 1; i <= 10; i++) {
		g_assert_cmpint(identities[i].number, ==, (gint)(i - 1) % 2);
		g_assert_cmpint(identities[i].known, ==, KNOWN_EXACT);
	}
	g_assert_cmpuint(summary.numbered, ==, 3);
	exit_list_deinit(&story.list);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decode/identity/threads", test_threads);
	g_test_add_func("/decode/identity/alike", test_alike);
	g_test_add_func("/decode/identity/number-in-doubt", test_number_in_doubt);
	g_test_add_func("/decode/identity/dump", test_dump);
	g_test_add_func("/decode/identity/markers", test_markers);
	return g_test_run();
}

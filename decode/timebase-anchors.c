#include "decode/timebase-anchors.h"

enum {
	/* A lone jump of more than a second that is this many times longer than all the
	 * rest is no time. */
	ABSURD_JUMP = 10000,
	ABSURD_JUMP_NS = 1000000000,
};

static struct time_anchor *anchor_at(const struct timebase *self, guint i)
{
	return &g_array_index(self->anchors, struct time_anchor, i);
}

/* Nanoseconds from the reference tick, through the counter's own width: a counter that
 * wrapped in between still gives the small difference. */
static gint64 ticks_to_ns(const struct timebase_config *config, guint64 ticks)
{
	const guint64 difference = ticks - config->reference_ticks;
	const guint unused_bits = 64 - config->timestamp_bits;
	const gint64 relative = (gint64)(difference << unused_bits) >> unused_bits;
	const __int128_t reference = config->reference_ticks;
	const __int128_t hz = (gint64)config->timestamp_hz;
	/* Rounded from tick 0 on, so that the reference moves no difference. */
	const __int128_t ns =
		(reference + relative) * 1000000000 / hz - reference * 1000000000 / hz;

	return (gint64)CLAMP(ns, G_MININT64 / 4, G_MAXINT64 / 4);
}

/* Marks the longest non-descending subsequence of the n anchors in `chosen` (indexes,
 * ascending) by time (patience sorting): what is not in it ran backward or jumped and
 * came back. */
static void keep_longest_run(const struct timebase *self, const guint *chosen, guint n,
                             gboolean *keep)
{
	g_autofree guint *tails = g_new(guint, n + 1);
	g_autofree guint *previous = g_new(guint, n + 1);
	guint n_tails = 0;

	for (guint i = 0; i < n; i++) {
		const gint64 time_ns = anchor_at(self, chosen[i])->time_ns;
		guint low = 0, high = n_tails;

		while (low < high) {
			const guint middle = low + (high - low) / 2;

			if (anchor_at(self, chosen[tails[middle]])->time_ns <= time_ns)
				low = middle + 1;
			else
				high = middle;
		}
		previous[i] = low > 0 ? tails[low - 1] : G_MAXUINT;
		tails[low] = i;
		n_tails = MAX(n_tails, low + 1);
	}
	for (guint i = n_tails > 0 ? tails[n_tails - 1] : G_MAXUINT; i != G_MAXUINT;
	     i = previous[i])
		keep[chosen[i]] = TRUE;
}

/* A corrupt timestamp can stand far ahead of or behind all others without running
 * backward: one jump that dwarfs everything else splits the marked ones of `chosen`, and
 * the smaller side is unmarked. */
static void unmark_absurd_side(const struct timebase *self, const guint *chosen, guint n,
                               gboolean *keep)
{
	g_autofree guint *marked = g_new(guint, n + 1);
	gint64 longest_ns = 0, total_ns;
	guint n_marked = 0, at = 0;

	for (guint i = 0; i < n; i++) {
		if (keep[chosen[i]])
			marked[n_marked++] = chosen[i];
	}
	if (n_marked < 3)
		return;
	for (guint i = 1; i < n_marked; i++) {
		const gint64 jump_ns = anchor_at(self, marked[i])->time_ns -
		                       anchor_at(self, marked[i - 1])->time_ns;

		if (jump_ns > longest_ns) {
			longest_ns = jump_ns;
			at = i;
		}
	}
	total_ns = anchor_at(self, marked[n_marked - 1])->time_ns -
	           anchor_at(self, marked[0])->time_ns;
	if (longest_ns < ABSURD_JUMP_NS || longest_ns / ABSURD_JUMP <= total_ns - longest_ns ||
	    at == n_marked - at)
		return;
	for (guint i = 0; i < n_marked; i++)
		keep[marked[i]] = (i < at) == (at > n_marked - at);
}

/* The first timestamp after each synchronisation is whole, not an update of the one
 * before it: no damage before that point reaches it. Indexes of these, in order. */
static GArray *whole_timestamps(const struct timebase *self)
{
	const GArray *syncs = self->clock->syncs;
	GArray *whole = g_array_new(FALSE, FALSE, sizeof(guint));
	guint next = 0;

	for (guint i = 0; i < self->anchors->len; i++) {
		const guint64 sequence = anchor_at(self, i)->position.sequence;
		gboolean passed = FALSE;

		while (next < syncs->len && g_array_index(syncs, guint64, next) < sequence) {
			passed = TRUE;
			next++;
		}
		if (passed)
			g_array_append_val(whole, i);
	}
	return whole;
}

static gint compare_ticks(gconstpointer a, gconstpointer b)
{
	const guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;

	return (x > y) - (x < y);
}

guint64 timebase_reference(struct timebase *self, const struct cycle_clock *clock)
{
	g_autoptr(GArray) ticks = g_array_new(FALSE, FALSE, sizeof(guint64));
	g_autoptr(GArray) whole = NULL;

	self->clock = clock;
	whole = whole_timestamps(self);
	for (guint i = 0; i < whole->len; i++)
		g_array_append_val(ticks, anchor_at(self, g_array_index(whole, guint, i))->ticks);
	if (ticks->len == 0)
		return anchor_at(self, self->anchors->len / 2)->ticks;
	g_array_sort(ticks, compare_ticks);
	return g_array_index(ticks, guint64, ticks->len / 2);
}

/* Between two whole timestamps that are kept, what fits between them. */
static void keep_between(const struct timebase *self, guint first, guint end, gint64 lowest_ns,
                         gint64 highest_ns, gboolean *keep)
{
	g_autofree guint *chosen = g_new(guint, end - first + 1);
	guint n = 0;

	for (guint i = first; i < end; i++) {
		const gint64 time_ns = anchor_at(self, i)->time_ns;

		if (time_ns >= lowest_ns && time_ns <= highest_ns)
			chosen[n++] = i;
	}
	keep_longest_run(self, chosen, n, keep);
	/* Whole timestamps on both sides leave no room for a jump. */
	if (lowest_ns == G_MININT64 || highest_ns == G_MAXINT64)
		unmark_absurd_side(self, chosen, n, keep);
}

static void keep_plausible(const struct timebase *self, gboolean *keep)
{
	g_autoptr(GArray) whole = whole_timestamps(self);
	gint64 lowest_ns = G_MININT64;
	guint first = 0;

	keep_longest_run(self, (const guint *)(gpointer)whole->data, whole->len, keep);
	unmark_absurd_side(self, (const guint *)(gpointer)whole->data, whole->len, keep);
	for (guint k = 0; k < whole->len; k++) {
		const guint i = g_array_index(whole, guint, k);

		if (!keep[i])
			continue;
		keep_between(self, first, i, lowest_ns, anchor_at(self, i)->time_ns, keep);
		lowest_ns = anchor_at(self, i)->time_ns;
		first = i + 1;
	}
	keep_between(self, first, self->anchors->len, lowest_ns, G_MAXINT64, keep);
}

static void drop_unmarked(struct timebase *self, const gboolean *keep)
{
	guint kept = 0;

	for (guint i = 0; i < self->anchors->len; i++) {
		if (keep[i])
			*anchor_at(self, kept++) = *anchor_at(self, i);
	}
	self->dropped_anchors += self->anchors->len - kept;
	g_array_set_size(self->anchors, kept);
}

void timebase_settle_anchors(struct timebase *self)
{
	g_autofree gboolean *keep = g_new0(gboolean, self->anchors->len + 1);

	for (guint i = 0; i < self->anchors->len; i++)
		anchor_at(self, i)->time_ns = ticks_to_ns(&self->config, anchor_at(self, i)->ticks);
	keep_plausible(self, keep);
	drop_unmarked(self, keep);
}

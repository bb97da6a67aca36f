#include "capture/coresight/rom-table.h"

#include <string.h>

enum {
	PAGE_BYTES = 4096,
	ENTRIES_MAX = 0xF00 / 4, /* of one table: what stands before the identity registers */
	LISTED_MAX = 512,        /* of all tables */
	DEPTH_MAX = 4,
	PROBLEMS_MAX = 20,
	ENTRY_PRESENT = 1u << 0,
	ENTRY_32BIT = 1u << 1,
	ENTRY_RESERVED = 0xE08u, /* bits 11:9 and 3, zero in every entry */
	CLASS_ROM = 0x1,
	CLASS_CORESIGHT = 0x9,
};

#define CIDR_PREAMBLE 0xB105000Du
#define CIDR_CLASS    0x0000F000u
#define ADDRESS       "0x%08" G_GINT64_MODIFIER "x"

struct walker {
	struct access *access;
	struct rom_walk *walk;
	GHashTable *seen; /* addresses of tables */
	gboolean lost;
};

static void problem(struct walker *self, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void problem(struct walker *self, const char *format, ...)
{
	va_list args;

	if (self->walk->problems->len >= PROBLEMS_MAX)
		return;
	va_start(args, format);
	g_ptr_array_add(self->walk->problems, g_strdup_vprintf(format, args));
	va_end(args);
	if (self->walk->problems->len == PROBLEMS_MAX - 1)
		g_ptr_array_add(self->walk->problems, g_strdup("and more of the kind"));
}

/* FALSE also where there is no answer; self->lost says that the link is gone. */
static gboolean read_words(struct walker *self, guint64 addr, guint32 *words, gsize n_words,
                           GError **error)
{
	GError *cause = NULL;

	if (link_read_block(self->access->link, LINK_SPACE_DEBUG, addr, words, n_words, &cause))
		return TRUE;
	if (g_error_matches(cause, LINK_ERROR, LINK_ERROR_LOST)) {
		self->lost = TRUE;
		g_propagate_error(error, cause);
	} else {
		g_error_free(cause);
	}
	return FALSE;
}

static guint32 low_bytes(const guint32 words[4])
{
	return (words[0] & 0xFF) | (words[1] & 0xFF) << 8 | (words[2] & 0xFF) << 16 |
	       (words[3] & 0xFF) << 24;
}

/* PIDR4 to PIDR7, PIDR0 to PIDR3, CIDR0 to CIDR3 are the last twelve words of a page. */
static gboolean read_identity(struct walker *self, struct rom_entry *entry, GError **error)
{
	guint32 words[12];
	guint32 pidr;

	if (!read_words(self, entry->addr + 0xFD0, words, G_N_ELEMENTS(words), error))
		return FALSE;
	pidr = low_bytes(&words[4]);
	entry->answers = TRUE;
	entry->cidr = low_bytes(&words[8]);
	entry->part = pidr & 0xFFF;
	entry->designer = (guint16)((words[0] & 0xF) << 7 | (pidr >> 12 & 0x7F));
	return TRUE;
}

static gint component_at(const struct access *access, guint64 addr)
{
	for (guint i = 0; i < access->board->components->len; i++) {
		if (access_address(access, i, 0) == addr)
			return (gint)i;
	}
	return -1;
}

static void compare(struct walker *self, const struct rom_entry *entry)
{
	const struct board_component *expected;

	if (!entry->answers) {
		g_ptr_array_add(self->walk->notes,
		                g_strdup_printf("the ROM table lists " ADDRESS
		                                ", which does not answer: no power or no clock",
		                                entry->addr));
		return;
	}
	if ((entry->cidr & ~CIDR_CLASS) != CIDR_PREAMBLE) {
		problem(self, "the ROM table lists " ADDRESS ", but CIDR there reads 0x%08X",
		        entry->addr, entry->cidr);
		return;
	}
	if (entry->component < 0) {
		g_ptr_array_add(self->walk->notes,
		                g_strdup_printf("the ROM table lists part 0x%03X (designer 0x%03X) "
		                                "at " ADDRESS
		                                ", which the board file does not have",
		                                entry->part, entry->designer, entry->addr));
		return;
	}
	expected = board_component(self->access->board, (guint)entry->component);
	if (expected->part != 0 && expected->part != entry->part)
		problem(self,
		        "the ROM table lists part 0x%03X at " ADDRESS ", the board file says %s, "
		        "part 0x%03X",
		        entry->part, entry->addr, expected->name, expected->part);
}

static void walk_table(struct walker *self, guint64 base, guint depth, GError **error);

static void follow(struct walker *self, guint64 base, guint index, guint32 word, guint depth,
                   GError **error)
{
	const struct board *board = self->access->board;
	guint64 window = board->window[self->access->link->view];
	/* The offset is signed: two's complement in the address width of the bus. */
	gint64 offset = (gint32)(word & 0xFFFFF000u);
	struct rom_entry entry = { .addr = base + (guint64)offset, .depth = depth };

	if ((word & ENTRY_32BIT) == 0 || (word & ENTRY_RESERVED) != 0 || offset == 0) {
		problem(self, "ROM table at " ADDRESS ": entry %u is 0x%08X, no entry", base, index,
		        word);
		return;
	}
	if (entry.addr < window || entry.addr - window > board->window_bytes - PAGE_BYTES) {
		problem(self,
		        "ROM table at " ADDRESS ": entry %u (0x%08X) points to " ADDRESS
		        ", outside of the board's window; not read",
		        base, index, word, entry.addr);
		return;
	}
	if (self->walk->entries->len >= LISTED_MAX) {
		problem(self, "ROM tables list more than %u components", (guint)LISTED_MAX);
		return;
	}
	if (!read_identity(self, &entry, error) && self->lost)
		return;
	entry.component = component_at(self->access, entry.addr);
	g_array_append_val(self->walk->entries, entry);
	compare(self, &entry);
	if (entry.answers && (entry.cidr & ~CIDR_CLASS) == CIDR_PREAMBLE &&
	    (entry.cidr & CIDR_CLASS) >> 12 == CLASS_ROM)
		walk_table(self, entry.addr, depth + 1, error);
}

static void walk_table(struct walker *self, guint64 base, guint depth, GError **error)
{
	guint32 words[ENTRIES_MAX];
	gint64 key = (gint64)base;

	if (depth > DEPTH_MAX || !g_hash_table_add(self->seen, g_memdup2(&key, sizeof key))) {
		problem(self, "ROM table at " ADDRESS " is listed by itself or %u levels deep",
		        base, depth);
		return;
	}
	/* Most tables are short and a link may be slow: a few entries at a time. */
	for (guint i = 0; i < ENTRIES_MAX; i++) {
		const guint at_once = 16;

		if (i % at_once == 0 &&
		    !read_words(self, base + 4 * i, &words[i], at_once, error)) {
			if (!self->lost)
				problem(self, "ROM table at " ADDRESS ": entry %u is unreadable",
				        base, i);
			return;
		}
		if (words[i] == 0)
			return;
		if ((words[i] & ENTRY_PRESENT) == 0)
			self->walk->n_absent++;
		else
			follow(self, base, i, words[i], depth, error);
		if (self->lost)
			return;
	}
	problem(self, "ROM table at " ADDRESS " has no end", base);
}

/* Components of the board file that no table lists. */
static void note_unlisted(struct walker *self, guint root)
{
	const struct board *board = self->access->board;

	for (guint i = 0; i < board->components->len; i++) {
		gboolean listed = i == root;

		for (guint n = 0; n < self->walk->entries->len && !listed; n++)
			listed =
				g_array_index(self->walk->entries, struct rom_entry, n).component ==
				(gint)i;
		if (!listed)
			g_ptr_array_add(self->walk->notes,
			                g_strdup_printf("no ROM table lists %s (" ADDRESS ")",
			                                board_component(board, i)->name,
			                                access_address(self->access, i, 0)));
	}
}

struct rom_walk *rom_walk_new(struct access *access, guint root, GError **error)
{
	g_autoptr(RomWalk) walk = g_new0(struct rom_walk, 1);
	struct walker walker = { .access = access, .walk = walk };
	struct rom_entry first = { .addr = access_address(access, root, 0) };

	walk->entries = g_array_new(FALSE, TRUE, sizeof(struct rom_entry));
	walk->problems = g_ptr_array_new_with_free_func(g_free);
	walk->notes = g_ptr_array_new_with_free_func(g_free);
	walker.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	read_identity(&walker, &first, error);
	if (first.answers && first.cidr == (CIDR_PREAMBLE | CLASS_ROM << 12)) {
		walk_table(&walker, first.addr, 0, error);
		if (!walker.lost)
			note_unlisted(&walker, root);
	} else if (first.answers) {
		problem(&walker,
		        "there is no ROM table at " ADDRESS
		        ": CIDR reads 0x%08X, expected 0xB105100D",
		        first.addr, first.cidr);
	} else if (!walker.lost) {
		problem(&walker, "the ROM table at " ADDRESS " does not answer", first.addr);
	}
	g_hash_table_unref(walker.seen);
	return walker.lost ? NULL : g_steal_pointer(&walk);
}

void rom_walk_free(struct rom_walk *walk)
{
	if (walk == NULL)
		return;
	g_array_unref(walk->entries);
	g_ptr_array_unref(walk->problems);
	g_ptr_array_unref(walk->notes);
	g_free(walk);
}

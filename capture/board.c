#include "capture/board.h"

#include <gio/gio.h>
#include <string.h>

enum {
	MAX_FILE_BYTES = 1 << 20,
	MAX_COMPONENTS = 256,
};

static const char *const kind_names[] = {
	[BOARD_ETM4] = "etm4",
	[BOARD_ETF] = "etf",
	[BOARD_ETR] = "etr",
	[BOARD_FUNNEL] = "funnel",
	[BOARD_REPLICATOR] = "replicator",
	[BOARD_TPIU] = "tpiu",
	[BOARD_STM] = "stm",
	[BOARD_TSGEN] = "tsgen",
	[BOARD_CTI] = "cti",
	[BOARD_DEBUG] = "debug",
	[BOARD_PMU] = "pmu",
	[BOARD_ROM] = "rom",
};

/* One fact of the file: "VALUE [MARK] source and remarks". */
struct fact {
	char *value;
	enum board_confidence confidence;
	char *note;
};

struct parser {
	GKeyFile *file;
	const char *path;
	struct board *board;
};

GQuark board_error_quark(void)
{
	return g_quark_from_static_string("hvscope-board-error");
}

const char *board_confidence_mark(enum board_confidence confidence)
{
	return confidence == BOARD_VERIFIED ? "V" : confidence == BOARD_SINGLE_SOURCE ? "S" : "U";
}

const char *board_kind_name(enum board_kind kind)
{
	return kind_names[kind];
}

static void fact_clear(struct fact *fact)
{
	g_clear_pointer(&fact->value, g_free);
	g_clear_pointer(&fact->note, g_free);
}

static gboolean malformed(const struct parser *self, GError **error, const char *group,
                          const char *key, const char *found, const char *expected)
{
	g_set_error(error, BOARD_ERROR, BOARD_ERROR_MALFORMED,
	            "%s: [%s] %s: expected %s, found '%s'", self->path, group, key, expected,
	            found != NULL ? found : "nothing");
	return FALSE;
}

/* A missing key gives an empty fact (value NULL) and TRUE. */
static gboolean get_fact(const struct parser *self, const char *group, const char *key,
                         struct fact *fact, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autofree char *text = g_key_file_get_string(self->file, group, key, &cause);
	char *open, *close;

	memset(fact, 0, sizeof *fact);
	if (text == NULL &&
	    g_error_matches(cause, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE))
		return malformed(self, error, group, key, cause->message, "UTF-8");
	if (text == NULL)
		return TRUE;
	open = strchr(text, '[');
	close = open != NULL ? strchr(open, ']') : NULL;
	if (close == NULL || close != open + 2 || strchr("VSU", open[1]) == NULL)
		return malformed(self, error, group, key, text,
		                 "VALUE [V|S|U] SOURCE: every fact says how well it is known");
	fact->confidence = open[1] == 'V'   ? BOARD_VERIFIED
	                   : open[1] == 'S' ? BOARD_SINGLE_SOURCE
	                                    : BOARD_UNCONFIRMED;
	fact->note = g_strdup(g_strstrip(close + 1));
	*open = '\0';
	fact->value = g_strdup(g_strstrip(text));
	return TRUE;
}

/* As get_fact, where the key is known to be there: it cannot be read as text, then. */
static gboolean get_listed_fact(const struct parser *self, const char *group, const char *key,
                                struct fact *fact, GError **error)
{
	return get_fact(self, group, key, fact, error) &&
	       (fact->value != NULL ||
	        malformed(self, error, group, key, NULL, "VALUE [V|S|U] SOURCE"));
}

static gboolean parse_number(const char *text, guint64 max, guint64 *value)
{
	char *end;
	guint64 number;

	if (text == NULL || !g_ascii_isdigit(*text))
		return FALSE;
	number = g_ascii_strtoull(text, &end, 0);
	if (*end != '\0' || number > max)
		return FALSE;
	*value = number;
	return TRUE;
}

/* A number that must be there, unless `optional`. */
static gboolean get_number(const struct parser *self, const char *group, const char *key,
                           guint64 max, gboolean optional, guint64 *value,
                           enum board_confidence *confidence, GError **error)
{
	struct fact fact;
	gboolean ok = TRUE;

	if (!get_fact(self, group, key, &fact, error))
		return FALSE;
	if (fact.value != NULL || !optional) {
		ok = parse_number(fact.value, max, value);
		if (!ok)
			malformed(self, error, group, key, fact.value, "a number in range");
		else if (confidence != NULL)
			*confidence = fact.confidence;
	}
	fact_clear(&fact);
	return ok;
}

static void component_clear(gpointer data)
{
	struct board_component *component = data;

	g_free(component->name);
	g_free(component->note);
}

static void edge_clear(gpointer data)
{
	g_free(((struct board_edge *)data)->note);
}

static void clock_clear(gpointer data)
{
	struct board_clock *clock = data;

	g_free(clock->name);
	g_free(clock->note);
	g_strfreev(clock->needed_by);
}

static void cti_line_clear(gpointer data)
{
	g_free(((struct board_cti_line *)data)->meaning);
}

static void bank_clear(gpointer data)
{
	g_free(((struct board_bank *)data)->name);
}

static GArray *new_array(guint size, GDestroyNotify clear)
{
	GArray *array = g_array_new(FALSE, TRUE, size);

	g_array_set_clear_func(array, clear);
	return array;
}

static struct board *board_new(void)
{
	struct board *board = g_new0(struct board, 1);

	board->components = new_array(sizeof(struct board_component), component_clear);
	board->edges = new_array(sizeof(struct board_edge), edge_clear);
	board->clocks = new_array(sizeof(struct board_clock), clock_clear);
	board->cti_lines = new_array(sizeof(struct board_cti_line), cti_line_clear);
	board->banks = new_array(sizeof(struct board_bank), bank_clear);
	return board;
}

void board_free(struct board *board)
{
	if (board == NULL)
		return;
	g_free(board->name);
	g_free(board->title);
	g_free(board->core_type);
	g_array_unref(board->components);
	g_array_unref(board->edges);
	g_array_unref(board->clocks);
	g_array_unref(board->cti_lines);
	g_array_unref(board->banks);
	g_free(board);
}

const struct board_component *board_component(const struct board *board, guint index)
{
	return &g_array_index(board->components, struct board_component, index);
}

gint board_find(const struct board *board, const char *name)
{
	for (guint i = 0; i < board->components->len; i++) {
		if (strcmp(board_component(board, i)->name, name) == 0)
			return (gint)i;
	}
	return -1;
}

gint board_find_of_core(const struct board *board, enum board_kind kind, gint core)
{
	for (guint i = 0; i < board->components->len; i++) {
		const struct board_component *component = board_component(board, i);

		if (component->kind == kind && component->core == core)
			return (gint)i;
	}
	return -1;
}

static gboolean parse_kind(const char *text, enum board_kind *kind)
{
	for (guint i = 0; text != NULL && i < G_N_ELEMENTS(kind_names); i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*kind = (enum board_kind)i;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean parse_component(struct parser *self, const char *group, GError **error)
{
	struct board_component component = { .core = -1 };
	guint64 offset = 0, part = 0, size_bytes = 0, core = G_MAXUINT64;
	g_autofree char *kind = g_key_file_get_string(self->file, group, "kind", NULL);
	struct fact where;

	if (!parse_kind(kind, &component.kind))
		return malformed(
			self, error, group, "kind", kind,
			"etm4, etf, etr, funnel, replicator, tpiu, stm, tsgen, cti, debug, "
			"pmu or rom");
	if (!get_number(self, group, "offset", self->board->window_bytes - 4096, FALSE, &offset,
	                &component.confidence, error) ||
	    !get_number(self, group, "part", 0xFFF, TRUE, &part, NULL, error) ||
	    !get_number(self, group, "bytes", 1u << 30, TRUE, &size_bytes, NULL, error) ||
	    !get_number(self, group, "core", 1023, TRUE, &core, NULL, error) ||
	    !get_fact(self, group, "offset", &where, error))
		return FALSE;
	if ((offset & 0xFFF) != 0) {
		malformed(self, error, group, "offset", where.value, "a multiple of 4096");
		fact_clear(&where);
		return FALSE;
	}
	component.name = g_strdup(group + strlen("component "));
	component.note = g_steal_pointer(&where.note);
	component.offset = (guint32)offset;
	component.part = (guint16)part;
	component.size_bytes = (guint32)size_bytes;
	component.core = core == G_MAXUINT64 ? -1 : (gint)core;
	fact_clear(&where);
	g_array_append_val(self->board->components, component);
	return TRUE;
}

/* "TO", "TO:PORT" or "TO:FIRST-LAST". */
static gboolean parse_edge_target(const struct board *board, char *text, gint *to, guint32 *ports)
{
	char *colon = strchr(text, ':');
	guint64 first = 0, last;

	*ports = 1;
	if (colon != NULL) {
		char *dash = strchr(colon, '-');

		*colon = '\0';
		if (dash != NULL)
			*dash = '\0';
		if (!parse_number(colon + 1, 7, &first))
			return FALSE;
		last = first;
		if (dash != NULL && (!parse_number(dash + 1, 7, &last) || last < first))
			return FALSE;
		*ports = 0;
		for (guint64 port = first; port <= last; port++)
			*ports |= 1u << port;
	}
	*to = board_find(board, text);
	return *to >= 0;
}

static gboolean parse_edges(struct parser *self, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(self->file, "path", NULL, NULL);

	for (guint i = 0; keys != NULL && keys[i] != NULL; i++) {
		struct board_edge edge = { 0 };
		g_autofree char *name = g_strdup(keys[i]);
		char *dot = strchr(name, '.');
		struct fact fact;
		guint64 port = 0;
		gint from, to;

		if (!get_listed_fact(self, "path", keys[i], &fact, error))
			return FALSE;
		if (dot != NULL)
			*dot = '\0';
		from = board_find(self->board, name);
		if (from < 0 || (dot != NULL && !parse_number(dot + 1, 7, &port)) ||
		    !parse_edge_target(self->board, fact.value, &to, &edge.to_ports)) {
			malformed(self, error, "path", keys[i], fact.value,
			          "COMPONENT[.PORT]=COMPONENT[:PORT[-PORT]] with known components");
			fact_clear(&fact);
			return FALSE;
		}
		edge.from = (guint)from;
		edge.from_port = (guint)port;
		edge.to = (guint)to;
		edge.confidence = fact.confidence;
		edge.note = g_steal_pointer(&fact.note);
		fact_clear(&fact);
		g_array_append_val(self->board->edges, edge);
	}
	return TRUE;
}

static gboolean parse_clock(struct parser *self, const char *group, GError **error)
{
	struct board_clock clock = { 0 };
	guint64 addr = 0, bit = 0;
	struct fact fact;

	if (!get_number(self, group, "address", G_MAXUINT64, FALSE, &addr, &clock.confidence,
	                error) ||
	    !get_number(self, group, "bit", 31, FALSE, &bit, NULL, error) ||
	    !get_fact(self, group, "address", &fact, error))
		return FALSE;
	clock.name = g_strdup(group + strlen("clock "));
	clock.addr_pa = addr;
	clock.mask = 1u << bit;
	clock.note = g_steal_pointer(&fact.note);
	clock.needed_by = g_key_file_get_string_list(self->file, group, "for", NULL, NULL);
	fact_clear(&fact);
	g_array_append_val(self->board->clocks, clock);
	if (clock.needed_by == NULL)
		return malformed(self, error, group, "for", NULL, "component names or 'all'");
	return TRUE;
}

static gboolean parse_cti(struct parser *self, const char *group, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(self->file, group, NULL, NULL);
	gint cti = board_find(self->board, group + strlen("cti "));

	if (cti < 0 || board_component(self->board, (guint)cti)->kind != BOARD_CTI)
		return malformed(self, error, group, "(group)", group,
		                 "[cti NAME] of a cti component");
	for (guint i = 0; keys[i] != NULL; i++) {
		struct board_cti_line line = { .cti = (guint)cti };
		gboolean out = g_str_has_prefix(keys[i], "out");
		guint64 index;
		struct fact fact;

		if ((!out && !g_str_has_prefix(keys[i], "in")) ||
		    !parse_number(keys[i] + (out ? 3 : 2), 31, &index))
			return malformed(self, error, group, keys[i], keys[i], "inN or outN");
		if (!get_listed_fact(self, group, keys[i], &fact, error))
			return FALSE;
		line.is_output = out;
		line.index = (guint)index;
		line.meaning = g_steal_pointer(&fact.value);
		line.confidence = fact.confidence;
		fact_clear(&fact);
		g_array_append_val(self->board->cti_lines, line);
	}
	return TRUE;
}

static gboolean parse_banks(struct parser *self, GError **error)
{
	g_auto(GStrv) keys = g_key_file_get_keys(self->file, "memory", NULL, NULL);

	for (guint i = 0; keys != NULL && keys[i] != NULL; i++) {
		struct board_bank bank = { 0 };
		struct fact fact;
		char *plus;
		gboolean ok;

		if (!get_listed_fact(self, "memory", keys[i], &fact, error))
			return FALSE;
		plus = strchr(fact.value, '+');
		if (plus != NULL)
			*plus = '\0';
		ok = plus != NULL && parse_number(fact.value, G_MAXUINT64, &bank.start_pa) &&
		     parse_number(plus + 1, G_MAXUINT64 - bank.start_pa, &bank.len_bytes);
		fact_clear(&fact);
		if (!ok)
			return malformed(self, error, "memory", keys[i], "?", "START+LENGTH");
		bank.name = g_strdup(keys[i]);
		g_array_append_val(self->board->banks, bank);
	}
	return TRUE;
}

static gboolean parse_head(struct parser *self, GError **error)
{
	struct board *board = self->board;
	guint64 debug_ap = 0, memory_ap = 0;

	board->name = g_key_file_get_string(self->file, "board", "name", NULL);
	board->title = g_key_file_get_string(self->file, "board", "title", NULL);
	board->core_type = g_key_file_get_string(self->file, "board", "core_type", NULL);
	if (board->name == NULL || board->title == NULL || board->core_type == NULL)
		return malformed(self, error, "board", "name, title, core_type", NULL, "words");
	if (!get_number(self, "board", "core_hz", G_MAXUINT64, TRUE, &board->core_hz, NULL,
	                error) ||
	    !get_number(self, "window", "cpu", G_MAXUINT64, FALSE, &board->window[LINK_VIEW_CPU],
	                NULL, error) ||
	    !get_number(self, "window", "external", G_MAXUINT64, TRUE,
	                &board->window[LINK_VIEW_EXTERNAL], NULL, error) ||
	    !get_number(self, "window", "bytes", 1u << 30, FALSE, &board->window_bytes, NULL,
	                error) ||
	    !get_number(self, "access", "debug_ap", 255, TRUE, &debug_ap, NULL, error) ||
	    !get_number(self, "access", "memory_ap", 255, TRUE, &memory_ap, NULL, error) ||
	    !get_number(self, "stm", "stimulus", G_MAXUINT64, TRUE, &board->stimulus_pa, NULL,
	                error) ||
	    !get_number(self, "counter", "address", G_MAXUINT64, TRUE, &board->system_counter_pa,
	                &board->system_counter_confidence, error))
		return FALSE;
	if (board->window_bytes < 4096)
		return malformed(self, error, "window", "bytes", "less than 4096", "a window");
	board->debug_ap = (guint)debug_ap;
	board->memory_ap = (guint)memory_ap;
	return TRUE;
}

static gboolean parse_all(struct parser *self, GError **error)
{
	g_auto(GStrv) groups = g_key_file_get_groups(self->file, NULL);

	if (!parse_head(self, error))
		return FALSE;
	for (guint i = 0; groups[i] != NULL; i++) {
		if (!g_str_has_prefix(groups[i], "component "))
			continue;
		if (self->board->components->len == MAX_COMPONENTS)
			return malformed(self, error, groups[i], "(group)", "too many", "fewer");
		if (!parse_component(self, groups[i], error))
			return FALSE;
	}
	if (!parse_edges(self, error) || !parse_banks(self, error))
		return FALSE;
	for (guint i = 0; groups[i] != NULL; i++) {
		if (g_str_has_prefix(groups[i], "clock ") && !parse_clock(self, groups[i], error))
			return FALSE;
		if (g_str_has_prefix(groups[i], "cti ") && !parse_cti(self, groups[i], error))
			return FALSE;
	}
	return TRUE;
}

struct board *board_parse(const char *text, gssize len_bytes, const char *file, GError **error)
{
	g_autoptr(GKeyFile) key_file = g_key_file_new();
	g_autoptr(GError) cause = NULL;
	g_autoptr(Board) board = board_new();
	struct parser parser = { key_file, file, board };

	if (!g_key_file_load_from_data(key_file, text,
	                               len_bytes < 0 ? strlen(text) : (gsize)len_bytes,
	                               G_KEY_FILE_NONE, &cause)) {
		g_set_error(error, BOARD_ERROR, BOARD_ERROR_MALFORMED, "%s: %s", file,
		            cause->message);
		return NULL;
	}
	if (!parse_all(&parser, error))
		return NULL;
	return g_steal_pointer(&board);
}

static char *find_file(const char *name)
{
	const char *dirs[] = { g_getenv("HVSCOPE_BOARDS"), HVSCOPE_BOARDS_DIR,
		               HVSCOPE_BOARDS_SOURCE };
	g_autofree char *file = g_strconcat(name, ".board", NULL);

	if (strchr(name, '/') != NULL)
		return g_strdup(name);
	for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path =
			dirs[i] != NULL ? g_build_filename(dirs[i], file, NULL) : NULL;

		if (path != NULL && g_file_test(path, G_FILE_TEST_IS_REGULAR))
			return g_steal_pointer(&path);
	}
	return NULL;
}

struct board *board_load(const char *name, GError **error)
{
	g_autofree char *path = find_file(name);
	g_autoptr(GMappedFile) mapped = NULL;
	g_autoptr(GError) cause = NULL;

	if (path != NULL)
		mapped = g_mapped_file_new(path, FALSE, &cause);
	if (mapped == NULL || g_mapped_file_get_length(mapped) > MAX_FILE_BYTES) {
		g_set_error(
			error, BOARD_ERROR, BOARD_ERROR_NOT_FOUND,
			"no board '%s': %s; known ones are zynqmp and juno, or give the path of a "
			".board file",
			name, cause != NULL ? cause->message : "no such board file");
		return NULL;
	}
	return board_parse(g_mapped_file_get_contents(mapped),
	                   (gssize)g_mapped_file_get_length(mapped), path, error);
}

static gboolean walk(const struct board *board, guint from, guint to, guint depth, GArray *path)
{
	if (from == to)
		return TRUE;
	if (depth == 0)
		return FALSE;
	for (guint i = 0; i < board->edges->len; i++) {
		const struct board_edge *edge = &g_array_index(board->edges, struct board_edge, i);

		if (edge->from != from)
			continue;
		g_array_append_val(path, i);
		if (walk(board, edge->to, to, depth - 1, path))
			return TRUE;
		g_array_set_size(path, path->len - 1);
	}
	return FALSE;
}

GArray *board_path(const struct board *board, guint from, guint to, GError **error)
{
	g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(guint));

	/* Deeper than any ATB network; a cycle in the file ends here too. */
	if (walk(board, from, to, 12, path))
		return g_steal_pointer(&path);
	g_set_error(error, BOARD_ERROR, BOARD_ERROR_NO_PATH,
	            "%s: trace from %s cannot arrive at %s: no such path in the board file",
	            board->name, board_component(board, from)->name,
	            board_component(board, to)->name);
	return NULL;
}

const struct board_cti_line *board_cti_output(const struct board *board, const char *meaning)
{
	for (guint i = 0; i < board->cti_lines->len; i++) {
		const struct board_cti_line *line =
			&g_array_index(board->cti_lines, struct board_cti_line, i);

		if (line->is_output && strcmp(line->meaning, meaning) == 0)
			return line;
	}
	return NULL;
}

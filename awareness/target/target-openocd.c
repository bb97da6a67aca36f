/* A board's cores by OpenOCD's own aarch64 targets (0.12), for halting, registers, steps
 * and breakpoints, and its memory by a mem_ap target, else through a core with `phys`.
 *
 * OpenOCD's targets have no system registers of address translation (no TTBR, TCR,
 * VTTBR): programs without an MMU, and physical memory, are what this shows.
 * coresight: reads them all. OpenOCD's background polling is off while we are connected;
 * it would let a core's state change under our hands.
 */
#include "awareness/target/openocd-link.h"
#include "awareness/target/target-private.h"

#include <stdlib.h>
#include <string.h>

enum {
	HALT_MS = 5000,
	POLL_US = 10000,
	/* Elements of one read: an answer is text, 11 bytes an element. */
	WORDS_MAX = 16384,
};

struct openocd_core {
	char *name;         /* OpenOCD's target */
	uint64_t epoch;     /* of `values` */
	GHashTable *values; /* name -> struct target_register */
};

struct target_openocd {
	struct target target;
	struct openocd_link *link;
	GArray *cores;        /* of struct openocd_core */
	char *memory;         /* the target that reads memory */
	const char *physical; /* " phys" where that is a core */
	gboolean poll_was_on;
};

static struct openocd_core *core_of(struct target_openocd *self, unsigned cpu)
{
	return &g_array_index(self->cores, struct openocd_core, cpu);
}

/* memory */

/* "0x12 0x34 ...": exactly n words. */
static gboolean parse_words(const char *text, uint32_t *words, size_t n_words)
{
	for (size_t i = 0; i < n_words; i++) {
		char *end;
		guint64 value = g_ascii_strtoull(text, &end, 0);

		if (end == text || value > G_MAXUINT32)
			return FALSE;
		words[i] = GUINT32_TO_LE((uint32_t)value);
		text = end;
	}
	return TRUE;
}

/* Whole words around the piece; FALSE only where the link is gone. */
static gboolean read_piece(struct target_openocd *self, struct target_transfer *transfer,
                           GError **error)
{
	uint64_t start = transfer->pa.value & ~3ull;
	size_t skip = (size_t)(transfer->pa.value - start);
	size_t n_words = (skip + transfer->len_bytes + 3) / 4;
	g_autofree uint32_t *words = g_new(uint32_t, n_words);
	g_autoptr(GError) reason = NULL;

	transfer->ok = TRUE;
	for (size_t done = 0; done < n_words && transfer->ok;) {
		size_t n = MIN(n_words - done, WORDS_MAX);
		const char *text = openocd_link_eval(
			self->link, &reason,
			"%s read_memory 0x%" G_GINT64_MODIFIER "x 32 %" G_GSIZE_FORMAT "%s",
			self->memory, start + done * 4, n, self->physical);

		transfer->ok = text != NULL && parse_words(text, words + done, n);
		done += n;
	}
	if (transfer->ok)
		memcpy(transfer->data, (const uint8_t *)words + skip, transfer->len_bytes);
	if (!g_error_matches(reason, TARGET_ERROR, TARGET_ERROR_LINK))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&reason));
	return FALSE;
}

static gboolean openocd_read(struct target *target, struct target_transfer *transfers,
                             size_t n_transfers, GError **error)
{
	for (size_t i = 0; i < n_transfers; i++) {
		if (!read_piece((struct target_openocd *)target, &transfers[i], error))
			return FALSE;
	}
	return TRUE;
}

static gboolean openocd_write(struct target *target, struct target_transfer *transfers,
                              size_t n_transfers, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;

	for (size_t i = 0; i < n_transfers; i++) {
		const uint8_t *bytes = transfers[i].data;
		g_autoptr(GString) list = g_string_new(NULL);
		g_autoptr(GError) reason = NULL;

		for (size_t n = 0; n < transfers[i].len_bytes; n++)
			g_string_append_printf(list, "0x%02x ", bytes[n]);
		transfers[i].ok =
			openocd_link_eval(self->link, &reason,
		                          "%s write_memory 0x%" G_GINT64_MODIFIER "x 8 {%s}%s",
		                          self->memory, transfers[i].pa.value, list->str,
		                          self->physical) != NULL;
		if (g_error_matches(reason, TARGET_ERROR, TARGET_ERROR_LINK)) {
			g_propagate_error(error, g_steal_pointer(&reason));
			return FALSE;
		}
	}
	return TRUE;
}

/* registers */

static gboolean parse_value(const char *text, struct target_register *out)
{
	size_t n;

	if (!g_str_has_prefix(text, "0x"))
		return FALSE;
	text += 2;
	n = strspn(text, "0123456789abcdefABCDEF");
	if (n == 0 || n > 32)
		return FALSE;
	*out = (struct target_register) { 0 };
	if (n > 16) {
		g_autofree char *high = g_strndup(text, n - 16);

		out->high = g_ascii_strtoull(high, NULL, 16);
		text += n - 16;
	}
	out->low = g_ascii_strtoull(text, NULL, 16);
	return TRUE;
}

/* "(3) x3 (/64): 0x... (dirty)": a name, and a value where OpenOCD holds one. */
static gboolean parse_line(const char *line, char **name, gboolean *has_value,
                           struct target_register *value)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 5);
	guint n = g_strv_length(words);

	if (n < 3 || words[0][0] != '(' || !g_str_has_prefix(words[2], "(/"))
		return FALSE;
	*has_value = n > 3 && parse_value(words[3], value);
	*name = g_strdup(words[1]);
	return TRUE;
}

/* The core's registers as OpenOCD lists them, those of AArch64 only: the same names
 * come again for AArch32. `found` is called for each. */
static gboolean list_registers(struct target_openocd *self, unsigned cpu,
                               void (*found)(gpointer data, const char *name, gboolean has_value,
                                             const struct target_register *value),
                               gpointer data, GError **error)
{
	const char *text;
	g_auto(GStrv) lines = NULL;

	if (openocd_link_eval(self->link, error, "targets %s", core_of(self, cpu)->name) == NULL)
		return FALSE;
	text = openocd_link_eval(self->link, error, "reg");
	if (text == NULL)
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i] != NULL && strstr(lines[i], "Aarch32") == NULL; i++) {
		struct target_register value = { 0 };
		gboolean has_value;
		g_autofree char *name = NULL;

		if (parse_line(lines[i], &name, &has_value, &value))
			found(data, name, has_value, &value);
	}
	return TRUE;
}

static void keep_value(gpointer data, const char *name, gboolean has_value,
                       const struct target_register *value)
{
	if (has_value)
		g_hash_table_replace(data, g_strdup(name), g_memdup2(value, sizeof(*value)));
}

/* What OpenOCD holds already, some of it changed and not yet written back: reading these
 * anew would lose them. */
static gboolean refresh_core(struct target_openocd *self, unsigned cpu, GError **error)
{
	struct openocd_core *core = core_of(self, cpu);

	if (core->epoch == self->target.epoch)
		return TRUE;
	g_hash_table_remove_all(core->values);
	if (!list_registers(self, cpu, keep_value, core->values, error))
		return FALSE;
	core->epoch = self->target.epoch;
	return TRUE;
}

static gboolean openocd_register_get(struct target *target, unsigned cpu, const char *name,
                                     struct target_register *out, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;
	struct openocd_core *core = core_of(self, cpu);
	const struct target_register *known;
	const char *text;

	if (!refresh_core(self, cpu, error))
		return FALSE;
	known = g_hash_table_lookup(core->values, name);
	if (known != NULL) {
		*out = *known;
		return TRUE;
	}
	/* Without -force 0.12 answers zeros for what it has not read. */
	text = openocd_link_eval(self->link, error, "%s get_reg -force {%s}", core->name, name);
	text = text != NULL ? strchr(text, ' ') : NULL;
	if (text == NULL || !parse_value(text + 1, out)) {
		if (error != NULL && *error == NULL)
			g_set_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER,
			            "OpenOCD gives no %s of %s", name, core->name);
		return FALSE;
	}
	keep_value(core->values, name, TRUE, out);
	return TRUE;
}

static gboolean openocd_register_set(struct target *target, unsigned cpu, const char *name,
                                     const struct target_register *value, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;
	struct openocd_core *core = core_of(self, cpu);

	core->epoch = 0;
	return openocd_link_eval(self->link, error, "%s set_reg {%s 0x%" G_GINT64_MODIFIER "x}",
	                         core->name, name, value->low) != NULL;
}

/* run control */

static gboolean is_halted(struct target_openocd *self, unsigned cpu, gboolean *out, GError **error)
{
	const char *text = openocd_link_eval(self->link, error, "%s arp_poll; %s curstate",
	                                     core_of(self, cpu)->name, core_of(self, cpu)->name);

	if (text == NULL)
		return FALSE;
	*out = strcmp(text, "halted") == 0;
	return TRUE;
}

static gboolean halt_all(struct target_openocd *self, GError **error)
{
	for (guint cpu = 0; cpu < self->cores->len; cpu++) {
		const char *name = core_of(self, cpu)->name;
		gboolean halted;

		if (!is_halted(self, cpu, &halted, error) ||
		    (!halted &&
		     openocd_link_eval(self->link, error, "%s arp_halt; %s arp_waitstate halted %d",
		                       name, name, HALT_MS) == NULL))
			return FALSE;
	}
	return TRUE;
}

static gboolean openocd_halt(struct target *target, GError **error)
{
	if (!halt_all((struct target_openocd *)target, error))
		return FALSE;
	target->running = FALSE;
	return TRUE;
}

/* `resume` takes the cores of one SMP group together; those that stay are resumed one by
 * one. */
static gboolean openocd_resume(struct target *target, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;

	for (guint cpu = 0; cpu < self->cores->len; cpu++) {
		gboolean halted;

		if (!is_halted(self, cpu, &halted, error) ||
		    (halted && openocd_link_eval(self->link, error, "targets %s; resume",
		                                 core_of(self, cpu)->name) == NULL))
			return FALSE;
	}
	return TRUE;
}

static gboolean openocd_step(struct target *target, unsigned cpu, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;
	const char *name = core_of(self, cpu)->name;

	return openocd_link_eval(self->link, error, "targets %s; step; %s arp_waitstate halted %d",
	                         name, name, HALT_MS) != NULL &&
	       halt_all(self, error);
}

static gboolean openocd_wait(struct target *target, unsigned timeout_ms, struct target_stop *out,
                             GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;
	gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	do {
		for (guint cpu = 0; cpu < self->cores->len; cpu++) {
			gboolean halted;

			if (!is_halted(self, cpu, &halted, error))
				return FALSE;
			if (!halted)
				continue;
			if (!openocd_halt(target, error))
				return FALSE;
			*out = (struct target_stop) { .reason = TARGET_STOP_BREAK, .cpu = cpu };
			return TRUE;
		}
		g_usleep(POLL_US);
	} while (g_get_monotonic_time() < deadline);
	*out = (struct target_stop) { .reason = TARGET_STOP_NONE };
	return TRUE;
}

/* Whether OpenOCD lists a breakpoint there for the core. */
static gboolean has_break(struct target_openocd *self, const char *name, struct va va)
{
	g_autofree char *address = g_strdup_printf("0x%08" G_GINT64_MODIFIER "x", va.value);
	const char *list = openocd_link_eval(self->link, NULL, "targets %s; bp", name);

	return list != NULL && strstr(list, address) != NULL;
}

/* In an SMP group one command serves all cores, and a second one is refused: what counts
 * is what is set afterwards. */
static gboolean change_on_core(struct target_openocd *self, const char *name,
                               const struct target_break *what, gboolean set, GError **error)
{
	g_autoptr(GError) reason = NULL;

	if (has_break(self, name, what->va) == set)
		return TRUE;
	if (set)
		openocd_link_eval(self->link, &reason,
		                  "targets %s; bp 0x%" G_GINT64_MODIFIER "x %u hw", name,
		                  what->va.value, what->len_bytes);
	else
		openocd_link_eval(self->link, &reason, "targets %s; rbp 0x%" G_GINT64_MODIFIER "x",
		                  name, what->va.value);
	if (has_break(self, name, what->va) == set)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED,
	            "OpenOCD cannot %s a breakpoint at 0x%" G_GINT64_MODIFIER "x of %s: %s",
	            set ? "set" : "clear", what->va.value, name,
	            reason != NULL ? reason->message : "its list does not show the change");
	return FALSE;
}

static gboolean openocd_break_change(struct target *target, const struct target_break *what,
                                     gboolean set, GError **error)
{
	struct target_openocd *self = (struct target_openocd *)target;

	if (what->kind != TARGET_BREAK_HARDWARE) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_UNSUPPORTED,
		            "OpenOCD's aarch64 targets set hardware breakpoints only here: leave "
		            "--soft out; watchpoints need coresight:");
		return FALSE;
	}
	for (guint cpu = 0; cpu < self->cores->len; cpu++) {
		if (!change_on_core(self, core_of(self, cpu)->name, what, set, error))
			return FALSE;
	}
	return TRUE;
}

/* opening */

static void openocd_free(struct target *target)
{
	struct target_openocd *self = (struct target_openocd *)target;

	if (self->link != NULL && self->poll_was_on)
		openocd_link_eval(self->link, NULL, "poll on");
	openocd_link_free(self->link);
	g_array_unref(self->cores);
	g_free(self->memory);
	target_base_deinit(target);
	g_free(self);
}

static const struct target_ops openocd_ops = {
	.read = openocd_read,
	.write = openocd_write,
	.register_get = openocd_register_get,
	.register_set = openocd_register_set,
	.halt = openocd_halt,
	.resume = openocd_resume,
	.step = openocd_step,
	.wait = openocd_wait,
	.break_change = openocd_break_change,
	.free = openocd_free,
};

static void free_core(gpointer data)
{
	g_free(((struct openocd_core *)data)->name);
	g_hash_table_unref(((struct openocd_core *)data)->values);
}

/* Examines a core that the configuration left for later; FALSE where it does not answer
 * (a core without power), which is no error. */
static gboolean add_core(struct target_openocd *self, const char *name)
{
	struct openocd_core core = { 0 };

	if (openocd_link_eval(self->link, NULL, "if {![%s was_examined]} {%s arp_examine}", name,
	                      name) == NULL)
		return FALSE;
	core.name = g_strdup(name);
	core.values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_array_append_val(self->cores, core);
	return TRUE;
}

/* Cores are all aarch64 targets; memory is the mem_ap with the lowest access port: the
 * debug components' bus comes after the system's on every chip known. */
static gboolean find_targets(struct target_openocd *self, GError **error)
{
	const char *listing =
		openocd_link_eval(self->link, error,
	                          "set hvscope_l {}; foreach t [target names] { set n -1; "
	                          "if {[$t cget -type] eq \"mem_ap\"} {set n [$t cget -ap-num]}; "
	                          "append hvscope_l \"$t [$t cget -type] $n\\n\" }; set hvscope_l");
	g_auto(GStrv) lines = listing != NULL ? g_strsplit(listing, "\n", -1) : NULL;
	gint64 lowest = G_MAXINT64;

	if (lines == NULL)
		return FALSE;
	for (gsize i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 3);
		gint64 ap;

		if (g_strv_length(words) != 3)
			continue;
		ap = g_ascii_strtoll(words[2], NULL, 0);
		if (strcmp(words[1], "aarch64") == 0 && self->cores->len < TARGET_CPUS_MAX)
			add_core(self, words[0]);
		if (strcmp(words[1], "mem_ap") == 0 && ap < lowest) {
			lowest = ap;
			g_free(self->memory);
			self->memory = g_strdup(words[0]);
		}
	}
	if (self->cores->len == 0) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
		            "OpenOCD has no aarch64 target that answers; it has: %s",
		            lines[0] != NULL ? g_strdelimit(lines[0], "\n", ' ') : "none");
		return FALSE;
	}
	if (self->memory == NULL) {
		self->memory = g_strdup(core_of(self, 0)->name);
		self->physical = " phys";
	}
	return TRUE;
}

static void name_register(gpointer data, const char *name, gboolean has_value,
                          const struct target_register *value)
{
	struct target *target = data;

	(void)has_value;
	(void)value;
	g_ptr_array_add(target->register_names, g_strdup(name));
}

static void stop_polling(struct target_openocd *self)
{
	const char *text = openocd_link_eval(self->link, NULL, "poll");

	self->poll_was_on = text != NULL && strstr(text, ": on") != NULL;
	openocd_link_eval(self->link, NULL, "poll off");
}

struct target *target_openocd_open(const char *where, GError **error)
{
	struct openocd_link *link = openocd_link_open(where, error);
	g_autofree char *description = g_strconcat("openocd:", where, NULL);
	struct target_openocd *self;

	if (link == NULL)
		return NULL;
	self = g_new0(struct target_openocd, 1);
	target_base_init(&self->target, &openocd_ops, description);
	self->link = link;
	self->physical = "";
	self->cores = g_array_new(FALSE, FALSE, sizeof(struct openocd_core));
	g_array_set_clear_func(self->cores, free_core);
	stop_polling(self);
	if (!find_targets(self, error) || !halt_all(self, error) ||
	    !list_registers(self, 0, name_register, &self->target, error)) {
		target_free(&self->target);
		return NULL;
	}
	self->target.n_cpus = self->cores->len;
	self->target.line_bytes = 1024;
	self->target.capabilities = TARGET_CAN_WRITE_MEMORY | TARGET_CAN_WRITE_REGISTERS |
	                            TARGET_CAN_RUN | TARGET_CAN_BREAK;
	target_base_seal(&self->target);
	return &self->target;
}

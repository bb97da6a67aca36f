#include "awareness/target/gdb-features.h"
#include "awareness/target/target-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* QEMU answers at most this much to one `m`. */
	READ_MAX = 2040,
	WRITE_MAX = 1000,
	/* Questions on their way at once: enough to hide the round trip, few enough that
	 * both sides' buffers hold them. */
	PIPELINE = 64,
	THREAD_MAX = 32,
	HALT_MS = 5000,
};

/* What one core's registers were when they were asked for. */
struct gdb_core {
	char thread[THREAD_MAX];
	uint64_t epoch; /* of `values` */
	gboolean has_general;
	GHashTable *values; /* name -> struct target_register */
};

struct target_gdb {
	struct target target;
	struct gdb_link *link;
	GArray *registers;         /* of struct gdb_register */
	GHashTable *by_name;       /* name -> struct gdb_register */
	GArray *cores;             /* of struct gdb_core */
	char selected[THREAD_MAX]; /* by Hg */
	gboolean stepping;
};

static gboolean nonsense(const GString *reply, const char *question, GError **error)
{
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_LINK,
	            "the gdb server answered %s with '%.40s'", question, reply->str);
	return FALSE;
}

static gboolean is_error(const GString *reply)
{
	return reply->len == 3 && reply->str[0] == 'E';
}

/* memory: a piece is cut into questions, and many are asked before one answer is
 * waited for. */
struct question {
	struct target_transfer *transfer;
	size_t offset, len_bytes;
};

static gboolean parse_bytes(const GString *reply, uint8_t *out, size_t len_bytes)
{
	if (reply->len != len_bytes * 2)
		return FALSE;
	for (size_t i = 0; i < len_bytes; i++) {
		int high = g_ascii_xdigit_value(reply->str[i * 2]);
		int low = g_ascii_xdigit_value(reply->str[i * 2 + 1]);

		if (high < 0 || low < 0)
			return FALSE;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return TRUE;
}

static gboolean take_answers(struct target_gdb *self, const struct question *questions, size_t n,
                             GError **error)
{
	for (size_t i = 0; i < n; i++) {
		const struct question *q = &questions[i];
		const GString *reply = gdb_link_receive(self->link, error);

		if (reply == NULL)
			return FALSE;
		if (is_error(reply) || reply->len == 0) {
			q->transfer->ok = FALSE;
		} else if (!parse_bytes(reply, (uint8_t *)q->transfer->data + q->offset,
		                        q->len_bytes)) {
			/* Fewer bytes than asked for, or an answer to something else: no later
			 * answer can be trusted to be in step. */
			nonsense(reply, "a read of memory", error);
			gdb_link_drain(self->link);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean gdb_read(struct target *target, struct target_transfer *transfers,
                         size_t n_transfers, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	size_t most = MIN((gdb_link_packet_bytes(self->link) - 8) / 2, READ_MAX);
	struct question questions[PIPELINE];
	size_t n_questions = 0;

	for (size_t i = 0; i < n_transfers; i++) {
		transfers[i].ok = TRUE;
		for (size_t done = 0; done < transfers[i].len_bytes;) {
			struct question *q = &questions[n_questions];
			char packet[64];

			q->transfer = &transfers[i];
			q->offset = done;
			q->len_bytes = MIN(transfers[i].len_bytes - done, most);
			g_snprintf(packet, sizeof(packet),
			           "m%" G_GINT64_MODIFIER "x,%" G_GSIZE_MODIFIER "x",
			           transfers[i].pa.value + done, q->len_bytes);
			if (!gdb_link_send(self->link, packet, error))
				return FALSE;
			done += q->len_bytes;
			if (++n_questions < PIPELINE)
				continue;
			if (!take_answers(self, questions, n_questions, error))
				return FALSE;
			n_questions = 0;
		}
	}
	return take_answers(self, questions, n_questions, error);
}

static gboolean gdb_write(struct target *target, struct target_transfer *transfers,
                          size_t n_transfers, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	size_t most = MIN((gdb_link_packet_bytes(self->link) - 40) / 2, WRITE_MAX);

	for (size_t i = 0; i < n_transfers; i++) {
		transfers[i].ok = TRUE;
		for (size_t done = 0; done < transfers[i].len_bytes && transfers[i].ok;) {
			size_t n = MIN(transfers[i].len_bytes - done, most);
			g_autoptr(GString) packet = g_string_new(NULL);
			const GString *reply;

			g_string_printf(packet, "M%" G_GINT64_MODIFIER "x,%" G_GSIZE_MODIFIER "x:",
			                transfers[i].pa.value + done, n);
			for (size_t b = 0; b < n; b++)
				g_string_append_printf(
					packet, "%02x",
					((const uint8_t *)transfers[i].data)[done + b]);
			if (!gdb_link_send(self->link, packet->str, error))
				return FALSE;
			reply = gdb_link_receive(self->link, error);
			if (reply == NULL)
				return FALSE;
			transfers[i].ok = strcmp(reply->str, "OK") == 0;
			done += n;
		}
	}
	return TRUE;
}

/* registers */
static gboolean select_core(struct target_gdb *self, const struct gdb_core *core, GError **error)
{
	const GString *reply;

	if (strcmp(self->selected, core->thread) == 0)
		return TRUE;
	reply = gdb_link_ask(self->link, error, "Hg%s", core->thread);
	if (reply == NULL)
		return FALSE;
	if (strcmp(reply->str, "OK") != 0)
		return nonsense(reply, "the choice of a core (Hg)", error);
	g_strlcpy(self->selected, core->thread, sizeof(self->selected));
	return TRUE;
}

static void forget_old(struct target_gdb *self, struct gdb_core *core)
{
	if (core->epoch == self->target.epoch)
		return;
	g_hash_table_remove_all(core->values);
	core->has_general = FALSE;
	core->epoch = self->target.epoch;
}

/* A value in the target's byte order, which is little-endian. */
static gboolean keep_value(struct gdb_core *core, const struct gdb_register *which, const char *hex,
                           size_t n_hex)
{
	struct target_register value = { 0 };
	uint8_t bytes[16] = { 0 };
	GString piece = { .str = (char *)(uintptr_t)hex, .len = (gsize)which->n_bytes * 2 };

	if (which->n_bytes > sizeof(bytes) || n_hex < which->n_bytes * 2 ||
	    !parse_bytes(&piece, bytes, which->n_bytes))
		return FALSE;
	memcpy(&value.low, bytes, 8);
	memcpy(&value.high, bytes + 8, 8);
	g_hash_table_replace(core->values, which->name, g_memdup2(&value, sizeof(value)));
	return TRUE;
}

/* All that `g` gives, in one question. */
static gboolean fetch_general(struct target_gdb *self, struct gdb_core *core, GError **error)
{
	const GString *reply;

	if (core->has_general)
		return TRUE;
	reply = gdb_link_ask(self->link, error, "g");
	if (reply == NULL)
		return FALSE;
	core->has_general = TRUE;
	for (guint i = 0; i < self->registers->len; i++) {
		const struct gdb_register *which =
			&g_array_index(self->registers, struct gdb_register, i);
		size_t at = (size_t)which->g_offset * 2;

		if (at + which->n_bytes * 2 <= reply->len)
			keep_value(core, which, reply->str + at, reply->len - at);
	}
	return TRUE;
}

static gboolean gdb_register_get(struct target *target, unsigned cpu, const char *name,
                                 struct target_register *out, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	struct gdb_core *core = &g_array_index(self->cores, struct gdb_core, cpu);
	const struct gdb_register *which = g_hash_table_lookup(self->by_name, name);
	const struct target_register *value;
	const GString *reply;

	forget_old(self, core);
	if (!select_core(self, core, error) || !fetch_general(self, core, error))
		return FALSE;
	value = g_hash_table_lookup(core->values, name);
	if (value != NULL) {
		*out = *value;
		return TRUE;
	}
	reply = gdb_link_ask(self->link, error, "p%x", which->number);
	if (reply == NULL)
		return FALSE;
	if (is_error(reply) || !keep_value(core, which, reply->str, reply->len)) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REGISTER,
		            "the gdb server does not give %s of core %u (%.20s)", name, cpu,
		            reply->str);
		return FALSE;
	}
	*out = *(const struct target_register *)g_hash_table_lookup(core->values, name);
	return TRUE;
}

static gboolean gdb_register_set(struct target *target, unsigned cpu, const char *name,
                                 const struct target_register *value, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	struct gdb_core *core = &g_array_index(self->cores, struct gdb_core, cpu);
	const struct gdb_register *which = g_hash_table_lookup(self->by_name, name);
	g_autoptr(GString) hex = g_string_new(NULL);
	uint8_t bytes[16];
	const GString *reply;

	memcpy(bytes, &value->low, 8);
	memcpy(bytes + 8, &value->high, 8);
	for (unsigned i = 0; i < MIN(which->n_bytes, sizeof(bytes)); i++)
		g_string_append_printf(hex, "%02x", bytes[i]);
	if (!select_core(self, core, error))
		return FALSE;
	reply = gdb_link_ask(self->link, error, "P%x=%s", which->number, hex->str);
	/* What was known is void, whatever came of it. */
	core->epoch = 0;
	if (reply == NULL)
		return FALSE;
	if (strcmp(reply->str, "OK") == 0)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED,
	            "the gdb server refused to write %s of core %u (%.20s)", name, cpu, reply->str);
	return FALSE;
}

/* run control */
static gboolean gdb_resume(struct target *target, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;

	return gdb_link_send(self->link, "vCont;c", error);
}

static unsigned core_of_thread(const struct target_gdb *self, const char *thread)
{
	size_t len = strcspn(thread, ";");

	for (guint i = 0; i < self->cores->len; i++) {
		const struct gdb_core *core = &g_array_index(self->cores, struct gdb_core, i);

		if (strlen(core->thread) == len && strncmp(core->thread, thread, len) == 0)
			return i;
		/* "01" and "1" are the same thread. */
		if (strtoull(core->thread, NULL, 16) == strtoull(thread, NULL, 16) &&
		    strchr(core->thread, '.') == NULL && memchr(thread, '.', len) == NULL)
			return i;
	}
	return 0;
}

/* "T05thread:02;watch:ffff...;" */
static void parse_stop(const struct target_gdb *self, const char *text, struct target_stop *out)
{
	g_auto(GStrv) parts = NULL;

	*out = (struct target_stop) { .reason = TARGET_STOP_BREAK };
	if (text[0] == 'W' || text[0] == 'X') {
		out->reason = TARGET_STOP_EXIT;
		return;
	}
	/* SIGINT: it was halted on demand. */
	if (strncmp(text + 1, "02", 2) == 0)
		out->reason = TARGET_STOP_HALT;
	else if (self->stepping)
		out->reason = TARGET_STOP_STEP;
	if (text[0] == 'S')
		return;
	parts = g_strsplit(text + 3, ";", 32);
	for (gsize i = 0; parts[i] != NULL; i++) {
		const char *colon = strchr(parts[i], ':');

		if (colon == NULL)
			continue;
		if (g_str_has_prefix(parts[i], "thread:")) {
			out->cpu = core_of_thread(self, colon + 1);
		} else if (g_str_has_prefix(parts[i], "watch:") ||
		           g_str_has_prefix(parts[i], "rwatch:") ||
		           g_str_has_prefix(parts[i], "awatch:")) {
			out->reason = TARGET_STOP_WATCH;
			out->watch_va.value = g_ascii_strtoull(colon + 1, NULL, 16);
		}
	}
}

static gboolean gdb_wait(struct target *target, unsigned timeout_ms, struct target_stop *out,
                         GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	const char *text;

	if (!gdb_link_wait_stop(self->link, timeout_ms, &text, error))
		return FALSE;
	if (text == NULL) {
		*out = (struct target_stop) { .reason = TARGET_STOP_NONE };
		return TRUE;
	}
	target->running = FALSE;
	parse_stop(self, text, out);
	/* QEMU makes the stopped core the one that `g` is about. */
	self->selected[0] = '\0';
	return TRUE;
}

static gboolean gdb_halt(struct target *target, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	struct target_stop stop;

	if (!gdb_link_interrupt(self->link, error) || !gdb_wait(target, HALT_MS, &stop, error))
		return FALSE;
	if (!target->running)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_TIMEOUT,
	            "the target %s did not halt within %u ms", target->description, HALT_MS);
	return FALSE;
}

/* Only the core named moves: QEMU holds those that vCont does not name. */
static gboolean gdb_step(struct target *target, unsigned cpu, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	const struct gdb_core *core = &g_array_index(self->cores, struct gdb_core, cpu);
	g_autofree char *packet = g_strdup_printf("vCont;s:%s", core->thread);
	struct target_stop stop;
	gboolean done;

	self->stepping = TRUE;
	target->running = TRUE;
	done = gdb_link_send(self->link, packet, error) && gdb_wait(target, HALT_MS, &stop, error);
	self->stepping = FALSE;
	if (done && target->running) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_TIMEOUT,
		            "core %u did not finish one instruction within %u ms", cpu, HALT_MS);
		return FALSE;
	}
	return done;
}

static gboolean gdb_break_change(struct target *target, const struct target_break *what,
                                 gboolean set, GError **error)
{
	struct target_gdb *self = (struct target_gdb *)target;
	static const char kinds[] = {
		[TARGET_BREAK_SOFTWARE] = '0', [TARGET_BREAK_HARDWARE] = '1',
		[TARGET_WATCH_WRITE] = '2',    [TARGET_WATCH_READ] = '3',
		[TARGET_WATCH_ACCESS] = '4',
	};
	const GString *reply =
		gdb_link_ask(self->link, error, "%c%c,%" G_GINT64_MODIFIER "x,%x", set ? 'Z' : 'z',
	                     kinds[what->kind], what->va.value, what->len_bytes);

	if (reply == NULL)
		return FALSE;
	if (strcmp(reply->str, "OK") == 0)
		return TRUE;
	g_set_error(error, TARGET_ERROR,
	            reply->len == 0 ? TARGET_ERROR_UNSUPPORTED : TARGET_ERROR_REFUSED,
	            "the gdb server does not %s a break- or watchpoint at 0x%" G_GINT64_MODIFIER
	            "x (%s)",
	            set ? "set" : "clear", what->va.value,
	            reply->len == 0 ? "not supported" : reply->str);
	return FALSE;
}

/* opening */
static void free_core(gpointer data)
{
	g_hash_table_unref(((struct gdb_core *)data)->values);
}

static void gdb_free(struct target *target)
{
	struct target_gdb *self = (struct target_gdb *)target;

	gdb_link_free(self->link);
	g_clear_pointer(&self->by_name, g_hash_table_unref);
	g_clear_pointer(&self->registers, g_array_unref);
	g_clear_pointer(&self->cores, g_array_unref);
	target_base_deinit(target);
	g_free(self);
}

static const struct target_ops gdb_ops = {
	.read = gdb_read,
	.write = gdb_write,
	.register_get = gdb_register_get,
	.register_set = gdb_register_set,
	.halt = gdb_halt,
	.resume = gdb_resume,
	.step = gdb_step,
	.wait = gdb_wait,
	.break_change = gdb_break_change,
	.free = gdb_free,
};

static gboolean greet(struct target_gdb *self, GError **error)
{
	const GString *reply = gdb_link_ask(self->link, error,
	                                    "qSupported:xmlRegisters=aarch64;swbreak+;hwbreak+");
	const char *size;

	if (reply == NULL)
		return FALSE;
	size = strstr(reply->str, "PacketSize=");
	if (size != NULL)
		gdb_link_set_packet_bytes(self->link, (size_t)strtoul(size + 11, NULL, 16));
	if (!gdb_link_quiet(self->link, error))
		return FALSE;
	/* Whether it runs or is halted: both end halted, with a stop reply to take. */
	if (!gdb_link_send(self->link, "?", error))
		return FALSE;
	return TRUE;
}

/* The answer to `?`, and whatever QEMU sent unasked before it. */
static gboolean take_first_stops(struct target_gdb *self, GError **error)
{
	const char *text;

	if (!gdb_link_wait_stop(self->link, gdb_link_timeout(self->link), &text, error))
		return FALSE;
	if (text == NULL) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_TIMEOUT,
		            "the gdb server at %s does not say that the target is halted",
		            self->target.description);
		return FALSE;
	}
	while (text != NULL) {
		if (!gdb_link_wait_stop(self->link, 20, &text, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean read_cores(struct target_gdb *self, GError **error)
{
	const GString *reply = gdb_link_ask(self->link, error, "qfThreadInfo");

	while (reply != NULL && reply->str[0] == 'm' && self->cores->len < TARGET_CPUS_MAX) {
		g_auto(GStrv) threads = g_strsplit(reply->str + 1, ",", TARGET_CPUS_MAX);

		for (gsize i = 0; threads[i] != NULL && self->cores->len < TARGET_CPUS_MAX; i++) {
			struct gdb_core core = { 0 };

			if (strspn(threads[i], "0123456789abcdefABCDEFp.") != strlen(threads[i]) ||
			    g_strlcpy(core.thread, threads[i], sizeof(core.thread)) >=
			            sizeof(core.thread))
				return nonsense(reply, "qfThreadInfo", error);
			core.values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
			g_array_append_val(self->cores, core);
		}
		reply = gdb_link_ask(self->link, error, "qsThreadInfo");
	}
	if (reply == NULL)
		return FALSE;
	if (self->cores->len > 0)
		return TRUE;
	return nonsense(reply, "qfThreadInfo", error);
}

static gboolean name_registers(struct target_gdb *self, GError **error)
{
	self->registers = gdb_features_read(self->link, error);
	if (self->registers == NULL)
		return FALSE;
	self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < self->registers->len; i++) {
		struct gdb_register *one = &g_array_index(self->registers, struct gdb_register, i);

		if (one->n_bytes > 16 || !g_hash_table_insert(self->by_name, one->name, one))
			continue;
		g_ptr_array_add(self->target.register_names, g_strdup(one->name));
	}
	return TRUE;
}

/* Without this mode addresses of `m` are virtual: a gdbserver inside a guest, where
 * one process's memory is all there is. */
static gboolean choose_physical(struct target_gdb *self, GError **error)
{
	const GString *reply = gdb_link_ask(self->link, error, "Qqemu.PhyMemMode:1");

	return reply != NULL;
}

struct target *target_gdb_open(const char *where, GError **error)
{
	struct gdb_link *link = gdb_link_open(where, error);
	g_autofree char *description = g_strconcat("gdb:", where, NULL);

	return link != NULL ? target_gdb_new(link, description, error) : NULL;
}

struct target *target_gdb_new(struct gdb_link *link, const char *description, GError **error)
{
	struct target_gdb *self = g_new0(struct target_gdb, 1);

	target_base_init(&self->target, &gdb_ops, description);
	self->link = link;
	self->cores = g_array_new(FALSE, FALSE, sizeof(struct gdb_core));
	g_array_set_clear_func(self->cores, free_core);
	if (!greet(self, error) || !take_first_stops(self, error) || !name_registers(self, error) ||
	    !read_cores(self, error) || !choose_physical(self, error)) {
		target_free(&self->target);
		return NULL;
	}
	self->target.n_cpus = self->cores->len;
	self->target.line_bytes = 64;
	self->target.capabilities = TARGET_CAN_WRITE_MEMORY | TARGET_CAN_WRITE_REGISTERS |
	                            TARGET_CAN_RUN | TARGET_CAN_BREAK | TARGET_CAN_WATCH;
	if (g_hash_table_contains(self->by_name, "TTBR1_EL1"))
		self->target.capabilities |= TARGET_HAS_SYSTEM_REGISTERS;
	target_base_seal(&self->target);
	return &self->target;
}

#include "debugger/target-coresight.h"

#include "awareness/target/target-private.h"
#include "capture/coresight/debug-registers.h"
#include "capture/coresight/debug.h"
#include "capture/link-open.h"

#include <string.h>

enum {
	MAX_CORES = 64,
	MAX_BREAKS = 16,
	WORD_BYTES = 4,
};

struct slot {
	gboolean used;
	struct target_break what;
};

struct target_coresight {
	struct target target;
	struct board *board;
	struct link *link;
	struct access access;
	struct debug_core cores[MAX_CORES];
	struct slot breaks[MAX_BREAKS], watches[MAX_BREAKS];
};

/* The ground rooms have errors of their own; a target's callers know these. */
static gboolean fail(enum target_error code, GError *cause, GError **error)
{
	if (cause != NULL && cause->domain == LINK_ERROR && cause->code == LINK_ERROR_LOST)
		code = TARGET_ERROR_LINK;
	g_set_error_literal(error, TARGET_ERROR, (gint)code,
	                    cause != NULL ? cause->message : "the target failed");
	g_clear_error(&cause);
	return FALSE;
}

/* [pa, pa + len) as whole words; what is outside is read and dropped. */
static gboolean read_piece(struct target_coresight *self, struct target_transfer *transfer,
                           GError **error)
{
	guint64 start = transfer->pa.value & ~(guint64)(WORD_BYTES - 1);
	guint64 skip = transfer->pa.value - start;
	gsize n_words = (gsize)((skip + transfer->len_bytes + WORD_BYTES - 1) / WORD_BYTES);
	g_autofree guint32 *words = g_new(guint32, n_words);
	GError *cause = NULL;

	transfer->ok =
		link_read_block(self->link, LINK_SPACE_MEMORY, start, words, n_words, &cause);
	if (transfer->ok) {
		for (gsize i = 0; i < n_words; i++)
			words[i] = GUINT32_TO_LE(words[i]);
		memcpy(transfer->data, (const guint8 *)words + skip, transfer->len_bytes);
		return TRUE;
	}
	/* A piece that is not there is no failure of the link. */
	if (g_error_matches(cause, LINK_ERROR, LINK_ERROR_FAULT)) {
		g_error_free(cause);
		return TRUE;
	}
	return fail(TARGET_ERROR_LINK, cause, error);
}

static gboolean coresight_read(struct target *target, struct target_transfer *transfers,
                               size_t n_transfers, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;

	for (size_t i = 0; i < n_transfers; i++) {
		if (!read_piece(self, &transfers[i], error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_piece(struct target_coresight *self, struct target_transfer *transfer,
                            GError **error)
{
	const guint8 *bytes = transfer->data;

	transfer->ok = TRUE;
	for (size_t done = 0; done < transfer->len_bytes;) {
		guint64 addr = transfer->pa.value + done;
		guint64 word_addr = addr & ~(guint64)(WORD_BYTES - 1);
		gsize in_word = (gsize)(addr - word_addr);
		gsize n = MIN(WORD_BYTES - in_word, transfer->len_bytes - done);
		guint32 word = 0;
		GError *cause = NULL;

		if (!link_read32(self->link, LINK_SPACE_MEMORY, word_addr, &word, &cause)) {
			transfer->ok = FALSE;
			g_clear_error(&cause);
			return TRUE;
		}
		word = GUINT32_TO_LE(word);
		memcpy((guint8 *)&word + in_word, bytes + done, n);
		if (!link_write32(self->link, LINK_SPACE_MEMORY, word_addr, GUINT32_FROM_LE(word),
		                  &cause))
			return fail(TARGET_ERROR_MEMORY, cause, error);
		done += n;
	}
	return TRUE;
}

static gboolean coresight_write(struct target *target, struct target_transfer *transfers,
                                size_t n_transfers, GError **error)
{
	for (size_t i = 0; i < n_transfers; i++) {
		if (!write_piece((struct target_coresight *)target, &transfers[i], error))
			return FALSE;
	}
	return TRUE;
}

static gboolean coresight_get(struct target *target, unsigned cpu, const char *name,
                              struct target_register *out, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	GError *cause = NULL;
	guint64 value;

	if (!debug_core_get(&self->cores[cpu], name, &value, &cause))
		return fail(TARGET_ERROR_REGISTER, cause, error);
	*out = (struct target_register) { .low = value };
	return TRUE;
}

static gboolean coresight_set(struct target *target, unsigned cpu, const char *name,
                              const struct target_register *value, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	GError *cause = NULL;

	return debug_core_set(&self->cores[cpu], name, value->low, &cause) ||
	       fail(TARGET_ERROR_REGISTER, cause, error);
}

static gboolean halt_all(struct target_coresight *self, GError **error)
{
	GError *cause = NULL;

	for (unsigned i = 0; i < self->target.n_cpus; i++) {
		if (!debug_core_halt(&self->cores[i], &cause))
			return fail(TARGET_ERROR_TIMEOUT, cause, error);
	}
	self->target.running = FALSE;
	return TRUE;
}

static gboolean coresight_halt(struct target *target, GError **error)
{
	return halt_all((struct target_coresight *)target, error);
}

static gboolean coresight_resume(struct target *target, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	GError *cause = NULL;

	for (unsigned i = 0; i < target->n_cpus; i++) {
		if (!debug_core_resume(&self->cores[i], &cause))
			return fail(TARGET_ERROR_REFUSED, cause, error);
	}
	return TRUE;
}

static gboolean coresight_step(struct target *target, unsigned cpu, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	GError *cause = NULL;

	return debug_core_step(&self->cores[cpu], &cause) ||
	       fail(TARGET_ERROR_TIMEOUT, cause, error);
}

static enum target_stop_reason reason_of(enum debug_stop stop)
{
	switch (stop) {
	case DEBUG_STOP_BREAKPOINT:
		return TARGET_STOP_BREAK;
	case DEBUG_STOP_WATCHPOINT:
		return TARGET_STOP_WATCH;
	case DEBUG_STOP_STEP:
		return TARGET_STOP_STEP;
	case DEBUG_RUNNING:
	case DEBUG_STOP_REQUEST:
	case DEBUG_STOP_OTHER:
		return TARGET_STOP_HALT;
	}
	return TARGET_STOP_HALT;
}

static gboolean coresight_wait(struct target *target, unsigned timeout_ms, struct target_stop *out,
                               GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	gint64 end_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	struct target_stop stop = { .reason = TARGET_STOP_NONE };
	GError *cause = NULL;

	do {
		for (unsigned i = 0; i < target->n_cpus && stop.reason == TARGET_STOP_NONE; i++) {
			if (!debug_core_poll(&self->cores[i], &cause))
				return fail(TARGET_ERROR_LINK, cause, error);
			if (!self->cores[i].halted)
				continue;
			stop.reason = reason_of(self->cores[i].stop);
			stop.cpu = i;
			stop.watch_va = (struct va) { self->cores[i].watch_va };
			if (!halt_all(self, error))
				return FALSE;
		}
	} while (stop.reason == TARGET_STOP_NONE && g_get_monotonic_time() < end_us);
	if (stop.reason != TARGET_STOP_NONE)
		target->epoch++;
	*out = stop;
	return TRUE;
}

static gboolean is_watch(const struct target_break *what)
{
	return what->kind == TARGET_WATCH_WRITE || what->kind == TARGET_WATCH_READ ||
	       what->kind == TARGET_WATCH_ACCESS;
}

static gboolean same_break(const struct target_break *a, const struct target_break *b)
{
	return a->kind == b->kind && a->va.value == b->va.value && a->only_vmid == b->only_vmid &&
	       a->only_context_id == b->only_context_id && (!a->only_vmid || a->vmid == b->vmid) &&
	       (!a->only_context_id || a->context_id == b->context_id);
}

/* The slot that holds `what`, or, to set it, the first free one of `n`. -1: none. */
static gint find_slot(const struct slot *slots, guint n, const struct target_break *what,
                      gboolean set)
{
	for (guint i = 0; i < n; i++) {
		if (slots[i].used && same_break(&slots[i].what, what))
			return (gint)i;
	}
	for (guint i = 0; set && i < n; i++) {
		if (!slots[i].used)
			return (gint)i;
	}
	return -1;
}

static gboolean change_core(struct debug_core *core, guint slot, const struct target_break *what,
                            gboolean set, GError **error)
{
	struct debug_condition only = { what->only_vmid, what->only_context_id, what->vmid,
		                        what->context_id };
	struct debug_break where = { what->va.value, only };
	guint on = what->kind == TARGET_WATCH_READ    ? DEBUG_WATCH_READ
	           : what->kind == TARGET_WATCH_WRITE ? DEBUG_WATCH_WRITE
	                                              : DEBUG_WATCH_READ | DEBUG_WATCH_WRITE;
	struct debug_watch watched = { what->va.value, what->len_bytes, on, only };

	if (is_watch(what))
		return set ? debug_core_watch_set(core, slot, &watched, error)
		           : debug_core_watch_clear(core, slot, error);
	return set ? debug_core_break_set(core, slot, &where, error)
	           : debug_core_break_clear(core, slot, error);
}

static gboolean coresight_break(struct target *target, const struct target_break *what,
                                gboolean set, GError **error)
{
	struct target_coresight *self = (struct target_coresight *)target;
	gboolean watch = is_watch(what);
	struct slot *slots = watch ? self->watches : self->breaks;
	/* Context breakpoints stay free for links. */
	guint n = watch ? self->cores[0].n_watchpoints
	                : self->cores[0].n_breakpoints - self->cores[0].n_context_breakpoints;
	gint slot = find_slot(slots, MIN(n, MAX_BREAKS), what, set);
	GError *cause = NULL;

	if (slot < 0 && !set)
		return TRUE;
	if (slot < 0) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_REFUSED,
		            "all %u hardware %s of the cores are taken", n,
		            watch ? "watchpoints" : "breakpoints");
		return FALSE;
	}
	for (unsigned i = 0; i < target->n_cpus; i++) {
		if (!change_core(&self->cores[i], (guint)slot, what, set, &cause))
			return fail(TARGET_ERROR_REFUSED, cause, error);
	}
	slots[slot] = (struct slot) { set, *what };
	return TRUE;
}

static void coresight_free(struct target *target)
{
	struct target_coresight *self = (struct target_coresight *)target;

	for (unsigned i = 0; i < target->n_cpus; i++)
		debug_core_leave(&self->cores[i], NULL);
	if (self->access.journal != NULL)
		access_deinit(&self->access);
	link_close(self->link);
	board_free(self->board);
	target_base_deinit(target);
	g_free(self);
}

static const struct target_ops coresight_ops = {
	.read = coresight_read,
	.write = coresight_write,
	.register_get = coresight_get,
	.register_set = coresight_set,
	.halt = coresight_halt,
	.resume = coresight_resume,
	.step = coresight_step,
	.wait = coresight_wait,
	.break_change = coresight_break,
	.free = coresight_free,
};

static void describe(struct target_coresight *self)
{
	static const char *const named[] = { "sp", "pc", "cpsr" };
	GPtrArray *names = self->target.register_names;

	for (guint i = 0; i < 31; i++)
		g_ptr_array_add(names, g_strdup_printf("x%u", i));
	for (gsize i = 0; i < G_N_ELEMENTS(named); i++)
		g_ptr_array_add(names, g_strdup(named[i]));
	for (guint i = 0; i < n_debug_registers; i++)
		g_ptr_array_add(names, g_strdup(debug_registers[i].name));
	for (guint i = 0; i < self->board->banks->len; i++) {
		const struct board_bank *bank =
			&g_array_index(self->board->banks, struct board_bank, i);
		struct target_region region = { { bank->start_pa }, bank->len_bytes };

		g_array_append_val(self->target.regions, region);
	}
	self->target.line_bytes = TARGET_CORESIGHT_LINE_BYTES;
	self->target.capabilities = TARGET_CAN_WRITE_MEMORY | TARGET_CAN_WRITE_REGISTERS |
	                            TARGET_CAN_RUN | TARGET_CAN_BREAK | TARGET_CAN_WATCH |
	                            TARGET_CAN_BREAK_VMID | TARGET_HAS_SYSTEM_REGISTERS;
	target_base_seal(&self->target);
}

/* All from core 0 on that have power. */
static gboolean find_cores(struct target_coresight *self, GError **error)
{
	GError *cause = NULL;

	for (guint i = 0; i < MAX_CORES; i++) {
		gboolean on = FALSE;

		if (board_find_of_core(self->board, BOARD_DEBUG, (gint)i) < 0)
			break;
		if (!debug_core_powered(&self->access, i, &on, &cause))
			return fail(TARGET_ERROR_OPEN, cause, error);
		if (!on)
			break;
		if (!debug_core_init(&self->cores[i], &self->access, i, &cause))
			return fail(TARGET_ERROR_OPEN, cause, error);
		self->target.n_cpus++;
	}
	if (self->target.n_cpus > 0)
		return TRUE;
	g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN,
	            "no core of board %s has power (EDPRSR bit 0), or its board file has no debug "
	            "components",
	            self->board->name);
	return FALSE;
}

static gboolean connect_board(struct target_coresight *self, const char *where, GError **error)
{
	const char *plus = strrchr(where, '+');
	g_autofree char *link = NULL;
	GError *cause = NULL;

	if (plus == NULL || plus == where || plus[1] == '\0') {
		g_set_error(
			error, TARGET_ERROR, TARGET_ERROR_SPEC,
			"cannot open the target 'coresight:%s': it must be coresight:LINK+BOARD, "
			"as in coresight:openocd:localhost:6666+zynqmp",
			where);
		return FALSE;
	}
	link = g_strndup(where, (gsize)(plus - where));
	self->board = board_load(plus + 1, &cause);
	if (self->board != NULL)
		self->link = link_open(link, self->board, &cause);
	if (self->link == NULL)
		return fail(TARGET_ERROR_OPEN, cause, error);
	access_init(&self->access, self->link, self->board);
	if (self->link->has_memory)
		return TRUE;
	g_set_error(
		error, TARGET_ERROR, TARGET_ERROR_OPEN,
		"%s gives no access to physical memory; it needs a mem_ap target on access port "
		"%u",
		self->link->description, self->board->memory_ap);
	return FALSE;
}

struct target *target_coresight_open(const char *where, GError **error)
{
	struct target_coresight *self = g_new0(struct target_coresight, 1);
	g_autofree char *description = g_strconcat("coresight:", where, NULL);

	target_base_init(&self->target, &coresight_ops, description);
	if (!connect_board(self, where, error) || !find_cores(self, error) ||
	    !halt_all(self, error)) {
		target_free(&self->target);
		return NULL;
	}
	describe(self);
	return &self->target;
}

struct target *target_open_any(const char *spec, GError **error)
{
	if (g_str_has_prefix(spec, "coresight:"))
		return target_coresight_open(spec + strlen("coresight:"), error);
	return target_open(spec, error);
}

/* When tasks of a Linux guest started, what they are bound to, and its clock.
 *
 * The clock is struct timekeeper in tk_core (kernel/time/timekeeping.c). That variable is
 * static: distributions' kallsyms do not have it. The code of ktime_get() forms its
 * address, and a timekeeper knows itself: its mask is ones, both its readers have the same
 * clock source, and its rate is the counter's. */
#include "awareness/os/linux-private.h"

#include <math.h>
#include <string.h>

enum clock_limits {
	CODE_WORDS_MAX = 64, /* of ktime_get() */
	SWITCH_WORDS = 256,  /* of __switch_to(), where its size is not known */
	SWITCH_WORDS_MAX = 1024,
	PAGES_MAX = 8, /* that the code names */
	PAGE_BYTES = 4096,
	SEARCH_BYTES = 2 * PAGE_BYTES,
	SHIFT_MAX = 32,
	CPUS_MAX = 4096,
};

enum timekeeper_field {
	TK_CLOCK,
	TK_MASK,
	TK_LAST,
	TK_MULT,
	TK_SHIFT,
	TK_XTIME,
	TK_BASE,
	TK_RAW_CLOCK,
	TK_RAW_MASK,
	TK_FIELDS,
};

static const struct field timekeeper_fields[] = {
	[TK_CLOCK] = { "tkr_mono.clock", FALSE },     [TK_MASK] = { "tkr_mono.mask", FALSE },
	[TK_LAST] = { "tkr_mono.cycle_last", FALSE }, [TK_MULT] = { "tkr_mono.mult", FALSE },
	[TK_SHIFT] = { "tkr_mono.shift", FALSE },     [TK_XTIME] = { "tkr_mono.xtime_nsec", FALSE },
	[TK_BASE] = { "tkr_mono.base", FALSE },       [TK_RAW_CLOCK] = { "tkr_raw.clock", FALSE },
	[TK_RAW_MASK] = { "tkr_raw.mask", FALSE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(timekeeper_fields) == TK_FIELDS);

enum detail_field {
	DETAIL_START,
	DETAIL_CPUS,
	DETAIL_MASK,
	DETAIL_FIELDS,
};

static const struct field detail_fields[] = {
	[DETAIL_START] = { "start_time", TRUE },
	[DETAIL_CPUS] = { "nr_cpus_allowed", TRUE },
	[DETAIL_MASK] = { "cpus_mask|cpus_allowed", TRUE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(detail_fields) == DETAIL_FIELDS);

/* The lowest CPU in the mask at `at`, or -1. What lies above the CPUs that the machine can
 * have is not kept (include/linux/cpumask.h: small_cpumask_bits): a mask of one CPU may
 * end in ones. */
static int lowest_cpu(struct space *kernel, struct va at, uint64_t mask_bytes)
{
	const uint64_t n_words = MIN(mask_bytes, CPUS_MAX / 8) / 8;

	for (uint64_t i = 0; i < n_words; i++) {
		uint64_t word;

		if (!space_read_uint(kernel, (struct va) { at.value + i * 8 }, 8, &word, NULL))
			return -1;
		if (word != 0)
			return (int)(i * 64) + __builtin_ctzll(word);
	}
	return -1;
}

/* nr_cpus_allowed counts the CPUs that there are. */
static int only_cpu(const struct layout *layout, struct machine *machine, struct va task)
{
	const int cpu = lowest_cpu(machine->kernel, layout_member(layout, task, DETAIL_MASK),
	                           layout->size_bytes[DETAIL_MASK]);

	return cpu >= 0 && (guint)cpu < machine->vcpus->len ? cpu : -1;
}

void linux_detail(struct guest_os *os, struct machine *machine, GPtrArray *tasks,
                  struct task_detail *details)
{
	g_autofree struct va *at = g_new(struct va, tasks->len + 1);
	struct layout layout;

	(void)os;
	for (guint i = 0; i < tasks->len; i++) {
		details[i] = (struct task_detail) { .only_cpu = -1 };
		at[i] = ((const struct task *)g_ptr_array_index(tasks, i))->va;
	}
	if (!layout_init(&layout, &machine->program, "struct task_struct", detail_fields,
	                 DETAIL_FIELDS, NULL))
		return;
	layout_prefetch(&layout, machine->kernel, at, tasks->len);
	for (guint i = 0; i < tasks->len; i++) {
		uint64_t fields[DETAIL_FIELDS];

		if (!layout_read(&layout, machine->kernel, at[i], fields, NULL))
			continue;
		details[i].has_start = layout.found[DETAIL_START] && fields[DETAIL_START] != 0;
		details[i].start_ns = fields[DETAIL_START];
		if (layout.found[DETAIL_CPUS] && layout.found[DETAIL_MASK] &&
		    fields[DETAIL_CPUS] == 1)
			details[i].only_cpu = only_cpu(&layout, machine, at[i]);
	}
}

/* What the search for the timekeeper knows. */
struct search {
	const struct machine *machine;
	struct layout layout;
	uint64_t counter_hz; /* 0 where not known */
};

static uint64_t field_in(const struct search *s, const uint8_t *bytes, enum timekeeper_field field)
{
	uint64_t value = 0;

	memcpy(&value, bytes + s->layout.offset_bytes[field],
	       MIN(s->layout.size_bytes[field], sizeof(value)));
	return GUINT64_FROM_LE(value);
}

/* Whether a whole timekeeper lies at `bytes`, and what it says. */
static gboolean timekeeper_at(const struct search *s, const uint8_t *bytes, struct guest_clock *out)
{
	const uint64_t mask = field_in(s, bytes, TK_MASK);
	const uint64_t mult = field_in(s, bytes, TK_MULT);
	const uint64_t shift = field_in(s, bytes, TK_SHIFT);
	const uint64_t last = field_in(s, bytes, TK_LAST);
	const uint64_t base_ns = field_in(s, bytes, TK_BASE);
	const struct va source = { field_in(s, bytes, TK_CLOCK) };
	double ns_per_tick;

	if (mask < G_MAXUINT32 || (mask & (mask + 1)) != 0 || last == 0 || last > mask ||
	    mult == 0 || shift > SHIFT_MAX || base_ns > G_MAXINT64 || !linux_is_kernel_va(source) ||
	    source.value != field_in(s, bytes, TK_RAW_CLOCK) ||
	    mask != field_in(s, bytes, TK_RAW_MASK))
		return FALSE;
	ns_per_tick = ldexp((double)mult, -(int)shift);
	if (s->counter_hz != 0 && fabs(ns_per_tick * (double)s->counter_hz / 1e9 - 1) > 0.01)
		return FALSE;
	*out = (struct guest_clock) {
		.ticks = last,
		.ns = base_ns + (field_in(s, bytes, TK_XTIME) >> shift),
		.ns_per_tick = ns_per_tick,
	};
	return TRUE;
}

static gboolean search_from(const struct search *s, struct va start, struct guest_clock *out)
{
	g_autofree uint8_t *bytes = g_malloc0(SEARCH_BYTES);
	const uint64_t size_bytes = s->layout.struct_bytes;
	size_t n_read = 0;

	space_read(s->machine->kernel, start, bytes, SEARCH_BYTES, &n_read, NULL);
	for (size_t at = 0; size_bytes > 0 && at + size_bytes <= n_read && at < PAGE_BYTES;
	     at += 8) {
		if (timekeeper_at(s, bytes + at, out))
			return TRUE;
	}
	return FALSE;
}

static gboolean read_code(const struct machine *machine, const char *function, uint32_t *words,
                          size_t n_words, struct va *at)
{
	if (!program_address(&machine->program, function, at, NULL) ||
	    !space_read(machine->kernel, *at, words, n_words * sizeof(*words), NULL, NULL))
		return FALSE;
	for (size_t i = 0; i < n_words; i++)
		words[i] = GUINT32_FROM_LE(words[i]);
	return TRUE;
}

/* The page that an ADRP names (Arm ARM DDI 0487, C6.2). FALSE for another instruction. */
static gboolean adrp_page(uint32_t word, struct va pc, struct va *out)
{
	uint64_t pages;

	if ((word & 0x9f000000) != 0x90000000)
		return FALSE;
	pages = (word >> 29 & 3) | (uint64_t)(word >> 5 & 0x7ffff) << 2;
	if ((pages & 1 << 20) != 0)
		pages |= ~(uint64_t)0 << 21;
	out->value = (pc.value & ~(uint64_t)(PAGE_BYTES - 1)) + (pages << 12);
	return TRUE;
}

static gboolean search_code(const struct search *s, struct guest_clock *out)
{
	uint32_t words[CODE_WORDS_MAX];
	struct va seen[PAGES_MAX];
	unsigned n_seen = 0;
	struct va pc;

	if (!read_code(s->machine, "ktime_get", words, CODE_WORDS_MAX, &pc))
		return FALSE;
	for (size_t i = 0; i < CODE_WORDS_MAX && n_seen < PAGES_MAX; i++) {
		struct va page;
		gboolean is_new;

		if (!adrp_page(words[i], (struct va) { pc.value + i * 4 }, &page))
			continue;
		is_new = TRUE;
		for (unsigned n = 0; n < n_seen; n++)
			is_new = is_new && seen[n].value != page.value;
		if (!is_new)
			continue;
		seen[n_seen++] = page;
		if (search_from(s, page, out))
			return TRUE;
	}
	return FALSE;
}

/* CNTFRQ_EL0, as one of the cores has it. */
static uint64_t counter_hz(const struct machine *machine)
{
	struct target *target = pagecache_target(space_cache(machine->kernel));
	struct target_register value;

	return target_register_get(target, 0, "CNTFRQ_EL0", &value, NULL) ? value.low : 0;
}

gboolean linux_clock(struct guest_os *os, struct machine *machine, struct guest_clock *out,
                     GError **error)
{
	struct search s = { .machine = machine, .counter_hz = counter_hz(machine) };
	struct va known;

	(void)os;
	if (!layout_init(&s.layout, &machine->program, "struct timekeeper", timekeeper_fields,
	                 TK_FIELDS, error))
		return FALSE;
	if (program_address(&machine->program, "tk_core", &known, NULL) &&
	    search_from(&s, known, out))
		return TRUE;
	if (search_code(&s, out))
		return TRUE;
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
	            "the kernel's timekeeper was not found: when its tasks started is not known");
	return FALSE;
}

gboolean linux_writes_context_ids(struct guest_os *os, struct machine *machine)
{
	/* MSR CONTEXTIDR_EL1, Xt: op0 3, op1 0, CRn 13, CRm 0, op2 1 */
	static const uint32_t opcode = 0xd518d020, mask = 0xffffffe0;
	uint32_t words[SWITCH_WORDS_MAX];
	const struct symbol *symbol = symbols_by_name(machine->program.symbols, "__switch_to");
	size_t n_words = SWITCH_WORDS;
	struct va pc;

	(void)os;
	if (symbol != NULL && symbol->size_bytes != 0)
		n_words = MIN(symbol->size_bytes / 4, SWITCH_WORDS_MAX);
	if (!read_code(machine, "__switch_to", words, n_words, &pc))
		return FALSE;
	for (size_t i = 0; i < n_words; i++) {
		if ((words[i] & mask) == opcode)
			return TRUE;
	}
	return FALSE;
}

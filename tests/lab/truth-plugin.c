/* SPDX-License-Identifier: GPL-2.0-or-later */
/* truth-plugin.c: what really ran, written down by QEMU
 *
 * The witness against which the virtual ETM and the decoder are judged. It shares no code
 * with them and takes the slow and plain way: one callback an instruction, and every
 * register read afresh at the beginning of every translation block. It must run beside
 * them in the same QEMU, so that both see the same blocks.
 *
 *   -plugin truth-plugin.so,out=DIR,from=N,to=N,shift=S[,insns=on][,stack-bytes=N]
 *
 * The window is counted in instructions of blocks begun on all cores since power-on.
 * Written into DIR:
 *   intervals.csv   core, el, vmid, cid, vcpu, instructions, start_insn, start_ns,
 *                   time_known: one row while none of (core, el, vmid, cid, vcpu) changes.
 *                   vcpu is the hypervisor stack's region: SP_EL2 rounded down.
 *                   start_insn counts instructions begun on all cores.
 *   entries.csv     core, insn, ns, offset, esr, elr, x16, vmid, cid, vcpu: one row an
 *                   exception to EL2
 *   insns-N.bin     with insns=on: one little-endian u64 an instruction that core N
 *                   executed, its address with the exception level in bits [1:0]
 *   totals.csv      core, el, vmid, cid, instructions
 */
#include <qemu-plugin.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum {
	MAX_CORES = 16
};

enum reg {
	R_PC,
	R_CPSR,
	R_SP,
	R_SP_EL2,
	R_VTTBR,
	R_CID,
	R_CNTVOFF,
	R_X16,
	R_VBAR1,
	R_VBAR2,
	R_ELR1,
	R_ELR2,
	R_ESR2,
	N_REGS,
};

static const char *const reg_names[N_REGS] = {
	"pc",  "cpsr", "sp",       "SP_EL2",  "VTTBR_EL2", "CONTEXTIDR_EL1", "CNTVOFF_EL2",
	"x16", "VBAR", "VBAR_EL2", "ELR_EL1", "ELR_EL2",   "ESR_EL2",
};

struct tb {
	uint32_t n;
	bool counter; /* the last instruction reads CNTPCT or CNTVCT */
	bool virtual_counter;
	uint32_t counter_rt;
	uint32_t last_opcode;
	uint64_t end_va; /* behind it, where it was translated */
};

struct insn {
	struct tb *tb;
	uint32_t index;
};

struct owner {
	unsigned el, vmid;
	uint32_t cid;
	uint64_t vcpu;
};

struct core {
	struct qemu_plugin_register *regs[N_REGS];
	struct qemu_plugin_register *x[31];
	bool started;
	struct tb *tb; /* the one that began last */
	uint64_t pc;
	unsigned el;
	struct owner owner;
	uint64_t n;          /* instructions of the open interval */
	uint64_t start_insn; /* of it */
	uint64_t last;       /* address of the instruction that began last */
	bool any;
	FILE *insns;
	uint64_t held; /* the last record, not written yet: an exception may undo it */
	bool holds;
};

static struct {
	char *out;
	uint64_t from, to, stack_bytes;
	unsigned shift;
	bool log_insns, open, done;
	unsigned n_cores;
	uint64_t begun;
	int64_t base_ns;
	bool time_known;
	struct core cores[MAX_CORES];
	FILE *intervals, *entries;
	GHashTable *totals;
	GByteArray *bytes;
	GPtrArray *all;
} truth = { .to = UINT64_MAX, .stack_bytes = 32768 };

static uint64_t get(struct qemu_plugin_register *handle)
{
	uint64_t value = 0;

	if (handle == NULL)
		return 0;
	g_byte_array_set_size(truth.bytes, 0);
	qemu_plugin_read_register(handle, truth.bytes);
	memcpy(&value, truth.bytes->data, truth.bytes->len < 8 ? truth.bytes->len : 8);
	return value;
}

/* QEMU's callbacks name the core that translated, not the one that runs. */
static int who(unsigned vcpu_index)
{
	static void **current;
	static void *(*get_cpu)(int);

	if (truth.n_cores == 1)
		return vcpu_index == 0 ? 0 : -1;
	if (current == NULL) {
		current = dlsym(RTLD_DEFAULT, "current_cpu");
		get_cpu = (void *(*)(int))dlsym(RTLD_DEFAULT, "qemu_get_cpu");
		g_assert(current != NULL && get_cpu != NULL);
	}
	for (unsigned i = 0; i < truth.n_cores; i++) {
		if (get_cpu((int)i) == *current)
			return (int)i;
	}
	return -1;
}

static int64_t now_ns(void)
{
	return truth.base_ns + (int64_t)(truth.begun << truth.shift);
}

static void close_interval(struct core *core)
{
	const struct owner *owner = &core->owner;
	char key[96];
	uint64_t *total;

	if (core->n == 0)
		return;
	fprintf(truth.intervals,
	        "%d,%u,%u,%u,0x%" PRIx64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%d\n",
	        (int)(core - truth.cores), owner->el, owner->vmid, owner->cid, owner->vcpu, core->n,
	        core->start_insn, truth.base_ns + (int64_t)(core->start_insn << truth.shift),
	        truth.time_known);
	snprintf(key, sizeof key, "%d,%u,%u,%u", (int)(core - truth.cores), owner->el, owner->vmid,
	         owner->cid);
	total = g_hash_table_lookup(truth.totals, key);
	if (total == NULL) {
		total = g_new0(uint64_t, 1);
		g_hash_table_insert(truth.totals, g_strdup(key), total);
	}
	*total += core->n;
	core->n = 0;
}

static void write_held(struct core *core)
{
	if (core->holds && core->insns != NULL)
		fwrite(&core->held, sizeof core->held, 1, core->insns);
	core->holds = false;
}

static struct owner read_owner(struct core *core, unsigned el)
{
	const uint64_t sp_el2 = get(core->regs[el == 2 ? R_SP : R_SP_EL2]);
	const struct owner owner = {
		.el = el,
		.vmid = (unsigned)(get(core->regs[R_VTTBR]) >> 48 & 0xFF),
		.cid = (uint32_t)get(core->regs[R_CID]),
		.vcpu = sp_el2 & ~(truth.stack_bytes - 1),
	};

	return owner;
}

static bool same_owner(const struct owner *a, const struct owner *b)
{
	return a->el == b->el && a->vmid == b->vmid && a->cid == b->cid && a->vcpu == b->vcpu;
}

/* The instruction that began last did not execute: a synchronous exception names it. */
static void undo_last(struct core *core, uint64_t elr)
{
	if (!core->any || core->last != elr)
		return;
	if (core->n > 0)
		core->n--;
	core->holds = false;
	core->any = false;
}

/* Whether the last instruction was a B to `pc`. */
static bool branched(const struct core *core, uint64_t pc)
{
	const uint32_t opcode = core->tb->last_opcode;
	const int32_t offset = (int32_t)(opcode << 6) >> 4;

	return opcode >> 26 == 5 && core->last + (uint64_t)(int64_t)offset == pc;
}

static bool is_vector(struct core *core, uint64_t pc, unsigned el)
{
	const uint64_t offset = pc - get(core->regs[el == 2 ? R_VBAR2 : R_VBAR1]);

	return el != 0 && offset < 0x800 && offset % 0x80 == 0;
}

/* VTTBR_EL2 and CONTEXTIDR_EL1 hold for what comes after the next context synchronisation: an
 * ISB, an exception or its return (DDI 0487, D17.1.1). Between the MSR and that, what they are is
 * not defined. */
static bool is_synchronised(struct core *core, uint64_t pc, unsigned el)
{
	const uint32_t opcode = core->tb != NULL ? core->tb->last_opcode : 0;
	const bool is_isb = (opcode & 0xFFFFF0FF) == 0xD50330DF;
	const bool is_eret = (opcode & 0xFFFFF3FF) == 0xD69F03E0;

	return !core->started || el != core->el || is_isb || is_eret || is_vector(core, pc, el);
}

/* `pc` may be the first instruction of an exception handler. */
static void look_for_exception(struct core *core, uint64_t pc, unsigned el)
{
	const uint64_t vbar = get(core->regs[el == 2 ? R_VBAR2 : R_VBAR1]);
	const uint64_t offset = pc - vbar;
	uint64_t elr;

	if (el == 0 || el > 2 || offset >= 0x800 || offset % 0x80 != 0 || !core->any)
		return;
	/* Code that runs on into, or branches within, its own vectors is no exception. */
	if (el == core->el && (core->last + 4 == pc || branched(core, pc)))
		return;
	elr = get(core->regs[el == 2 ? R_ELR2 : R_ELR1]);
	if ((offset & 0x180) == 0)
		undo_last(core, elr);
	if (el == 2) {
		const uint64_t inner = elr - get(core->regs[R_VBAR1]);

		/* A synchronous exception to EL1 whose handler could not even begin. */
		if (inner < 0x800 && inner % 0x80 == 0 && (inner & 0x180) == 0)
			undo_last(core, get(core->regs[R_ELR1]));
	}
	if (el != 2)
		return;

	const struct owner owner = read_owner(core, 2);

	fprintf(truth.entries,
	        "%d,%" PRIu64 ",%" PRId64 ",0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64
	        ",%u,%u,0x%" PRIx64 "\n",
	        (int)(core - truth.cores), truth.begun, now_ns(), offset, get(core->regs[R_ESR2]),
	        elr, get(core->regs[R_X16]), owner.vmid, owner.cid, owner.vcpu);
}

static void take_counter(struct core *core)
{
	uint64_t counter;

	if (core->tb == NULL || !core->tb->counter || core->tb->counter_rt == 31)
		return;
	/* Where it trapped, the register is not the counter's. */
	if (((core->tb->end_va ^ get(core->regs[R_PC])) & 0xFFF) != 0)
		return;
	counter = get(core->x[core->tb->counter_rt]);
	if (core->tb->virtual_counter)
		counter += get(core->regs[R_CNTVOFF]);
	if (!truth.time_known || (uint64_t)now_ns() / 16 != counter)
		truth.base_ns += (int64_t)(counter * 16) - now_ns();
	truth.time_known = true;
}

static void close_all(void)
{
	GHashTableIter iter;
	gpointer key, value;
	g_autofree char *path = g_build_filename(truth.out, "totals.csv", NULL);
	FILE *totals;

	if (truth.done)
		return;
	truth.done = true;
	for (unsigned i = 0; i < truth.n_cores; i++) {
		close_interval(&truth.cores[i]);
		write_held(&truth.cores[i]);
		if (truth.cores[i].insns != NULL)
			fclose(truth.cores[i].insns);
	}
	fclose(truth.intervals);
	fclose(truth.entries);
	totals = fopen(path, "w");
	g_assert(totals != NULL);
	fprintf(totals, "core,el,vmid,cid,instructions\n");
	g_hash_table_iter_init(&iter, truth.totals);
	while (g_hash_table_iter_next(&iter, &key, &value))
		fprintf(totals, "%s,%" PRIu64 "\n", (char *)key, *(uint64_t *)value);
	fclose(totals);
}

static void begin_in_window(struct core *core, struct tb *tb)
{
	const uint64_t pc = get(core->regs[R_PC]);
	const unsigned el = (unsigned)get(core->regs[R_CPSR]) >> 2 & 3;

	if (core->started)
		look_for_exception(core, pc, el);
	write_held(core);

	struct owner owner = read_owner(core, el);

	if (!is_synchronised(core, pc, el)) {
		owner.vmid = core->owner.vmid;
		owner.cid = core->owner.cid;
	}
	if (!core->started || !same_owner(&owner, &core->owner)) {
		close_interval(core);
		core->owner = owner;
		core->start_insn = truth.begun;
	}
	core->started = true;
	core->pc = pc;
	core->el = el;
	core->tb = tb;
}

static void on_tb(unsigned vcpu_index, void *data)
{
	struct tb *tb = data;
	const int index = who(vcpu_index);

	if (index < 0 || truth.done)
		return;

	struct core *core = &truth.cores[index];

	take_counter(core);
	truth.open = truth.begun >= truth.from;
	if (truth.begun >= truth.to) {
		close_all();
		return;
	}
	if (truth.open)
		begin_in_window(core, tb);
	else
		core->tb = tb;
	truth.begun += tb->n;
}

static void on_insn(unsigned vcpu_index, void *data)
{
	const struct insn *insn = data;
	int index;

	if (!truth.open || truth.done)
		return;
	index = who(vcpu_index);
	if (index < 0 || !truth.cores[index].started)
		return;

	struct core *core = &truth.cores[index];

	write_held(core);
	core->last = core->pc + 4 * (uint64_t)insn->index;
	core->any = true;
	core->n++;
	core->held = core->last | core->el;
	core->holds = true;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *qtb)
{
	const size_t n = qemu_plugin_tb_n_insns(qtb);
	struct tb *tb = g_new0(struct tb, 1);
	struct insn *insns = g_new0(struct insn, n);
	uint32_t opcode = 0;

	(void)id;
	g_ptr_array_add(truth.all, tb);
	g_ptr_array_add(truth.all, insns);
	tb->n = (uint32_t)n;
	qemu_plugin_insn_data(qemu_plugin_tb_get_insn(qtb, n - 1), &opcode, sizeof opcode);
	tb->counter = (opcode & 0xFFFFFFE0) == 0xD53BE020 || (opcode & 0xFFFFFFE0) == 0xD53BE040;
	tb->virtual_counter = (opcode & 0x40) != 0;
	tb->counter_rt = opcode & 31;
	tb->last_opcode = opcode;
	tb->end_va = qemu_plugin_tb_vaddr(qtb) + 4 * n;
	qemu_plugin_register_vcpu_tb_exec_cb(qtb, on_tb, QEMU_PLUGIN_CB_R_REGS, tb);
	for (size_t i = 0; i < n; i++) {
		insns[i].tb = tb;
		insns[i].index = (uint32_t)i;
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(qtb, i), on_insn,
		                                       QEMU_PLUGIN_CB_NO_REGS, &insns[i]);
	}
}

static void on_vcpu_init(qemu_plugin_id_t id, unsigned vcpu_index)
{
	g_autoptr(GArray) list = qemu_plugin_get_registers();
	struct core *core;

	(void)id;
	if (vcpu_index >= truth.n_cores)
		return;
	core = &truth.cores[vcpu_index];
	for (guint i = 0; i < list->len; i++) {
		const qemu_plugin_reg_descriptor *d =
			&g_array_index(list, qemu_plugin_reg_descriptor, i);
		guint64 number;

		for (unsigned r = 0; r < N_REGS; r++) {
			if (strcmp(d->name, reg_names[r]) == 0)
				core->regs[r] = d->handle;
		}
		if (d->name[0] == 'x' &&
		    g_ascii_string_to_unsigned(d->name + 1, 10, 0, 30, &number, NULL))
			core->x[number] = d->handle;
	}
}

static void on_end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	close_all();
}

static FILE *create(const char *name, const char *header)
{
	g_autofree char *path = g_build_filename(truth.out, name, NULL);
	FILE *file = fopen(path, "w");

	if (file == NULL)
		fprintf(stderr, "truth: cannot write '%s'\n", path);
	else
		fputs(header, file);
	return file;
}

static bool parse(const char *key, const char *value)
{
	if (strcmp(key, "out") == 0)
		truth.out = g_strdup(value);
	else if (strcmp(key, "from") == 0)
		truth.from = g_ascii_strtoull(value, NULL, 0);
	else if (strcmp(key, "to") == 0)
		truth.to = g_ascii_strtoull(value, NULL, 0);
	else if (strcmp(key, "shift") == 0)
		truth.shift = (unsigned)g_ascii_strtoull(value, NULL, 0);
	else if (strcmp(key, "stack-bytes") == 0)
		truth.stack_bytes = g_ascii_strtoull(value, NULL, 0);
	else if (strcmp(key, "insns") == 0)
		truth.log_insns = strcmp(value, "on") == 0;
	else
		return false;
	return true;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
	for (int i = 0; i < argc; i++) {
		g_auto(GStrv) pair = g_strsplit(argv[i], "=", 2);

		if (pair[0] == NULL || pair[1] == NULL || !parse(pair[0], pair[1])) {
			fprintf(stderr, "truth: no option '%s'\n", argv[i]);
			return -1;
		}
	}
	if (truth.out == NULL) {
		fprintf(stderr, "truth: out=DIRECTORY is missing\n");
		return -1;
	}
	mkdir(truth.out, 0777);
	truth.n_cores = (unsigned)info->system.smp_vcpus;
	if (truth.n_cores > MAX_CORES)
		truth.n_cores = MAX_CORES;
	truth.intervals = create("intervals.csv", "core,el,vmid,cid,vcpu,instructions,start_insn,"
	                                          "start_ns,time_known\n");
	truth.entries = create("entries.csv", "core,insn,ns,offset,esr,elr,x16,vmid,cid,vcpu\n");
	if (truth.intervals == NULL || truth.entries == NULL)
		return -1;
	for (unsigned i = 0; truth.log_insns && i < truth.n_cores; i++) {
		g_autofree char *name = g_strdup_printf("insns-%u.bin", i);

		truth.cores[i].insns = create(name, "");
		if (truth.cores[i].insns == NULL)
			return -1;
	}
	truth.totals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	truth.bytes = g_byte_array_new();
	truth.all = g_ptr_array_new();
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_end, NULL);
	return 0;
}

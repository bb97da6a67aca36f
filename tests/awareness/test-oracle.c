/* The walk against QEMU's: a few instructions at EL2 set up random two-stage tables'
 * registers and ask `AT S12E1R` for address after address; PAR_EL1 is compared with our
 * result, address and fault status, stage and walk bit. The machine's RAM is a file that
 * this test maps, so that neither side waits for a link. */
#include "tests/awareness/table-builder.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	RAM_BYTES = 64 << 20,
	CODE = 0x200000, /* behind the device tree that QEMU puts first */
	MAILBOX = CODE + 0x1000,
	RESULTS = CODE + 0x10000,
	VECTOR = 0x800 + 0x200,
	ADDRESSES = 200,
	WAIT_SECONDS = 20,
};
static const uint64_t ram_base = 0x40000000;

/* Waits for the mailbox's first word; loads SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1,
 * MAIR_EL1, HCR_EL2, VTCR_EL2 and VTTBR_EL2 from it; TLBI ALLE1; then, for each address
 * behind it, AT S12E1R, ISB, MRS PAR_EL1 to the results; clears the word. */
static const uint32_t program[] = {
	0xd2a80414, 0xf2820014, 0xd2a80435, 0xd2a80416, 0xf2810016, 0xd51cc016, 0xd5033fdf,
	0xd503203f, 0xf9400280, 0xb4ffffc0, 0xd5033fbf, 0xf9400a81, 0xd5181001, 0xf9400e81,
	0xd5182041, 0xf9401281, 0xd5182001, 0xf9401681, 0xd5182021, 0xf9401a81, 0xd518a201,
	0xf9401e81, 0xd51c1101, 0xf9402281, 0xd51c2141, 0xf9402681, 0xd51c2101, 0xd5033f9f,
	0xd5033fdf, 0xd50c879f, 0xd5033f9f, 0xd5033fdf, 0xf9400682, 0x91020283, 0xaa1503e4,
	0xb4000102, 0xf8408465, 0xd50c7885, 0xd5033fdf, 0xd5387406, 0xf8008486, 0xd1000442,
	0x17fffff9, 0xd5033fbf, 0xf900029f, 0x17ffffda,
};

/* An abort of a walk is taken as an exception: PAR_EL1 becomes all ones, and the
 * instruction is left behind. */
static const uint32_t on_exception[] = {
	0x92800007, 0xd5187407, 0xd53c4027, 0x910010e7, 0xd51c4027, 0xd69f03e0,
};

struct mailbox {
	volatile uint64_t go;
	uint64_t n;
	uint64_t sctlr, tcr, ttbr0, ttbr1, mair, hcr, vtcr, vttbr;
	uint64_t unused[6];
	uint64_t addresses[ADDRESSES];
};

struct oracle {
	char *dir, *ram_path, *code_path;
	GSubprocess *qemu;
	uint8_t *ram;
	struct mailbox *mailbox;
	const uint64_t *results;
};

/* The lab's QEMU, else the system's. */
static char *find_qemu(void)
{
	const char *cache = g_getenv("HVSCOPE_LAB_CACHE");
	g_autofree char *fallback =
		g_build_filename(g_getenv("HVSCOPE_SOURCE_ROOT"), "build", "lab", NULL);
	g_autofree char *path = g_build_filename(cache != NULL ? cache : fallback, "bin",
	                                         "qemu-system-aarch64", NULL);

	if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
		return g_steal_pointer(&path);
	return g_find_program_in_path("qemu-system-aarch64");
}

static void map_ram(struct oracle *self)
{
	int fd = open(self->ram_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, RAM_BYTES), ==, 0);
	self->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	g_assert_true(self->ram != MAP_FAILED);
	close(fd);
	self->mailbox = (struct mailbox *)(gpointer)(self->ram + MAILBOX);
	self->results = (const uint64_t *)(gpointer)(self->ram + RESULTS);
}

/* The program, and its vector for synchronous exceptions of its own level. */
static void write_code(struct oracle *self)
{
	uint8_t code[VECTOR + sizeof(on_exception)] = { 0 };

	memcpy(code, program, sizeof(program));
	memcpy(code + VECTOR, on_exception, sizeof(on_exception));
	g_assert_true(g_file_set_contents(self->code_path, (const char *)code, sizeof(code), NULL));
}

static gboolean oracle_init(struct oracle *self, const char *cpu)
{
	g_autofree char *qemu = find_qemu();
	g_autofree char *memory = NULL;
	g_autofree char *loader = NULL;
	g_autoptr(GError) error = NULL;

	if (qemu == NULL) {
		g_test_skip("there is no qemu-system-aarch64 (tests/lab/fetch gets one)");
		return FALSE;
	}
	self->dir = g_dir_make_tmp("hvscope-oracle-XXXXXX", NULL);
	self->ram_path = g_build_filename(self->dir, "ram", NULL);
	self->code_path = g_build_filename(self->dir, "code.bin", NULL);
	map_ram(self);
	write_code(self);
	memory = g_strdup_printf("memory-backend-file,id=ram,size=%u,mem-path=%s,share=on",
	                         RAM_BYTES, self->ram_path);
	loader = g_strdup_printf("loader,file=%s,addr=0x%" G_GINT64_MODIFIER
	                         "x,force-raw=on,cpu-num=0",
	                         self->code_path, ram_base + CODE);
	self->qemu = g_subprocess_new(
		G_SUBPROCESS_FLAGS_STDIN_PIPE, &error, qemu, "-M",
		"virt,virtualization=on,memory-backend=ram,dtb-randomness=off", "-cpu", cpu, "-m",
		"64M", "-object", memory, "-device", loader, "-nodefaults", "-display", "none",
		"-nic", "none", "-audio", "none", NULL);
	g_assert_no_error(error);
	return TRUE;
}

static void oracle_deinit(struct oracle *self)
{
	g_subprocess_force_exit(self->qemu);
	g_subprocess_wait(self->qemu, NULL, NULL);
	g_object_unref(self->qemu);
	munmap(self->ram, RAM_BYTES);
	g_unlink(self->ram_path);
	g_unlink(self->code_path);
	g_rmdir(self->dir);
	g_free(self->dir);
	g_free(self->ram_path);
	g_free(self->code_path);
}

static void ask(struct oracle *self)
{
	gint64 deadline = g_get_monotonic_time() + WAIT_SECONDS * G_USEC_PER_SEC;

	__sync_synchronize();
	self->mailbox->go = 1;
	while (self->mailbox->go != 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		g_usleep(20);
	}
	__sync_synchronize();
}

static gboolean fetch(gpointer data, struct pa pa, uint64_t *descriptor)
{
	struct oracle *self = data;
	uint64_t offset = pa.value - ram_base;

	if (offset > RAM_BYTES - 8)
		return FALSE;
	memcpy(descriptor, self->ram + offset, 8);
	return TRUE;
}

/* PAR_EL1's fault status (DDI 0487, PAR_EL1.FST), or ~0 for what it has no code for. */
static unsigned status_of(const struct vmsa_walk *walk)
{
	int level = walk->fault_level;

	switch (walk->fault) {
	case VMSA_FAULT_ADDRESS_SIZE:
		return level < 0 ? 0x29 : (unsigned)level;
	case VMSA_FAULT_TRANSLATION:
		return level < 0 ? 0x2b : 4 + (unsigned)level;
	case VMSA_FAULT_ACCESS_FLAG:
		return 8 + (unsigned)level;
	case VMSA_FAULT_PERMISSION:
		return 12 + (unsigned)level;
	default:
		return ~0u;
	}
}

static gboolean agree(const struct vmsa_walk *walk, uint64_t par)
{
	if (walk->fault == VMSA_FAULT_NONE)
		return (par & 1) == 0 && ((par ^ walk->pa.value) & 0xffffffffff000ull) == 0;
	return (par & 1) != 0 && (par >> 1 & 0x3f) == status_of(walk) &&
	       (par >> 9 & 1) == (walk->fault_stage == 2) &&
	       (par >> 8 & 1) == (unsigned)walk->fault_on_table;
}

static void describe(struct builder *b, uint64_t va, const struct vmsa_walk *walk, uint64_t par)
{
	g_autoptr(GString) steps = g_string_new(NULL);

	for (unsigned i = 0; i < walk->n_steps; i++)
		g_string_append_printf(steps,
		                       " S%uL%d@%" G_GINT64_MODIFIER "x=%" G_GINT64_MODIFIER "x",
		                       walk->steps[i].stage, walk->steps[i].level,
		                       walk->steps[i].pa.value, walk->steps[i].descriptor);
	g_test_message("va %" G_GINT64_MODIFIER "x: PAR %" G_GINT64_MODIFIER
	               "x; ours %s stage %u level %d walk %d ipa %" G_GINT64_MODIFIER
	               "x pa %" G_GINT64_MODIFIER "x; tcr %" G_GINT64_MODIFIER
	               "x vtcr %" G_GINT64_MODIFIER "x ttbr0 %" G_GINT64_MODIFIER
	               "x vttbr %" G_GINT64_MODIFIER "x;%s",
	               va, par, vmsa_fault_name(walk->fault), walk->fault_stage, walk->fault_level,
	               walk->fault_on_table, walk->ipa.value, walk->pa.value, b->stage1.tcr,
	               b->stage2.vtcr, b->stage1.ttbr0, b->stage2.vttbr, steps->str);
}

/* Addresses near the one that is mapped, with wrong tags, out of range, and anywhere. */
static uint64_t choose_address(struct builder *b, const struct scene *s, unsigned i)
{
	switch (i % 5) {
	case 0:
		return s->va;
	case 1:
		return s->va ^ 1ull << builder_pick(b, 0, 63);
	case 2:
		return s->va + (builder_random_bits(b, 4) << builder_pick(b, 10, 40));
	case 3:
		return s->va ^ builder_random_bits(b, 8) << 56;
	default:
		return builder_random_bits(b, 64);
	}
}

/* One bit of one descriptor on the way, for a third of the batches. */
static void disturb(struct builder *b)
{
	const struct place *p = &b->places[builder_pick(b, 0, b->n_places - 1)];

	if (builder_pick(b, 0, 2) == 0)
		builder_put_word(b, p->pa,
		                 builder_get_word(b, p->pa) ^ 1ull << builder_pick(b, 0, 63));
}

static void load_registers(struct oracle *o, const struct builder *b, const struct scene *s)
{
	struct mailbox *m = o->mailbox;

	m->n = ADDRESSES;
	m->sctlr = 0x30d00801; /* RES1 bits and M */
	m->tcr = b->stage1.tcr;
	m->ttbr0 = b->stage1.ttbr0;
	m->ttbr1 = b->stage1.ttbr1;
	m->mair = b->stage1.mair;
	m->hcr = 1ull << 31 | (s->under_two ? 1 : 0);
	m->vtcr = b->stage2.vtcr | 1ull << 31;
	m->vttbr = b->stage2.vttbr;
}

static unsigned compare(struct oracle *o, struct builder *b, const struct scene *s,
                        unsigned *n_mapped)
{
	unsigned n_wrong = 0;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		uint64_t va = o->mailbox->addresses[i];
		struct vmsa_walk walk;

		vmsa_walk_va(&b->stage1, s->under_two ? &b->stage2 : NULL, &b->features,
		             VMSA_ACCESS_READ, (struct va) { va }, fetch, o, &walk);
		*n_mapped += walk.fault == VMSA_FAULT_NONE ? 1 : 0;
		/* A table outside RAM: what a device or nothing answers is no matter of the
		 * walk. */
		if (walk.fault == VMSA_FAULT_UNREADABLE)
			continue;
		if (agree(&walk, o->results[i]))
			continue;
		if (n_wrong++ < 3)
			describe(b, va, &walk, o->results[i]);
	}
	return n_wrong;
}

static void test_against(const char *cpu, const struct vmsa_features *features, gboolean has_16k)
{
	struct oracle o = { 0 };
	struct builder b;
	unsigned n_wrong = 0, n_mapped = 0;
	const char *wanted = g_getenv("HVSCOPE_ORACLE_SCENES");
	const char *seed = g_getenv("HVSCOPE_ORACLE_SEED");
	unsigned n_scenes = wanted != NULL ? (unsigned)atoi(wanted) : 500;

	if (!oracle_init(&o, cpu))
		return;
	builder_init(&b, seed != NULL ? (unsigned)atoi(seed) : 12);
	b.ram = o.ram;
	b.ram_base = ram_base;
	/* The first piece is the program's. */
	b.ram += 4 << 20;
	b.ram_base += 4 << 20;
	b.ram_bytes = RAM_BYTES - (8 << 20);
	b.fixed = *features;
	b.without_16k = !has_16k;
	for (unsigned i = 0; i < n_scenes;) {
		struct scene s;

		if (!builder_make_scene(&b, &s))
			continue;
		i++;
		disturb(&b);
		load_registers(&o, &b, &s);
		for (unsigned n = 0; n < ADDRESSES; n++)
			o.mailbox->addresses[n] = choose_address(&b, &s, n);
		ask(&o);
		n_wrong += compare(&o, &b, &s, &n_mapped);
	}
	g_test_message("%s: %u configurations, %u addresses (%u of them mapped), %u mismatches",
	               cpu, n_scenes, n_scenes * ADDRESSES, n_mapped, n_wrong);
	g_assert_cmpuint(n_mapped, >, n_scenes * ADDRESSES / 20);
	g_assert_cmpuint(n_wrong, ==, 0);
	builder_deinit(&b);
	oracle_deinit(&o);
}

static void test_cortex_a53(void)
{
	static const struct vmsa_features features = { .pa_bits = 40 };

	test_against("cortex-a53", &features, FALSE);
}

/* The granule of 16 KiB too, and 48 bits of address. */
static void test_neoverse_n1(void)
{
	static const struct vmsa_features features = { .pa_bits = 48 };

	test_against("neoverse-n1", &features, TRUE);
}

static void test_max(void)
{
	static const struct vmsa_features features = {
		.pa_bits = 52,
		.large_va = TRUE,
		.small_tables = TRUE,
	};

	test_against("max,lpa2=off", &features, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/awareness/oracle/cortex-a53", test_cortex_a53);
	g_test_add_func("/awareness/oracle/neoverse-n1", test_neoverse_n1);
	g_test_add_func("/awareness/oracle/max", test_max);
	return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plugin.c: the virtual ETM as a TCG plugin of stock QEMU
 *
 * Glue: takes QEMU's callbacks, finds out which core runs, reads its registers, and keeps
 * the window. What the callbacks mean is flow.c's; what becomes trace, trace-unit.c's.
 *
 * It needs -icount, under which all cores run in turns in one thread. All state is of
 * that thread.
 */
#include "capture/virtual-etm/qemu-api.h"
#include "capture/virtual-etm/sink.h"
#include "capture/virtual-etm/stimulus.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum window_state {
	WINDOW_WAITING,
	WINDOW_OPEN,
	WINDOW_DONE,
};

static struct {
	struct options options;
	struct flow flow;
	struct trace_unit units[FLOW_CORES_MAX];
	struct stimulus stimulus;
	struct sink *sink;
	struct code_image *code;
	GPtrArray *blocks; /* of all translations since the last flush */

	enum window_state state;
	uint64_t begun; /* instructions of the blocks that began, all cores */
	uint64_t opened_begun;
	uint64_t stop_insn; /* resolved from options.stop */
	uint64_t stop_time_ns;
	uint64_t counter_hz;

	unsigned n_cores;
	bool has_el[4];
	struct qemu_plugin_register *handles[FLOW_CORES_MAX][FLOW_REGISTERS];
	GByteArray *buffer;

	/* QEMU bakes the index of the core that translated a block into the callbacks of
	 * a round-robin TCG: ask QEMU itself who runs. */
	void **current_cpu; /* QEMU's thread-local, as seen from its one TCG thread */
	void *(*get_cpu)(int);
	void *cpus[FLOW_CORES_MAX];
	void *last_cpu;
	unsigned last_core;
} etm;

static void fail(const char *message)
{
	fprintf(stderr, "%s\n", message);
	etm.state = WINDOW_DONE;
	kill(getpid(), SIGTERM);
}

static unsigned find_core(void *cpu)
{
	for (unsigned i = 0; i < etm.n_cores; i++) {
		if (etm.cpus[i] == NULL && etm.get_cpu != NULL)
			etm.cpus[i] = etm.get_cpu((int)i);
		if (etm.cpus[i] == cpu) {
			etm.last_cpu = cpu;
			etm.last_core = i;
			return i;
		}
	}
	return etm.n_cores;
}

/* etm.n_cores for a core that is not followed, as an R5 beside the A53s. */
static unsigned running_core(unsigned vcpu_index)
{
	if (etm.current_cpu == NULL)
		return vcpu_index < etm.n_cores ? vcpu_index : etm.n_cores;
	if (*etm.current_cpu == etm.last_cpu)
		return etm.last_core;
	return find_core(*etm.current_cpu);
}

static uint64_t read_register(void *data, unsigned core, enum flow_register reg)
{
	struct qemu_plugin_register *handle = etm.handles[core][reg];
	uint64_t value = 0;

	(void)data;
	if (handle == NULL)
		return reg >= FLOW_VBAR && reg < FLOW_ELR ? UINT64_MAX : 0;
	g_byte_array_set_size(etm.buffer, 0);
	if (!qemu_api_read_register(handle, etm.buffer))
		return 0;
	memcpy(&value, etm.buffer->data, MIN(etm.buffer->len, sizeof value));
	return value;
}

static void write_unit(void *data, const uint8_t *bytes, size_t len_bytes)
{
	const struct trace_unit *unit = data;
	const unsigned core = (unsigned)(unit - etm.units);

	sink_write(etm.sink, (uint8_t)(etm.options.registers.traceidr + core), bytes, len_bytes);
}

static void write_stm(void *data, const uint8_t *bytes, size_t len_bytes)
{
	(void)data;
	sink_write(etm.sink, etm.options.stm_id, bytes, len_bytes);
}

static void on_run(void *data, unsigned core, const struct flow_context *context,
                   const struct flow_run *run)
{
	(void)data;
	trace_unit_run(&etm.units[core], context, run);
}

static void on_exception(void *data, unsigned core, const struct flow_exception *exception)
{
	(void)data;
	trace_unit_exception(&etm.units[core], exception);
}

static void on_gap(void *data, unsigned core)
{
	(void)data;
	trace_unit_gap(&etm.units[core]);
}

static void on_resume(void *data, unsigned core, uint64_t stop_ns)
{
	(void)data;
	trace_unit_resume(&etm.units[core], stop_ns / etm.flow.tick_ns);
}

static void on_time_known(void *data)
{
	(void)data;
	for (unsigned i = 0; i < etm.n_cores; i++)
		trace_unit_time_known(&etm.units[i]);
}

static void close_window(void)
{
	g_autoptr(GError) error = NULL;

	etm.state = WINDOW_DONE;
	flow_forget(&etm.flow);
	for (unsigned i = 0; i < etm.n_cores; i++)
		trace_unit_finish(&etm.units[i], flow_told_ticks(&etm.flow, i));
	if (etm.options.stm_len_bytes != 0)
		stp_encoder_flush(&etm.stimulus.encoder);

	const struct sink_capture capture = {
		.options = &etm.options,
		.flow = &etm.flow,
		.units = etm.units,
		.code = etm.code,
		.timestamp_hz = etm.counter_hz,
		.first_insn = etm.opened_begun,
		.last_insn = etm.begun,
		.n_stm = etm.stimulus.n_writes,
	};

	if (!sink_finish(etm.sink, &capture, &error))
		fprintf(stderr, "%s\n", error->message);
	g_clear_pointer(&etm.sink, sink_free);
	if (etm.options.exit_at_stop)
		kill(getpid(), SIGTERM);
}

static bool reached_address(const struct window_edge *edge, unsigned core,
                            const struct flow_block *block)
{
	const uint64_t offset = (edge->value & 0xFFF) - (block->translated_va & 0xFFF);

	if (offset >= 4u * block->n)
		return false;
	if (read_register(NULL, core, FLOW_PC) + offset != edge->value)
		return false;
	return edge->el < 0 ||
	       (read_register(NULL, core, FLOW_CPSR) >> 2 & 3) == (uint64_t)edge->el;
}

static bool start_reached(unsigned core, const struct flow_block *block)
{
	const struct window_edge *start = &etm.options.start;

	switch (start->kind) {
	case WINDOW_INSNS:
		return etm.begun >= start->value;
	case WINDOW_TIME:
		return flow_time_known(&etm.flow) && flow_time_ns(&etm.flow) >= start->value;
	case WINDOW_ADDRESS:
		return reached_address(start, core, block);
	case WINDOW_NEVER:
		break;
	}
	return false;
}

static bool stop_reached(unsigned core, const struct flow_block *block)
{
	const struct window_edge *stop = &etm.options.stop;

	if (etm.options.max_bytes != 0 && sink_size(etm.sink) >= etm.options.max_bytes)
		return true;
	switch (stop->kind) {
	case WINDOW_INSNS:
		return etm.begun >= etm.stop_insn;
	case WINDOW_TIME:
		return flow_time_known(&etm.flow) && flow_time_ns(&etm.flow) >= etm.stop_time_ns;
	case WINDOW_ADDRESS:
		return reached_address(stop, core, block);
	case WINDOW_NEVER:
		break;
	}
	return false;
}

static void open_window(void)
{
	const struct window_edge *stop = &etm.options.stop;

	etm.state = WINDOW_OPEN;
	etm.opened_begun = etm.begun;
	etm.stop_insn = stop->value + (stop->relative ? etm.begun : 0);
	etm.stop_time_ns = stop->value + (stop->relative ? flow_time_ns(&etm.flow) : 0);
	flow_forget(&etm.flow);
	/* The figures are the window's. */
	etm.flow.n_corrections = 0;
	etm.flow.correction_max_ns = 0;
}

static void on_block(unsigned vcpu_index, void *data)
{
	struct flow_block *block = data;
	unsigned core;

	if (etm.state == WINDOW_DONE)
		return;
	core = running_core(vcpu_index);
	if (core >= etm.n_cores)
		return;
	if (etm.state == WINDOW_WAITING && start_reached(core, block))
		open_window();
	else if (etm.state == WINDOW_OPEN && stop_reached(core, block))
		close_window();
	if (etm.state == WINDOW_OPEN)
		flow_begin(&etm.flow, core, block);
	else if (etm.state == WINDOW_WAITING)
		flow_begin_unfollowed(&etm.flow, core, block);
	etm.begun += block->n;
}

static void on_eret(unsigned vcpu_index, void *data)
{
	unsigned core;

	(void)data;
	if (etm.state != WINDOW_OPEN)
		return;
	core = running_core(vcpu_index);
	if (core < etm.n_cores)
		flow_eret(&etm.flow, core);
}

static void on_qemu_exception(unsigned vcpu_index)
{
	unsigned core;

	if (etm.state != WINDOW_OPEN)
		return;
	core = running_core(vcpu_index);
	if (core < etm.n_cores)
		flow_exception_taken(&etm.flow, core);
}

static uint64_t access_value(qemu_plugin_meminfo_t info)
{
	const qemu_plugin_mem_value value = qemu_plugin_mem_get_value(info);

	switch (value.type) {
	case QEMU_PLUGIN_MEM_VALUE_U8:
		return value.data.u8;
	case QEMU_PLUGIN_MEM_VALUE_U16:
		return value.data.u16;
	case QEMU_PLUGIN_MEM_VALUE_U32:
		return value.data.u32;
	case QEMU_PLUGIN_MEM_VALUE_U64:
		return value.data.u64;
	case QEMU_PLUGIN_MEM_VALUE_U128:
		return value.data.u128.low;
	}
	return 0;
}

static void take_stimulus(unsigned core, qemu_plugin_meminfo_t info, uint64_t va)
{
	const struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, va);
	const uint64_t ticks = flow_time_ticks(&etm.flow);
	struct stimulus_store store;

	if (address == NULL || !qemu_plugin_mem_is_store(info))
		return;
	store.pa = qemu_plugin_hwaddr_phys_addr(address);
	if (store.pa - etm.options.stm_pa >= etm.options.stm_len_bytes)
		return;
	store.core = core;
	store.size_bytes = 1u << qemu_plugin_mem_size_shift(info);
	store.value = access_value(info);
	store.timestamp = flow_time_known(&etm.flow) ? &ticks : NULL;
	stimulus_write(&etm.stimulus, &store);
}

static void on_access(unsigned vcpu_index, qemu_plugin_meminfo_t info, uint64_t va, void *data)
{
	struct flow_block *block = data;
	unsigned core;

	if (etm.state == WINDOW_DONE)
		return;
	core = running_core(vcpu_index);
	if (core >= etm.n_cores)
		return;
	if (block->n == 1 && etm.state == WINDOW_OPEN)
		flow_access(&etm.flow, core, block);
	if (etm.options.stm_len_bytes != 0 && etm.state == WINDOW_OPEN)
		take_stimulus(core, info, va);
}

/* Loads and stores: op0 = x1x0 (DDI 0487, C4.1). */
static bool accesses_memory(uint32_t opcode)
{
	return (opcode >> 25 & 5) == 4;
}

static void on_translate(struct qemu_plugin_tb *tb)
{
	const size_t n = qemu_plugin_tb_n_insns(tb);
	struct flow_block *block;

	if (n == 0 || n > FLOW_BLOCK_MAX)
		return;
	block = g_malloc0(sizeof *block + n * sizeof block->code[0]);
	block->n = (uint16_t)n;
	for (size_t i = 0; i < n; i++)
		qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i), &block->code[i],
		                      sizeof block->code[i]);
	flow_block_init(block, qemu_plugin_tb_vaddr(tb));
	g_ptr_array_add(etm.blocks, block);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_R_REGS, block);

	if (block->last.kind == A64_ERET)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, n - 1), on_eret,
		                                       QEMU_PLUGIN_CB_R_REGS, NULL);
	/* TCG allows MMIO in the last instruction of a block only, and re-runs one from the
	 * middle as a block of its own, of which only memory accesses are shown. */
	if (accesses_memory(block->code[n - 1]) && (n == 1 || etm.options.stm_len_bytes != 0))
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, n - 1), on_access,
		                                 QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, block);
}

/* All translations are gone: only a core's last block is still looked at. */
static void on_flush(void)
{
	g_autoptr(GPtrArray) old = etm.blocks;

	etm.blocks = g_ptr_array_new();
	for (guint i = 0; i < old->len; i++) {
		bool used = false;

		for (unsigned core = 0; core < etm.n_cores; core++)
			used = used || etm.flow.cores[core].block == old->pdata[i];
		if (used)
			g_ptr_array_add(etm.blocks, old->pdata[i]);
		else
			g_free(old->pdata[i]);
	}
}

static void take_handle(unsigned core, const qemu_plugin_reg_descriptor *descriptor)
{
	static const struct {
		const char *name;
		unsigned reg;
	} names[] = {
		{ "pc", FLOW_PC },
		{ "cpsr", FLOW_CPSR },
		{ "VTTBR_EL2", FLOW_VTTBR_EL2 },
		{ "CONTEXTIDR_EL1", FLOW_CONTEXTIDR_EL1 },
		{ "CNTVOFF_EL2", FLOW_CNTVOFF_EL2 },
		{ "SCR_EL3", FLOW_SCR_EL3 },
		{ "VBAR", FLOW_VBAR },
		{ "VBAR_EL1", FLOW_VBAR },
		{ "VBAR_EL2", FLOW_VBAR + 1 },
		{ "VBAR_EL3", FLOW_VBAR + 2 },
		{ "ELR_EL1", FLOW_ELR },
		{ "ELR_EL2", FLOW_ELR + 1 },
		{ "ELR_EL3", FLOW_ELR + 2 },
		{ "ESR_EL1", FLOW_ESR },
		{ "ESR_EL2", FLOW_ESR + 1 },
		{ "ESR_EL3", FLOW_ESR + 2 },
		{ "SPSR_EL1", FLOW_SPSR },
		{ "SPSR_EL2", FLOW_SPSR + 1 },
		{ "SPSR_EL3", FLOW_SPSR + 2 },
	};
	uint64_t number;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(descriptor->name, names[i].name) == 0)
			etm.handles[core][names[i].reg] = descriptor->handle;
	}
	if (descriptor->name[0] == 'x' &&
	    g_ascii_string_to_unsigned(descriptor->name + 1, 10, 0, 30, &number, NULL))
		etm.handles[core][FLOW_X0 + number] = descriptor->handle;
	if (strcmp(descriptor->name, "CNTFRQ_EL0") == 0 && etm.counter_hz == 0) {
		g_byte_array_set_size(etm.buffer, 0);
		if (qemu_api_read_register(descriptor->handle, etm.buffer))
			memcpy(&etm.counter_hz, etm.buffer->data,
			       MIN(etm.buffer->len, sizeof etm.counter_hz));
	}
}

static bool check_machine(void)
{
	const int *use_icount = dlsym(RTLD_DEFAULT, "use_icount");

	if (use_icount != NULL && *use_icount == 0) {
		fail("virtual ETM: QEMU runs without -icount, so its time cannot be followed; "
		     "start it with -icount shift=2,sleep=off and tell the plugin shift=2");
		return false;
	}
	if (etm.counter_hz == 0 || etm.counter_hz > 1000000000) {
		fail("virtual ETM: the first core says no usable CNTFRQ_EL0; is it an AArch64 "
		     "core?");
		return false;
	}
	return true;
}

static void prepare_window(void)
{
	static const struct flow_listener listener = { on_run,    on_exception,  on_gap,
		                                       on_resume, on_time_known, NULL };
	const struct flow_config config = {
		.n_cores = etm.n_cores,
		.el_max = etm.has_el[3]   ? 3
		          : etm.has_el[2] ? 2
		                          : 1,
		.shift = etm.options.shift,
		.counter_hz = etm.counter_hz,
		.exceptions_told = QEMU_API_TELLS_EXCEPTIONS,
	};

	flow_init(&etm.flow, &config, read_register, NULL, &listener);
	for (unsigned i = 0; i < etm.n_cores; i++)
		trace_unit_init(&etm.units[i], &etm.options.registers, &etm.options.fifo, &etm.flow,
		                etm.code, write_unit, &etm.units[i]);
	if (etm.options.stm_len_bytes != 0)
		stimulus_init(&etm.stimulus, etm.options.stm_pa, etm.options.stm_len_bytes,
		              etm.options.stm_master, (uint32_t)etm.counter_hz, write_stm, NULL);
}

static void on_vcpu_init(unsigned vcpu_index)
{
	g_autoptr(GArray) registers = NULL;

	if (vcpu_index >= etm.n_cores || etm.state == WINDOW_DONE)
		return;
	if (etm.current_cpu == NULL) {
		etm.current_cpu = dlsym(RTLD_DEFAULT, "current_cpu");
		etm.get_cpu = (void *(*)(int))dlsym(RTLD_DEFAULT, "qemu_get_cpu");
	}
	if (etm.n_cores > 1 && (etm.current_cpu == NULL || *etm.current_cpu == NULL)) {
		fail("virtual ETM: this QEMU does not export current_cpu, so the core that runs "
		     "cannot be told; use -smp 1, or a QEMU built with --enable-modules");
		return;
	}
	registers = qemu_plugin_get_registers();
	for (guint i = 0; i < registers->len; i++)
		take_handle(vcpu_index, &g_array_index(registers, qemu_plugin_reg_descriptor, i));
	for (unsigned el = 1; el <= 3; el++)
		etm.has_el[el] =
			etm.has_el[el] || etm.handles[vcpu_index][FLOW_VBAR + el - 1] != NULL;
	if (vcpu_index == 0 && check_machine())
		prepare_window();
}

static void on_end(void)
{
	if (etm.state == WINDOW_OPEN) {
		etm.options.exit_at_stop = false;
		close_window();
	} else if (etm.state == WINDOW_WAITING) {
		fprintf(stderr, "virtual ETM: QEMU ended before the window began; no capture\n");
	}
	g_clear_pointer(&etm.sink, sink_free);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
	static const struct qemu_api_callbacks callbacks = { on_translate, on_vcpu_init, on_flush,
		                                             on_end, on_qemu_exception };
	g_autoptr(GError) error = NULL;

	if (!info->system_emulation || strcmp(info->target_name, "aarch64") != 0) {
		fprintf(stderr, "virtual ETM: works in qemu-system-aarch64 only, this is %s\n",
		        info->target_name);
		return -1;
	}
	options_init(&etm.options);
	if (!options_parse(&etm.options, argc, argv, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return -1;
	}
	etm.n_cores = (unsigned)MIN(info->system.smp_vcpus, FLOW_CORES_MAX);
	etm.sink = sink_new(etm.options.out, &error);
	if (etm.sink == NULL) {
		fprintf(stderr, "%s\n", error->message);
		return -1;
	}
	etm.code = code_image_new();
	etm.buffer = g_byte_array_new();
	etm.blocks = g_ptr_array_new();
	qemu_api_register(id, &callbacks);
	return 0;
}

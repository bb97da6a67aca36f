/* etm-compare.c: a capture of the virtual ETM against the truth log, instruction by instruction
 *
 *   etm-compare [--filtered | --el N] CAPTURE TRUTH
 *
 * Decodes the capture with OpenCSD's full decoder, one tree per core, with the code image
 * of the space (exception level, VMID, context ID) that the trace says the core is in, and
 * compares address and exception level of every instruction with TRUTH/insns-N.bin
 * (truth-plugin.c). The decoded stream must be the truth's beginning, short of it by no
 * more than what stands behind the last P0 element. With --filtered, a trace-on may skip
 * any part of the truth, and what is traced must follow in order. With --el the truth is
 * what ran at that exception level, and nothing of it may be missing.
 *
 * Prints what it found; exit status 0 where nothing differs.
 */
#include "capture/snapshot.h"

#include <opencsd/c_api/opencsd_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_BYTES = 4096,
	TAIL_MAX = 100000, /* instructions behind the last P0 element and the last block */
	SHOWN_MAX = 5,
};

struct page_key {
	uint64_t page_va;
	uint32_t cid;
	uint8_t el, vmid;
};

struct code {
	GHashTable *pages; /* struct page_key -> bytes */
	GPtrArray *maps;
};

struct core {
	unsigned index;
	const struct code *code;
	const uint64_t *truth;
	gsize n_truth, at;
	uint8_t el, vmid;
	uint32_t cid;
	gboolean filtered, lost;
	GArray *segment; /* filtered: uint64_t as in the truth, since the last trace on */
	gint only_el;    /* -1: all */
	uint64_t n_instructions, n_mismatches, n_exceptions, n_trace_on, n_no_code, n_bad_packets;
};

static guint key_hash(gconstpointer data)
{
	const struct page_key *key = data;

	return (guint)(key->page_va >> 12) * 31 + key->cid * 7 + key->el * 3u + key->vmid;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct page_key *left = a, *right = b;

	return left->page_va == right->page_va && left->cid == right->cid &&
	       left->el == right->el && left->vmid == right->vmid;
}

static gboolean code_add(struct code *code, const struct snapshot_dump *dump, GError **error)
{
	GBytes *bytes = snapshot_dump_map(dump, error);
	unsigned el = 0, vmid = 0, cid = 0;
	const uint8_t *data;
	gsize len_bytes;

	if (bytes == NULL)
		return FALSE;
	g_ptr_array_add(code->maps, bytes);
	if (dump->space == NULL || sscanf(dump->space, "EL%u", &el) != 1)
		return TRUE;
	if (strstr(dump->space, "vmid=") != NULL)
		sscanf(strstr(dump->space, "vmid="), "vmid=%u", &vmid);
	if (strstr(dump->space, "cid=") != NULL)
		sscanf(strstr(dump->space, " cid="), " cid=%u", &cid);
	data = g_bytes_get_data(bytes, &len_bytes);
	for (gsize at = 0; at + PAGE_BYTES <= len_bytes; at += PAGE_BYTES) {
		struct page_key *key = g_new0(struct page_key, 1);

		key->page_va = dump->address + at;
		key->el = (uint8_t)el;
		key->vmid = (uint8_t)vmid;
		key->cid = cid;
		g_hash_table_insert(code->pages, key, (gpointer)(data + at));
	}
	return TRUE;
}

/* OpenCSD asks for more than it needs, and keeps what it gets whatever the context: it gets
 * one opcode at a time. */
static uint32_t read_code(const void *data, const ocsd_vaddr_t address,
                          const ocsd_mem_space_acc_t space, const uint32_t n_wanted, uint8_t *bytes)
{
	const struct core *core = data;
	const struct page_key key = {
		.page_va = address & ~(uint64_t)(PAGE_BYTES - 1),
		.el = core->el,
		.vmid = core->el < 2 ? core->vmid : 0,
		.cid = core->el < 1 ? core->cid : 0,
	};
	const uint8_t *page = g_hash_table_lookup(core->code->pages, &key);

	(void)space;
	if (page == NULL || n_wanted < 4 || (address & 3) != 0)
		return 0;
	memcpy(bytes, page + (address & (PAGE_BYTES - 1)), 4);
	return 4;
}

/* What stood between two gaps must be somewhere in the truth, after what was before. The
 * first place is the best one: it leaves most to what follows. */
static void place_segment(struct core *core)
{
	const GArray *segment = core->segment;
	const uint64_t *wanted = (const uint64_t *)(gconstpointer)segment->data;
	gsize at = core->at;

	while (at + segment->len <= core->n_truth &&
	       memcmp(&core->truth[at], wanted, segment->len * sizeof wanted[0]) != 0)
		at++;
	if (at + segment->len <= core->n_truth) {
		core->at = at + segment->len;
	} else {
		core->n_mismatches++;
		if (core->n_mismatches <= SHOWN_MAX)
			printf("core %u: the truth has no such %u instructions after %zu, which "
			       "begin with 0x%" PRIx64 "\n",
			       core->index, segment->len, core->at, wanted[0]);
	}
	g_array_set_size(core->segment, 0);
}

static void compare_instruction(struct core *core, uint64_t va)
{
	const uint64_t got = va | core->el;

	core->n_instructions++;
	if (core->lost)
		return;
	if (core->filtered) {
		g_array_append_val(core->segment, got);
		return;
	}
	while (core->only_el >= 0 && core->at < core->n_truth &&
	       (core->truth[core->at] & 3) != (uint64_t)core->only_el)
		core->at++;
	if (core->at < core->n_truth && core->truth[core->at] == got) {
		core->at++;
		return;
	}
	core->n_mismatches++;
	if (core->n_mismatches <= SHOWN_MAX && core->at < core->n_truth)
		printf("core %u instruction %zu: decoded 0x%" PRIx64
		       " EL%u (VMID %u), truth 0x%" PRIx64 " EL%u\n",
		       core->index, core->at, va, core->el, core->vmid,
		       core->truth[core->at] & ~UINT64_C(3), (unsigned)(core->truth[core->at] & 3));
	core->at++;
	if (core->n_mismatches > 1000)
		core->lost = TRUE;
}

static ocsd_datapath_resp_t on_element(const void *data, const ocsd_trc_index_t index,
                                       const uint8_t id, const ocsd_generic_trace_elem *element)
{
	struct core *core = (struct core *)data;

	(void)index;
	(void)id;
	switch (element->elem_type) {
	case OCSD_GEN_TRC_ELEM_PE_CONTEXT:
		if (element->context.el_valid)
			core->el = (uint8_t)element->context.exception_level;
		if (element->context.vmid_valid)
			core->vmid = (uint8_t)element->context.vmid;
		if (element->context.ctxt_id_valid)
			core->cid = element->context.context_id;
		break;
	case OCSD_GEN_TRC_ELEM_INSTR_RANGE:
		for (ocsd_vaddr_t va = element->st_addr; va < element->en_addr; va += 4)
			compare_instruction(core, va);
		break;
	case OCSD_GEN_TRC_ELEM_EXCEPTION:
		core->n_exceptions++;
		break;
	case OCSD_GEN_TRC_ELEM_TRACE_ON:
		core->n_trace_on++;
		if (core->filtered && core->segment->len > 0)
			place_segment(core);
		break;
	case OCSD_GEN_TRC_ELEM_ADDR_NACC:
		core->n_no_code++;
		if (core->n_no_code <= SHOWN_MAX)
			printf("core %u instruction %zu: no code for 0x%" PRIx64
			       " EL%u VMID %u CID %u\n",
			       core->index, core->at, (uint64_t)element->st_addr, core->el,
			       core->vmid, core->cid);
		break;
	case OCSD_GEN_TRC_ELEM_I_RANGE_NOPATH:
		core->n_bad_packets++;
		break;
	default:
		break;
	}
	return OCSD_RESP_CONT;
}

static uint32_t reg(const struct snapshot_device *device, const char *name)
{
	guint64 value = 0;

	snapshot_device_reg(device, name, &value);
	return (uint32_t)value;
}

static dcd_tree_handle_t make_tree(const struct snapshot_source *source, struct core *core)
{
	dcd_tree_handle_t tree =
		ocsd_create_dcd_tree(OCSD_TRC_SRC_FRAME_FORMATTED, OCSD_DFRMTR_FRAME_MEM_ALIGN);
	ocsd_etmv4_cfg config = {
		.reg_idr0 = reg(source->device, "TRCIDR0"),
		.reg_idr1 = reg(source->device, "TRCIDR1"),
		.reg_idr2 = reg(source->device, "TRCIDR2"),
		.reg_idr8 = reg(source->device, "TRCIDR8"),
		.reg_configr = reg(source->device, "TRCCONFIGR"),
		.reg_traceidr = reg(source->device, "TRCTRACEIDR"),
		.arch_ver = ARCH_V8,
		.core_prof = profile_CortexA,
	};
	unsigned char id;

	g_assert(tree != C_API_INVALID_TREE_HANDLE);
	g_assert(ocsd_dt_create_decoder(tree, OCSD_BUILTIN_DCD_ETMV4I, OCSD_CREATE_FLG_FULL_DECODER,
	                                &config, &id) == OCSD_OK);
	g_assert(ocsd_dt_set_gen_elem_outfn(tree, on_element, core) == OCSD_OK);
	g_assert(ocsd_dt_add_callback_mem_acc(tree, 0, UINT64_MAX, OCSD_MEM_SPACE_ANY, read_code,
	                                      core) == OCSD_OK);
	return tree;
}

static void decode(const struct snapshot_source *source, struct core *core, const uint8_t *bytes,
                   gsize n_bytes)
{
	dcd_tree_handle_t tree = make_tree(source, core);
	uint32_t used;

	for (gsize at = 0; at < n_bytes;) {
		const uint32_t n = (uint32_t)MIN(n_bytes - at, 65536);
		const ocsd_datapath_resp_t response = ocsd_dt_process_data(
			tree, OCSD_OP_DATA, (ocsd_trc_index_t)at, n, bytes + at, &used);

		if (OCSD_DATA_RESP_IS_FATAL(response)) {
			printf("core %u: OpenCSD stops at byte %zu with response %d\n", core->index,
			       at, response);
			core->n_bad_packets++;
			break;
		}
		at += used;
	}
	ocsd_dt_process_data(tree, OCSD_OP_EOT, 0, 0, NULL, &used);
	ocsd_destroy_dcd_tree(tree);
}

/* Instructions of the truth that the trace does not reach, of the level compared. */
static gsize truth_left(const struct core *core)
{
	gsize n_left = 0;

	for (gsize i = core->at; i < core->n_truth; i++) {
		if (core->only_el < 0 || (core->truth[i] & 3) == (uint64_t)core->only_el)
			n_left++;
	}
	return n_left;
}

static gboolean compare_core(struct core *core, const struct snapshot *capture,
                             const struct snapshot_source *source, const char *truth_dir,
                             GError **error)
{
	const struct snapshot_buffer *buffer = &capture->buffers[source->buffers[0]];
	g_autofree char *name = g_strdup_printf("insns-%u.bin", core->index);
	g_autofree char *path = g_build_filename(truth_dir, name, NULL);
	g_autoptr(GMappedFile) truth = g_mapped_file_new(path, FALSE, error);
	g_autoptr(GMappedFile) trace = truth != NULL ? snapshot_buffer_map(buffer, error) : NULL;
	gsize n_left;
	gboolean good;

	if (trace == NULL)
		return FALSE;
	core->truth = (const uint64_t *)(gconstpointer)g_mapped_file_get_contents(truth);
	core->n_truth = g_mapped_file_get_length(truth) / sizeof core->truth[0];
	decode(source, core, (const uint8_t *)g_mapped_file_get_contents(trace),
	       g_mapped_file_get_length(trace));
	if (core->segment->len > 0)
		place_segment(core);
	n_left = truth_left(core);
	good = core->n_mismatches == 0 && core->n_no_code == 0 && core->n_bad_packets == 0 &&
	       (core->filtered ||
	        (n_left < TAIL_MAX && (core->n_trace_on <= 1 || core->only_el >= 0)));
	printf("core %u: %" PRIu64 " instructions decoded, %zu in truth, %zu behind the end, "
	       "%" PRIu64 " exceptions, %" PRIu64 " trace on, %" PRIu64 " mismatches, %" PRIu64
	       " without code: %s\n",
	       core->index, core->n_instructions, core->n_truth, n_left, core->n_exceptions,
	       core->n_trace_on, core->n_mismatches, core->n_no_code, good ? "same" : "DIFFERENT");
	return good;
}

static gboolean compare(const char *capture_dir, const char *truth_dir, gboolean filtered,
                        gint only_el, GError **error)
{
	g_autoptr(Snapshot) capture = snapshot_open(capture_dir, error);
	g_autoptr(GHashTable) pages = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
	g_autoptr(GPtrArray) maps = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	struct code code = { pages, maps };
	gboolean good = TRUE;

	if (capture == NULL)
		return FALSE;
	for (guint i = 0; i < capture->n_cores; i++) {
		for (guint dump = 0; dump < capture->cores[i]->n_dumps; dump++) {
			if (!code_add(&code, &capture->cores[i]->dumps[dump], error))
				return FALSE;
		}
	}
	for (guint i = 0; i < capture->n_sources; i++) {
		const struct snapshot_source *source = &capture->sources[i];
		g_autoptr(GArray) segment = g_array_new(FALSE, FALSE, sizeof(uint64_t));
		struct core core = { .index = (unsigned)source->core,
			             .code = &code,
			             .filtered = filtered,
			             .segment = segment,
			             .only_el = only_el };

		if (source->protocol != SNAPSHOT_PROTOCOL_ETM4 || source->n_buffers == 0)
			continue;
		if (!compare_core(&core, capture, source, truth_dir, error)) {
			if (*error != NULL)
				return FALSE;
			good = FALSE;
		}
	}
	if (!good)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
		            "'%s' is not what '%s' says ran", capture_dir, truth_dir);
	return good;
}

int main(int argc, char **argv)
{
	const gboolean filtered = argc > 1 && strcmp(argv[1], "--filtered") == 0;
	const gboolean by_el = argc > 2 && strcmp(argv[1], "--el") == 0;
	g_autoptr(GError) error = NULL;

	if (argc != (by_el ? 5 : filtered ? 4 : 3)) {
		fprintf(stderr, "usage: etm-compare [--filtered | --el N] CAPTURE TRUTH\n");
		return 2;
	}
	ocsd_def_errlog_init(OCSD_ERR_SEV_NONE, 0);
	if (!compare(argv[argc - 2], argv[argc - 1], filtered, by_el ? argv[2][0] - '0' : -1,
	             &error)) {
		fprintf(stderr, "etm-compare: %s\n", error->message);
		return 1;
	}
	return 0;
}

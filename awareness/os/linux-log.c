/* The kernel's log: the ring of printk_ringbuffer.h (5.10 and later), or the
 * records of struct printk_log before it. */
#include "awareness/os/linux-private.h"

#include <string.h>

enum {
	RECORDS_MAX = 1 << 20,
	TEXT_MAX = 2048,
	/* The top two bits of state_var are the state; 1 and 2 are readable. */
	STATE_SHIFT = 62,
};

/* The places in the ring's structures. */
enum ring_field {
	RING_COUNT_BITS,
	RING_DESCS,
	RING_INFOS,
	RING_HEAD,
	RING_TAIL,
	RING_SIZE_BITS,
	RING_DATA,
	RING_FIELDS,
};
static const struct field ring_fields[] = {
	[RING_COUNT_BITS] = { "desc_ring.count_bits", FALSE },
	[RING_DESCS] = { "desc_ring.descs", FALSE },
	[RING_INFOS] = { "desc_ring.infos", FALSE },
	[RING_HEAD] = { "desc_ring.head_id.counter|desc_ring.head_id", FALSE },
	[RING_TAIL] = { "desc_ring.tail_id.counter|desc_ring.tail_id", FALSE },
	[RING_SIZE_BITS] = { "text_data_ring.size_bits", FALSE },
	[RING_DATA] = { "text_data_ring.data", FALSE },
};

enum desc_field {
	DESC_STATE,
	DESC_BEGIN,
	DESC_NEXT,
};
static const struct field desc_fields[] = {
	[DESC_STATE] = { "state_var.counter|state_var", FALSE },
	[DESC_BEGIN] = { "text_blk_lpos.begin", FALSE },
	[DESC_NEXT] = { "text_blk_lpos.next", FALSE },
};

enum info_field {
	INFO_TS,
	INFO_LEN,
};
static const struct field info_fields[] = {
	[INFO_TS] = { "ts_nsec", FALSE },
	[INFO_LEN] = { "text_len", FALSE },
};

struct ring {
	uint64_t ring[RING_FIELDS];
	struct layout desc, info;
	uint64_t data_offset; /* of the text in a data block */
};

static void append_line(GString *out, uint64_t ts_ns, const char *text, gsize len)
{
	g_string_append_printf(out, "[%5" G_GUINT64_FORMAT ".%06u] ", ts_ns / 1000000000,
	                       (unsigned)(ts_ns % 1000000000 / 1000));
	for (gsize i = 0; i < len; i++)
		g_string_append_c(out,
		                  text[i] == '\n' || g_ascii_isprint(text[i]) || text[i] == '\t'
		                          ? text[i]
		                          : '?');
	if (len == 0 || text[len - 1] != '\n')
		g_string_append_c(out, '\n');
}

static void append_record(struct ring *r, struct space *space, uint64_t id, GString *out)
{
	uint64_t index = id & ((1ull << r->ring[RING_COUNT_BITS]) - 1);
	uint64_t size = 1ull << r->ring[RING_SIZE_BITS];
	uint64_t desc[3], info[2];
	struct va desc_va = { r->ring[RING_DESCS] + index * r->desc.struct_bytes };
	struct va info_va = { r->ring[RING_INFOS] + index * r->info.struct_bytes };
	char text[TEXT_MAX];
	uint64_t begin;
	size_t n_read, len;

	if (!layout_read(&r->desc, space, desc_va, desc, NULL) ||
	    !layout_read(&r->info, space, info_va, info, NULL))
		return;
	if (desc[DESC_STATE] >> STATE_SHIFT != 1 && desc[DESC_STATE] >> STATE_SHIFT != 2)
		return;
	if (((desc[DESC_STATE] ^ id) & ((1ull << STATE_SHIFT) - 1)) != 0 ||
	    (desc[DESC_BEGIN] & 1) != 0)
		return;
	/* A block that would cross the end of the ring lies whole at its beginning. */
	begin = desc[DESC_BEGIN] & (size - 1);
	if (desc[DESC_BEGIN] / size != (desc[DESC_NEXT] - 1) / size)
		begin = 0;
	len = MIN(info[INFO_LEN], sizeof(text));
	len = MIN(len, size - begin);
	space_read(space, (struct va) { r->ring[RING_DATA] + begin + r->data_offset }, text, len,
	           &n_read, NULL);
	append_line(out, info[INFO_TS], text, n_read);
}

static char *read_ring(struct machine *machine, uint64_t prb, GError **error)
{
	const struct program *program = &machine->program;
	struct layout ring_layout;
	struct ring r;
	GString *out;
	uint64_t n;

	if (!layout_init(&ring_layout, program, "struct printk_ringbuffer", ring_fields,
	                 RING_FIELDS, error) ||
	    !layout_init(&r.desc, program, "struct prb_desc", desc_fields, 3, error) ||
	    !layout_init(&r.info, program, "struct printk_info", info_fields, 2, error) ||
	    !layout_read(&ring_layout, machine->kernel, (struct va) { prb }, r.ring, error))
		return NULL;
	/* The struct that heads a data block is the ring's own and has but an id. */
	r.data_offset = 8;
	types_offset(program->types, "struct prb_data_block", "data", &r.data_offset, NULL);
	n = (r.ring[RING_HEAD] - r.ring[RING_TAIL]) & ((1ull << STATE_SHIFT) - 1);
	if (r.ring[RING_COUNT_BITS] > 24 || r.ring[RING_SIZE_BITS] > 30 ||
	    n >= 1ull << r.ring[RING_COUNT_BITS]) {
		g_set_error(error, OS_ERROR, OS_ERROR_NONSENSE,
		            "the log of %s has impossible bounds: the ring was overwritten",
		            machine->name);
		return NULL;
	}
	out = g_string_new(NULL);
	for (uint64_t i = 0; i <= n; i++)
		append_record(&r, machine->kernel, r.ring[RING_TAIL] + i, out);
	return g_string_free(out, FALSE);
}

static const struct field record_fields[] = {
	{ "ts_nsec", FALSE },
	{ "len", FALSE },
	{ "text_len", FALSE },
};

/* Before 5.10: records one after the other; a length of 0 is the wrap. */
static char *read_records(struct machine *machine, GError **error)
{
	const struct program *program = &machine->program;
	struct layout layout;
	uint64_t buffer, size, at, end;
	GString *out;

	if (!layout_init(&layout, program, "struct printk_log", record_fields, 3, error) ||
	    !program_read_variable(program, "log_buf", 8, &buffer, error) ||
	    !program_read_variable(program, "log_buf_len", 4, &size, error) ||
	    !program_read_variable(program, "log_first_idx", 4, &at, error) ||
	    !program_read_variable(program, "log_next_idx", 4, &end, error))
		return NULL;
	out = g_string_new(NULL);
	for (unsigned i = 0; at != end && at < size && i < RECORDS_MAX; i++) {
		struct va va = { buffer + at };
		uint64_t record[3];
		char text[TEXT_MAX];
		size_t n_read;

		if (!layout_read(&layout, machine->kernel, va, record, NULL))
			break;
		if (record[1] == 0) {
			at = 0;
			continue;
		}
		space_read(machine->kernel, (struct va) { va.value + layout.struct_bytes }, text,
		           MIN(record[2], sizeof(text)), &n_read, NULL);
		append_line(out, record[0], text, n_read);
		at += record[1];
	}
	return g_string_free(out, FALSE);
}

char *linux_log(struct guest_os *os, struct machine *machine, GError **error)
{
	uint64_t prb;

	(void)os;
	if (!program_has(&machine->program, "prb")) {
		if (program_has(&machine->program, "log_first_idx"))
			return read_records(machine, error);
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
		            "the symbols of %s do not say where its log is (no 'prb', no "
		            "'log_first_idx'): a kernel built without CONFIG_KALLSYMS_ALL names no "
		            "data; give it the symbols of its debug package",
		            machine->name);
		return NULL;
	}
	if (!program_read_variable(&machine->program, "prb", 8, &prb, error))
		return NULL;
	return read_ring(machine, prb, error);
}

#include "awareness/symbols/dwarf-worker.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines and inlined functions of one address. A unit's line table is decoded when
 * an address in it is first asked for (2.4 ms for a kernel's unit), and the last
 * one is kept. */

enum {
	TREE_DEPTH_MAX = 64,
	CHAIN_MAX = 16,
	RANGE_ENTRIES_MAX = 1 << 20
};

struct line {
	uint64_t address;
	uint32_t line;
	uint32_t file;
	uint32_t order;
	uint32_t is_end;
};

struct worker_cu_lines {
	uint64_t cu_die;
	Dwarf_Line_Context context;
	struct line *lines; /* sorted by address */
	size_t n_lines;
};

static int compare_range(const void *a, const void *b)
{
	const struct worker_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void range_add(struct worker *self, size_t *room, uint64_t start, uint64_t end, uint64_t cu)
{
	if (start >= end || start == 0)
		return;
	if (self->n_ranges == *room) {
		struct worker_range *grown;

		*room = *room * 2 + 1024;
		grown = realloc(self->ranges, *room * sizeof(*grown));
		if (grown == NULL)
			_exit(1);
		self->ranges = grown;
	}
	self->ranges[self->n_ranges++] = (struct worker_range) { start, end, cu };
}

/* Calls `visit` for each address range of a DIE. */
typedef void (*range_fn)(void *data, uint64_t start, uint64_t end);

static void ranges_5(Dwarf_Attribute attr, Dwarf_Half form, range_fn visit, void *data)
{
	Dwarf_Unsigned value, count, offset;
	Dwarf_Rnglists_Head head;
	Dwarf_Error error = NULL;
	Dwarf_Off section;
	int result;

	if (form == DW_FORM_rnglistx) {
		result = dwarf_formudata(attr, &value, &error);
	} else {
		result = dwarf_global_formref(attr, &section, &error);
		value = section;
	}
	if (result != DW_DLV_OK || dwarf_rnglists_get_rle_head(attr, form, value, &head, &count,
	                                                       &offset, &error) != DW_DLV_OK)
		return;
	for (Dwarf_Unsigned i = 0; i < count && i < RANGE_ENTRIES_MAX; i++) {
		unsigned bytes, code;
		Dwarf_Unsigned raw1, raw2, start, end;
		Dwarf_Bool missing;

		if (dwarf_get_rnglists_entry_fields_a(head, i, &bytes, &code, &raw1, &raw2,
		                                      &missing, &start, &end, &error) != DW_DLV_OK)
			break;
		if (code == DW_RLE_end_of_list)
			break;
		if (missing || code == DW_RLE_base_address || code == DW_RLE_base_addressx)
			continue;
		visit(data, start, end);
	}
	dwarf_dealloc_rnglists_head(head);
}

static void ranges_4(struct worker *self, Dwarf_Die die, Dwarf_Attribute attr, uint64_t base,
                     range_fn visit, void *data)
{
	Dwarf_Ranges *list;
	Dwarf_Signed count;
	Dwarf_Unsigned bytes;
	Dwarf_Off offset, real;
	Dwarf_Error error = NULL;

	if (dwarf_global_formref(attr, &offset, &error) != DW_DLV_OK ||
	    dwarf_get_ranges_b(self->dbg, offset, die, &real, &list, &count, &bytes, &error) !=
	            DW_DLV_OK)
		return;
	for (Dwarf_Signed i = 0; i < count; i++) {
		if (list[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = list[i].dwr_addr2;
		else if (list[i].dwr_type == DW_RANGES_ENTRY)
			visit(data, base + list[i].dwr_addr1, base + list[i].dwr_addr2);
	}
	dwarf_ranges_dealloc(self->dbg, list, count);
}

static void die_ranges(struct worker *self, Dwarf_Die die, uint64_t cu_base, range_fn visit,
                       void *data)
{
	Dwarf_Attribute attr;
	Dwarf_Addr low, high;
	Dwarf_Half form, version, offset_size;
	enum Dwarf_Form_Class class;
	Dwarf_Error error = NULL;

	if (dwarf_lowpc(die, &low, &error) == DW_DLV_OK &&
	    dwarf_highpc_b(die, &high, &form, &class, &error) == DW_DLV_OK) {
		visit(data, low, class == DW_FORM_CLASS_CONSTANT ? low + high : high);
		return;
	}
	if (dwarf_attr(die, DW_AT_ranges, &attr, &error) != DW_DLV_OK)
		return;
	if (dwarf_whatform(attr, &form, &error) == DW_DLV_OK &&
	    dwarf_get_version_of_die(die, &version, &offset_size) == DW_DLV_OK) {
		if (version >= 5)
			ranges_5(attr, form, visit, data);
		else
			ranges_4(self, die, attr, cu_base, visit, data);
	}
	dwarf_dealloc(self->dbg, attr, DW_DLA_ATTR);
}

struct range_sink {
	struct worker *self;
	size_t *room;
	uint64_t cu_die;
};

static void range_collect(void *data, uint64_t start, uint64_t end)
{
	const struct range_sink *sink = data;

	range_add(sink->self, sink->room, start, end, sink->cu_die);
}

/* .debug_aranges lists what GCC's units cover; clang leaves it out, and then each
 * unit's own ranges have to be read. */
static void ranges_load(struct worker *self)
{
	Dwarf_Arange *aranges;
	Dwarf_Signed count;
	Dwarf_Error error = NULL;
	size_t room = 0;

	self->ranges_tried = TRUE;
	if (dwarf_get_aranges(self->dbg, &aranges, &count, &error) == DW_DLV_OK) {
		for (Dwarf_Signed i = 0; i < count; i++) {
			Dwarf_Unsigned segment, segment_size, len;
			Dwarf_Addr start;
			Dwarf_Off cu;

			if (dwarf_get_arange_info_b(aranges[i], &segment, &segment_size, &start,
			                            &len, &cu, &error) == DW_DLV_OK)
				range_add(self, &room, start, start + len, cu);
		}
	}
	for (size_t i = 0;
	     self->n_ranges == 0 && worker_list_cus(self, &error) == DW_DLV_OK && i < self->n_cus;
	     i++) {
		struct range_sink sink = { self, &room, self->cu_dies[i] };
		Dwarf_Die cu;
		Dwarf_Addr base = 0;

		if (dwarf_offdie_b(self->dbg, self->cu_dies[i], 1, &cu, &error) != DW_DLV_OK)
			continue;
		dwarf_lowpc(cu, &base, &error);
		die_ranges(self, cu, base, range_collect, &sink);
		dwarf_dealloc(self->dbg, cu, DW_DLA_DIE);
	}
	if (self->n_ranges > 0)
		qsort(self->ranges, self->n_ranges, sizeof(*self->ranges), compare_range);
}

static gboolean cu_find(struct worker *self, uint64_t address, uint64_t *cu_die)
{
	size_t low = 0, high;

	if (!self->ranges_tried)
		ranges_load(self);
	high = self->n_ranges;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (self->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= self->ranges[low - 1].end)
		return FALSE;
	*cu_die = self->ranges[low - 1].cu_die;
	return TRUE;
}

static int compare_line(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* Where one sequence ends the next may begin: the end comes first. */
	if (x->is_end != y->is_end)
		return x->is_end ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void lines_drop(struct worker *self)
{
	if (self->lines == NULL)
		return;
	dwarf_srclines_dealloc_b(self->lines->context);
	free(self->lines->lines);
	free(self->lines);
	self->lines = NULL;
}

static void lines_copy(struct worker_cu_lines *lines, Dwarf_Line *buffer, Dwarf_Signed count)
{
	lines->lines = calloc((size_t)count + 1, sizeof(*lines->lines));
	if (lines->lines == NULL)
		_exit(1);
	for (Dwarf_Signed i = 0; i < count; i++) {
		Dwarf_Error error = NULL;
		Dwarf_Addr address;
		Dwarf_Unsigned line, file;
		Dwarf_Bool is_end;

		if (dwarf_lineaddr(buffer[i], &address, &error) != DW_DLV_OK ||
		    dwarf_lineno(buffer[i], &line, &error) != DW_DLV_OK ||
		    dwarf_line_srcfileno(buffer[i], &file, &error) != DW_DLV_OK ||
		    dwarf_lineendsequence(buffer[i], &is_end, &error) != DW_DLV_OK)
			continue;
		lines->lines[lines->n_lines++] =
			(struct line) { address, (uint32_t)line, (uint32_t)file, (uint32_t)i,
			                is_end ? 1 : 0 };
	}
	qsort(lines->lines, lines->n_lines, sizeof(*lines->lines), compare_line);
}

static struct worker_cu_lines *lines_of(struct worker *self, Dwarf_Die cu, uint64_t cu_die)
{
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Line_Context context;
	Dwarf_Line *buffer;
	Dwarf_Signed count;
	Dwarf_Error error = NULL;

	if (self->lines != NULL && self->lines->cu_die == cu_die)
		return self->lines;
	lines_drop(self);
	if (dwarf_srclines_b(cu, &version, &tables, &context, &error) != DW_DLV_OK)
		return NULL;
	if (dwarf_srclines_from_linecontext(context, &buffer, &count, &error) != DW_DLV_OK) {
		dwarf_srclines_dealloc_b(context);
		return NULL;
	}
	self->lines = calloc(1, sizeof(*self->lines));
	if (self->lines == NULL)
		_exit(1);
	self->lines->cu_die = cu_die;
	self->lines->context = context;
	lines_copy(self->lines, buffer, count);
	return self->lines;
}

/* What a function call looks like while frames are collected. */
struct frame {
	const char *function;
	uint64_t file;
	uint64_t line;
};

static void line_find(const struct worker_cu_lines *lines, uint64_t address, struct frame *frame)
{
	size_t low = 0, high = lines->n_lines;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lines->lines[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || lines->lines[low - 1].is_end)
		return;
	frame->line = lines->lines[low - 1].line;
	frame->file = lines->lines[low - 1].file;
}

/* The path of a file of the unit's table. DWARF 5 counts from 0, before from 1;
 * libdwarf's index follows the table. */
static void file_put(struct worker_cu_lines *lines, uint64_t index, char *path, size_t room)
{
	Dwarf_Unsigned dir, time, size;
	Dwarf_Signed first, count, end;
	const char *name = NULL, *dir_name = NULL, *comp_dir = NULL;
	Dwarf_Form_Data16 *md5;
	Dwarf_Unsigned version = 0;
	Dwarf_Small tables;
	Dwarf_Error error = NULL;

	path[0] = '\0';
	if (lines == NULL ||
	    dwarf_srclines_files_indexes(lines->context, &first, &count, &end, &error) !=
	            DW_DLV_OK ||
	    (Dwarf_Signed)index < first || (Dwarf_Signed)index >= end ||
	    dwarf_srclines_files_data_b(lines->context, (Dwarf_Signed)index, &name, &dir, &time,
	                                &size, &md5, &error) != DW_DLV_OK ||
	    name == NULL)
		return;
	dwarf_srclines_version(lines->context, &version, &tables, &error);
	dwarf_srclines_comp_dir(lines->context, &comp_dir, &error);
	/* Directory 0 is the unit's own; libdwarf numbers the table from 1 in DWARF 2
	 * to 4 and from 0 in DWARF 5. */
	if (name[0] != '/' && (dir > 0 || version >= 5))
		dwarf_srclines_include_dir_data(lines->context, (Dwarf_Signed)dir, &dir_name,
		                                &error);
	if (name[0] != '/' && dir_name == NULL)
		dir_name = comp_dir;
	if (name[0] == '/' || dir_name == NULL)
		snprintf(path, room, "%s", name);
	else if (dir_name[0] == '/' || comp_dir == NULL)
		snprintf(path, room, "%s/%s", dir_name, name);
	else
		snprintf(path, room, "%s/%s/%s", comp_dir, dir_name, name);
}

/* The name of a function: its own, or its abstract origin's or declaration's. */
static const char *function_name(struct worker *self, Dwarf_Die die)
{
	const char *name = worker_die_name(die);
	uint64_t offset;

	if (!worker_attr_reference(self, die, DW_AT_abstract_origin, &offset) &&
	    !worker_attr_reference(self, die, DW_AT_specification, &offset))
		return name;
	for (unsigned i = 0; i < CHAIN_MAX && name == NULL; i++) {
		Dwarf_Die next;
		Dwarf_Error error = NULL;
		gboolean more;

		if (dwarf_offdie_b(self->dbg, offset, 1, &next, &error) != DW_DLV_OK)
			break;
		name = worker_die_name(next);
		more = worker_attr_reference(self, next, DW_AT_abstract_origin, &offset) ||
		       worker_attr_reference(self, next, DW_AT_specification, &offset);
		dwarf_dealloc(self->dbg, next, DW_DLA_DIE);
		if (!more)
			break;
	}
	return name;
}

struct contains {
	uint64_t address;
	gboolean found;
};

static void contains_visit(void *data, uint64_t start, uint64_t end)
{
	struct contains *contains = data;

	if (contains->address >= start && contains->address < end)
		contains->found = TRUE;
}

static gboolean die_contains(struct worker *self, Dwarf_Die die, uint64_t base, uint64_t address)
{
	struct contains contains = { address, FALSE };

	die_ranges(self, die, base, contains_visit, &contains);
	return contains.found;
}

static gboolean tag_has_code(Dwarf_Half tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
	       tag == DW_TAG_lexical_block || tag == DW_TAG_try_block;
}

/* Finds the DIE below `parent` that covers the address. A new DIE, or NULL. */
static Dwarf_Die child_covering(struct worker *self, Dwarf_Die parent, uint64_t base,
                                uint64_t address, Dwarf_Half *tag)
{
	Dwarf_Die child, next;
	Dwarf_Error error = NULL;
	int result = dwarf_child(parent, &child, &error);

	while (result == DW_DLV_OK) {
		if (dwarf_tag(child, tag, &error) == DW_DLV_OK && tag_has_code(*tag) &&
		    die_contains(self, child, base, address))
			return child;
		result = dwarf_siblingof_b(self->dbg, child, 1, &next, &error);
		dwarf_dealloc(self->dbg, child, DW_DLA_DIE);
		child = next;
	}
	return NULL;
}

/* Goes down to the innermost inlined function. frames[0] is the outermost: the
 * function itself; each frame's file and line are where it was at. Returns how
 * many. */
static size_t functions_find(struct worker *self, Dwarf_Die cu, uint64_t base, uint64_t address,
                             struct frame *frames)
{
	size_t n = 0;
	Dwarf_Die at = cu;
	Dwarf_Half tag;

	for (unsigned depth = 0; depth < TREE_DEPTH_MAX && n < WORKER_FRAMES_MAX; depth++) {
		Dwarf_Die next = child_covering(self, at, base, address, &tag);

		if (at != cu)
			dwarf_dealloc(self->dbg, at, DW_DLA_DIE);
		at = next;
		if (at == NULL)
			break;
		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		if (n > 0) {
			worker_attr_number(self, at, DW_AT_call_file, &frames[n - 1].file);
			worker_attr_number(self, at, DW_AT_call_line, &frames[n - 1].line);
		}
		frames[n++] = (struct frame) { .function = function_name(self, at) };
	}
	if (at != NULL && at != cu)
		dwarf_dealloc(self->dbg, at, DW_DLA_DIE);
	return n;
}

enum worker_status worker_frames(struct worker *self, uint64_t address, struct worker_buffer *out,
                                 Dwarf_Error *error)
{
	struct frame frames[WORKER_FRAMES_MAX] = { 0 };
	struct worker_cu_lines *lines;
	uint64_t cu_die;
	Dwarf_Die cu;
	Dwarf_Addr base = 0;
	Dwarf_Error ignored = NULL;
	size_t n;

	if (!cu_find(self, address, &cu_die))
		return WORKER_NOT_FOUND;
	if (dwarf_offdie_b(self->dbg, cu_die, 1, &cu, error) != DW_DLV_OK)
		return WORKER_DAMAGED;
	dwarf_lowpc(cu, &base, &ignored);
	lines = lines_of(self, cu, cu_die);
	n = functions_find(self, cu, base, address, frames);
	if (n == 0)
		n = 1; /* assembly: lines without a function */
	if (lines != NULL)
		line_find(lines, address, &frames[n - 1]);
	for (size_t i = n; i-- > 0;) {
		char path[4096];
		struct worker_frame head = { .line = (uint32_t)frames[i].line };

		path[0] = '\0';
		if (frames[i].line != 0)
			file_put(lines, frames[i].file, path, sizeof(path));
		head.file_bytes = (uint32_t)strlen(path);
		head.function_bytes =
			frames[i].function != NULL ? (uint32_t)strlen(frames[i].function) : 0;
		worker_put(out, &head, sizeof(head));
		worker_put(out, frames[i].function, head.function_bytes);
		worker_put(out, path, head.file_bytes);
	}
	dwarf_dealloc(self->dbg, cu, DW_DLA_DIE);
	return WORKER_OK;
}

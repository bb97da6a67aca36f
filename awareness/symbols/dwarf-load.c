#include "awareness/symbols/dwarf-worker.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ids are DIE offsets. The inner dimensions of an array have no DIE of their own
 * in the shape that struct type wants: their ids carry the dimension on top. */
enum {
	DIMENSION_SHIFT = 48,
	DIMENSIONS_MAX = 16
};

struct item_list {
	struct type_member *members;
	size_t n_members;
	struct type_enumerator *enumerators;
	size_t n_enumerators;
	size_t room;
};

static void *list_grow(void *items, size_t count, size_t *room, size_t item_bytes)
{
	if (count < *room)
		return items;
	*room = *room * 2 + 32;
	items = realloc(items, *room * item_bytes);
	if (items == NULL)
		_exit(1);
	return items;
}

static void load_base(struct worker *self, Dwarf_Die die, struct type *type)
{
	uint64_t encoding = DW_ATE_unsigned;

	worker_attr_number(self, die, DW_AT_encoding, &encoding);
	type->kind = TYPE_INT;
	switch (encoding) {
	case DW_ATE_boolean:
		type->kind = TYPE_BOOL;
		break;
	case DW_ATE_float:
	case DW_ATE_complex_float:
		type->kind = TYPE_FLOAT;
		break;
	case DW_ATE_signed_char:
		type->is_signed = TRUE;
		type->kind = type->size_bytes == 1 ? TYPE_CHAR : TYPE_INT;
		break;
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		type->kind = type->size_bytes == 1 ? TYPE_CHAR : TYPE_INT;
		break;
	case DW_ATE_signed:
		type->is_signed = TRUE;
		break;
	default:
		break;
	}
}

/* DW_AT_data_member_location: a number, or (DWARF 2) DW_OP_plus_uconst. */
static uint64_t member_location(struct worker *self, Dwarf_Die die)
{
	uint64_t value = 0;
	Dwarf_Attribute attr;
	Dwarf_Error error = NULL;
	Dwarf_Block *block;

	if (worker_attr_number(self, die, DW_AT_data_member_location, &value))
		return value;
	if (dwarf_attr(die, DW_AT_data_member_location, &attr, &error) != DW_DLV_OK)
		return 0;
	if (dwarf_formblock(attr, &block, &error) == DW_DLV_OK) {
		const uint8_t *bytes = block->bl_data;

		if (block->bl_len >= 2 && block->bl_len <= 11 && bytes[0] == DW_OP_plus_uconst) {
			unsigned shift = 0;

			for (Dwarf_Unsigned i = 1; i < block->bl_len && shift < 64; i++, shift += 7)
				value |= (uint64_t)(bytes[i] & 0x7f) << shift;
		}
		dwarf_dealloc(self->dbg, block, DW_DLA_BLOCK);
	}
	dwarf_dealloc(self->dbg, attr, DW_DLA_ATTR);
	return value;
}

/* The size of the storage unit that DWARF 2 and 3 count bit fields in. */
static uint64_t storage_bytes(struct worker *self, Dwarf_Die die, uint64_t type_id)
{
	uint64_t size = 0;

	if (worker_attr_number(self, die, DW_AT_byte_size, &size))
		return size;
	for (unsigned depth = 0; depth < 16 && type_id != 0; depth++) {
		Dwarf_Die type;
		Dwarf_Error error = NULL;
		gboolean found;

		if (dwarf_offdie_b(self->dbg, type_id, 1, &type, &error) != DW_DLV_OK)
			return 0;
		found = worker_attr_number(self, type, DW_AT_byte_size, &size);
		type_id = 0;
		if (!found)
			worker_attr_reference(self, type, DW_AT_type, &type_id);
		dwarf_dealloc(self->dbg, type, DW_DLA_DIE);
	}
	return size;
}

static void load_member(struct worker *self, Dwarf_Die die, struct item_list *list)
{
	struct type_member member = { .name = worker_die_name(die) };
	uint64_t bits = 0, from_top = 0;

	worker_attr_reference(self, die, DW_AT_type, &member.type_id);
	worker_attr_number(self, die, DW_AT_bit_size, &bits);
	member.bit_size = (uint32_t)bits;
	member.offset_bits = member_location(self, die) * 8;
	if (bits != 0 && worker_attr_number(self, die, DW_AT_data_bit_offset, &from_top))
		member.offset_bits = from_top;
	else if (bits != 0 && worker_attr_number(self, die, DW_AT_bit_offset, &from_top))
		/* DWARF 3, 5.5.6: from the most significant bit of the storage unit. */
		member.offset_bits +=
			storage_bytes(self, die, member.type_id) * 8 - from_top - bits;
	list->members = list_grow(list->members, list->n_members, &list->room, sizeof(member));
	list->members[list->n_members++] = member;
}

static void load_enumerator(struct worker *self, Dwarf_Die die, gboolean is_signed,
                            struct item_list *list)
{
	struct type_enumerator value = { .name = worker_die_name(die) };
	uint64_t positive = 0;

	if (value.name == NULL)
		return;
	/* GCC writes the smallest form that fits: data1 0xff is 255 in an unsigned enum
	 * and never -1, which has sdata. */
	if (is_signed || !worker_attr_number(self, die, DW_AT_const_value, &positive))
		worker_attr_signed(self, die, DW_AT_const_value, &value.value);
	else
		value.value = (int64_t)positive;
	list->enumerators =
		list_grow(list->enumerators, list->n_enumerators, &list->room, sizeof(value));
	list->enumerators[list->n_enumerators++] = value;
}

static void load_children(struct worker *self, Dwarf_Die die, const struct type *type,
                          struct item_list *list)
{
	Dwarf_Die child, next;
	Dwarf_Error error = NULL;
	int result = dwarf_child(die, &child, &error);

	while (result == DW_DLV_OK) {
		Dwarf_Half tag = 0;

		dwarf_tag(child, &tag, &error);
		if (tag == DW_TAG_member && type->kind != TYPE_ENUM)
			load_member(self, child, list);
		else if (tag == DW_TAG_enumerator && type->kind == TYPE_ENUM)
			load_enumerator(self, child, type->is_signed, list);
		result = dwarf_siblingof_b(self->dbg, child, 1, &next, &error);
		dwarf_dealloc(self->dbg, child, DW_DLA_DIE);
		child = next;
	}
}

/* The number of elements of each dimension, outermost first. */
static unsigned array_dimensions(struct worker *self, Dwarf_Die die, uint64_t *counts)
{
	Dwarf_Die child, next;
	Dwarf_Error error = NULL;
	unsigned n = 0;
	int result = dwarf_child(die, &child, &error);

	while (result == DW_DLV_OK) {
		Dwarf_Half tag = 0;
		uint64_t bound;

		dwarf_tag(child, &tag, &error);
		if (tag == DW_TAG_subrange_type && n < DIMENSIONS_MAX) {
			counts[n] = 0;
			if (worker_attr_number(self, child, DW_AT_count, &bound))
				counts[n] = bound;
			else if (worker_attr_number(self, child, DW_AT_upper_bound, &bound))
				counts[n] = bound + 1; /* int x[0] has none, or -1 */
			n++;
		}
		result = dwarf_siblingof_b(self->dbg, child, 1, &next, &error);
		dwarf_dealloc(self->dbg, child, DW_DLA_DIE);
		child = next;
	}
	return n;
}

static gboolean load_array(struct worker *self, Dwarf_Die die, uint64_t offset, unsigned dimension,
                           struct type *type)
{
	uint64_t counts[DIMENSIONS_MAX];
	unsigned n = array_dimensions(self, die, counts);

	type->kind = TYPE_ARRAY;
	type->size_bytes = 0;
	if (n == 0 && dimension == 0)
		return TRUE;
	if (dimension >= n)
		return FALSE;
	type->count = counts[dimension];
	if (dimension + 1 < n)
		type->target_id = offset | (uint64_t)(dimension + 1) << DIMENSION_SHIFT;
	return TRUE;
}

static gboolean enum_is_signed(struct worker *self, Dwarf_Die die, uint64_t target)
{
	uint64_t encoding = 0;
	Dwarf_Die base;
	Dwarf_Error error = NULL;

	/* GCC gives the underlying type, and else the encoding itself. */
	if (!worker_attr_number(self, die, DW_AT_encoding, &encoding) && target != 0 &&
	    dwarf_offdie_b(self->dbg, target, 1, &base, &error) == DW_DLV_OK) {
		worker_attr_number(self, base, DW_AT_encoding, &encoding);
		dwarf_dealloc(self->dbg, base, DW_DLA_DIE);
	}
	return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

/* FALSE where the tag is of no known type. */
static gboolean load_kind(struct worker *self, Dwarf_Die die, Dwarf_Half tag, uint64_t offset,
                          unsigned dimension, struct type *type)
{
	switch (tag) {
	case DW_TAG_base_type:
		load_base(self, die, type);
		return TRUE;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		type->kind = TYPE_POINTER;
		if (type->size_bytes == 0)
			type->size_bytes = 8;
		return TRUE;
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		type->name = NULL;
		type->kind = TYPE_TYPEDEF;
		return TRUE;
	case DW_TAG_typedef:
		type->kind = TYPE_TYPEDEF;
		return TRUE;
	case DW_TAG_array_type:
		return load_array(self, die, offset, dimension, type);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		type->kind = TYPE_STRUCT;
		return TRUE;
	case DW_TAG_union_type:
		type->kind = TYPE_UNION;
		return TRUE;
	case DW_TAG_enumeration_type:
		type->kind = TYPE_ENUM;
		type->is_signed = enum_is_signed(self, die, type->target_id);
		return TRUE;
	case DW_TAG_subroutine_type:
	case DW_TAG_subprogram:
		type->kind = TYPE_FUNCTION;
		return TRUE;
	case DW_TAG_unspecified_type:
		type->kind = TYPE_VOID;
		return TRUE;
	default:
		return FALSE;
	}
}

enum worker_status worker_load(struct worker *self, uint64_t id, struct worker_buffer *out,
                               Dwarf_Error *error)
{
	uint64_t offset = id & ((UINT64_C(1) << DIMENSION_SHIFT) - 1);
	unsigned dimension = (unsigned)(id >> DIMENSION_SHIFT);
	struct item_list list = { 0 };
	struct type type = { 0 };
	Dwarf_Half tag;
	Dwarf_Die die;
	uint8_t *record = NULL;
	size_t len;

	if (dwarf_offdie_b(self->dbg, offset, 1, &die, error) != DW_DLV_OK ||
	    dwarf_tag(die, &tag, error) != DW_DLV_OK)
		return WORKER_DAMAGED;
	type.name = worker_die_name(die);
	worker_attr_number(self, die, DW_AT_byte_size, &type.size_bytes);
	worker_attr_reference(self, die, DW_AT_type, &type.target_id);
	type.is_declaration = worker_has_attr(die, DW_AT_declaration);
	if (!load_kind(self, die, tag, offset, dimension, &type)) {
		dwarf_dealloc(self->dbg, die, DW_DLA_DIE);
		return WORKER_UNSUPPORTED;
	}
	if (type.kind == TYPE_STRUCT || type.kind == TYPE_UNION || type.kind == TYPE_ENUM)
		load_children(self, die, &type, &list);
	type.members = list.members;
	type.n_members = list.n_members;
	type.enumerators = list.enumerators;
	type.n_enumerators = list.n_enumerators;
	record = type_record_encode(&type, &len);
	if (record != NULL)
		worker_put(out, record, len);
	free(record);
	free(list.members);
	free(list.enumerators);
	dwarf_dealloc(self->dbg, die, DW_DLA_DIE);
	return record != NULL ? WORKER_OK : WORKER_UNSUPPORTED;
}

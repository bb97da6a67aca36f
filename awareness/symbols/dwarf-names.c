#include "awareness/symbols/dwarf-worker.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The index of names grows unit by unit, only as far as look-ups need: a name that
 * is found early leaves the rest of a large file untouched. */

static uint64_t name_hash(unsigned space, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ space;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return hash ^ (hash >> 29);
}

static struct worker_name *name_slot(const struct worker_names *names, unsigned space,
                                     const char *name)
{
	size_t at = name_hash(space, name) & (names->n_slots - 1);

	while (names->slots[at].name != NULL &&
	       (names->slots[at].space != space || strcmp(names->slots[at].name, name) != 0))
		at = (at + 1) & (names->n_slots - 1);
	return &names->slots[at];
}

static void names_grow(struct worker_names *names)
{
	struct worker_names grown = {
		.n_slots = names->n_slots == 0 ? 1 << 14 : names->n_slots * 2,
		.n_used = names->n_used,
	};

	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (grown.slots == NULL)
		_exit(1);
	for (size_t i = 0; i < names->n_slots; i++) {
		if (names->slots[i].name != NULL)
			*name_slot(&grown, names->slots[i].space, names->slots[i].name) =
				names->slots[i];
	}
	free(names->slots);
	*names = grown;
}

/* The first definition stays; a definition replaces a declaration. */
static void names_add(struct worker_names *names, const struct worker_name *add)
{
	struct worker_name *slot;

	if ((names->n_used + 1) * 2 > names->n_slots)
		names_grow(names);
	slot = name_slot(names, add->space, add->name);
	if (slot->name == NULL)
		names->n_used++;
	else if (!slot->is_declaration || add->is_declaration)
		return;
	*slot = *add;
}

static int tag_space(Dwarf_Half tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return TYPE_SPACE_STRUCT;
	case DW_TAG_union_type:
		return TYPE_SPACE_UNION;
	case DW_TAG_enumeration_type:
		return TYPE_SPACE_ENUM;
	case DW_TAG_typedef:
	case DW_TAG_base_type:
		return TYPE_SPACE_TYPEDEF;
	case DW_TAG_variable:
		return TYPE_SPACE_VARIABLE;
	default:
		return -1;
	}
}

/* A variable that was declared before is defined by a DIE without name. */
static const char *variable_name(struct worker *self, Dwarf_Die die)
{
	const char *name = worker_die_name(die);
	uint64_t offset;
	Dwarf_Die declared;
	Dwarf_Error error = NULL;

	if (name != NULL || !worker_attr_reference(self, die, DW_AT_specification, &offset) ||
	    dwarf_offdie_b(self->dbg, offset, 1, &declared, &error) != DW_DLV_OK)
		return name;
	name = worker_die_name(declared);
	dwarf_dealloc(self->dbg, declared, DW_DLA_DIE);
	return name;
}

static void die_index(struct worker *self, Dwarf_Die die)
{
	Dwarf_Half tag;
	Dwarf_Off offset;
	Dwarf_Error error = NULL;
	struct worker_name entry = { 0 };
	int space;

	if (dwarf_tag(die, &tag, &error) != DW_DLV_OK)
		return;
	space = tag_space(tag);
	if (space < 0)
		return;
	entry.space = (uint32_t)space;
	entry.name = space == TYPE_SPACE_VARIABLE ? variable_name(self, die) : worker_die_name(die);
	if (entry.name == NULL || dwarf_dieoffset(die, &offset, &error) != DW_DLV_OK)
		return;
	entry.offset = offset;
	if (self->names.n_slots != 0) {
		const struct worker_name *known = name_slot(&self->names, entry.space, entry.name);

		if (known->name != NULL && !known->is_declaration)
			return;
	}
	entry.is_declaration = worker_has_attr(die, DW_AT_declaration) ? 1 : 0;
	/* struct without a body: of no use to anyone. */
	if (entry.is_declaration && space != TYPE_SPACE_VARIABLE)
		return;
	names_add(&self->names, &entry);
}

static void enum_index(struct worker *self, Dwarf_Die die)
{
	Dwarf_Die child, next;
	Dwarf_Off offset;
	Dwarf_Half tag;
	Dwarf_Error error = NULL;
	int result;

	if (dwarf_tag(die, &tag, &error) != DW_DLV_OK || tag != DW_TAG_enumeration_type ||
	    dwarf_dieoffset(die, &offset, &error) != DW_DLV_OK)
		return;
	result = dwarf_child(die, &child, &error);
	while (result == DW_DLV_OK) {
		struct worker_name entry = { worker_die_name(child), offset, TYPE_SPACE_ENUMERATOR,
			                     0 };

		if (entry.name != NULL)
			names_add(&self->names, &entry);
		result = dwarf_siblingof_b(self->dbg, child, 1, &next, &error);
		dwarf_dealloc(self->dbg, child, DW_DLA_DIE);
		child = next;
	}
}

/* Calls `visit` for each DIE right below a unit's. */
static int cu_visit(struct worker *self, uint64_t cu_die,
                    void (*visit)(struct worker *self, Dwarf_Die die), Dwarf_Error *error)
{
	Dwarf_Die cu, child, next;
	int result = dwarf_offdie_b(self->dbg, cu_die, 1, &cu, error);

	if (result != DW_DLV_OK)
		return result;
	result = dwarf_child(cu, &child, error);
	while (result == DW_DLV_OK) {
		visit(self, child);
		result = dwarf_siblingof_b(self->dbg, child, 1, &next, error);
		dwarf_dealloc(self->dbg, child, DW_DLA_DIE);
		child = next;
	}
	dwarf_dealloc(self->dbg, cu, DW_DLA_DIE);
	return result == DW_DLV_NO_ENTRY ? DW_DLV_OK : result;
}

/* Indexes one more unit. DW_DLV_NO_ENTRY when there is none left. */
static int index_more(struct worker *self, unsigned space, Dwarf_Error *error)
{
	size_t *done = space == TYPE_SPACE_ENUMERATOR ? &self->cus_enumerated : &self->cus_named;
	int result = worker_list_cus(self, error);

	if (result != DW_DLV_OK)
		return result;
	if (*done == self->n_cus)
		return DW_DLV_NO_ENTRY;
	result = cu_visit(self, self->cu_dies[*done],
	                  space == TYPE_SPACE_ENUMERATOR ? enum_index : die_index, error);
	(*done)++;
	return result;
}

static int die_type(struct worker *self, uint64_t die_offset, uint64_t *id, Dwarf_Error *error)
{
	Dwarf_Die die;
	uint64_t declared;
	int result = dwarf_offdie_b(self->dbg, die_offset, 1, &die, error);

	if (result != DW_DLV_OK)
		return result;
	*id = 0;
	if (!worker_attr_reference(self, die, DW_AT_type, id) &&
	    worker_attr_reference(self, die, DW_AT_specification, &declared) &&
	    declared != die_offset) {
		Dwarf_Die other;

		if (dwarf_offdie_b(self->dbg, declared, 1, &other, error) == DW_DLV_OK) {
			worker_attr_reference(self, other, DW_AT_type, id);
			dwarf_dealloc(self->dbg, other, DW_DLA_DIE);
		}
	}
	dwarf_dealloc(self->dbg, die, DW_DLA_DIE);
	return DW_DLV_OK;
}

/* Whether the name is written anywhere in the debug information, in full or as the end
 * of a longer one (linkers merge tails). Where it is not, nothing has that name, and
 * a few milliseconds save indexing the whole file. */
static gboolean name_occurs(const struct worker *self, const char *name)
{
	static const char *const sections[] = { ".debug_str", ".debug_info" };

	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
		const struct elf_section *section = elf_file_section(self->file, sections[i]);

		if (section != NULL && section->bytes != NULL &&
		    memmem(section->bytes, section->size_bytes, name, strlen(name) + 1) != NULL)
			return TRUE;
	}
	return FALSE;
}

enum worker_status worker_find(struct worker *self, unsigned space, const char *name,
                               struct worker_buffer *out, Dwarf_Error *error)
{
	const struct worker_name *slot;
	gboolean is_known = FALSE;
	uint64_t id;

	if (space >= TYPE_SPACES)
		return WORKER_UNSUPPORTED;
	for (;;) {
		int result;

		slot = self->names.n_slots != 0 ? name_slot(&self->names, space, name) : NULL;
		if (slot != NULL && slot->name != NULL && !slot->is_declaration)
			break;
		if (!is_known && !name_occurs(self, name))
			return WORKER_NOT_FOUND;
		is_known = TRUE;
		result = index_more(self, space, error);
		if (result == DW_DLV_ERROR)
			return WORKER_DAMAGED;
		if (result == DW_DLV_NO_ENTRY)
			break;
	}
	if (slot == NULL || slot->name == NULL)
		return WORKER_NOT_FOUND;
	id = slot->offset;
	if (space == TYPE_SPACE_VARIABLE && die_type(self, slot->offset, &id, error) != DW_DLV_OK)
		return WORKER_DAMAGED;
	worker_put(out, &id, sizeof(id));
	return WORKER_OK;
}

enum worker_status worker_names_list(struct worker *self, unsigned space, struct worker_buffer *out,
                                     Dwarf_Error *error)
{
	int result;

	if (space >= TYPE_SPACES)
		return WORKER_UNSUPPORTED;
	do {
		result = index_more(self, space, error);
	} while (result == DW_DLV_OK);
	if (result == DW_DLV_ERROR)
		return WORKER_DAMAGED;
	for (size_t i = 0; i < self->names.n_slots; i++) {
		const struct worker_name *slot = &self->names.slots[i];

		if (slot->name != NULL && slot->space == space)
			worker_put(out, slot->name, strlen(slot->name) + 1);
	}
	return WORKER_OK;
}

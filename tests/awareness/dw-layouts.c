/* dw-layouts FILE: the layouts of all structs and unions of an ELF file as elfutils'
 * libdw reads them, the first complete definition of each name. A program of its own:
 * libdw and libdwarf export functions of the same names.
 *
 *   struct NAME SIZE | union NAME SIZE
 *   m OFFSET_BITS BIT_SIZE NAME          "-" for no name
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>

static unsigned long long member_bits(Dwarf_Die *member)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value = 0;

	if (dwarf_attr(member, DW_AT_data_bit_offset, &attribute) != NULL) {
		dwarf_formudata(&attribute, &value);
		return value;
	}
	if (dwarf_attr(member, DW_AT_data_member_location, &attribute) != NULL)
		dwarf_formudata(&attribute, &value);
	return value * 8;
}

static void type_print(Dwarf_Die *die, const char *full)
{
	Dwarf_Die member;

	printf("%s %d\n", full, dwarf_bytesize(die));
	if (dwarf_child(die, &member) != 0)
		return;
	do {
		const char *name = dwarf_diename(&member);

		if (dwarf_tag(&member) == DW_TAG_member)
			printf("m %llu %d %s\n", member_bits(&member),
			       MAX(0, dwarf_bitsize(&member)), name != NULL ? name : "-");
	} while (dwarf_siblingof(&member, &member) == 0);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	Dwarf *dwarf = dwarf_begin(fd, DWARF_C_READ);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Dwarf_Off offset = 0, next;
	size_t head;

	if (dwarf == NULL)
		return 1;
	for (; dwarf_nextcu(dwarf, offset, &next, &head, NULL, NULL, NULL) == 0; offset = next) {
		Dwarf_Die unit, die;

		if (dwarf_offdie(dwarf, offset + head, &unit) == NULL ||
		    dwarf_child(&unit, &die) != 0)
			continue;
		do {
			int tag = dwarf_tag(&die);
			const char *name = dwarf_diename(&die);
			g_autofree char *full = NULL;

			if ((tag != DW_TAG_structure_type && tag != DW_TAG_union_type) ||
			    name == NULL || dwarf_hasattr(&die, DW_AT_declaration))
				continue;
			full = g_strconcat(tag == DW_TAG_union_type ? "union " : "struct ", name,
			                   NULL);
			if (g_hash_table_contains(seen, full))
				continue;
			type_print(&die, full);
			g_hash_table_add(seen, g_steal_pointer(&full));
		} while (dwarf_siblingof(&die, &die) == 0);
	}
	dwarf_end(dwarf);
	return 0;
}

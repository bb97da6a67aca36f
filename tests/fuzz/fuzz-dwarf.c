/* DWARF: whatever it holds, libdwarf fails behind its wall and this process does not.
 * Mutations of ELF files whose debug information is intact enough to be opened. */
#include "awareness/symbols/dwarf.h"
#include "awareness/symbols/types-source.h"
#include "tests/fuzz/fuzz.h"

static void types_look(struct dwarf *dwarf)
{
	g_autoptr(types_t) types = dwarf_types(dwarf, NULL);
	static const char *const names[] = { "struct node", "struct leaf", "u64", "enum color" };

	for (size_t i = 0; types != NULL && i < G_N_ELEMENTS(names); i++) {
		struct type_place place;
		const struct type *type = types_find(types, names[i], NULL);
		g_autofree char *text = type != NULL ? types_describe(types, type) : NULL;

		types_member(types, names[i], "leaf[1].text[2]", &place, NULL);
		types_member(types, names[i], "flag", &place, NULL);
	}
	if (types != NULL)
		types_of_variable(types, "head", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GBytes) input = g_bytes_new(bytes, len_bytes);
	g_autoptr(elf_file_t) file = elf_file_new_from_bytes(input, "fuzz", NULL);
	g_autoptr(dwarf_t) dwarf = file != NULL ? dwarf_new(file, NULL, NULL) : NULL;
	const struct elf_section *text;

	if (dwarf == NULL)
		return 0;
	types_look(dwarf);
	text = elf_file_section(file, ".text");
	for (uint64_t at = 0; text != NULL && at < MIN(text->size_bytes, 128); at += 32) {
		struct dwarf_frames frames;
		struct cfi_row row;

		dwarf_cfi_row(dwarf, text->address + at, &row, NULL);
		if (dwarf_frames_at(dwarf, text->address + at, &frames, NULL))
			dwarf_frames_clear(&frames);
	}
	return 0;
}

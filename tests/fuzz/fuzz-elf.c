/* ELF files, and the symbols and memory that they hold. */
#include "awareness/symbols/btf.h"
#include "awareness/symbols/symbols.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GBytes) input = g_bytes_new(bytes, len_bytes);
	g_autoptr(elf_file_t) file = elf_file_new_from_bytes(input, "fuzz", NULL);
	g_autoptr(symbols_t) symbols = NULL;
	g_autoptr(types_t) types = NULL;
	uint64_t sum = 0;

	if (file == NULL)
		return 0;
	/* Every byte that it says is there must be. */
	for (size_t i = 0; i < elf_file_section_count(file); i++) {
		const struct elf_section *section = elf_file_section_at(file, i);

		for (uint64_t at = 0; section->bytes != NULL && at < section->size_bytes; at++)
			sum += section->bytes[at];
		sum += strlen(section->name);
	}
	elf_file_data_at(file, sum, 16);
	symbols = symbols_new_from_elf(file, NULL);
	for (size_t i = 0; symbols != NULL && i < symbols_count(symbols); i++) {
		const struct symbol *symbol = symbols_at(symbols, i);

		g_assert_nonnull(symbols_by_name(symbols, symbol->name));
		symbols_by_address(symbols, symbol->address + 4, NULL);
	}
	types = btf_types_from_elf(file, NULL);
	if (types != NULL)
		types_find(types, "thing", NULL);
	return 0;
}

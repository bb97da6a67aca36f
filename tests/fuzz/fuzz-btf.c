/* BTF blobs, as out of a guest's memory. */
#include "awareness/symbols/btf.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GBytes) input = g_bytes_new(bytes, len_bytes);
	g_autoptr(types_t) types = btf_types_new(input, NULL);
	g_autoptr(GArray) variables = NULL;
	int64_t value;

	if (types == NULL)
		return 0;
	for (uint64_t id = 1; id < 200; id++) {
		const struct type *type = types_by_id(types, id, NULL);
		g_autofree char *text = type != NULL ? types_describe(types, type) : NULL;
		struct type_place place;
		uint64_t size;

		if (type == NULL)
			continue;
		types_size_of(types, type, &size, NULL);
		types_member_of(types, type, "a.b[1].c", &place, NULL);
	}
	types_enumerator(types, NULL, "RED", &value, NULL);
	types_find(types, "thing", NULL);
	variables = btf_percpu_variables(types);
	g_assert_nonnull(variables);
	return 0;
}

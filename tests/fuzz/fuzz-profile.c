/* Layout profiles. */
#include "awareness/symbols/profile.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(types_t) types = profile_parse((const char *)bytes, len_bytes, "fuzz", NULL);
	int64_t value;

	if (types == NULL)
		return 0;
	for (uint64_t id = 1; id < 64; id++) {
		const struct type *type = types_by_id(types, id, NULL);
		g_autofree char *text = type != NULL ? types_describe(types, type) : NULL;
		struct type_place place;
		uint64_t size;

		if (type == NULL)
			continue;
		types_size_of(types, type, &size, NULL);
		types_member_of(types, type, "leaf[1].text", &place, NULL);
	}
	types_enumerator(types, NULL, "RED", &value, NULL);
	types_find(types, "struct node", NULL);
	return 0;
}

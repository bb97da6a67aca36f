/* The whole of the reading of perf.data. */
#include "tests/fuzz/fuzz.h"

#include "capture/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	struct import_result result;
	gboolean ok = import_perf_inspect(bytes, len_bytes, "perf.data", &result, &error);

	g_assert_true(ok == (error == NULL));
	import_result_clear(&result);
	return 0;
}

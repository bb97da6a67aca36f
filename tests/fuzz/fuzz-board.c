/* The whole of board_parse, and the graph on what it gives. */
#include "tests/fuzz/fuzz.h"

#include "capture/board.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Board) board =
		board_parse((const char *)bytes, (gssize)len_bytes, "x.board", &error);

	g_assert_true((board == NULL) == (error != NULL));
	for (guint i = 0; board != NULL && i < board->components->len && i < 8; i++) {
		g_assert_cmpuint(board_component(board, i)->offset + 4096, <=, board->window_bytes);
		for (guint k = 0; k < board->components->len && k < 8; k++) {
			g_autoptr(GArray) path = board_path(board, i, k, NULL);

			for (guint n = 0; path != NULL && n < path->len; n++)
				g_assert_cmpuint(g_array_index(path, guint, n), <,
				                 board->edges->len);
		}
	}
	return 0;
}

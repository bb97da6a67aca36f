#include "capture/coresight/tmc.h"

enum {
	TMC_RSZ = 0x004,
	TMC_STS = 0x00C,
	TMC_RRD = 0x010,
	TMC_RRP = 0x014,
	TMC_RWP = 0x018,
	TMC_TRG = 0x01C,
	TMC_CTL = 0x020,
	TMC_MODE = 0x028,
	TMC_BUFWM = 0x034,
	TMC_RRPHI = 0x038,
	TMC_RWPHI = 0x03C,
	TMC_AXICTL = 0x110,
	TMC_DBALO = 0x118,
	TMC_DBAHI = 0x11C,
	TMC_FFCR = 0x304,

	STS_FULL = 1u << 0,
	STS_READY = 1u << 2,
	STS_MEMERR = 1u << 5,
	MODE_CIRCULAR = 0,
	MODE_HW_FIFO = 2,
	/* Formatter on, triggers marked, flush and trigger inputs on. */
	FFCR_SINK = 0x133,
	FFCR_LINK = 0x3,
	FFCR_FLUSH_ON_INPUT = 1u << 4,
	FFCR_FLUSH = 1u << 6,
	FFCR_STOP_ON_FLUSH = 1u << 12,
	AXICTL_FIELDS = 0xFBF,
	AXICTL_BURST_16 = 0xF << 8,
	AXICTL_CACHE = 0xF << 2,
	AXICTL_NON_SECURE = 2,

	RRD_EMPTY = 0xFFFFFFFFu,
	FIFO_WORDS = 1024,
};

static const char never_ready[] =
	"the TMC stays busy; was an earlier capture interrupted (power-cycle the board), or does "
	"its trace clock stand still?";

gboolean tmc_check(struct access *access, guint component, gboolean take, GError **error)
{
	guint32 control;

	if (!access_read(access, component, TMC_CTL, "CTL", &control, error))
		return FALSE;
	if ((control & 1) == 0 || take)
		return TRUE;
	g_set_error(
		error, CORESIGHT_ERROR, CORESIGHT_ERROR_IN_USE,
		"%s is on already (CTL reads 1): somebody else uses it, perhaps Linux's coresight "
		"driver; stop that, or take it with --take",
		board_component(access->board, component)->name);
	return FALSE;
}

void tmc_program_take(struct sequence *program, guint component)
{
	sequence_unlock(program, component);
	sequence_write(program, component, TMC_CTL, "CTL", 0);
}

static void program_idle(struct sequence *program, guint component)
{
	sequence_unlock(program, component);
	sequence_wait(program, component, TMC_STS, "STS", STS_READY, STS_READY, never_ready);
}

void tmc_program_sink(struct sequence *program, guint component)
{
	program_idle(program, component);
	sequence_write(program, component, TMC_MODE, "MODE", MODE_CIRCULAR);
	sequence_write(program, component, TMC_FFCR, "FFCR", FFCR_SINK);
	sequence_write(program, component, TMC_TRG, "TRG", 0);
	sequence_write(program, component, TMC_CTL, "CTL", 1);
}

void tmc_program_link(struct sequence *program, guint component)
{
	program_idle(program, component);
	sequence_write(program, component, TMC_MODE, "MODE", MODE_HW_FIFO);
	sequence_write(program, component, TMC_FFCR, "FFCR", FFCR_LINK);
	sequence_write(program, component, TMC_BUFWM, "BUFWM", 0);
	sequence_write(program, component, TMC_CTL, "CTL", 1);
}

void tmc_program_memory_sink(struct sequence *program, guint component, guint64 buffer_pa,
                             guint32 buffer_bytes)
{
	program_idle(program, component);
	sequence_write(program, component, TMC_MODE, "MODE", MODE_CIRCULAR);
	sequence_write(program, component, TMC_RSZ, "RSZ", buffer_bytes / 4);
	sequence_modify(program, component, TMC_AXICTL, "AXICTL", AXICTL_FIELDS,
	                AXICTL_NON_SECURE | AXICTL_BURST_16 | AXICTL_CACHE);
	sequence_write(program, component, TMC_DBALO, "DBALO", (guint32)buffer_pa);
	sequence_write(program, component, TMC_DBAHI, "DBAHI", (guint32)(buffer_pa >> 32));
	sequence_write(program, component, TMC_FFCR, "FFCR", FFCR_SINK);
	sequence_write(program, component, TMC_TRG, "TRG", 0);
	sequence_write(program, component, TMC_CTL, "CTL", 1);
}

void tmc_program_stop_on_trigger(struct sequence *program, guint component)
{
	sequence_modify(program, component, TMC_FFCR, "FFCR",
	                FFCR_FLUSH_ON_INPUT | FFCR_STOP_ON_FLUSH,
	                FFCR_FLUSH_ON_INPUT | FFCR_STOP_ON_FLUSH);
}

void tmc_program_stop(struct sequence *program, guint component)
{
	sequence_modify(program, component, TMC_FFCR, "FFCR", FFCR_STOP_ON_FLUSH,
	                FFCR_STOP_ON_FLUSH);
	sequence_modify(program, component, TMC_FFCR, "FFCR", FFCR_FLUSH, FFCR_FLUSH);
	sequence_wait(program, component, TMC_FFCR, "FFCR", FFCR_FLUSH, 0,
	              "the flush does not come to an end; is a link or funnel upstream stuck?");
	sequence_wait(program, component, TMC_STS, "STS", STS_READY, STS_READY, never_ready);
}

void tmc_program_off(struct sequence *program, guint component)
{
	sequence_write(program, component, TMC_CTL, "CTL", 0);
}

void tmc_program_link_off(struct sequence *program, guint component)
{
	sequence_modify(program, component, TMC_FFCR, "FFCR", FFCR_FLUSH, FFCR_FLUSH);
	sequence_wait(program, component, TMC_FFCR, "FFCR", FFCR_FLUSH, 0,
	              "the flush does not come to an end; is what lies downstream blocked?");
	sequence_write(program, component, TMC_CTL, "CTL", 0);
}

static gboolean read_pointer(struct access *access, guint component, guint16 low, const char *name,
                             guint16 high, guint64 *value, GError **error)
{
	guint32 words[2] = { 0, 0 };

	if (!access_read(access, component, low, name, &words[0], error) ||
	    !access_read(access, component, high, name, &words[1], error))
		return FALSE;
	*value = words[0] | (guint64)words[1] << 32;
	return TRUE;
}

gboolean tmc_read_status(struct access *access, guint component, struct tmc_status *status,
                         GError **error)
{
	const struct board_component *tmc = board_component(access->board, component);
	struct tmc_status found = { 0 };
	guint64 base = 0;
	guint32 words;

	if (!access_read(access, component, TMC_STS, "STS", &found.sts, error) ||
	    !access_read(access, component, TMC_RSZ, "RSZ", &words, error) ||
	    !read_pointer(access, component, TMC_RRP, "RRP", TMC_RRPHI, &found.read_pointer,
	                  error) ||
	    !read_pointer(access, component, TMC_RWP, "RWP", TMC_RWPHI, &found.write_pointer,
	                  error))
		return FALSE;
	if (tmc->kind == BOARD_ETR &&
	    !read_pointer(access, component, TMC_DBALO, "DBA", TMC_DBAHI, &base, error))
		return FALSE;
	found.full = (found.sts & STS_FULL) != 0;
	found.memory_error = (found.sts & STS_MEMERR) != 0;
	found.size_bytes = (guint64)words * 4;
	if (found.read_pointer < base || found.read_pointer > base + found.size_bytes ||
	    found.write_pointer < base || found.write_pointer > base + found.size_bytes) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
		            "%s: RRP 0x%" G_GINT64_MODIFIER "x and RWP 0x%" G_GINT64_MODIFIER
		            "x are not in its buffer of %" G_GUINT64_FORMAT
		            " bytes at 0x%" G_GINT64_MODIFIER
		            "x; was the target reset during the capture?",
		            tmc->name, found.read_pointer, found.write_pointer, found.size_bytes,
		            base);
		return FALSE;
	}
	found.used_bytes = found.full ? found.size_bytes : found.write_pointer - found.read_pointer;
	if (!found.full && found.write_pointer < found.read_pointer)
		found.used_bytes = 0;
	*status = found;
	return TRUE;
}

static gboolean drain_fifo(struct access *access, guint component, const struct tmc_status *status,
                           tmc_drain_fn drain, gpointer data, GError **error)
{
	const char *name = board_component(access->board, component)->name;
	guint64 done = 0;

	for (;;) {
		guint32 words[FIFO_WORDS];
		gsize n;

		if (access_cancelled(access, error))
			return FALSE;
		if (!link_read_fifo(access->link, access_address(access, component, TMC_RRD),
		                    RRD_EMPTY, words, FIFO_WORDS, &n, error)) {
			g_prefix_error(
				error,
				"draining %s.RRD (0x010) after %" G_GUINT64_FORMAT " bytes: ", name,
				done);
			return FALSE;
		}
		/* Twice the RAM means that the end mark never comes. */
		done += n * 4;
		if (done > 2 * status->size_bytes) {
			g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
			            "%s.RRD (0x010) gives data without end: %" G_GUINT64_FORMAT
			            " bytes from a RAM of %" G_GUINT64_FORMAT,
			            name, done, status->size_bytes);
			return FALSE;
		}
		for (gsize i = 0; i < n; i++)
			words[i] = GUINT32_TO_LE(words[i]);
		if (!drain(data, (const guint8 *)words, n * 4, error))
			return FALSE;
		if (n < FIFO_WORDS)
			return TRUE;
	}
}

static gboolean drain_memory(struct access *access, guint component, guint64 start_pa,
                             guint64 len_bytes, tmc_drain_fn drain, gpointer data, GError **error)
{
	gsize block = access->link->best_block_words;
	g_autofree guint32 *words = g_new(guint32, block);

	while (len_bytes > 0) {
		gsize n = (gsize)MIN(block, (len_bytes + 3) / 4);
		gsize n_bytes = (gsize)MIN(n * 4, len_bytes);

		if (access_cancelled(access, error))
			return FALSE;
		if (!link_read_block(access->link, LINK_SPACE_MEMORY, start_pa, words, n, error)) {
			g_prefix_error(error, "draining %s from memory: ",
			               board_component(access->board, component)->name);
			return FALSE;
		}
		for (gsize i = 0; i < n; i++)
			words[i] = GUINT32_TO_LE(words[i]);
		if (!drain(data, (const guint8 *)words, n_bytes, error))
			return FALSE;
		start_pa += n_bytes;
		len_bytes -= n_bytes;
	}
	return TRUE;
}

gboolean tmc_drain(struct access *access, guint component, const struct tmc_status *status,
                   guint64 buffer_pa, tmc_drain_fn drain, gpointer data, GError **error)
{
	guint64 end_pa = buffer_pa + status->size_bytes;
	guint64 first;

	if (board_component(access->board, component)->kind != BOARD_ETR)
		return drain_fifo(access, component, status, drain, data, error);
	if (status->memory_error) {
		g_set_error(error, CORESIGHT_ERROR, CORESIGHT_ERROR_ACCESS,
		            "etr: STS (0x00C) reads 0x%X: a memory error (bit 5), so its buffer at "
		            "0x%" G_GINT64_MODIFIER
		            "x holds no trace; is that memory reachable for the "
		            "ETR (SMMU, XMPU, non-secure)?",
		            status->sts, buffer_pa);
		return FALSE;
	}
	if (status->used_bytes == 0)
		return TRUE;
	first = MIN(status->used_bytes, end_pa - status->read_pointer);
	return drain_memory(access, component, status->read_pointer, first, drain, data, error) &&
	       drain_memory(access, component, buffer_pa, status->used_bytes - first, drain, data,
	                    error);
}

/* Every I/O of writing a recording fails in turn, in the manner of SQLite's own
 * tests: a VFS under SQLite counts the calls and breaks one. */
#include "schema/db.h"
#include "schema/reader.h"
#include "schema/writer.h"

#include <glib/gstdio.h>
#include <string.h>

static struct {
	gint64 calls;   /* so far */
	gint64 fail_at; /* the call that fails; all later ones too where `persistent` */
	int code;
	gboolean persistent;
} fault;

static int fault_check(void)
{
	const gint64 call = fault.calls++;

	if (fault.fail_at < 0 || call < fault.fail_at ||
	    (call > fault.fail_at && !fault.persistent))
		return SQLITE_OK;
	return fault.code;
}

/* The real file follows this struct in memory. */
struct faulty_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct faulty_file *)file)->real;
}

static int faulty_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
	const int code = fault_check();

	return code != SQLITE_OK
	               ? code
	               : real_of(file)->pMethods->xRead(real_of(file), buffer, length, offset);
}

static int faulty_write(sqlite3_file *file, const void *buffer, int length, sqlite3_int64 offset)
{
	const int code = fault_check();

	return code != SQLITE_OK
	               ? code
	               : real_of(file)->pMethods->xWrite(real_of(file), buffer, length, offset);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	const int code = fault_check();

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	const int code = fault_check();

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *size)
{
	const int code = fault_check();

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int faulty_lock(sqlite3_file *file, int level)
{
	const int code = fault_check();

	return code != SQLITE_OK ? code : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_reserved(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int faulty_control(sqlite3_file *file, int operation, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int faulty_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods faulty_methods = {
	.iVersion = 1,
	.xClose = faulty_close,
	.xRead = faulty_read,
	.xWrite = faulty_write,
	.xTruncate = faulty_truncate,
	.xSync = faulty_sync,
	.xFileSize = faulty_size,
	.xLock = faulty_lock,
	.xUnlock = faulty_unlock,
	.xCheckReservedLock = faulty_reserved,
	.xFileControl = faulty_control,
	.xSectorSize = faulty_sector,
	.xDeviceCharacteristics = faulty_traits,
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs faulty_vfs;

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out_flags)
{
	struct faulty_file *self = (struct faulty_file *)file;
	int code = fault_check();

	(void)vfs;
	self->base.pMethods = NULL;
	self->real = (sqlite3_file *)(self + 1);
	if (code != SQLITE_OK)
		return SQLITE_CANTOPEN;
	code = real_vfs->xOpen(real_vfs, name, self->real, flags, out_flags);
	if (code == SQLITE_OK)
		self->base.pMethods = &faulty_methods;
	return code;
}

static gboolean write_all(const char *path, GError **error)
{
	enum {
		N = 3000
	};
	const struct row_owner owner = { OWNER_GUEST, 1, 1, 1 };
	const struct row_core core = { .core = 0, .trace_id = -1 };
	g_autofree struct row_span *spans = g_new0(struct row_span, N);
	g_autoptr(recording_writer) writer = recording_writer_new(path, error);

	if (writer == NULL)
		return FALSE;
	recording_writer_owner(writer, &owner);
	for (guint i = 0; i < N; i++)
		spans[i] = (struct row_span) { .start_ns = (gint64)i * 7,
			                       .duration_ns = 7,
			                       .trace_offset = i };
	if (!recording_writer_core(writer, &core, error) ||
	    !recording_writer_spans(writer, 0, spans, N, error))
		return FALSE;
	for (guint i = 0; i < 50; i++) {
		const struct row_gap gap = { .start_ns = i, .reason = "overflow" };

		if (!recording_writer_gap(writer, &gap, error))
			return FALSE;
	}
	return recording_writer_finish(writer, error);
}

static gboolean count_span(const struct row_span *row, gpointer data)
{
	(void)row;
	++*(guint *)data;
	return TRUE;
}

/* Either the whole recording is there, or none and no rest of it. */
static void check_outcome(const char *path, const char *partial_path, gboolean done,
                          const GError *error)
{
	g_assert_false(g_file_test(partial_path, G_FILE_TEST_EXISTS));
	if (done) {
		g_autoptr(recording_reader) reader = recording_reader_new(path, NULL);
		guint n = 0;

		g_assert_nonnull(reader);
		g_assert_true(
			recording_reader_spans(reader, 0, 0, G_MAXINT64, count_span, &n, NULL));
		g_assert_cmpuint(n, ==, 3000);
		return;
	}
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, path));
	g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void run_faults(int code, gboolean persistent)
{
	g_autofree char *directory = g_dir_make_tmp("hvscope-faults-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "a.hvs", NULL);
	g_autofree char *partial_path = g_strconcat(path, ".part", NULL);
	guint failures = 0;

	for (gint64 at = 0;; at++) {
		g_autoptr(GError) error = NULL;
		gboolean done, reached;

		fault.calls = 0;
		fault.fail_at = at;
		fault.code = code;
		fault.persistent = persistent;
		done = write_all(path, &error);
		reached = fault.calls > at;
		fault.fail_at = -1;
		check_outcome(path, partial_path, done, error);
		failures += !done;
		g_unlink(path);
		if (!reached) {
			g_assert_true(done);
			break;
		}
	}
	g_test_message("%u failing calls", failures);
	g_assert_cmpuint(failures, >, 20);
	g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void test_disk_full(void)
{
	run_faults(SQLITE_FULL, TRUE);
}

static void test_io_error_once(void)
{
	run_faults(SQLITE_IOERR, FALSE);
}

static void test_io_error_for_good(void)
{
	run_faults(SQLITE_IOERR, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	real_vfs = sqlite3_vfs_find(NULL);
	faulty_vfs = *real_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.szOsFile = real_vfs->szOsFile + (int)sizeof(struct faulty_file);
	faulty_vfs.xOpen = faulty_open;
	fault.fail_at = -1;
	sqlite3_vfs_register(&faulty_vfs, 1);
	g_test_add_func("/schema/faults/disk-full", test_disk_full);
	g_test_add_func("/schema/faults/io-error-once", test_io_error_once);
	g_test_add_func("/schema/faults/io-error-for-good", test_io_error_for_good);
	return g_test_run();
}

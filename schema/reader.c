#include "schema/reader.h"

#include "schema/reader-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The SQLite header (https://www.sqlite.org/fileformat.html, section 1.3), big endian. */
enum {
	HEADER_BYTES = 100,
	HEADER_PAGE_SIZE = 16,      /* u16; 1 means 65536 */
	HEADER_CHANGE_COUNTER = 24, /* u32 */
	HEADER_PAGE_COUNT = 28,     /* u32, valid where the next two agree */
	HEADER_USER_VERSION = 60,   /* u32 */
	HEADER_APPLICATION_ID = 68, /* u32 */
	HEADER_VALID_FOR = 92,      /* u32 */
};

static const char header_magic[] = "SQLite format 3";

static const char *const table_names[] = { "meta",
	                                   "core",
	                                   "machine",
	                                   "task",
	                                   "owner",
	                                   "span",
	                                   "gap",
	                                   "exception",
	                                   "stm",
	                                   "quality",
	                                   "quality_event",
	                                   "account",
	                                   "lod",
	                                   "vcpu",
	                                   "vcpu_run",
	                                   "exit",
	                                   "request",
	                                   "hypervisor_function",
	                                   "hypervisor_call",
	                                   "packed" };

/* Tables that came later: a recording of before is whole without them. */
static const char *const later_table_names[] = { "task_name", "owner_name" };

static guint32 read_u32(const guint8 *at)
{
	return (guint32)at[0] << 24 | (guint32)at[1] << 16 | (guint32)at[2] << 8 | at[3];
}

static guint32 page_size(const guint8 *header)
{
	const guint32 size = (guint32)header[HEADER_PAGE_SIZE] << 8 | header[HEADER_PAGE_SIZE + 1];

	return size == 1 ? 65536 : size;
}

/* Reads the first bytes; *length is how many there were, *status what the file is. */
static gboolean header_read(const char *path, guint8 header[HEADER_BYTES], gsize *length,
                            struct stat *status, GError **error)
{
	gssize got;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, status) != 0) {
		const int saved = errno;

		if (fd >= 0)
			close(fd);
		g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_ACCESS,
		            "%s: cannot open the recording: %s", path, g_strerror(saved));
		return FALSE;
	}
	got = S_ISREG(status->st_mode) ? read(fd, header, HEADER_BYTES) : 0;
	close(fd);
	*length = got > 0 ? (gsize)got : 0;
	return TRUE;
}

static gboolean refuse(const char *path, enum recording_error code, GError **error,
                       const char *format, ...) G_GNUC_PRINTF(4, 5);

static gboolean refuse(const char *path, enum recording_error code, GError **error,
                       const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, RECORDING_ERROR, code, "%s: %s", path, message);
	return FALSE;
}

static gboolean refuse_directory(const char *path, GError **error)
{
	g_autofree char *snapshot = g_build_filename(path, "snapshot.ini", NULL);

	if (g_file_test(snapshot, G_FILE_TEST_EXISTS))
		return refuse(path, RECORDING_ERROR_NOT_RECORDING, error,
		              "is a capture, not a recording; 'hvscope decode %s -o NAME.hvs' "
		              "makes one of it",
		              path);
	return refuse(path, RECORDING_ERROR_NOT_RECORDING, error,
	              "is a directory, not a recording");
}

/* Says no before SQLite does, in words that help. */
static gboolean header_check(const char *path, GError **error)
{
	guint8 header[HEADER_BYTES] = { 0 };
	struct stat status;
	gsize length;
	guint64 expected;

	if (!header_read(path, header, &length, &status, error))
		return FALSE;
	if (S_ISDIR(status.st_mode))
		return refuse_directory(path, error);
	if (!S_ISREG(status.st_mode))
		return refuse(path, RECORDING_ERROR_NOT_RECORDING, error,
		              "is not a regular file, so no recording");
	if (length == 0)
		return refuse(path, RECORDING_ERROR_TRUNCATED, error,
		              "the file is empty; decode the capture again");
	if (memcmp(header, header_magic, MIN(length, sizeof header_magic)) != 0)
		return refuse(path, RECORDING_ERROR_NOT_RECORDING, error,
		              "is no hvscope recording (not an SQLite file)");
	if (length < HEADER_BYTES)
		return refuse(path, RECORDING_ERROR_TRUNCATED, error,
		              "truncated: only %" G_GSIZE_FORMAT " bytes; decode the capture again",
		              length);
	if (read_u32(header + HEADER_APPLICATION_ID) != RECORDING_APPLICATION_ID)
		return refuse(path, RECORDING_ERROR_NOT_RECORDING, error,
		              "is no hvscope recording (an SQLite file of another program)");
	if (read_u32(header + HEADER_USER_VERSION) > RECORDING_SCHEMA_VERSION)
		return refuse(path, RECORDING_ERROR_NEWER, error,
		              "was written by a newer hvscope: schema version %u, this one knows "
		              "%d; update hvscope",
		              read_u32(header + HEADER_USER_VERSION), RECORDING_SCHEMA_VERSION);
	expected = (guint64)page_size(header) * read_u32(header + HEADER_PAGE_COUNT);
	if (read_u32(header + HEADER_CHANGE_COUNTER) == read_u32(header + HEADER_VALID_FOR) &&
	    (guint64)status.st_size < expected)
		return refuse(path, RECORDING_ERROR_TRUNCATED, error,
		              "truncated: %" G_GINT64_FORMAT " of %" G_GUINT64_FORMAT
		              " bytes; copy it again, or decode the capture again",
		              (gint64)status.st_size, expected);
	return TRUE;
}

gboolean recording_probe(const char *path)
{
	guint8 header[HEADER_BYTES] = { 0 };
	struct stat status;
	gsize length = 0;

	return header_read(path, header, &length, &status, NULL) && length == HEADER_BYTES &&
	       memcmp(header, header_magic, sizeof header_magic) == 0 &&
	       read_u32(header + HEADER_APPLICATION_ID) == RECORDING_APPLICATION_ID;
}

gboolean reader_corrupt(const struct recording_reader *self, const char *table, const char *fault,
                        GError **error)
{
	return refuse(self->path, RECORDING_ERROR_CORRUPT, error,
	              "damaged: table %s: %s; decode the capture again", table, fault);
}

gboolean column_in(sqlite3_stmt *row, int column, gint64 min, gint64 max, gint64 *out)
{
	const gint64 value = sqlite3_column_int64(row, column);

	if (sqlite3_column_type(row, column) != SQLITE_INTEGER || value < min || value > max)
		return FALSE;
	*out = value;
	return TRUE;
}

gboolean column_text(sqlite3_stmt *row, int column, const char **out)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	if (text != NULL && !g_utf8_validate(text, -1, NULL))
		return FALSE;
	*out = text;
	return TRUE;
}

/* A number, or OWNER_NO_VALUE where it is NULL. */
static gboolean column_value(sqlite3_stmt *row, int column, gint64 max, gint64 *out)
{
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		return column_in(row, column, 0, max, out);
	*out = OWNER_NO_VALUE;
	return TRUE;
}

/* Text that lives as long as the reader, or NULL. */
static gboolean column_kept(const struct recording_reader *self, sqlite3_stmt *row, int column,
                            const char **out)
{
	const char *text;

	if (!column_text(row, column, &text))
		return FALSE;
	*out = text != NULL ? g_string_chunk_insert_const(self->text, text) : NULL;
	return TRUE;
}

/* Each takes one row of its table; FALSE where the row breaks the table's rules. */
typedef gboolean (*load_fn)(struct recording_reader *self, sqlite3_stmt *row);

static gboolean load_meta(struct recording_reader *self, sqlite3_stmt *row)
{
	const char *key, *value;

	if (!column_text(row, 0, &key) || !column_text(row, 1, &value) || key == NULL ||
	    value == NULL)
		return FALSE;
	g_hash_table_replace(self->meta, g_strdup(key), g_strdup(value));
	return TRUE;
}

static gboolean load_core(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_core core = { 0 };
	gint64 number, trace_id, trace_bytes;

	if (!column_in(row, 0, 0, G_MAXINT32, &number) || !column_kept(self, row, 1, &core.name) ||
	    !column_kept(self, row, 2, &core.type) || !column_kept(self, row, 3, &core.source) ||
	    !column_kept(self, row, 4, &core.protocol) ||
	    !column_value(row, 5, G_MAXUINT8, &trace_id) ||
	    !column_in(row, 6, 0, G_MAXINT64, &trace_bytes))
		return FALSE;
	core.core = (guint)number;
	core.trace_id = (gint)trace_id;
	core.trace_bytes = (guint64)trace_bytes;
	g_array_append_val(self->cores, core);
	return TRUE;
}

static gboolean load_machine(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_machine machine = { 0 };
	gint64 number, vcpus;

	if (!column_in(row, 0, 0, G_MAXINT32, &number) ||
	    !column_kept(self, row, 1, &machine.name) ||
	    !column_kept(self, row, 2, &machine.kind) ||
	    !column_value(row, 3, G_MAXUINT32, &machine.vmid) ||
	    !column_in(row, 4, 0, G_MAXINT32, &vcpus))
		return FALSE;
	machine.machine = (guint)number;
	machine.vcpus = (guint)vcpus;
	g_array_append_val(self->machines, machine);
	return TRUE;
}

static gboolean load_task(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_task task = { 0 };
	gint64 machine;

	if (!column_in(row, 0, 0, G_MAXINT32, &machine) ||
	    !column_in(row, 1, 0, G_MAXUINT32, &task.context_id) ||
	    !column_kept(self, row, 2, &task.name) || task.name == NULL)
		return FALSE;
	task.machine = (guint)machine;
	g_array_append_val(self->tasks, task);
	return TRUE;
}

static gboolean owner_class_of(const char *name, enum owner_class *out)
{
	for (guint i = 0; name != NULL && i < OWNER_CLASSES; i++) {
		if (strcmp(name, owner_class_name((enum owner_class)i)) == 0) {
			*out = (enum owner_class)i;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean load_owner(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_owner owner = { 0 };
	gint64 number, el;
	const char *name;

	if (!column_in(row, 0, self->owners->len, self->owners->len, &number) ||
	    !column_text(row, 1, &name) || !owner_class_of(name, &owner.owner_class) ||
	    !column_value(row, 2, 3, &el) || !column_value(row, 3, G_MAXUINT32, &owner.vmid) ||
	    !column_value(row, 4, G_MAXUINT32, &owner.context_id))
		return FALSE;
	owner.el = (gint)el;
	g_array_append_val(self->owners, owner);
	return TRUE;
}

/* A time, or what stands for none. */
static gboolean column_time(sqlite3_stmt *row, int column, gint64 none, gint64 *out)
{
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		return column_in(row, column, G_MININT64 + 1, G_MAXINT64 - 1, out);
	*out = none;
	return TRUE;
}

static gboolean load_task_name(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_task_name name = { 0 };
	gint64 number, machine, cpu, doubtful;

	if (!column_in(row, 0, self->task_names->len, self->task_names->len, &number) ||
	    !column_in(row, 1, 0, G_MAXINT32, &machine) ||
	    !column_in(row, 2, 0, G_MAXUINT32, &name.context_id) ||
	    !column_kept(self, row, 3, &name.name) || name.name == NULL ||
	    !column_value(row, 4, G_MAXUINT32, &name.pid) ||
	    !column_value(row, 5, G_MAXINT32, &cpu) ||
	    !column_time(row, 6, G_MININT64, &name.valid_from_ns) ||
	    !column_time(row, 7, G_MAXINT64, &name.valid_to_ns) ||
	    name.valid_from_ns >= name.valid_to_ns || !column_in(row, 8, 0, 1, &doubtful))
		return FALSE;
	name.machine = (guint)machine;
	name.cpu = (gint)cpu;
	name.doubtful = doubtful != 0;
	g_array_append_val(self->task_names, name);
	return TRUE;
}

static gboolean load_owner_name(struct recording_reader *self, sqlite3_stmt *row)
{
	gint64 owner, name;

	if (!column_in(row, 0, 0, (gint64)self->owners->len - 1, &owner) ||
	    !column_in(row, 1, 0, (gint64)self->task_names->len - 1, &name))
		return FALSE;
	g_array_index(self->owners, struct row_owner, (guint)owner).task_name = (guint)name + 1;
	return TRUE;
}

static gboolean load_vcpu(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_vcpu vcpu = { 0 };
	gint64 index, number, numbered;

	if (!column_in(row, 0, self->vcpus->len, self->vcpus->len, &index) ||
	    !column_in(row, 1, 0, G_MAXUINT32, &vcpu.vmid) ||
	    !column_value(row, 2, G_MAXINT32, &number) || !column_in(row, 3, 0, 1, &numbered))
		return FALSE;
	vcpu.vcpu = (guint)index;
	vcpu.number = (gint)number;
	vcpu.numbered = numbered != 0;
	g_array_append_val(self->vcpus, vcpu);
	return TRUE;
}

static gboolean load_function(struct recording_reader *self, sqlite3_stmt *row)
{
	struct row_function function = { 0 };
	const char *name, *role;
	gint64 index;

	if (!column_in(row, 0, self->functions->len, self->functions->len, &index) ||
	    !column_word(row, 1, &name) || !column_word(row, 2, &role))
		return FALSE;
	function.function = (guint)index;
	function.name = g_string_chunk_insert(self->text, name);
	function.role = g_string_chunk_insert(self->text, role);
	g_array_append_val(self->functions, function);
	return TRUE;
}

static gboolean load(struct recording_reader *self, const char *table, const char *sql, load_fn fn,
                     GError **error)
{
	g_autoptr(sqlite3_stmt) statement = db_prepare(&self->db, sql, error);
	gboolean row = FALSE;

	if (statement == NULL)
		return FALSE;
	while (db_next(&self->db, statement, &row, error)) {
		if (!row)
			return TRUE;
		if (!fn(self, statement))
			return reader_corrupt(self, table, "a row breaks its rules", error);
	}
	return FALSE;
}

/* How many things bear that name, and how many of them are plain tables. A view or virtual
 * table under a table's name could run anything. */
static gboolean table_count(const struct recording_reader *self, const char *name, int *n_things,
                            int *n_tables, GError **error)
{
	g_autoptr(sqlite3_stmt) statement = db_prepare(
		&self->db,
		"SELECT count(*), coalesce(sum(type='table' AND sql LIKE 'CREATE TABLE%'), 0) "
		"FROM sqlite_schema WHERE name=?",
		error);
	gboolean row = FALSE;

	if (statement == NULL)
		return FALSE;
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	if (!db_next(&self->db, statement, &row, error))
		return FALSE;
	*n_things = sqlite3_column_int(statement, 0);
	*n_tables = sqlite3_column_int(statement, 1);
	return TRUE;
}

static gboolean tables_check(struct recording_reader *self, GError **error)
{
	int n_things, n_tables;

	for (gsize i = 0; i < G_N_ELEMENTS(table_names); i++) {
		if (!table_count(self, table_names[i], &n_things, &n_tables, error))
			return FALSE;
		if (n_tables != 1)
			return reader_corrupt(self, table_names[i], "it is missing", error);
	}
	self->has_task_names = TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(later_table_names); i++) {
		if (!table_count(self, later_table_names[i], &n_things, &n_tables, error))
			return FALSE;
		if (n_things != n_tables)
			return reader_corrupt(self, later_table_names[i], "it is no table", error);
		self->has_task_names = self->has_task_names && n_tables == 1;
	}
	return TRUE;
}

static gboolean database_open(struct recording_reader *self, GError **error)
{
	if (sqlite3_open_v2(self->path, &self->db.handle,
	                    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_fail(&self->db, "open the recording", error);
	sqlite3_db_config(self->db.handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return db_exec(&self->db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;",
	               "open the recording", error) &&
	       tables_check(self, error);
}

static gboolean names_load(struct recording_reader *self, GError **error)
{
	return !self->has_task_names ||
	       (load(self, "task_name",
	             "SELECT task_name, machine, context_id, name, pid, cpu, valid_from_ns, "
	             "valid_to_ns, doubtful FROM task_name ORDER BY task_name",
	             load_task_name, error) &&
	        load(self, "owner_name", "SELECT owner, task_name FROM owner_name", load_owner_name,
	             error));
}

static gboolean small_tables_load(struct recording_reader *self, GError **error)
{
	if (!load(self, "meta", "SELECT key, value FROM meta", load_meta, error) ||
	    !load(self, "core",
	          "SELECT core, name, type, source, protocol, trace_id, trace_bytes FROM core "
	          "ORDER BY core",
	          load_core, error) ||
	    !load(self, "machine",
	          "SELECT machine, name, kind, vmid, vcpus FROM machine ORDER BY machine",
	          load_machine, error) ||
	    !load(self, "task",
	          "SELECT machine, context_id, name FROM task ORDER BY machine, context_id",
	          load_task, error) ||
	    !load(self, "owner",
	          "SELECT owner, class, el, vmid, context_id FROM owner ORDER BY owner", load_owner,
	          error) ||
	    !names_load(self, error) ||
	    !load(self, "vcpu", "SELECT vcpu, vmid, number, numbered FROM vcpu ORDER BY vcpu",
	          load_vcpu, error) ||
	    !load(self, "hypervisor_function",
	          "SELECT function, name, role FROM hypervisor_function ORDER BY function",
	          load_function, error))
		return FALSE;
	if (!recording_reader_meta_int(self, "window_ns", &self->window_ns) || self->window_ns < 0)
		return reader_corrupt(self, "meta", "window_ns is missing or no length", error);
	return TRUE;
}

recording_reader *recording_reader_new(const char *path, GError **error)
{
	g_autoptr(recording_reader) self = NULL;

	if (!header_check(path, error))
		return NULL;
	self = g_new0(struct recording_reader, 1);
	self->path = g_strdup(path);
	self->db.path = self->path;
	self->meta = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	self->text = g_string_chunk_new(4096);
	self->cores = g_array_new(FALSE, FALSE, sizeof(struct row_core));
	self->owners = g_array_new(FALSE, FALSE, sizeof(struct row_owner));
	self->machines = g_array_new(FALSE, FALSE, sizeof(struct row_machine));
	self->tasks = g_array_new(FALSE, FALSE, sizeof(struct row_task));
	self->task_names = g_array_new(FALSE, FALSE, sizeof(struct row_task_name));
	self->vcpus = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu));
	self->functions = g_array_new(FALSE, FALSE, sizeof(struct row_function));
	if (!database_open(self, error) || !small_tables_load(self, error))
		return NULL;
	return g_steal_pointer(&self);
}

void recording_reader_free(recording_reader *self)
{
	if (self == NULL)
		return;
	sqlite3_close(self->db.handle);
	g_free(self->path);
	g_hash_table_unref(self->meta);
	g_string_chunk_free(self->text);
	g_array_unref(self->cores);
	g_array_unref(self->owners);
	g_array_unref(self->machines);
	g_array_unref(self->tasks);
	g_array_unref(self->task_names);
	g_array_unref(self->vcpus);
	g_array_unref(self->functions);
	g_free(self);
}

const char *recording_reader_path(const recording_reader *self)
{
	return self->path;
}

gint64 recording_reader_window_ns(const recording_reader *self)
{
	return self->window_ns;
}

const char *recording_reader_meta(const recording_reader *self, const char *key)
{
	return g_hash_table_lookup(self->meta, key);
}

gboolean recording_reader_meta_int(const recording_reader *self, const char *key, gint64 *out)
{
	const char *text = recording_reader_meta(self, key);

	return text != NULL &&
	       g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, out, NULL);
}

const struct row_core *recording_reader_cores(const recording_reader *self, gsize *n)
{
	*n = self->cores->len;
	return (const struct row_core *)(const void *)self->cores->data;
}

const struct row_owner *recording_reader_owners(const recording_reader *self, gsize *n)
{
	*n = self->owners->len;
	return (const struct row_owner *)(const void *)self->owners->data;
}

const struct row_machine *recording_reader_machines(const recording_reader *self, gsize *n)
{
	*n = self->machines->len;
	return (const struct row_machine *)(const void *)self->machines->data;
}

const struct row_task *recording_reader_tasks(const recording_reader *self, gsize *n)
{
	*n = self->tasks->len;
	return (const struct row_task *)(const void *)self->tasks->data;
}

const struct row_task_name *recording_reader_task_names(const recording_reader *self, gsize *n)
{
	*n = self->task_names->len;
	return (const struct row_task_name *)(const void *)self->task_names->data;
}

gboolean recording_reader_uncertainty(recording_reader *self, guint core, guint64 *spans,
                                      double *sum_ns, gint64 *max_ns, GError **error)
{
	g_autoptr(sqlite3_stmt) statement = db_prepare(
		&self->db, "SELECT spans, sum_ns, max_ns FROM uncertainty WHERE core=?", error);
	gboolean row = FALSE;
	gint64 count = 0;

	if (statement == NULL)
		return FALSE;
	sqlite3_bind_int64(statement, 1, core);
	if (!db_next(&self->db, statement, &row, error))
		return FALSE;
	*spans = 0;
	*sum_ns = 0;
	*max_ns = 0;
	if (!row)
		return TRUE;
	*sum_ns = sqlite3_column_double(statement, 1);
	if (!column_in(statement, 0, 0, G_MAXINT64, &count) ||
	    !column_in(statement, 2, 0, G_MAXINT64, max_ns) || !(*sum_ns >= 0 && *sum_ns < 1e30))
		return reader_corrupt(self, "uncertainty", "a row breaks its rules", error);
	*spans = (guint64)count;
	return TRUE;
}

const struct row_function *recording_reader_functions(const recording_reader *self, gsize *n)
{
	*n = self->functions->len;
	return (const struct row_function *)(const void *)self->functions->data;
}

const struct row_vcpu *recording_reader_vcpus(const recording_reader *self, gsize *n)
{
	*n = self->vcpus->len;
	return (const struct row_vcpu *)(const void *)self->vcpus->data;
}

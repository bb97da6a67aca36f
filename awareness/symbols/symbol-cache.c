#include "awareness/symbols/symbol-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum cache_facts {
	BUSY_MS = 2000,
	CHECKSUM_BYTES = 8
};

struct symbol_cache {
	char *path;
	sqlite3 *db; /* NULL where it cannot be used */
	sqlite3_stmt *get;
	sqlite3_stmt *put;
	GPtrArray *waiting; /* struct pending: written together, so that no lock is held long */
	gboolean was_renewed;
	char *problem;
};

struct pending {
	char *build_id;
	int kind;
	char *key;
	uint8_t *value; /* with its checksum */
	size_t len_bytes;
};

static void pending_free(gpointer data)
{
	struct pending *self = data;

	g_free(self->build_id);
	g_free(self->key);
	g_free(self->value);
	g_free(self);
}

static gboolean is_damage(int code)
{
	int primary = code & 0xff;

	return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

static void db_close(struct symbol_cache *self)
{
	g_clear_pointer(&self->get, sqlite3_finalize);
	g_clear_pointer(&self->put, sqlite3_finalize);
	g_clear_pointer(&self->db, sqlite3_close);
}

static void give_up(struct symbol_cache *self, const char *why)
{
	if (self->problem == NULL)
		self->problem =
			g_strdup_printf("the symbol cache %s is not used: %s", self->path, why);
	db_close(self);
}

/* Every entry's key and value under one sum: a wrong offset would be believed. */
static uint64_t checksum(const char *build_id, int kind, const char *key, const uint8_t *value,
                         size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind;

	for (; *build_id != '\0'; build_id++)
		sum = (sum ^ (uint8_t)*build_id) * UINT64_C(0x100000001b3);
	for (; *key != '\0'; key++)
		sum = (sum ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ value[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static int db_prepare(struct symbol_cache *self)
{
	static const char set_up[] = "PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = NORMAL;"
				     "CREATE TABLE IF NOT EXISTS entry("
				     " build_id TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT "
				     "NULL, value BLOB NOT NULL,"
				     " PRIMARY KEY(build_id, kind, key)) WITHOUT ROWID;";
	int code = sqlite3_exec(self->db, set_up, NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(
			self->db,
			"SELECT value FROM entry WHERE build_id = ? AND kind = ? AND key = ?", -1,
			SQLITE_PREPARE_PERSISTENT, &self->get, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(self->db,
		                          "INSERT OR REPLACE INTO entry VALUES(?, ?, ?, ?)", -1,
		                          SQLITE_PREPARE_PERSISTENT, &self->put, NULL);
	return code;
}

static int db_open(struct symbol_cache *self)
{
	int code = sqlite3_open_v2(self->path, &self->db,
	                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                           NULL);

	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(self->db, 1);
		sqlite3_busy_timeout(self->db, BUSY_MS);
		code = db_prepare(self);
	}
	return code;
}

/* Begins the file anew. Those that have the old one open keep it, unlinked. Under
 * a lock, and only if no one else has just done the same. */
static void renew(struct symbol_cache *self)
{
	g_autofree char *lock_path = g_strconcat(self->path, ".lock", NULL);
	g_autofree char *wal = g_strconcat(self->path, "-wal", NULL);
	g_autofree char *shm = g_strconcat(self->path, "-shm", NULL);
	int lock, code;

	db_close(self);
	if (self->was_renewed) {
		give_up(self, "damaged again");
		return;
	}
	self->was_renewed = TRUE;
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		give_up(self, g_strerror(errno));
		if (lock >= 0)
			close(lock);
		return;
	}
	code = db_open(self);
	if (code != SQLITE_OK ||
	    sqlite3_exec(self->db, "PRAGMA quick_check(1); SELECT count(*) FROM entry", NULL, NULL,
	                 NULL) != SQLITE_OK) {
		db_close(self);
		g_unlink(self->path);
		g_unlink(wal);
		g_unlink(shm);
		code = db_open(self);
	}
	if (code != SQLITE_OK)
		give_up(self, sqlite3_errstr(code));
	close(lock);
}

/* After a failed statement: damage begins it anew, anything else gives it up. */
static void failed(struct symbol_cache *self, int code)
{
	if (is_damage(code))
		renew(self);
	else if ((code & 0xff) != SQLITE_BUSY)
		give_up(self, sqlite3_errstr(code));
}

static void shrink(struct symbol_cache *self)
{
	GStatBuf status;

	if (self->db == NULL || g_stat(self->path, &status) != 0 ||
	    status.st_size < (goffset)SYMBOL_CACHE_MAX_MB << 20)
		return;
	if (sqlite3_exec(self->db, "DELETE FROM entry", NULL, NULL, NULL) == SQLITE_OK)
		sqlite3_exec(self->db, "VACUUM", NULL, NULL, NULL);
}

struct symbol_cache *symbol_cache_open(const char *path)
{
	struct symbol_cache *self = g_new0(struct symbol_cache, 1);
	g_autofree char *dir = NULL;
	int code;

	self->waiting = g_ptr_array_new_with_free_func(pending_free);
	if (path != NULL) {
		self->path = g_strdup(path);
	} else {
		g_autofree char *name = g_strdup_printf("symbols-%d.db", SYMBOL_CACHE_VERSION);

		self->path = g_build_filename(g_get_user_cache_dir(), "hvscope", name, NULL);
	}
	dir = g_path_get_dirname(self->path);
	if (g_mkdir_with_parents(dir, 0700) != 0) {
		give_up(self, g_strerror(errno));
		return self;
	}
	code = db_open(self);
	if (is_damage(code))
		renew(self);
	else if (code != SQLITE_OK)
		give_up(self, sqlite3_errstr(code));
	shrink(self);
	return self;
}

void symbol_cache_close(struct symbol_cache *self)
{
	if (self == NULL)
		return;
	symbol_cache_flush(self);
	db_close(self);
	g_ptr_array_unref(self->waiting);
	g_free(self->path);
	g_free(self->problem);
	g_free(self);
}

const char *symbol_cache_problem(const struct symbol_cache *self)
{
	return self->problem;
}

static void bind_key(sqlite3_stmt *statement, const char *build_id, int kind, const char *key)
{
	sqlite3_bind_text(statement, 1, build_id, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 2, kind);
	sqlite3_bind_text(statement, 3, key, -1, SQLITE_STATIC);
}

GBytes *symbol_cache_get(struct symbol_cache *self, const char *build_id,
                         enum symbol_cache_kind kind, const char *key)
{
	GBytes *found = NULL;
	int code;

	if (self == NULL || self->db == NULL || build_id == NULL)
		return NULL;
	bind_key(self->get, build_id, (int)kind, key);
	code = sqlite3_step(self->get);
	if (code == SQLITE_ROW) {
		const uint8_t *value = sqlite3_column_blob(self->get, 0);
		size_t len = (size_t)sqlite3_column_bytes(self->get, 0);
		uint64_t sum;

		if (len >= CHECKSUM_BYTES) {
			len -= CHECKSUM_BYTES;
			memcpy(&sum, value + len, sizeof(sum));
			if (sum == checksum(build_id, (int)kind, key, value, len))
				found = g_bytes_new(value, len);
		}
	}
	sqlite3_reset(self->get);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		failed(self, code);
	return found;
}

void symbol_cache_put(struct symbol_cache *self, const char *build_id, enum symbol_cache_kind kind,
                      const char *key, const void *value, size_t len_bytes)
{
	struct pending *pending;
	uint64_t sum;

	if (self == NULL || self->db == NULL || build_id == NULL || len_bytes > INT_MAX - 64)
		return;
	pending = g_new(struct pending, 1);
	*pending = (struct pending) { g_strdup(build_id), (int)kind, g_strdup(key),
		                      g_malloc(len_bytes + CHECKSUM_BYTES),
		                      len_bytes + CHECKSUM_BYTES };
	if (len_bytes > 0)
		memcpy(pending->value, value, len_bytes);
	sum = checksum(build_id, (int)kind, key, pending->value, len_bytes);
	memcpy(pending->value + len_bytes, &sum, sizeof(sum));
	g_ptr_array_add(self->waiting, pending);
	if (self->waiting->len >= SYMBOL_CACHE_BATCH)
		symbol_cache_flush(self);
}

static int pending_write(struct symbol_cache *self, const struct pending *pending)
{
	int code;

	bind_key(self->put, pending->build_id, pending->kind, pending->key);
	sqlite3_bind_blob(self->put, 4, pending->value, (int)pending->len_bytes, SQLITE_STATIC);
	code = sqlite3_step(self->put);
	sqlite3_reset(self->put);
	sqlite3_clear_bindings(self->put);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

void symbol_cache_flush(struct symbol_cache *self)
{
	int code;

	if (self == NULL || self->db == NULL || self->waiting->len == 0)
		return;
	code = sqlite3_exec(self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (guint i = 0; code == SQLITE_OK && i < self->waiting->len; i++)
		code = pending_write(self, self->waiting->pdata[i]);
	if (code == SQLITE_OK)
		code = sqlite3_exec(self->db, "COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
	/* What could not be written is looked up again another day. */
	g_ptr_array_set_size(self->waiting, 0);
	if (code != SQLITE_OK)
		failed(self, code);
}

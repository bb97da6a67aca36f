#include "awareness/symbols/dwarf.h"

#include "awareness/symbols/dwarf-worker.h"
#include "awareness/symbols/symbol-cache.h"
#include "awareness/symbols/symbol-error.h"
#include "awareness/symbols/types-source.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct dwarf {
	struct elf_file *file;
	struct symbol_cache *cache;
	pid_t worker; /* 0 where none runs */
	int fd;
	unsigned restarts;
	gboolean has_frames; /* .debug_frame or .eh_frame */
};

gboolean dwarf_is_present(const struct elf_file *file)
{
	return elf_file_section(file, ".debug_info") != NULL;
}

struct dwarf *dwarf_new(struct elf_file *file, struct symbol_cache *cache, GError **error)
{
	gboolean has_frames = elf_file_section(file, ".debug_frame") != NULL ||
	                      elf_file_section(file, ".eh_frame") != NULL;
	struct dwarf *self;

	if (!dwarf_is_present(file) && !has_frames) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "%s has no debug information", elf_file_path(file));
		return NULL;
	}
	self = g_new0(struct dwarf, 1);
	self->file = elf_file_ref(file);
	self->cache = cache;
	self->fd = -1;
	self->has_frames = has_frames;
	return self;
}

static void worker_end(struct dwarf *self)
{
	if (self->worker == 0)
		return;
	close(self->fd);
	kill(self->worker, SIGKILL);
	while (waitpid(self->worker, NULL, 0) < 0 && errno == EINTR)
		continue;
	self->worker = 0;
	self->fd = -1;
}

void dwarf_free(struct dwarf *self)
{
	if (self == NULL)
		return;
	worker_end(self);
	symbol_cache_flush(self->cache);
	elf_file_unref(self->file);
	g_free(self);
}

static gboolean worker_start(struct dwarf *self, GError **error)
{
	int pair[2];
	pid_t pid;

	if (self->worker != 0)
		return TRUE;
	if (self->restarts > DWARF_RESTARTS) {
		g_set_error(
			error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
			"the debug information of %s has made its reader fail %d times: given up",
			elf_file_path(self->file), (int)DWARF_RESTARTS + 1);
		return FALSE;
	}
	/* Compressed sections are expanded here, once, for this and later workers. */
	for (size_t i = 0; i < elf_file_section_count(self->file); i++)
		elf_file_section_at(self->file, i);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot make a socket pair: %s",
		            g_strerror(errno));
		return FALSE;
	}
	pid = fork();
	if (pid == 0)
		worker_run(self->file, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot fork: %s",
		            g_strerror(errno));
		close(pair[0]);
		return FALSE;
	}
	self->worker = pid;
	self->fd = pair[0];
	self->restarts++;
	return TRUE;
}

/* Moves all bytes before the deadline (g_get_monotonic_time()). */
static gboolean move_all(int fd, void *bytes, size_t len, gboolean out, int64_t deadline_us)
{
	uint8_t *at = bytes;

	while (len > 0) {
		struct pollfd ready = { fd, out ? POLLOUT : POLLIN, 0 };
		int64_t left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
		ssize_t moved;

		if (left_ms <= 0)
			return FALSE;
		if (poll(&ready, 1, (int)left_ms) < 0) {
			if (errno == EINTR)
				continue;
			return FALSE;
		}
		if (ready.revents == 0)
			return FALSE;
		moved = out ? send(fd, at, len, MSG_NOSIGNAL) : recv(fd, at, len, 0);
		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0)
			return FALSE;
		at += moved;
		len -= (size_t)moved;
	}
	return TRUE;
}

static GBytes *exchange(struct dwarf *self, struct worker_request *request, const char *text,
                        struct worker_reply *reply)
{
	int64_t deadline_us = g_get_monotonic_time() + (int64_t)DWARF_TIMEOUT_MS * 1000;
	g_autofree uint8_t *answer = NULL;

	if (!move_all(self->fd, request, sizeof(*request), TRUE, deadline_us) ||
	    !move_all(self->fd, (void *)text, request->text_bytes, TRUE, deadline_us) ||
	    !move_all(self->fd, reply, sizeof(*reply), FALSE, deadline_us) ||
	    reply->len_bytes > WORKER_REPLY_MAX)
		return NULL;
	answer = g_try_malloc(reply->len_bytes + 1);
	if (answer == NULL || !move_all(self->fd, answer, reply->len_bytes, FALSE, deadline_us))
		return NULL;
	return g_bytes_new_take(g_steal_pointer(&answer), reply->len_bytes);
}

/* Asks the worker. `what` is for messages. */
static GBytes *ask(struct dwarf *self, enum worker_op op, uint64_t argument, const char *text,
                   const char *what, GError **error)
{
	struct worker_request request = { op, 0, argument };
	struct worker_reply reply;
	g_autoptr(GBytes) answer = NULL;

	if (text != NULL && strlen(text) > WORKER_TEXT_MAX) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "a name of %zu bytes",
		            strlen(text));
		return NULL;
	}
	request.text_bytes = text != NULL ? (uint32_t)strlen(text) : 0;
	if (!worker_start(self, error))
		return NULL;
	answer = exchange(self, &request, text, &reply);
	if (answer == NULL) {
		worker_end(self);
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
		            "the debug information of %s made its reader fail (asked for %s)",
		            elf_file_path(self->file), what);
		return NULL;
	}
	if (reply.status == WORKER_OK)
		return g_steal_pointer(&answer);
	g_set_error(error, SYMBOL_ERROR,
	            reply.status == WORKER_NOT_FOUND     ? SYMBOL_ERROR_NOT_FOUND
	            : reply.status == WORKER_UNSUPPORTED ? SYMBOL_ERROR_UNSUPPORTED
	                                                 : SYMBOL_ERROR_DAMAGED,
	            "%s: no %s in the DWARF%s%.*s", elf_file_path(self->file), what,
	            reply.status == WORKER_DAMAGED ? ": " : "", (int)g_bytes_get_size(answer),
	            (const char *)g_bytes_get_data(answer, NULL));
	return NULL;
}

/* The same out of the cache, where it is known: `key` says what was asked for. An
 * empty answer is that there is no such thing. */
static GBytes *ask_cached(struct dwarf *self, enum symbol_cache_kind kind, const char *key,
                          const struct worker_request *request, const char *text, const char *what,
                          GError **error)
{
	const char *build_id = elf_file_build_id(self->file);
	GBytes *answer = symbol_cache_get(self->cache, build_id, kind, key);
	g_autoptr(GError) why = NULL;

	if (answer != NULL && g_bytes_get_size(answer) > 0)
		return answer;
	if (answer != NULL) {
		g_bytes_unref(answer);
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "%s: no %s in the DWARF",
		            elf_file_path(self->file), what);
		return NULL;
	}
	answer = ask(self, (enum worker_op)request->op, request->argument, text, what, &why);
	if (answer != NULL)
		symbol_cache_put(self->cache, build_id, kind, key, g_bytes_get_data(answer, NULL),
		                 g_bytes_get_size(answer));
	else if (g_error_matches(why, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND))
		symbol_cache_put(self->cache, build_id, kind, key, NULL, 0);
	if (why != NULL)
		g_propagate_error(error, g_steal_pointer(&why));
	return answer;
}

/* Types, rows and lines go by a number: an id or an address. */
static GBytes *ask_number(struct dwarf *self, enum symbol_cache_kind kind, enum worker_op op,
                          uint64_t number, const char *what, GError **error)
{
	struct worker_request request = { op, 0, number };
	char key[24];

	g_snprintf(key, sizeof(key), "%" G_GINT64_MODIFIER "x", number);
	return ask_cached(self, kind, key, &request, NULL, what, error);
}

static gboolean source_find(gpointer data, enum type_space space, const char *name, uint64_t *id,
                            GError **error)
{
	struct worker_request request = { WORKER_FIND, 0, space };
	g_autofree char *key = g_strdup_printf("%d %s", (int)space, name);
	g_autoptr(GBytes) answer =
		ask_cached(data, SYMBOL_CACHE_NAME, key, &request, name, name, error);

	if (answer == NULL)
		return FALSE;
	if (g_bytes_get_size(answer) != sizeof(*id)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "a wrong answer about '%s'",
		            name);
		return FALSE;
	}
	memcpy(id, g_bytes_get_data(answer, NULL), sizeof(*id));
	return TRUE;
}

static struct type *source_load(gpointer data, uint64_t id, GError **error)
{
	g_autofree char *what = g_strdup_printf("type at 0x%" G_GINT64_MODIFIER "x", id);
	g_autoptr(GBytes) answer =
		ask_number(data, SYMBOL_CACHE_TYPE, WORKER_LOAD, id, what, error);
	struct type *type;
	gsize len;
	const uint8_t *record;

	if (answer == NULL)
		return NULL;
	record = g_bytes_get_data(answer, &len);
	type = type_record_decode(record, len, error);
	if (type != NULL)
		type->id = id;
	return type;
}

static const struct types_source dwarf_source = { "DWARF", source_find, source_load, NULL };

struct types *dwarf_types(struct dwarf *self, GError **error)
{
	if (!dwarf_is_present(self->file)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "%s has no .debug_info",
		            elf_file_path(self->file));
		return NULL;
	}
	return types_new(&dwarf_source, self);
}

GPtrArray *dwarf_names(struct dwarf *self, unsigned space, GError **error)
{
	g_autoptr(GBytes) answer = ask(self, WORKER_NAMES, space, NULL, "names", error);
	GPtrArray *names;
	const char *at;
	gsize left;

	if (answer == NULL)
		return NULL;
	names = g_ptr_array_new_with_free_func(g_free);
	at = g_bytes_get_data(answer, &left);
	while (left > 0) {
		size_t len = strnlen(at, left);

		g_ptr_array_add(names, g_strndup(at, len));
		at += MIN(len + 1, left);
		left -= MIN(len + 1, left);
	}
	return names;
}

gboolean dwarf_cfi_row(struct dwarf *self, uint64_t address, struct cfi_row *row, GError **error)
{
	g_autoptr(GBytes) answer = NULL;

	if (!self->has_frames) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND,
		            "%s has no call frame information", elf_file_path(self->file));
		return FALSE;
	}
	answer = ask_number(self, SYMBOL_CACHE_CFI, WORKER_CFI, address, "call frame information",
	                    error);
	if (answer == NULL)
		return FALSE;
	if (g_bytes_get_size(answer) != sizeof(*row)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
		            "a wrong answer about frames");
		return FALSE;
	}
	memcpy(row, g_bytes_get_data(answer, NULL), sizeof(*row));
	return TRUE;
}

gboolean dwarf_frames_at(struct dwarf *self, uint64_t address, struct dwarf_frames *frames,
                         GError **error)
{
	g_autoptr(GBytes) answer = NULL;
	struct dwarf_frames found = { 0 };
	const uint8_t *at;
	gsize left;

	if (!dwarf_is_present(self->file)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "%s has no .debug_info",
		            elf_file_path(self->file));
		return FALSE;
	}
	answer = ask_number(self, SYMBOL_CACHE_FRAMES, WORKER_FRAMES, address, "line", error);
	if (answer == NULL)
		return FALSE;
	at = g_bytes_get_data(answer, &left);
	while (left >= sizeof(struct worker_frame) && found.count < DWARF_INLINE_MAX) {
		struct worker_frame head;
		struct dwarf_frame *frame = &found.frames[found.count];

		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		left -= sizeof(head);
		if (head.function_bytes > left || head.file_bytes > left - head.function_bytes)
			break;
		if (head.function_bytes > 0)
			frame->function = g_strndup((const char *)at, head.function_bytes);
		if (head.file_bytes > 0)
			frame->file =
				g_strndup((const char *)at + head.function_bytes, head.file_bytes);
		frame->line = head.line;
		at += head.function_bytes + head.file_bytes;
		left -= head.function_bytes + head.file_bytes;
		found.count++;
	}
	*frames = found;
	return TRUE;
}

void dwarf_frames_clear(struct dwarf_frames *frames)
{
	for (size_t i = 0; i < frames->count; i++) {
		g_free(frames->frames[i].function);
		g_free(frames->frames[i].file);
	}
	frames->count = 0;
}

#include "awareness/symbols/dwarf-worker.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* libdwarf's view of the file: sections straight out of the mapping. */

static int object_section_info(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *out,
                               int *error)
{
	const struct elf_section *section = elf_file_section_at(object, index);

	(void)error;
	if (section == NULL)
		return DW_DLV_NO_ENTRY;
	*out = (Dwarf_Obj_Access_Section) {
		.addr = section->address,
		.type = section->type,
		.size = section->bytes != NULL ? section->size_bytes : 0,
		.name = section->name,
		.link = section->link,
		.entrysize = section->entry_bytes,
	};
	return DW_DLV_OK;
}

static Dwarf_Endianness object_byte_order(void *object)
{
	(void)object;
	return DW_OBJECT_LSB;
}

static Dwarf_Small object_length_size(void *object)
{
	(void)object;
	return 4;
}

static Dwarf_Small object_pointer_size(void *object)
{
	(void)object;
	return 8;
}

static Dwarf_Unsigned object_section_count(void *object)
{
	return elf_file_section_count(object);
}

static int object_load_section(void *object, Dwarf_Half index, Dwarf_Small **data, int *error)
{
	const struct elf_section *section = elf_file_section_at(object, index);

	(void)error;
	if (section == NULL || section->bytes == NULL)
		return DW_DLV_NO_ENTRY;
	*data = (Dwarf_Small *)section->bytes;
	return DW_DLV_OK;
}

static const Dwarf_Obj_Access_Methods object_methods = {
	.get_section_info = object_section_info,
	.get_byte_order = object_byte_order,
	.get_length_size = object_length_size,
	.get_pointer_size = object_pointer_size,
	.get_section_count = object_section_count,
	.load_section = object_load_section,
};

void worker_put(struct worker_buffer *buffer, const void *bytes, size_t len)
{
	if (buffer->room - buffer->len < len) {
		size_t room = (buffer->len + len) * 2 + 256;
		uint8_t *grown = realloc(buffer->bytes, room);

		if (grown == NULL)
			_exit(1);
		buffer->bytes = grown;
		buffer->room = room;
	}
	if (len > 0)
		memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
}

static gboolean attr_get(Dwarf_Die die, Dwarf_Half name, Dwarf_Attribute *attr)
{
	Dwarf_Error error = NULL;

	return dwarf_attr(die, name, attr, &error) == DW_DLV_OK;
}

gboolean worker_attr_signed(struct worker *self, Dwarf_Die die, Dwarf_Half name, int64_t *value)
{
	Dwarf_Attribute attr;
	Dwarf_Error error = NULL;
	Dwarf_Signed number;
	Dwarf_Unsigned positive;
	gboolean ok = FALSE;

	if (!attr_get(die, name, &attr))
		return FALSE;
	if (dwarf_formsdata(attr, &number, &error) == DW_DLV_OK) {
		*value = (int64_t)number;
		ok = TRUE;
	} else if (dwarf_formudata(attr, &positive, &error) == DW_DLV_OK) {
		*value = (int64_t)positive;
		ok = TRUE;
	}
	dwarf_dealloc(self->dbg, attr, DW_DLA_ATTR);
	return ok;
}

gboolean worker_attr_number(struct worker *self, Dwarf_Die die, Dwarf_Half name, uint64_t *value)
{
	Dwarf_Attribute attr;
	Dwarf_Error error = NULL;
	Dwarf_Unsigned number;
	Dwarf_Signed negative;
	gboolean ok = FALSE;

	if (!attr_get(die, name, &attr))
		return FALSE;
	if (dwarf_formudata(attr, &number, &error) == DW_DLV_OK) {
		*value = number;
		ok = TRUE;
	} else if (dwarf_formsdata(attr, &negative, &error) == DW_DLV_OK) {
		*value = (uint64_t)negative;
		ok = TRUE;
	}
	dwarf_dealloc(self->dbg, attr, DW_DLA_ATTR);
	return ok;
}

gboolean worker_attr_reference(struct worker *self, Dwarf_Die die, Dwarf_Half name,
                               uint64_t *offset)
{
	Dwarf_Attribute attr;
	Dwarf_Error error = NULL;
	Dwarf_Off global;
	gboolean ok;

	if (!attr_get(die, name, &attr))
		return FALSE;
	ok = dwarf_global_formref(attr, &global, &error) == DW_DLV_OK;
	if (ok)
		*offset = global;
	dwarf_dealloc(self->dbg, attr, DW_DLA_ATTR);
	return ok;
}

gboolean worker_has_attr(Dwarf_Die die, Dwarf_Half name)
{
	Dwarf_Bool has = 0;
	Dwarf_Error error = NULL;

	return dwarf_hasattr(die, name, &has, &error) == DW_DLV_OK && has;
}

const char *worker_die_name(Dwarf_Die die)
{
	char *name = NULL;
	Dwarf_Error error = NULL;

	return dwarf_diename(die, &name, &error) == DW_DLV_OK ? name : NULL;
}

int worker_list_cus(struct worker *self, Dwarf_Error *error)
{
	size_t room = 0;

	if (self->cus_listed)
		return DW_DLV_OK;
	for (;;) {
		Dwarf_Unsigned length, type_offset, next;
		Dwarf_Half version, address_size, length_size, extension_size, type;
		Dwarf_Off abbrev, offset;
		Dwarf_Sig8 signature;
		Dwarf_Die die;
		int result = dwarf_next_cu_header_d(self->dbg, 1, &length, &version, &abbrev,
		                                    &address_size, &length_size, &extension_size,
		                                    &signature, &type_offset, &next, &type, error);

		if (result == DW_DLV_NO_ENTRY)
			break;
		if (result != DW_DLV_OK)
			return result;
		if (dwarf_siblingof_b(self->dbg, NULL, 1, &die, error) != DW_DLV_OK ||
		    dwarf_dieoffset(die, &offset, error) != DW_DLV_OK)
			return DW_DLV_ERROR;
		dwarf_dealloc(self->dbg, die, DW_DLA_DIE);
		if (self->n_cus == room) {
			uint64_t *grown;

			room = room * 2 + 256;
			grown = realloc(self->cu_dies, room * sizeof(*grown));
			if (grown == NULL)
				_exit(1);
			self->cu_dies = grown;
		}
		self->cu_dies[self->n_cus++] = offset;
	}
	self->cus_listed = TRUE;
	return DW_DLV_OK;
}

static gboolean read_all(int fd, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t got = read(fd, at, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return FALSE;
		at += got;
		len -= (size_t)got;
	}
	return TRUE;
}

static gboolean write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t put = send(fd, at, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return FALSE;
		at += put;
		len -= (size_t)put;
	}
	return TRUE;
}

static enum worker_status answer(struct worker *self, const struct worker_request *request,
                                 const char *text, struct worker_buffer *out, Dwarf_Error *error)
{
	switch (request->op) {
	case WORKER_FIND:
		return worker_find(self, (unsigned)request->argument, text, out, error);
	case WORKER_NAMES:
		return worker_names_list(self, (unsigned)request->argument, out, error);
	case WORKER_LOAD:
		return worker_load(self, request->argument, out, error);
	case WORKER_CFI:
		return worker_cfi(self, request->argument, out, error);
	case WORKER_FRAMES:
		return worker_frames(self, request->argument, out, error);
	default:
		return WORKER_UNSUPPORTED;
	}
}

static gboolean serve_one(struct worker *self)
{
	struct worker_request request;
	struct worker_reply reply = { 0 };
	struct worker_buffer out = { 0 };
	char text[WORKER_TEXT_MAX + 1];
	Dwarf_Error error = NULL;
	gboolean ok;

	if (!read_all(self->fd, &request, sizeof(request)) ||
	    request.text_bytes > WORKER_TEXT_MAX || !read_all(self->fd, text, request.text_bytes))
		return FALSE;
	text[request.text_bytes] = '\0';
	reply.status = answer(self, &request, text, &out, &error);
	if (reply.status == WORKER_DAMAGED && error != NULL) {
		const char *message = dwarf_errmsg(error);

		out.len = 0;
		worker_put(&out, message, strlen(message));
	}
	reply.len_bytes = out.len;
	ok = write_all(self->fd, &reply, sizeof(reply)) && write_all(self->fd, out.bytes, out.len);
	free(out.bytes);
	if (error != NULL)
		dwarf_dealloc_error(self->dbg, error);
	return ok;
}

/* Undoes what the parent's signal handlers and open files would do here: the
 * worker holds no link of the parent's open, and dies without a word. */
static void worker_isolate(struct worker *self)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGPIPE };
	struct rlimit none = { 0, 0 };
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++)
		signal(fatal[i], SIG_DFL);
	signal(SIGINT, SIG_IGN); /* the user's ^C is for the parent */
	setrlimit(RLIMIT_CORE, &none);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	self->fd = dup2(self->fd, 3);
	close_range(4, ~0u, 0);
#if !defined(__SANITIZE_ADDRESS__)
	/* AddressSanitizer reserves terabytes; elsewhere this bounds what a hostile
	 * file can make libdwarf allocate. The file's mapping counts. */
	{
		struct rlimit memory;

		if (getrlimit(RLIMIT_AS, &memory) == 0) {
			memory.rlim_cur = MIN(memory.rlim_max, (rlim_t)24 << 30);
			setrlimit(RLIMIT_AS, &memory);
		}
		if (getrlimit(RLIMIT_DATA, &memory) == 0) {
			memory.rlim_cur = MIN(memory.rlim_max, (rlim_t)4 << 30);
			setrlimit(RLIMIT_DATA, &memory);
		}
	}
#endif
}

void worker_run(struct elf_file *file, int fd)
{
	struct worker self = { .file = file, .fd = fd };
	Dwarf_Obj_Access_Interface object = { file, &object_methods };
	Dwarf_Error error = NULL;

	worker_isolate(&self);
	/* Off: bookkeeping of every allocation for a clean-up that _exit() makes
	 * needless, and a look for the end of every string (a third of the time of
	 * indexing a kernel). With the former off a name must never be freed. */
	dwarf_set_de_alloc_flag(0);
	dwarf_set_stringcheck(1);
	if (dwarf_object_init_b(&object, NULL, NULL, DW_GROUPNUMBER_ANY, &self.dbg, &error) !=
	    DW_DLV_OK)
		_exit(2);
	while (serve_one(&self))
		continue;
	_exit(0);
}

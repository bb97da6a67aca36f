#include "awareness/symbols/elf-file.h"

#include "awareness/symbols/symbol-error.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <gio/gio.h>
#include <libelf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum elf_file_limits {
	DEFLATE_RATIO_MAX = 1040, /* a deflate stream cannot expand by more than 1032 */
	ZSTD_RATIO_MAX = 65536,
	NOTE_ALIGN = 4,
};

static const uint64_t expanded_bytes_max = UINT64_C(8) << 30;

/* A section as listed, and what to do if it is compressed. */
struct elf_entry {
	struct elf_section section;
	Elf64_Chdr compression; /* ch_type 0 where it is not compressed */
	const uint8_t *packed;
	size_t packed_bytes;
	uint8_t *expanded; /* owned */
};

struct elf_file {
	gatomicrefcount refs;
	char *path;
	uint8_t *image;
	size_t image_bytes;
	gboolean is_mapped;
	Elf *elf;
	unsigned machine;
	uint64_t entry;
	char *build_id;
	struct elf_entry *entries;
	size_t n_entries;
	GMutex expand_lock; /* guards the lazy decompression, all else is immutable */
};

static gboolean file_map(struct elf_file *self, GError **error)
{
	struct stat status;
	int fd = open(self->path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0 || fstat(fd, &status) != 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot open %s: %s",
		            self->path, g_strerror(errno));
		if (fd >= 0)
			close(fd);
		return FALSE;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "%s is no ELF file: %s",
		            self->path,
		            S_ISREG(status.st_mode) ? "too short for its header" : "not a file");
		close(fd);
		return FALSE;
	}
	map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN, "cannot map %s: %s", self->path,
		            g_strerror(errno));
		return FALSE;
	}
	self->image = map;
	self->image_bytes = (size_t)status.st_size;
	self->is_mapped = TRUE;
	return TRUE;
}

/* The size a zstd frame says it expands to, within reason. */
static gboolean zstd_size(const uint8_t *packed, size_t packed_bytes, const char *what,
                          uint64_t *size, GError **error)
{
	unsigned long long content = ZSTD_getFrameContentSize(packed, packed_bytes);

	if (content == ZSTD_CONTENTSIZE_ERROR || content == 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "%s is not zstd data", what);
		return FALSE;
	}
	/* Streams made by a pipe do not say; ZSTD_decompressBound() counts blocks. */
	if (content == ZSTD_CONTENTSIZE_UNKNOWN)
		content = packed_bytes > SIZE_MAX / 64 ? 0 : packed_bytes * 64;
	if (content > expanded_bytes_max || content / ZSTD_RATIO_MAX > packed_bytes) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
		            "%s claims to expand to %llu bytes from %zu: refused", what, content,
		            packed_bytes);
		return FALSE;
	}
	*size = content;
	return TRUE;
}

/* Replaces the mapped zstd file by what it holds. */
static gboolean file_expand(struct elf_file *self, GError **error)
{
	uint64_t size;
	size_t got;
	uint8_t *expanded;

	if (!zstd_size(self->image, self->image_bytes, self->path, &size, error))
		return FALSE;
	expanded = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (expanded == MAP_FAILED) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_OPEN,
		            "no memory to expand %s to %" G_GUINT64_FORMAT " bytes", self->path,
		            size);
		return FALSE;
	}
	got = ZSTD_decompress(expanded, size, self->image, self->image_bytes);
	if (ZSTD_isError(got)) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "cannot expand %s: %s",
		            self->path, ZSTD_getErrorName(got));
		munmap(expanded, size);
		return FALSE;
	}
	munmap(self->image, self->image_bytes);
	self->image = expanded;
	self->image_bytes = size;
	return TRUE;
}

/* Notes are name size, descriptor size, type, then both, each padded to 4 (ELF
 * gABI, "Note Section"). */
static char *note_build_id(const struct elf_section *section)
{
	uint64_t at = 0;

	while (section->size_bytes - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		uint64_t name, desc;

		memcpy(&header, section->bytes + at, sizeof(header));
		name = at + sizeof(header);
		desc = name +
		       ((uint64_t)header.n_namesz + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
		at = desc + ((uint64_t)header.n_descsz + NOTE_ALIGN - 1) / NOTE_ALIGN * NOTE_ALIGN;
		if (desc + header.n_descsz > section->size_bytes)
			return NULL;
		if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof("GNU") &&
		    memcmp(section->bytes + name, "GNU", sizeof("GNU")) == 0 &&
		    header.n_descsz >= 4 && header.n_descsz <= 64) {
			GString *hex = g_string_new(NULL);

			for (uint32_t i = 0; i < header.n_descsz; i++)
				g_string_append_printf(hex, "%02x", section->bytes[desc + i]);
			return g_string_free(hex, FALSE);
		}
		if (at > section->size_bytes)
			return NULL;
	}
	return NULL;
}

static void entry_load(struct elf_file *self, struct elf_entry *entry, Elf_Scn *scn,
                       const GElf_Shdr *header, size_t names)
{
	const char *name = elf_strptr(self->elf, names, header->sh_name);
	Elf_Data *data;

	entry->section = (struct elf_section) {
		.name = name != NULL ? name : "",
		.size_bytes = header->sh_size,
		.address = header->sh_addr,
		.type = header->sh_type,
		.flags = header->sh_flags,
		.link = header->sh_link,
		.entry_bytes = header->sh_entsize,
	};
	if (header->sh_type == SHT_NOBITS || header->sh_type == SHT_NULL)
		return;
	data = elf_rawdata(scn, NULL);
	if (data == NULL || data->d_buf == NULL || data->d_size != header->sh_size) {
		entry->section.size_bytes = 0;
		return;
	}
	entry->section.bytes = data->d_buf;
	if ((header->sh_flags & SHF_COMPRESSED) == 0)
		return;
	entry->packed = entry->section.bytes;
	entry->packed_bytes = entry->section.size_bytes;
	entry->section.bytes = NULL;
	entry->section.size_bytes = 0;
	if (entry->packed_bytes >= sizeof(entry->compression))
		memcpy(&entry->compression, entry->packed, sizeof(entry->compression));
}

static gboolean file_index(struct elf_file *self, GError **error)
{
	GElf_Ehdr header;
	size_t count, names;

	elf_version(EV_CURRENT);
	self->elf = elf_memory((char *)self->image, self->image_bytes);
	if (self->elf == NULL || elf_kind(self->elf) != ELF_K_ELF ||
	    gelf_getehdr(self->elf, &header) == NULL) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED, "%s is no ELF file: %s",
		            self->path, elf_errmsg(-1));
		return FALSE;
	}
	if (gelf_getclass(self->elf) != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_UNSUPPORTED,
		            "%s is not a 64-bit little-endian ELF file", self->path);
		return FALSE;
	}
	self->machine = header.e_machine;
	self->entry = header.e_entry;
	if (elf_getshdrnum(self->elf, &count) != 0 || elf_getshdrstrndx(self->elf, &names) != 0) {
		g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_DAMAGED,
		            "the section table of %s cannot be read: %s", self->path,
		            elf_errmsg(-1));
		return FALSE;
	}
	self->entries = g_new0(struct elf_entry, count);
	for (size_t i = 0; i < count; i++) {
		Elf_Scn *scn = elf_getscn(self->elf, i);
		GElf_Shdr section;

		self->n_entries = i + 1;
		self->entries[i].section.name = "";
		if (scn == NULL || gelf_getshdr(scn, &section) == NULL)
			continue;
		entry_load(self, &self->entries[i], scn, &section, names);
		if (section.sh_type == SHT_NOTE && self->build_id == NULL &&
		    self->entries[i].section.bytes != NULL)
			self->build_id = note_build_id(&self->entries[i].section);
	}
	return TRUE;
}

static struct elf_file *file_new(const char *path)
{
	struct elf_file *self = g_new0(struct elf_file, 1);

	g_atomic_ref_count_init(&self->refs);
	g_mutex_init(&self->expand_lock);
	self->path = g_strdup(path);
	return self;
}

struct elf_file *elf_file_open(const char *path, GError **error)
{
	g_autoptr(elf_file_t) self = file_new(path);
	static const uint8_t zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (!file_map(self, error))
		return NULL;
	if (memcmp(self->image, zstd_magic, sizeof(zstd_magic)) == 0 && !file_expand(self, error))
		return NULL;
	if (!file_index(self, error))
		return NULL;
	return g_steal_pointer(&self);
}

struct elf_file *elf_file_new_from_bytes(GBytes *bytes, const char *path, GError **error)
{
	g_autoptr(elf_file_t) self = file_new(path);
	gsize size;
	const uint8_t *data = g_bytes_get_data(bytes, &size);

	/* A copy, for its alignment. */
	self->image = g_memdup2(data, size);
	self->image_bytes = size;
	if (!file_index(self, error))
		return NULL;
	return g_steal_pointer(&self);
}

struct elf_file *elf_file_ref(struct elf_file *self)
{
	g_atomic_ref_count_inc(&self->refs);
	return self;
}

void elf_file_unref(struct elf_file *self)
{
	if (self == NULL || !g_atomic_ref_count_dec(&self->refs))
		return;
	for (size_t i = 0; i < self->n_entries; i++)
		g_free(self->entries[i].expanded);
	g_free(self->entries);
	elf_end(self->elf);
	if (self->is_mapped)
		munmap(self->image, self->image_bytes);
	else
		g_free(self->image);
	g_free(self->build_id);
	g_free(self->path);
	g_mutex_clear(&self->expand_lock);
	g_free(self);
}

const char *elf_file_path(const struct elf_file *self)
{
	return self->path;
}

const char *elf_file_build_id(const struct elf_file *self)
{
	return self->build_id;
}

unsigned elf_file_machine(const struct elf_file *self)
{
	return self->machine;
}

uint64_t elf_file_entry(const struct elf_file *self)
{
	return self->entry;
}

size_t elf_file_section_count(const struct elf_file *self)
{
	return self->n_entries;
}

static gboolean inflate(const uint8_t *packed, size_t packed_bytes, uint8_t *out, size_t out_bytes)
{
	g_autoptr(GZlibDecompressor) zlib = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
	size_t in_at = 0, out_at = 0;
	GConverterResult result;

	do {
		gsize read = 0, written = 0;

		result = g_converter_convert(G_CONVERTER(zlib), packed + in_at,
		                             packed_bytes - in_at, out + out_at, out_bytes - out_at,
		                             G_CONVERTER_INPUT_AT_END, &read, &written, NULL);
		in_at += read;
		out_at += written;
	} while (result == G_CONVERTER_CONVERTED && out_at < out_bytes);
	return out_at == out_bytes;
}

/* Fills section.bytes of a compressed section; leaves it NULL where it cannot. */
static void entry_expand(struct elf_entry *entry)
{
	uint64_t size = entry->compression.ch_size;
	const uint8_t *packed = entry->packed + sizeof(entry->compression);
	size_t packed_bytes = entry->packed_bytes - sizeof(entry->compression);
	unsigned type = entry->compression.ch_type;
	gboolean ok = FALSE;

	if (type == 0 || size == 0 || size > expanded_bytes_max)
		return;
	if (size / (type == ELFCOMPRESS_ZLIB ? DEFLATE_RATIO_MAX : ZSTD_RATIO_MAX) > packed_bytes)
		return;
	entry->expanded = g_try_malloc(size);
	if (entry->expanded == NULL)
		return;
	if (type == ELFCOMPRESS_ZLIB)
		ok = inflate(packed, packed_bytes, entry->expanded, size);
	else if (type == 2) /* ELFCOMPRESS_ZSTD: newer than Debian 12's elf.h */
		ok = ZSTD_decompress(entry->expanded, size, packed, packed_bytes) == size;
	if (!ok) {
		g_clear_pointer(&entry->expanded, g_free);
		return;
	}
	entry->section.bytes = entry->expanded;
	entry->section.size_bytes = size;
}

const struct elf_section *elf_file_section_at(const struct elf_file *self, size_t index)
{
	struct elf_entry *entry;

	if (index >= self->n_entries)
		return NULL;
	entry = &self->entries[index];
	if (entry->packed != NULL) {
		GMutex *lock = (GMutex *)&self->expand_lock;

		g_mutex_lock(lock);
		if (entry->expanded == NULL)
			entry_expand(entry);
		g_mutex_unlock(lock);
	}
	return &entry->section;
}

const struct elf_section *elf_file_section(const struct elf_file *self, const char *name)
{
	for (size_t i = 1; i < self->n_entries; i++) {
		if (strcmp(self->entries[i].section.name, name) == 0)
			return elf_file_section_at(self, i);
	}
	return NULL;
}

const uint8_t *elf_file_data_at(const struct elf_file *self, uint64_t address, size_t len_bytes)
{
	for (size_t i = 1; i < self->n_entries; i++) {
		const struct elf_section *section = &self->entries[i].section;

		if ((section->flags & SHF_ALLOC) == 0 || section->bytes == NULL)
			continue;
		if (address >= section->address &&
		    address - section->address <= section->size_bytes &&
		    section->size_bytes - (address - section->address) >= len_bytes)
			return section->bytes + (address - section->address);
	}
	return NULL;
}

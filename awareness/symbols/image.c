#include "awareness/symbols/image.h"

#include "awareness/symbols/btf.h"
#include "awareness/symbols/profile.h"
#include "awareness/symbols/symbol-error.h"

struct image {
	char *name;
	char *build_id;
	struct elf_file *file;
	struct symbol_cache *cache;
	struct symbols *symbols;
	struct types *types;
	struct dwarf *dwarf;
};

struct image *image_open(const char *path, struct symbol_cache *cache, GError **error)
{
	struct elf_file *file = elf_file_open(path, error);
	struct image *self;

	if (file == NULL)
		return NULL;
	self = g_new0(struct image, 1);
	self->name = g_path_get_basename(path);
	self->build_id = g_strdup(elf_file_build_id(file));
	self->file = file;
	self->cache = cache;
	return self;
}

struct image *image_new_from_parts(const char *name, const char *build_id, struct symbols *symbols,
                                   struct types *types)
{
	struct image *self = g_new0(struct image, 1);

	self->name = g_strdup(name);
	self->build_id = g_strdup(build_id);
	self->symbols = symbols;
	self->types = types;
	return self;
}

void image_free(struct image *self)
{
	if (self == NULL)
		return;
	types_free(self->types);
	dwarf_free(self->dwarf);
	symbols_free(self->symbols);
	elf_file_unref(self->file);
	g_free(self->build_id);
	g_free(self->name);
	g_free(self);
}

void image_set_types(struct image *self, struct types *types)
{
	types_free(self->types);
	self->types = types;
}

const char *image_name(const struct image *self)
{
	return self->name;
}

const char *image_build_id(const struct image *self)
{
	return self->build_id;
}

struct elf_file *image_elf(struct image *self)
{
	return self->file;
}

static void missing(const struct image *self, const char *what, GError **error)
{
	g_set_error(error, SYMBOL_ERROR, SYMBOL_ERROR_NOT_FOUND, "%s has no %s", self->name, what);
}

struct symbols *image_symbols(struct image *self, GError **error)
{
	if (self->symbols == NULL && self->file != NULL)
		self->symbols = symbols_new_from_elf(self->file, error);
	else if (self->symbols == NULL)
		missing(self, "symbols", error);
	return self->symbols;
}

struct dwarf *image_dwarf(struct image *self, GError **error)
{
	if (self->dwarf == NULL && self->file != NULL)
		self->dwarf = dwarf_new(self->file, self->cache, error);
	else if (self->dwarf == NULL)
		missing(self, "debug information", error);
	return self->dwarf;
}

struct types *image_types(struct image *self, GError **error)
{
	g_autofree char *profile = NULL;
	struct dwarf *dwarf;

	if (self->types != NULL)
		return self->types;
	if (self->file != NULL && dwarf_is_present(self->file)) {
		dwarf = image_dwarf(self, error);
		self->types = dwarf != NULL ? dwarf_types(dwarf, error) : NULL;
		return self->types;
	}
	if (self->file != NULL && elf_file_section(self->file, ".BTF") != NULL) {
		self->types = btf_types_from_elf(self->file, error);
		return self->types;
	}
	profile = self->build_id != NULL ? profile_find(self->build_id) : NULL;
	if (profile != NULL) {
		self->types = profile_load(profile, error);
		return self->types;
	}
	missing(self, "types: neither DWARF nor BTF, and no layout profile names its build id",
	        error);
	return NULL;
}

#include "capture/snapshot-reader.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* A register that a protocol is decoded with. */
struct wanted_reg {
	enum snapshot_protocol protocol;
	const char *name;
	gboolean has_fallback;
	guint32 fallback;
};

/* Section 4.2.3 asks for all of these and TRCAUTHSTATUS. Real captures leave some out; what
 * may be missing, and what it then is, is what OpenCSD's snapshot reader does. */
static const struct wanted_reg wanted_regs[] = {
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCCONFIGR", FALSE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCTRACEIDR", FALSE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR0", FALSE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR1", TRUE, 0x4100F403 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR2", FALSE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR8", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR9", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR10", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR11", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR12", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_ETM4, "TRCIDR13", TRUE, 0 },
	{ SNAPSHOT_PROTOCOL_STM, "STMTCSR", FALSE, 0 },
};

static void reg_clear(gpointer data)
{
	struct snapshot_reg *reg = data;

	g_free(reg->name);
}

static void dump_clear(gpointer data)
{
	struct snapshot_dump *dump = data;

	g_free(dump->name);
	g_free(dump->file);
	g_free(dump->path);
	g_free(dump->space);
}

void snapshot_device_clear(gpointer data)
{
	struct snapshot_device *device = data;

	for (guint i = 0; i < device->n_regs; i++)
		reg_clear(&device->regs[i]);
	for (guint i = 0; i < device->n_dumps; i++)
		dump_clear(&device->dumps[i]);
	g_free(device->regs);
	g_free(device->dumps);
	g_free(device->name);
	g_free(device->file);
	g_free(device->class_name);
	g_free(device->type);
	g_free(device->location);
}

/* Whether "(...)" after a register name says that it has more than 64 bits (3.2.2). */
static gboolean reg_is_wide(const char *key)
{
	const char *extra = strchr(key, '(');
	const char *size = extra != NULL ? strstr(extra, "size:") : NULL;

	return size != NULL && g_ascii_strtoull(size + strlen("size:"), NULL, 0) > 64;
}

static gboolean read_reg(struct snapshot_reader *self, const struct ini_file *file,
                         const struct ini_entry *entry, GHashTable *seen, GArray *regs,
                         GError **error)
{
	g_autofree char *name = g_strndup(entry->key, strcspn(entry->key, "("));
	g_autofree char *folded = NULL;
	struct snapshot_reg reg;

	g_strstrip(name);
	if (name[0] == '\0') {
		ini_file_set_error(file, entry->line, error,
		                   "expected a register name before '(', found '%s'", entry->key);
		return FALSE;
	}
	folded = g_ascii_strdown(name, -1);
	if (g_hash_table_contains(seen, folded)) {
		ini_file_set_error(file, entry->line, error,
		                   "expected each register once, found '%s' again", name);
		return FALSE;
	}
	if (reg_is_wide(entry->key)) {
		snapshot_reader_note(self, file, entry->line,
		                     "register %s has more than 64 bits and is left out", name);
		return TRUE;
	}
	if (!ini_entry_uint64(file, entry, &reg.value, error))
		return FALSE;
	g_hash_table_add(seen, g_steal_pointer(&folded));
	reg.name = g_steal_pointer(&name);
	g_array_append_val(regs, reg);
	return TRUE;
}

static gboolean read_regs(struct snapshot_reader *self, const struct ini_file *file,
                          const struct ini_section *section, struct snapshot_device *device,
                          GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GArray) regs = g_array_new(FALSE, TRUE, sizeof(struct snapshot_reg));
	gsize n_regs;

	g_array_set_clear_func(regs, reg_clear);
	for (guint i = 0; i < section->n_entries; i++) {
		if (!read_reg(self, file, &section->entries[i], seen, regs, error))
			return FALSE;
	}
	device->regs = g_array_steal(regs, &n_regs);
	device->n_regs = (guint)n_regs;
	return TRUE;
}

/* A dump file may be missing or short, since packets are decoded without memory: a note. */
static void check_dump(struct snapshot_reader *self, const struct ini_file *file, guint line,
                       const struct snapshot_dump *dump)
{
	struct stat info;

	if (stat(dump->path, &info) != 0 || !S_ISREG(info.st_mode)) {
		snapshot_reader_note(self, file, line, "the dump file %s is not there", dump->file);
	} else if (dump->offset > (guint64)info.st_size ||
	           dump->length > (guint64)info.st_size - dump->offset) {
		snapshot_reader_note(self, file, line,
		                     "the dump file %s has %" G_GINT64_FORMAT
		                     " bytes, the section asks for %" G_GUINT64_FORMAT
		                     " from byte %" G_GUINT64_FORMAT,
		                     dump->file, (gint64)info.st_size, dump->length, dump->offset);
	}
}

static gboolean read_optional_uint64(const struct ini_file *file, const struct ini_section *section,
                                     const char *key, guint64 *value, GError **error)
{
	const struct ini_entry *entry = ini_section_entry(section, key);

	*value = 0;
	return entry == NULL || ini_entry_uint64(file, entry, value, error);
}

static gboolean fill_dump(struct snapshot_reader *self, const struct ini_file *file,
                          const struct ini_section *section, struct snapshot_dump *dump,
                          GError **error)
{
	const struct ini_entry *address;
	const struct ini_entry *name;
	const struct ini_entry *space = ini_section_entry(section, "space");
	guint64 end;

	if (!ini_section_check(file, section, INI_KEYS_UNIQUE, error) ||
	    !ini_section_require(file, section, "file", &name, error) ||
	    !ini_section_require(file, section, "address", &address, error) ||
	    !ini_entry_uint64(file, address, &dump->address, error) ||
	    !read_optional_uint64(file, section, "length", &dump->length, error) ||
	    !read_optional_uint64(file, section, "offset", &dump->offset, error))
		return FALSE;
	if (!g_uint64_checked_add(&end, dump->offset, dump->length) ||
	    (dump->length > 0 && !g_uint64_checked_add(&end, dump->address, dump->length - 1))) {
		ini_file_set_error(file, section->line, error,
		                   "expected [%s] to end within 64 bits, found address 0x%" PRIx64
		                   ", offset 0x%" PRIx64 " and length 0x%" PRIx64,
		                   section->name, dump->address, dump->offset, dump->length);
		return FALSE;
	}
	/* Arm's reader takes length=0 for "the rest of the file" as well. */
	dump->has_length = dump->length > 0;
	dump->name = g_strdup(section->name);
	dump->file = ini_entry_unquoted(name);
	dump->space = space != NULL ? ini_entry_unquoted(space) : NULL;
	dump->path = snapshot_reader_resolve(self, file, name->line, dump->file, error);
	if (dump->path == NULL)
		return FALSE;
	check_dump(self, file, name->line, dump);
	return TRUE;
}

/* Every section whose name starts with "dump". Two of one name are two images (3.2.3
 * recommends a suffix and does not demand it). */
static gboolean read_dumps(struct snapshot_reader *self, const struct ini_file *file,
                           struct snapshot_device *device, GError **error)
{
	g_autoptr(GArray) dumps = g_array_new(FALSE, TRUE, sizeof(struct snapshot_dump));
	gsize n_dumps;

	g_array_set_clear_func(dumps, dump_clear);
	for (guint i = 0; i < file->n_sections; i++) {
		const struct ini_section *section = &file->sections[i];
		struct snapshot_dump *dump;

		if (g_ascii_strncasecmp(section->name, "dump", strlen("dump")) != 0)
			continue;
		if (dumps->len == SNAPSHOT_MAX_DUMPS) {
			ini_file_set_error(file, section->line, error,
			                   "expected at most %d [dump] sections, found more",
			                   SNAPSHOT_MAX_DUMPS);
			return FALSE;
		}
		g_array_set_size(dumps, dumps->len + 1);
		dump = &g_array_index(dumps, struct snapshot_dump, dumps->len - 1);
		if (!fill_dump(self, file, section, dump, error))
			return FALSE;
	}
	device->dumps = g_array_steal(dumps, &n_dumps);
	device->n_dumps = (guint)n_dumps;
	return TRUE;
}

static char *optional_value(const struct ini_section *section, const char *key)
{
	const struct ini_entry *entry = ini_section_entry(section, key);

	return entry != NULL ? g_strdup(entry->value) : NULL;
}

static enum snapshot_class class_of(const char *name)
{
	if (g_ascii_strcasecmp(name, "core") == 0)
		return SNAPSHOT_CLASS_CORE;
	if (g_ascii_strcasecmp(name, "trace_source") == 0)
		return SNAPSHOT_CLASS_TRACE_SOURCE;
	return SNAPSHOT_CLASS_OTHER;
}

/* "ETM4.2" is ETM4, "PFT1.1" is PTM (3.2.1). */
static enum snapshot_protocol protocol_of(const char *type)
{
	static const struct {
		const char *prefix;
		enum snapshot_protocol protocol;
	} names[] = {
		{ "ETM3", SNAPSHOT_PROTOCOL_ETM3 }, { "ETM4", SNAPSHOT_PROTOCOL_ETM4 },
		{ "ETE", SNAPSHOT_PROTOCOL_ETE },   { "PTM", SNAPSHOT_PROTOCOL_PTM },
		{ "PFT", SNAPSHOT_PROTOCOL_PTM },   { "STM", SNAPSHOT_PROTOCOL_STM },
		{ "ITM", SNAPSHOT_PROTOCOL_ITM },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		const gsize len = strlen(names[i].prefix);

		if (g_ascii_strncasecmp(type, names[i].prefix, len) == 0 &&
		    strspn(type + len, "0123456789.") == strlen(type + len))
			return names[i].protocol;
	}
	return SNAPSHOT_PROTOCOL_UNKNOWN;
}

static gboolean add_fallback(struct snapshot_device *device, const struct wanted_reg *wanted)
{
	device->regs = g_renew(struct snapshot_reg, device->regs, device->n_regs + 1);
	device->regs[device->n_regs].name = g_strdup(wanted->name);
	device->regs[device->n_regs].value = wanted->fallback;
	device->n_regs++;
	return TRUE;
}

/* Whether a trace source has what its protocol is decoded with; adds what has a default. */
static gboolean complete_regs(const struct ini_file *file, guint regs_line,
                              struct snapshot_device *device, GError **error)
{
	const enum snapshot_protocol protocol = protocol_of(device->type);

	for (gsize i = 0; i < G_N_ELEMENTS(wanted_regs); i++) {
		const struct wanted_reg *wanted = &wanted_regs[i];
		guint64 value;

		if (wanted->protocol != protocol)
			continue;
		if (!snapshot_device_reg(device, wanted->name, &value)) {
			if (wanted->has_fallback && add_fallback(device, wanted))
				continue;
			ini_file_set_error(file, regs_line, error,
			                   "expected register %s in [regs] of %s source '%s', "
			                   "found none",
			                   wanted->name, device->type, device->name);
			return FALSE;
		}
		if (value > G_MAXUINT32) {
			ini_file_set_error(file, regs_line, error,
			                   "expected 32 bits in %s, found 0x%" PRIx64, wanted->name,
			                   value);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean read_device(struct snapshot_reader *self, const struct ini_file *file,
                            struct snapshot_device *device, GError **error)
{
	const struct ini_section *section;
	const struct ini_section *regs;
	const struct ini_entry *name;

	if (!ini_file_find(file, "device", INI_KEYS_UNIQUE, &section, error))
		return FALSE;
	if (section == NULL) {
		ini_file_set_error(file, 1, error, "expected a section [device], found none");
		return FALSE;
	}
	if (!ini_section_require(file, section, "name", &name, error))
		return FALSE;
	device->name = g_strdup(name->value);
	device->class_name = optional_value(section, "class");
	device->type = optional_value(section, "type");
	device->location = optional_value(section, "location");
	if (device->class_name == NULL)
		device->class_name = g_strdup("");
	if (device->type == NULL)
		device->type = g_strdup("");
	device->device_class = class_of(device->class_name);
	if (device->device_class == SNAPSHOT_CLASS_TRACE_SOURCE && device->type[0] == '\0') {
		ini_file_set_error(file, section->line, error,
		                   "expected 'type=' with the trace protocol (ETM4, STM) of "
		                   "source '%s' in [device], found none",
		                   device->name);
		return FALSE;
	}
	if (!ini_file_find(file, "regs", INI_KEYS_UNIQUE, &regs, error) ||
	    (regs != NULL && !read_regs(self, file, regs, device, error)) ||
	    !read_dumps(self, file, device, error))
		return FALSE;
	return device->device_class != SNAPSHOT_CLASS_TRACE_SOURCE ||
	       complete_regs(file, regs != NULL ? regs->line : section->line, device, error);
}

/* Adds the device that `entry` names to `devices`. */
static gboolean add_device(struct snapshot_reader *self, const struct ini_file *list_file,
                           const struct ini_entry *entry, GArray *devices, GError **error)
{
	g_autoptr(IniFile) file = snapshot_reader_load(self, list_file, entry, error);
	struct snapshot_device *device;

	if (file == NULL)
		return FALSE;
	g_array_set_size(devices, devices->len + 1);
	device = &g_array_index(devices, struct snapshot_device, devices->len - 1);
	device->file = ini_entry_unquoted(entry);
	if (!read_device(self, file, device, error))
		return FALSE;
	for (guint i = 0; i + 1 < devices->len; i++) {
		const struct snapshot_device *other =
			&g_array_index(devices, struct snapshot_device, i);

		if (g_ascii_strcasecmp(other->name, device->name) == 0) {
			ini_file_set_error(list_file, entry->line, error,
			                   "expected each device name once, found '%s' in %s and "
			                   "in %s",
			                   device->name, other->file, device->file);
			return FALSE;
		}
	}
	return TRUE;
}

static void sort_devices(struct snapshot *snapshot)
{
	snapshot->cores = g_new0(const struct snapshot_device *, snapshot->n_devices);
	snapshot->sources = g_new0(struct snapshot_source, snapshot->n_devices);
	for (guint i = 0; i < snapshot->n_devices; i++) {
		const struct snapshot_device *device = &snapshot->devices[i];

		if (device->device_class == SNAPSHOT_CLASS_CORE) {
			snapshot->cores[snapshot->n_cores++] = device;
		} else if (device->device_class == SNAPSHOT_CLASS_TRACE_SOURCE) {
			struct snapshot_source *source = &snapshot->sources[snapshot->n_sources++];

			source->device = device;
			source->protocol = protocol_of(device->type);
			source->core = -1;
		}
	}
}

gboolean snapshot_read_devices(struct snapshot_reader *self, const struct ini_file *file,
                               const struct ini_section *list, GError **error)
{
	g_autoptr(GArray) devices = g_array_new(FALSE, TRUE, sizeof(struct snapshot_device));
	gsize n_devices;

	g_array_set_clear_func(devices, snapshot_device_clear);
	if (list->n_entries == 0 || list->n_entries > SNAPSHOT_MAX_DEVICES) {
		ini_file_set_error(file, list->line, error,
		                   "expected 1 to %d devices in [device_list], found %u",
		                   SNAPSHOT_MAX_DEVICES, list->n_entries);
		return FALSE;
	}
	for (guint i = 0; i < list->n_entries; i++) {
		if (!add_device(self, file, &list->entries[i], devices, error))
			return FALSE;
	}
	self->snapshot->devices = g_array_steal(devices, &n_devices);
	self->snapshot->n_devices = (guint)n_devices;
	sort_devices(self->snapshot);
	return TRUE;
}

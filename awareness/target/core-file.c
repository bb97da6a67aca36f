#include "awareness/target/core-file.h"
#include "awareness/target/core-layout.h"
#include "awareness/target/register-file.h"

#include <elf.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

enum core_file_limits {
	CHUNK_BYTES = 64 * 1024,
	PIECES = 16, /* of 4 KiB, read in one go */
	SEGMENT_ALIGN = 4096,
};

/* What is being written, and where. */
struct writer {
	FILE *file;
	const char *path;
	gboolean failed;
};

static void put(struct writer *w, const void *data, size_t len_bytes)
{
	if (len_bytes > 0 && fwrite(data, 1, len_bytes, w->file) != len_bytes)
		w->failed = TRUE;
}

static void put_padding(struct writer *w, uint64_t to)
{
	static const char zeros[SEGMENT_ALIGN];
	long at = ftell(w->file);

	while (at >= 0 && (uint64_t)at < to) {
		size_t chunk = MIN(to - (uint64_t)at, sizeof(zeros));

		put(w, zeros, chunk);
		at += (long)chunk;
		if (w->failed)
			return;
	}
}

static void append_note(GByteArray *notes, const char *owner, uint32_t type, const void *desc,
                        gsize desc_bytes)
{
	static const uint8_t zeros[4];
	Elf64_Nhdr header = {
		.n_namesz = (Elf64_Word)strlen(owner) + 1,
		.n_descsz = (Elf64_Word)desc_bytes,
		.n_type = type,
	};

	g_byte_array_append(notes, (const guint8 *)&header, sizeof(header));
	g_byte_array_append(notes, (const guint8 *)owner, header.n_namesz);
	g_byte_array_append(notes, zeros, -header.n_namesz & 3u);
	g_byte_array_append(notes, desc, header.n_descsz);
	g_byte_array_append(notes, zeros, -header.n_descsz & 3u);
}

static void append_prstatus(GByteArray *notes, GHashTable *cpu, unsigned index)
{
	uint8_t status[CORE_PRSTATUS_BYTES] = { 0 };
	uint32_t pid = index + 1;

	memcpy(status + CORE_PRSTATUS_PID, &pid, sizeof(pid));
	for (unsigned i = 0; i < CORE_PRSTATUS_N_REGS; i++) {
		static const char *const tail[] = { "sp", "pc", "cpsr" };
		g_autofree char *name = i < 31 ? g_strdup_printf("x%u", i) : g_strdup(tail[i - 31]);
		const struct target_register *value = g_hash_table_lookup(cpu, name);

		if (value != NULL)
			memcpy(status + CORE_PRSTATUS_REGS + i * 8, &value->low, 8);
	}
	append_note(notes, "CORE", NT_PRSTATUS, status, sizeof(status));
}

/* A register that cannot be read is left out, as a core without it would. */
static GByteArray *collect_notes(struct target *target)
{
	GByteArray *notes = g_byte_array_new();
	const char *const *names = target_register_names(target);
	struct register_file registers;
	g_autofree char *text = NULL;

	register_file_init(&registers);
	for (unsigned cpu = 0; cpu < target_cpu_count(target); cpu++) {
		GHashTable *table = register_file_add_cpu(&registers);

		for (gsize i = 0; names[i] != NULL; i++) {
			struct target_register value;

			if (target_register_get(target, cpu, names[i], &value, NULL))
				register_file_set(&registers, table, names[i], &value);
		}
		append_prstatus(notes, table, cpu);
	}
	text = register_file_format(&registers);
	append_note(notes, CORE_NOTE_OWNER, CORE_NOTE_REGISTERS, text, strlen(text));
	register_file_deinit(&registers);
	return notes;
}

static uint64_t align_up(uint64_t value)
{
	return (value + SEGMENT_ALIGN - 1) & ~(uint64_t)(SEGMENT_ALIGN - 1);
}

static void put_headers(struct writer *w, const GByteArray *notes,
                        const struct target_region *regions, size_t n_regions)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
		             EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_AARCH64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(n_regions + 1),
	};
	Elf64_Phdr segment = {
		.p_type = PT_NOTE,
		.p_offset = sizeof(header) + (n_regions + 1) * sizeof(segment),
		.p_filesz = notes->len,
		.p_align = 4,
	};
	uint64_t offset = align_up(segment.p_offset + notes->len);

	put(w, &header, sizeof(header));
	put(w, &segment, sizeof(segment));
	for (size_t i = 0; i < n_regions; i++) {
		segment = (Elf64_Phdr) {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = offset,
			.p_paddr = regions[i].base.value,
			.p_filesz = regions[i].len_bytes,
			.p_memsz = regions[i].len_bytes,
			.p_align = SEGMENT_ALIGN,
		};
		put(w, &segment, sizeof(segment));
		offset = align_up(offset + regions[i].len_bytes);
	}
	put(w, notes->data, notes->len);
	put_padding(w, align_up(sizeof(header) + (n_regions + 1) * sizeof(segment) + notes->len));
}

static gboolean put_region(struct writer *w, struct target *target,
                           const struct target_region *region, uint64_t *unreadable, GError **error)
{
	g_autofree uint8_t *chunk = g_malloc(CHUNK_BYTES);

	for (uint64_t done = 0; done < region->len_bytes;) {
		struct target_transfer pieces[PIECES];
		size_t n_pieces = 0;
		size_t n_bytes = 0;

		while (n_pieces < PIECES && done + n_bytes < region->len_bytes) {
			size_t len = MIN(CHUNK_BYTES / PIECES, region->len_bytes - done - n_bytes);

			pieces[n_pieces++] = (struct target_transfer) {
				.pa = { region->base.value + done + n_bytes },
				.data = chunk + n_bytes,
				.len_bytes = len,
			};
			n_bytes += len;
		}
		if (!target_read(target, pieces, n_pieces, error))
			return FALSE;
		for (size_t i = 0; i < n_pieces; i++) {
			if (pieces[i].ok)
				continue;
			memset(pieces[i].data, 0, pieces[i].len_bytes);
			*unreadable += pieces[i].len_bytes;
		}
		put(w, chunk, n_bytes);
		done += n_bytes;
	}
	put_padding(w, align_up((uint64_t)MAX(ftell(w->file), 0)));
	return TRUE;
}

static gboolean put_all(struct writer *w, struct target *target,
                        const struct target_region *regions, size_t n_regions, uint64_t *unreadable,
                        GError **error)
{
	g_autoptr(GByteArray) notes = collect_notes(target);

	put_headers(w, notes, regions, n_regions);
	for (size_t i = 0; i < n_regions; i++) {
		if (!put_region(w, target, &regions[i], unreadable, error))
			return FALSE;
	}
	if (fflush(w->file) != 0 || w->failed) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN, "cannot write the core %s: %s",
		            w->path, g_strerror(errno));
		return FALSE;
	}
	return TRUE;
}

gboolean core_file_write(struct target *target, const struct target_region *regions,
                         size_t n_regions, const char *path, uint64_t *unreadable_bytes,
                         GError **error)
{
	struct writer w = { .path = path };
	uint64_t unreadable = 0;
	gboolean done;

	if (regions == NULL)
		regions = target_regions(target, &n_regions);
	if (n_regions == 0 || n_regions >= PN_XNUM - 1) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_SPEC,
		            "cannot freeze %s: it does not say where its RAM is; name it "
		            "(--ram BASE+LENGTH)",
		            target_describe(target));
		return FALSE;
	}
	w.file = g_fopen(path, "wb");
	if (w.file == NULL) {
		g_set_error(error, TARGET_ERROR, TARGET_ERROR_OPEN, "cannot write the core %s: %s",
		            path, g_strerror(errno));
		return FALSE;
	}
	done = put_all(&w, target, regions, n_regions, &unreadable, error);
	fclose(w.file);
	if (!done)
		g_unlink(path);
	else
		*unreadable_bytes = unreadable;
	return done;
}

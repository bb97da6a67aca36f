/* The memory map of a process.
 *
 * Up to 6.0 the areas are a list (`mm->mmap`, `vm_next`); from 6.1 on a maple tree
 * (include/linux/maple_tree.h): nodes of 256 bytes, whose pointers carry the node's type
 * in bits 3 to 6. A leaf's slots are areas or gaps, and slot i ends at pivot i.
 */
#include "awareness/os/linux-private.h"

#include <string.h>

enum map_bits {
	/* include/linux/mm.h */
	VM_READ = 1,
	VM_WRITE = 2,
	VM_EXEC = 4,
	VM_SHARED = 8,
	/* include/linux/maple_tree.h */
	NODE_BYTES = 256,
	NODE_TYPE_SHIFT = 3,
	NODE_TYPE_MASK = 15,
	NODE_LEAF = 1,
	NODE_RANGE = 2,
	NODE_ARANGE = 3,
};

enum map_limits {
	AREAS_MAX = 65536,
	DEPTH_MAX = 16, /* of the tree */
	PATH_DEPTH_MAX = 64,
	NAME_MAX_BYTES = 256,
	SLOTS_MAX = 32,
};

enum area_field {
	AREA_START,
	AREA_END,
	AREA_FLAGS,
	AREA_OFFSET,
	AREA_FILE,
	AREA_NEXT,
	AREA_FIELDS,
};

static const struct field area_fields[] = {
	[AREA_START] = { "vm_start", FALSE }, [AREA_END] = { "vm_end", FALSE },
	[AREA_FLAGS] = { "vm_flags", FALSE }, [AREA_OFFSET] = { "vm_pgoff", FALSE },
	[AREA_FILE] = { "vm_file", FALSE },   [AREA_NEXT] = { "vm_next", TRUE },
};

enum mm_field {
	MM_FIRST,
	MM_ROOT,
	MM_START_BRK,
	MM_BRK,
	MM_START_STACK,
	MM_VDSO,
	MM_FIELDS,
};

static const struct field mm_fields[] = {
	[MM_FIRST] = { "mmap", TRUE },
	[MM_ROOT] = { "mm_mt.ma_root", TRUE },
	[MM_START_BRK] = { "start_brk", TRUE },
	[MM_BRK] = { "brk", TRUE },
	[MM_START_STACK] = { "start_stack", TRUE },
	[MM_VDSO] = { "context.vdso", TRUE },
};

static const struct field dentry_fields[] = {
	{ "d_parent", FALSE },
	{ "d_name.name", FALSE },
};

/* Where one type of node has its pivots and slots. */
struct node_shape {
	uint64_t pivots, slots;
	unsigned n_pivots, n_slots;
};

struct maps {
	struct machine *machine;
	struct space *kernel;
	struct layout area, mm, dentry;
	uint64_t file_dentry; /* f_path.dentry in struct file */
	struct node_shape range, arange;
	uint64_t page_bytes;
	uint64_t about[LAYOUT_FIELDS_MAX]; /* of the struct mm_struct */
	GHashTable *seen;                  /* areas and nodes, against circles */
	GPtrArray *list;                   /* of struct linux_mapping * */
};

void linux_mapping_free(struct linux_mapping *self)
{
	g_free(self->name);
	g_free(self);
}

static void free_mapping(gpointer data)
{
	linux_mapping_free(data);
}

/* "/bin/busybox": from the file's name up to the root of its file system. */
static char *file_name(struct maps *self, uint64_t file)
{
	GString *path = g_string_new(NULL);
	uint64_t at;

	if (!space_read_uint(self->kernel, (struct va) { file + self->file_dentry }, 8, &at, NULL))
		return g_string_free(path, TRUE);
	for (unsigned depth = 0; depth < PATH_DEPTH_MAX; depth++) {
		uint64_t values[LAYOUT_FIELDS_MAX];
		g_autofree char *name = NULL;

		if (!layout_read(&self->dentry, self->kernel, (struct va) { at }, values, NULL) ||
		    values[0] == at)
			break;
		name = space_read_string(self->kernel, (struct va) { values[1] }, NAME_MAX_BYTES,
		                         NULL);
		if (name == NULL)
			break;
		g_string_prepend(path, name);
		g_string_prepend_c(path, '/');
		at = values[0];
	}
	return g_string_free(path, path->len == 0);
}

/* As /proc/PID/maps names what is no file. */
static const char *kind_name(const struct maps *self, uint64_t start, uint64_t end)
{
	const uint64_t *about = self->about;

	if (about[MM_BRK] > about[MM_START_BRK] && start <= about[MM_BRK] &&
	    end >= about[MM_START_BRK])
		return "[heap]";
	if (about[MM_START_STACK] != 0 && start <= about[MM_START_STACK] &&
	    end >= about[MM_START_STACK])
		return "[stack]";
	return about[MM_VDSO] != 0 && start == about[MM_VDSO] ? "[vdso]" : NULL;
}

/* Reads one area; *next is the list's link. FALSE where nothing more can be trusted. */
static gboolean add_area(struct maps *self, uint64_t va, uint64_t *next)
{
	uint64_t values[LAYOUT_FIELDS_MAX];
	struct linux_mapping *one;
	g_autoptr(GError) error = NULL;

	if (self->list->len >= AREAS_MAX || !g_hash_table_add(self->seen, GSIZE_TO_POINTER(va))) {
		machine_add_gap(self->machine, "a memory map runs in a circle after %u areas",
		                self->list->len);
		return FALSE;
	}
	if (!linux_is_kernel_va((struct va) { va }) ||
	    !layout_read(&self->area, self->kernel, (struct va) { va }, values, &error) ||
	    values[AREA_END] <= values[AREA_START]) {
		machine_add_gap(self->machine, "a memory map breaks off after %u areas: %s",
		                self->list->len,
		                error != NULL ? error->message : "a link leads to no area");
		return FALSE;
	}
	one = g_new0(struct linux_mapping, 1);
	one->start.value = values[AREA_START];
	one->end.value = values[AREA_END];
	one->readable = (values[AREA_FLAGS] & VM_READ) != 0;
	one->writable = (values[AREA_FLAGS] & VM_WRITE) != 0;
	one->executable = (values[AREA_FLAGS] & VM_EXEC) != 0;
	one->shared = (values[AREA_FLAGS] & VM_SHARED) != 0;
	one->has_file = values[AREA_FILE] != 0;
	if (one->has_file) {
		one->offset_bytes = values[AREA_OFFSET] * self->page_bytes;
		one->name = file_name(self, values[AREA_FILE]);
	} else {
		one->name = g_strdup(kind_name(self, values[AREA_START], values[AREA_END]));
	}
	g_ptr_array_add(self->list, one);
	*next = values[AREA_NEXT];
	return TRUE;
}

static void walk_node(struct maps *self, uint64_t encoded, uint64_t max, unsigned depth);

/* The slots of one node, up to the one that ends at the node's own end. */
static void walk_slots(struct maps *self, const uint8_t *node, const struct node_shape *shape,
                       gboolean is_leaf, uint64_t max, unsigned depth)
{
	for (unsigned i = 0; i < shape->n_slots; i++) {
		uint64_t pivot = 0, slot, end, unused;

		if (i < shape->n_pivots)
			memcpy(&pivot, node + shape->pivots + (gsize)i * 8, 8);
		memcpy(&slot, node + shape->slots + (gsize)i * 8, 8);
		pivot = GUINT64_FROM_LE(pivot);
		slot = GUINT64_FROM_LE(slot);
		/* The last slot in use has no pivot: it ends where the node does. */
		end = pivot == 0 && i > 0 ? max : pivot;
		if (slot != 0 && is_leaf && !add_area(self, slot, &unused))
			return;
		if (slot != 0 && !is_leaf)
			walk_node(self, slot, end, depth + 1);
		if (end >= max)
			return;
	}
}

static void walk_node(struct maps *self, uint64_t encoded, uint64_t max, unsigned depth)
{
	uint64_t type = encoded >> NODE_TYPE_SHIFT & NODE_TYPE_MASK;
	struct va va = { encoded & ~(uint64_t)(NODE_BYTES - 1) };
	uint8_t node[NODE_BYTES];
	g_autoptr(GError) error = NULL;

	if (depth > DEPTH_MAX || type < NODE_LEAF || type > NODE_ARANGE ||
	    !g_hash_table_add(self->seen, GSIZE_TO_POINTER(va.value))) {
		machine_add_gap(self->machine, "a memory map's tree is damaged after %u areas",
		                self->list->len);
		return;
	}
	if (!space_read(self->kernel, va, node, sizeof(node), NULL, &error)) {
		machine_add_gap(self->machine, "a memory map breaks off after %u areas: %s",
		                self->list->len, error->message);
		return;
	}
	walk_slots(self, node, type == NODE_ARANGE ? &self->arange : &self->range,
	           type == NODE_LEAF, max, depth);
}

static gboolean find_shape(const struct program *program, const char *type, struct node_shape *out)
{
	struct type_place pivots, slots;

	if (!types_member(program->types, type, "pivot", &pivots, NULL) ||
	    !types_member(program->types, type, "slot", &slots, NULL) ||
	    pivots.offset_bytes + pivots.size_bytes > NODE_BYTES ||
	    slots.offset_bytes + slots.size_bytes > NODE_BYTES)
		return FALSE;
	*out = (struct node_shape) {
		.pivots = pivots.offset_bytes,
		.slots = slots.offset_bytes,
		.n_pivots = (unsigned)(pivots.size_bytes / 8),
		.n_slots = (unsigned)(slots.size_bytes / 8),
	};
	return out->n_slots <= SLOTS_MAX;
}

static gboolean maps_init(struct maps *self, struct machine *machine, GError **error)
{
	const struct program *program = &machine->program;

	*self = (struct maps) { .machine = machine, .kernel = machine->kernel };
	if (!layout_init(&self->area, program, "struct vm_area_struct", area_fields, AREA_FIELDS,
	                 error) ||
	    !layout_init(&self->mm, program, "struct mm_struct", mm_fields, MM_FIELDS, error) ||
	    !layout_init(&self->dentry, program, "struct dentry", dentry_fields, 2, error) ||
	    !types_offset(program->types, "struct file", "f_path.dentry", &self->file_dentry,
	                  error))
		return FALSE;
	if (!self->mm.found[MM_FIRST] &&
	    (!self->mm.found[MM_ROOT] ||
	     !find_shape(program, "struct maple_range_64", &self->range) ||
	     !find_shape(program, "struct maple_arange_64", &self->arange))) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
		            "%s knows memory maps neither as a list nor as a maple tree",
		            image_name(program->image));
		return FALSE;
	}
	/* TCR_EL1.TG1: the kernel's pages are as large as the process's. */
	switch (space_config_of(machine->kernel)->stage1.tcr >> 30 & 3) {
	case 1:
		self->page_bytes = 16384;
		break;
	case 3:
		self->page_bytes = 65536;
		break;
	default:
		self->page_bytes = 4096;
		break;
	}
	return TRUE;
}

GPtrArray *linux_task_maps(struct machine *machine, const struct task *task, GError **error)
{
	struct maps maps;
	uint64_t at;

	if (task->mm.value == 0 || machine->os == NULL || machine->kind != MACHINE_KIND_LINUX) {
		g_set_error(error, OS_ERROR, OS_ERROR_UNSUPPORTED,
		            "%s (%" G_GINT64_FORMAT ") has no memory of its own", task->name,
		            task->tid);
		return NULL;
	}
	if (!maps_init(&maps, machine, error) ||
	    !layout_read(&maps.mm, machine->kernel, task->mm, maps.about, error))
		return NULL;
	maps.seen = g_hash_table_new(g_direct_hash, g_direct_equal);
	maps.list = g_ptr_array_new_with_free_func(free_mapping);
	at = maps.mm.found[MM_FIRST] ? maps.about[MM_FIRST] : maps.about[MM_ROOT];
	if (maps.mm.found[MM_FIRST]) {
		while (at != 0 && add_area(&maps, at, &at))
			;
	} else if ((at & 3) == 2) {
		walk_node(&maps, at, ~0ull, 0);
	} else if (at != 0) {
		/* A tree of one entry is that entry. */
		add_area(&maps, at, &at);
	}
	g_hash_table_unref(maps.seen);
	return maps.list;
}

#include "awareness/system.h"

#include "awareness/symbols/symbol-cache.h"

#include <string.h>

struct system {
	struct target *target;
	const struct system_file *file;
	struct pagecache *cache;
	struct symbol_cache *remembered;
	GHashTable *images;  /* path -> struct image */
	GPtrArray *found;    /* of struct image *, read from guests' own memory */
	GPtrArray *machines; /* of struct machine * */
	GHashTable *slides;  /* machine number -> uint64_t of its last kernel */
	struct xen *xen;
};

static void free_image(gpointer data)
{
	image_free(data);
}

static void free_machine(gpointer data)
{
	machine_free(data);
}

struct system *system_new(struct target *target, const struct system_file *file, GError **error)
{
	struct system *self = g_new0(struct system, 1);

	self->target = target;
	self->file = file;
	self->cache = pagecache_new(target);
	self->remembered = symbol_cache_open(NULL);
	self->found = g_ptr_array_new_with_free_func(free_image);
	self->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_image);
	self->machines = g_ptr_array_new_with_free_func(free_machine);
	self->slides = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	if (!system_refresh(self, error)) {
		system_free(self);
		return NULL;
	}
	return self;
}

void system_free(struct system *self)
{
	if (self == NULL)
		return;
	g_ptr_array_unref(self->machines);
	xen_free(self->xen);
	pagecache_free(self->cache);
	g_ptr_array_unref(self->found);
	g_hash_table_unref(self->images);
	g_hash_table_unref(self->slides);
	symbol_cache_close(self->remembered);
	g_free(self);
}

struct target *system_target(struct system *self)
{
	return self->target;
}

struct pagecache *system_cache(struct system *self)
{
	return self->cache;
}

GPtrArray *system_machines(struct system *self)
{
	return self->machines;
}

struct xen *system_xen(struct system *self)
{
	return self->xen;
}

/* Each file is opened once, however many machines run it. */
static struct image *get_image(struct system *self, const char *path, GError **error)
{
	struct image *image = g_hash_table_lookup(self->images, path);

	if (image == NULL) {
		image = image_open(path, self->remembered, error);
		if (image != NULL)
			g_hash_table_insert(self->images, g_strdup(path), image);
	}
	return image;
}

/* The system file's words on a machine. */
static const struct system_machine *told(const struct system *self, const struct machine *machine)
{
	return self->file != NULL ? system_file_machine(self->file, machine->number) : NULL;
}

static void attach_bare(struct machine *machine, struct pagecache *cache, struct image *image)
{
	const struct vcpu *vcpu =
		machine->vcpus->len > 0 ? g_ptr_array_index(machine->vcpus, 0) : NULL;
	struct space_config config = *space_config_of(machine->physical);
	g_autoptr(GError) error = NULL;

	if (vcpu != NULL && vcpu_stage1(vcpu, &config.stage1))
		machine->kernel = space_new(cache, &config);
	if (image == NULL || machine->kernel == NULL)
		return;
	machine->has_program = program_init(&machine->program, image, machine->kernel, 0, &error);
	if (!machine->has_program ||
	    ((machine->kind == MACHINE_KIND_FREERTOS ||
	      (machine->kind == MACHINE_KIND_UNSAID && freertos_is(&machine->program))) &&
	     !freertos_attach(machine, &error)))
		machine_add_gap(machine, "%s", error->message);
}

/* Whether a vCPU has its MMU on and tables for the upper half: what a Linux has and
 * bare metal seldom. */
static gboolean has_two_ranges(const struct machine *machine)
{
	for (guint i = 0; i < machine->vcpus->len; i++) {
		struct vmsa_stage1 stage1;

		if (vcpu_stage1(g_ptr_array_index(machine->vcpus, i), &stage1) && stage1.enabled &&
		    (stage1.tcr >> 23 & 1) == 0 && (stage1.ttbr1 & 0xfffffffff000ull) != 0)
			return TRUE;
	}
	return FALSE;
}

static void recall_slide(struct system *self, struct machine *machine)
{
	const uint64_t *slide =
		g_hash_table_lookup(self->slides, GUINT_TO_POINTER(machine->number));

	machine->has_slide = slide != NULL;
	machine->slide = slide != NULL ? *slide : 0;
}

/* Gives a guest its name, its symbols and its operating system. */
static void attach_guest(struct system *self, struct machine *machine)
{
	const struct system_machine *words = told(self, machine);
	struct image *image = NULL;
	g_autoptr(GError) error = NULL;

	if (words != NULL && words->name != NULL) {
		g_free(machine->name);
		machine->name = g_strdup(words->name);
	}
	if (words != NULL && words->symbols != NULL) {
		image = get_image(self, words->symbols, &error);
		if (image == NULL)
			machine_add_gap(machine, "symbols: %s", error->message);
		g_clear_error(&error);
		if (image == NULL)
			return;
	}
	machine->kind = words != NULL ? words->kind : MACHINE_KIND_UNSAID;
	if (image != NULL &&
	    (machine->kind == MACHINE_KIND_LINUX || machine->kind == MACHINE_KIND_UNSAID)) {
		recall_slide(self, machine);
		if (linux_attach(machine, self->cache, image, &error)) {
			g_hash_table_insert(
				self->slides, GUINT_TO_POINTER(machine->number),
				g_memdup2(&machine->program.slide, sizeof(machine->program.slide)));
			return;
		}
		if (machine->kind == MACHINE_KIND_LINUX || machine->kernel != NULL)
			machine_add_gap(machine, "%s", error->message);
	}
	if (image == NULL && (machine->kind == MACHINE_KIND_LINUX ||
	                      (machine->kind == MACHINE_KIND_UNSAID && has_two_ranges(machine)))) {
		struct image *found;

		if (linux_attach_unknown(machine, self->cache, self->remembered, &found, &error)) {
			g_ptr_array_add(self->found, found);
			return;
		}
		machine_add_gap(machine, "%s", error->message);
	}
	if (machine->kernel == NULL)
		attach_bare(machine, self->cache, image);
}

static gboolean refresh_xen(struct system *self, struct machine *hypervisor, GError **error)
{
	const struct system_machine *words = told(self, hypervisor);
	struct image *image;

	if (words == NULL || words->symbols == NULL) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
		            "no symbols for the hypervisor: name them in the system file "
		            "([machine 0] symbols = xen-syms)");
		return FALSE;
	}
	image = get_image(self, words->symbols, error);
	if (image == NULL)
		return FALSE;
	self->xen = xen_new(hypervisor, self->cache, image, error);
	if (self->xen == NULL)
		return FALSE;
	hypervisor->name = g_strdup(words->name != NULL ? words->name : "xen");
	hypervisor->state = g_strdup("running");
	xen_list_domains(self->xen, hypervisor, self->machines);
	return TRUE;
}

/* A system without a hypervisor, or one that is not to be looked into: the cores
 * are the vCPUs of one machine. */
static void refresh_plain(struct system *self, struct machine *machine)
{
	struct space_config config = { 0 };

	core_el2_space(self->target, 0, &config);
	if (config.features.pa_bits == 0)
		config.features.pa_bits = 48;
	config.stage1 = (struct vmsa_stage1) { .enabled = FALSE };
	machine->physical = space_new(self->cache, &config);
	cores_read(machine, self->target);
	machine->name = g_strdup("system");
	machine->state = g_strdup("running");
	attach_guest(self, machine);
}

static gboolean wants_xen(const struct system *self)
{
	const struct system_machine *words =
		self->file != NULL ? system_file_machine(self->file, 0) : NULL;

	return words != NULL && (words->kind == MACHINE_KIND_XEN ||
	                         (words->kind == MACHINE_KIND_UNSAID && words->symbols != NULL));
}

gboolean system_refresh(struct system *self, GError **error)
{
	struct machine *first;

	g_ptr_array_set_size(self->machines, 0);
	g_ptr_array_set_size(self->found, 0);
	g_clear_pointer(&self->xen, xen_free);
	if (!wants_xen(self)) {
		first = machine_new(1, MACHINE_KIND_UNSAID);
		g_ptr_array_add(self->machines, first);
		refresh_plain(self, first);
		return TRUE;
	}
	first = machine_new(0, MACHINE_KIND_XEN);
	g_ptr_array_add(self->machines, first);
	if (!refresh_xen(self, first, error)) {
		g_ptr_array_set_size(self->machines, 0);
		return FALSE;
	}
	for (guint i = 1; i < self->machines->len; i++)
		attach_guest(self, g_ptr_array_index(self->machines, i));
	return TRUE;
}

static gboolean matches(const struct machine *machine, const char *name)
{
	uint64_t number;

	if (g_ascii_strcasecmp(machine->name, name) == 0)
		return TRUE;
	if (g_str_has_prefix(name, "vmid:"))
		return address_parse_number(name + 5, &number) && machine->vmid == number &&
		       machine->number != 0;
	if (g_str_has_prefix(name, "dom:"))
		return address_parse_number(name + 4, &number) && machine->domain_id >= 0 &&
		       (uint64_t)machine->domain_id == number;
	return address_parse_number(name, &number) && machine->number == number;
}

struct machine *system_find_machine(struct system *self, const char *name, GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (guint i = 0; i < self->machines->len; i++) {
		struct machine *machine = g_ptr_array_index(self->machines, i);

		if (matches(machine, name))
			return machine;
		g_string_append_printf(known, "%s%u (%s)", i > 0 ? ", " : "", machine->number,
		                       machine->name);
	}
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND, "there is no machine '%s'; there are %s",
	            name, known->str);
	return NULL;
}

static void free_task(gpointer data)
{
	task_free(data);
}

GPtrArray *system_tasks(struct system *self, struct machine *machine)
{
	(void)self;
	if (machine->tasks == NULL) {
		machine->tasks = g_ptr_array_new_with_free_func(free_task);
		if (machine->os != NULL)
			machine->os->list_tasks(machine->os, machine, machine->tasks);
	}
	return machine->tasks;
}

struct task *system_current_task(struct system *self, struct machine *machine,
                                 const struct vcpu *vcpu)
{
	GPtrArray *tasks;
	struct va va = { 0 };

	if (machine->os == NULL || machine->os->current == NULL)
		return NULL;
	machine->os->current(machine->os, machine, vcpu, &va, NULL);
	tasks = system_tasks(self, machine);
	for (guint i = 0; i < tasks->len; i++) {
		struct task *task = g_ptr_array_index(tasks, i);

		if (va.value != 0 ? task->va.value == va.value
		                  : task->on_cpu && task->vcpu == (int)vcpu->id)
			return task;
	}
	return NULL;
}

struct task *system_find_task(struct system *self, struct machine *machine, const char *name,
                              GError **error)
{
	GPtrArray *tasks = system_tasks(self, machine);
	struct task *found = NULL;
	g_autoptr(GString) several = g_string_new(NULL);
	unsigned n = 0;
	uint64_t number;

	for (guint i = 0; i < tasks->len; i++) {
		struct task *task = g_ptr_array_index(tasks, i);

		if (address_parse_number(name, &number) && (uint64_t)task->tid == number)
			return task;
		if (g_strcmp0(task->name, name) != 0)
			continue;
		found = n == 0 ? task : found;
		g_string_append_printf(several, "%s%" G_GINT64_FORMAT, n++ > 0 ? ", " : "",
		                       task->tid);
	}
	if (n == 1)
		return found;
	if (n == 0)
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "%s has no task '%s' among %u; 'tasks' lists them", machine->name, name,
		            tasks->len);
	else
		g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
		            "'%s' is the name of several tasks of %s: give one of the numbers %s",
		            name, machine->name, several->str);
	return NULL;
}

/* "symbol", "symbol+0x10" or a number. */
static gboolean resolve(struct machine *machine, const char *text, struct va *out, GError **error)
{
	const char *plus = strpbrk(text, "+-");
	g_autofree char *name =
		plus != NULL ? g_strndup(text, (gsize)(plus - text)) : g_strdup(text);
	uint64_t offset = 0;
	struct va va;

	if (plus != NULL && !address_parse_number(plus + 1, &offset)) {
		g_set_error(error, ADDRESS_ERROR, ADDRESS_ERROR_SYNTAX,
		            "cannot read the address '%s': '%s' is no number", text, plus + 1);
		return FALSE;
	}
	if (address_parse_number(name, &va.value)) {
		va.value += plus != NULL && *plus == '-' ? 0 - offset : offset;
		*out = va;
		return TRUE;
	}
	if (machine == NULL || !machine->has_program) {
		g_set_error(error, OS_ERROR, OS_ERROR_SYMBOLS,
		            "cannot resolve '%s': %s has no symbols; name them in the system file",
		            name,
		            machine != NULL ? machine->name
		                            : "no machine was named, and physical memory");
		return FALSE;
	}
	if (!program_address(&machine->program, name, &va, error))
		return FALSE;
	va.value += plus != NULL && *plus == '-' ? 0 - offset : offset;
	*out = va;
	return TRUE;
}

static gboolean choose_space(struct system *self, const struct address_text *text,
                             struct place *place, GError **error)
{
	struct machine *machine = place->machine;

	if (place->kind == ADDRESS_KIND_PA)
		place->space = ((struct machine *)g_ptr_array_index(self->machines, 0))->physical;
	else if (place->kind == ADDRESS_KIND_IPA)
		place->space = machine->physical;
	else if (text->space == NULL)
		place->space = machine->kernel;
	else {
		place->task = system_find_task(self, machine, text->space, error);
		if (place->task == NULL)
			return FALSE;
		place->space = linux_process_space(machine, place->task, error);
		place->owns_space = TRUE;
		return place->space != NULL;
	}
	if (place->space != NULL)
		return TRUE;
	g_set_error(error, OS_ERROR, OS_ERROR_NOT_FOUND,
	            "the translation of %s is not known: none of its vCPUs has its registers",
	            machine->name);
	return FALSE;
}

gboolean system_find_place(struct system *self, const char *text, struct machine *fallback,
                           struct place *out, GError **error)
{
	struct address_text parts;
	struct place place = { 0 };
	gboolean done;

	if (!address_text_init(&parts, text, error))
		return FALSE;
	place.kind = parts.kind;
	place.machine = fallback;
	if (parts.machine != NULL)
		place.machine = system_find_machine(self, parts.machine, error);
	else if (fallback == NULL)
		place.machine = g_ptr_array_index(self->machines, 0);
	done = place.machine != NULL && choose_space(self, &parts, &place, error) &&
	       resolve(parts.kind == ADDRESS_KIND_VA ? place.machine : NULL, parts.place, &place.va,
	               error);
	address_text_deinit(&parts);
	if (done)
		*out = place;
	else
		place_deinit(&place);
	return done;
}

void place_deinit(struct place *self)
{
	if (self->owns_space)
		space_free(self->space);
	self->space = NULL;
}

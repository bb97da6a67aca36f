/* hypervisor-image.h: what the code was, and what its functions are called
 *
 * The words of code that a capture holds (its cores' memory dumps, by exception level and
 * VMID) and those of the hypervisor's ELF file, and the names in that file's symbol table.
 * A dump goes before the file: a hypervisor patches itself when it boots. A word of 0 in a
 * dump is one that was not captured. Reads code only, runs nothing, and knows no trace.
 *
 * Immutable once made, so threads may share it. Owns all that it hands out.
 */
#pragma once

#include "base/system-file.h"
#include "capture/snapshot.h"

/* What a function of the hypervisor means to those who look at its visits. */
enum function_role {
	ROLE_NONE = 0,
	ROLE_HANDLER,   /* it says what an exit was for: a hypercall, a device's registers */
	ROLE_INTERRUPT, /* likewise, of an interrupt */
	ROLE_WAKE,      /* a vCPU is made runnable */
	ROLE_NOTIFY,    /* an event is sent to a guest */
	ROLE_INJECT,    /* a virtual interrupt is made pending */
	ROLE_SWITCH     /* one vCPU is exchanged for another */
};

struct hypervisor_function {
	guint64 address_va;
	const char *name; /* without what a compiler appends to parts of a function */
	gboolean is_part; /* of the function of that name, which may have run up to it */
	enum function_role role;
};

struct hypervisor_image;

/* Without a hypervisor file in `system` (NULL: none) there are no functions, and what the
 * dumps hold is all. Errors: a file that is named and cannot be read as AArch64 ELF. */
struct hypervisor_image *hypervisor_image_new(const struct snapshot *snapshot,
                                              const struct system_file *system, GError **error);
void hypervisor_image_free(struct hypervisor_image *self);
typedef struct hypervisor_image HypervisorImage; /* for g_autoptr(HypervisorImage) */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HypervisorImage, hypervisor_image_free)

/* Whether the hypervisor's own code and functions are known. */
gboolean hypervisor_image_has_functions(const struct hypervisor_image *self);
guint hypervisor_image_n_functions(const struct hypervisor_image *self);
const struct hypervisor_function *hypervisor_image_function(const struct hypervisor_image *self,
                                                            guint i);

/* The index of the function that begins at that address. FALSE where none does. */
gboolean hypervisor_image_entry(const struct hypervisor_image *self, guint64 address_va, guint *i);

/* The hypervisor's word at that address. FALSE where it is not known. */
gboolean hypervisor_image_word(const struct hypervisor_image *self, guint64 address_va,
                               guint32 *word);

/* The word of a guest's kernel (EL1), from a dump. */
gboolean hypervisor_image_guest_word(const struct hypervisor_image *self, gint64 vmid,
                                     guint64 address_va, guint32 *word);

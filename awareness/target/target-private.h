/* target-private.h: what a kind of target implements
 *
 * For the files of awareness/target only. Each kind embeds `struct target` as its
 * first member, fills in what never changes and hands itself out; the checks that
 * all kinds share (bounds of the core's number, capabilities, cost, read-back of
 * registers, epochs) are target.c's and not repeated here.
 */
#pragma once

#include "awareness/target/target.h"

/* Members may be NULL where the capability is not claimed; read, register_get
 * and free never. */
struct target_ops {
	/* As target_read(); every piece is at least one byte and wraps nowhere. */
	gboolean (*read)(struct target *self, struct target_transfer *transfers, size_t n_transfers,
	                 GError **error);
	/* `transfers` are const but for `ok`. */
	gboolean (*write)(struct target *self, struct target_transfer *transfers,
	                  size_t n_transfers, GError **error);
	/* `name` is one of `register_names`. */
	gboolean (*register_get)(struct target *self, unsigned cpu, const char *name,
	                         struct target_register *out, GError **error);
	gboolean (*register_set)(struct target *self, unsigned cpu, const char *name,
	                         const struct target_register *value, GError **error);
	gboolean (*halt)(struct target *self, GError **error);
	gboolean (*resume)(struct target *self, GError **error);
	gboolean (*step)(struct target *self, unsigned cpu, GError **error);
	gboolean (*wait)(struct target *self, unsigned timeout_ms, struct target_stop *out,
	                 GError **error);
	gboolean (*break_change)(struct target *self, const struct target_break *what, gboolean set,
	                         GError **error);
	void (*free)(struct target *self);
};

struct target {
	const struct target_ops *ops;
	char *description;
	unsigned capabilities;
	unsigned n_cpus;
	unsigned line_bytes;
	GArray *regions;            /* of struct target_region; sorted by target_base_seal() */
	GPtrArray *register_names;  /* of char *, NULL-terminated by target_base_seal() */
	GHashTable *register_index; /* name in lower case -> the target's own name */
	uint64_t epoch;
	gboolean running;
	struct target_cost cost;
};

void target_base_init(struct target *self, const struct target_ops *ops, const char *description);
void target_base_deinit(struct target *self);

/* Call once registers and regions are filled in: sorts the regions, joins those
 * that touch, and makes the index of names. */
void target_base_seal(struct target *self);

/* The kinds; `where` is what follows the kind in the description. */
struct target *target_ram_open(const char *where, GError **error);
struct target *target_core_open(const char *where, GError **error);
struct target *target_gdb_open(const char *where, GError **error);
struct target *target_openocd_open(const char *where, GError **error);

struct gdb_link;

/* On a link of the caller's (tests); takes it, also on failure. */
struct target *target_gdb_new(struct gdb_link *link, const char *description, GError **error);

/* requests.h: what a frontend asked of its backend, and when each step of it was
 *
 * Makes one row of each request between two machines that the system file calls frontend and
 * backend. Requests are told by software markers (docs/instrument/README.md), by hypercalls
 * and the tasks that ran, or by both; hvscope.sql says what t0 to t8 are. It is pure: it takes
 * what decoding gathered, and writes nothing. What is inferred is never called exact.
 *
 * First everything is added, core by core and marker by marker; then request_list_find() makes
 * the rows. Owns its rows; `system` must outlive it.
 */
#pragma once

#include "base/system-file.h"
#include "decode/schedule.h"

struct request_list {
	const struct system_file *system; /* NULL: none, and no requests */
	gint64 origin_ns;                 /* the window's start, as the spans count time */
	GHashTable *vmids;                /* of frontends and backends; VMID as pointer */
	GArray *slices;                   /* struct request_slice */
	GArray *upcalls;                  /* struct request_upcall */
	GArray *markers;                  /* struct request_marker */
	GArray *lost;                     /* struct request_lost */
	GArray *rows;                     /* struct row_request, by their first time */
	GPtrArray *unknown_tasks;         /* char *, of `system`: backend_tasks that no task is */
};

void request_list_init(struct request_list *self, const struct system_file *system,
                       gint64 origin_ns);
void request_list_deinit(struct request_list *self);

/* What ran on one core: `lane` is its spans (lane.h) of `source`. */
void request_list_add_core(struct request_list *self, guint core,
                           const struct decode_source *source, const GArray *lane);

/* A software message at `time_ns` (since the window's start). Those that are no markers of a
 * frontend or a backend are left out. */
void request_list_add_message(struct request_list *self, const struct stm_message *message,
                              gint64 time_ns);

/* Fills `rows`, once. */
void request_list_find(struct request_list *self, const struct schedule *schedule,
                       gint64 window_ns);

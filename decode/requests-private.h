/* requests-private.h: what the halves of the request finder share
 *
 * requests.c gathers and puts pairs together; requests-markers.c makes requests of software
 * markers; requests-calls.c finds the hypercalls that notify, requests-trace.c the requests in
 * them, or what markers do not say; requests-complete.c adds what the schedule shows. For these
 * only.
 */
#pragma once

#include "decode/requests.h"

/* A task of a frontend or backend on a core, exits excluded. Times since the window's start. */
struct request_slice {
	guint core;
	gint64 vmid, context_id;
	gint64 begin_ns, end_ns;
	guint vcpu; /* by request_list_find(); VCPU_NONE where it is not known */
};

/* A guest took an interrupt of its own. */
struct request_upcall {
	guint core;
	gint64 vmid;
	gint64 time_ns;
};

/* What a software marker says of a request. */
enum request_mark {
	MARK_BEGIN, /* a side begins with it */
	MARK_END,
	MARK_SUBMIT, /* steps, by name */
	MARK_RECEIVE,
	MARK_RESPOND,
	MARK_COMPLETE
};

struct request_marker {
	gint64 time_ns;
	guint32 channel, number;
	enum request_mark mark;
	guint order; /* in the trace */
};

struct request_lost {
	gint64 begin_ns, end_ns;
};

/* A hypercall that may notify. */
struct request_call {
	gint64 begin_ns, end_ns; /* of the visit to the hypervisor */
	gint64 wake_ns;          /* in it: the other side made runnable, or its interrupt pending;
	                          * OWNER_NO_VALUE where the hypervisor's functions are not known */
	guint vcpu;
};

enum {
	VCPU_NONE = G_MAXUINT
};

/* One frontend with its backend, while its requests are found. */
struct request_pair {
	const struct request_list *list;
	const struct schedule *schedule;
	const struct system_machine *frontend, *backend;
	GArray *tasks;              /* guint32: context IDs that serve; empty: any may */
	gboolean backend_is_shared; /* other frontends have it too */
	gint64 window_ns;
	const guint *first_run;  /* index of each vCPU's first run, and one more at the end */
	GArray *notifies;        /* struct request_call of the frontend, in order of time */
	GArray *answers;         /* struct request_call of the backend, in order of time */
	GArray *rows;            /* struct row_request; t_ns[n] of what is not known is
	                          * OWNER_NO_VALUE */
	gboolean frontend_marks; /* it wrote markers of requests */
};

/* A request of the pair of which nothing is known yet. */
struct row_request request_pair_row(const struct request_pair *pair);

/* Requests of the pair's markers, in the order of their first ones. */
void request_pair_add_marked(struct request_pair *pair);

/* One request for each notify of the frontend. */
void request_pair_add_notifies(struct request_pair *pair);

/* When the backend took and answered those requests that have a t0 and neither t4 nor t5. */
void request_pair_infer_service(struct request_pair *pair);

/* Whether `context_id` is a task of the backend that serves this frontend. */
gboolean request_pair_serves(const struct request_pair *pair, gint64 context_id);

/* Hypercalls of `machine` that notify, in order of time: GArray of struct request_call, to be
 * unreffed. `serving`: only those made while a task ran that serves this frontend. */
GArray *request_pair_calls(const struct request_pair *pair, const struct system_machine *machine,
                           gboolean serving);

/* All that markers and calls alone did not tell of one request. `notify` becomes the index of the
 * notify that carried it, G_MAXUINT where none is known. */
void request_pair_complete(const struct request_pair *pair, struct row_request *row);

/* The first slice of `core` that ends after `time_ns`; NULL where there is none. */
const struct request_slice *request_slice_from(const struct request_list *self, guint core,
                                               gint64 time_ns);

/* The first of its times that was seen. */
gint64 request_row_first(const struct row_request *row);

/* Index of the first call of `calls` that begins at or after `time_ns`; their number where
 * there is none. */
guint request_call_after(const GArray *calls, gint64 time_ns);

/* schedule.h: vCPUs, exits and requests, and the figures made of them
 *
 * Loads what the decoder stored of a recording's vCPUs (hvscope.sql: vcpu_run, exit,
 * request), limited to a domain, a vCPU and a range of time, and makes the tables that
 * reports, the HTML report and the comparison show. Metrics are defined in
 * docs/internals/analysis.md. Prints nothing; owns its rows.
 *
 * Runs and visits that reach over an end of the range count in whole; those that touch lost
 * trace are left out of every spread and counted as censored.
 */
#pragma once

#include "analysis/figures.h"
#include "analysis/names.h"

struct schedule_filter {
	const char *domain; /* its name; NULL: all */
	gint vcpu;          /* number in its domain; OWNER_NO_VALUE: all */
	gint64 from_ns, to_ns;
	gint64 threshold_ns; /* a wait or request above it is a spike; 0: none is */
};

struct schedule_rows {
	recording_reader *reader;
	struct names names;
	struct schedule_filter filter;
	const struct row_vcpu *vcpus;
	gsize n_vcpus;
	GPtrArray *domains; /* char *, each vCPU's domain's name */
	gboolean *chosen;   /* each vCPU: the filter takes it */
	GArray *runs;       /* struct row_vcpu_run, by vCPU and start */
	GArray *exits;      /* struct row_exit, by core and start */
	GArray *requests;   /* struct row_request */
	gint64 range_ns;    /* length of the range */
	gsize n_cores;
};

/* FALSE where the recording cannot be read, or has no such domain. `reader` must outlive
 * the rows. */
gboolean schedule_rows_init(struct schedule_rows *self, recording_reader *reader,
                            const struct schedule_filter *filter, GError **error);
void schedule_rows_deinit(struct schedule_rows *self);

/* "web/1"; "web/?" where which vCPU it was is not known. Free the result. */
char *schedule_vcpu_name(const struct schedule_rows *self, guint vcpu);

/* One row a vCPU: run states, executions, migrations, waits. */
struct figures *schedule_figures(const struct schedule_rows *self);

/* P[v][u]: time that v was runnable while u ran; the largest first. */
struct figures *schedule_preemption(const struct schedule_rows *self);

/* One row a vCPU, reason and end, in the order of `perf kvm stat`: those that came straight
 * back first, exits that gave the core away kept apart. */
struct figures *exits_figures(const struct schedule_rows *self);

/* What the hypervisor took: one row a vCPU; one row a core. */
struct figures *overhead_by_vcpu(const struct schedule_rows *self);
struct figures *overhead_by_core(const struct schedule_rows *self);

/* One row a vCPU and kind of latency. */
struct figures *latency_figures(const struct schedule_rows *self);

/* One row a frontend, backend and stage, then its waits for a processor and the total; one row
 * a frontend and backend; one row a request. */
struct figures *backend_stages(const struct schedule_rows *self);
struct figures *backend_pairs(const struct schedule_rows *self);
struct figures *backend_requests(const struct schedule_rows *self);

/* What lies between two of a request's times that were seen, with none seen between them. */
struct request_stage {
	guint from, to; /* t<from>, t<to> */
	gint64 time_ns;
	gboolean exact; /* both ends are */
};

/* The stages of a request, in order; they sum to what was seen of it. Returns how many;
 * `stages` has room for REQUEST_STAGES. */
guint request_stages(const struct row_request *request, struct request_stage *stages);

/* "service"; "notify+backend-scheduling" where what lies between them was not seen. Free the
 * result. */
char *request_stage_name(guint from, guint to);

/* The first of its times that was seen. */
gint64 request_start(const struct row_request *request);

/* t8 - t0. FALSE where one of them was not seen. */
gboolean request_total(const struct row_request *request, gint64 *total_ns);

/* How long vCPUs and the backend's task waited for a processor: (t2-t1)+(t4-t3)+(t7-t6), each
 * from the time before it where t1, t3 or t6 was not seen. FALSE where more is missing. */
gboolean request_scheduling(const struct row_request *request, gint64 *scheduling_ns);

/* report.h: what a report is
 *
 * `hvscope report NAME` is one file, report-NAME.c, in the manner of verb.h;
 * verb-report.c owns the table. What several reports print is here.
 */
#pragma once

#include "analysis/account.h"
#include "cli/format.h"
#include "cli/verb.h"

extern const struct verb report_time;
extern const struct verb report_quality;
extern const struct verb report_sched;
extern const struct verb report_exits;
extern const struct verb report_overhead;
extern const struct verb report_latency;
extern const struct verb report_backend;
extern const struct verb report_all;
extern const struct verb report_html;

/* The one recording that a report takes: opens argv[1]. NULL with *code set, and
 * said why, where it is missing, not alone, or cannot be opened. */
recording_reader *report_open(const char *report, int argc, char **argv, int *code);

/* What a recording's times are. A capture without timestamps and cycle counts is
 * measured in bytes of trace, one without timestamps and core clock in cycles; both
 * are stored as nanoseconds and must not be shown as such. */
struct report_time {
	const char *title; /* of a column: "Time", "Trace", "Cycles" */
	const char *unit;  /* "bytes", "cycles"; NULL for real time */
};

struct report_time report_time_of(const recording_reader *reader);

/* The unit of a column whose largest value is `largest_ns`. */
struct time_unit report_unit(const recording_reader *reader, gint64 largest_ns);

/* One value with its unit. Free the result. */
char *report_duration(const recording_reader *reader, gint64 time_ns);

/* "REC: 1,000.000 ms of 2 cores, Xen", and what has to be known of its times. */
void report_print_head(const recording_reader *reader, const struct account *account);

/* The last line of every report: how much of the time it speaks of. */
void report_print_coverage(const recording_reader *reader, const struct account *account);

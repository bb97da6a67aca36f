/* report.h: what a report is
 *
 * `hvscope report NAME` is one file, report-NAME.c, in the manner of verb.h;
 * verb-report.c owns the table. What several reports print is here.
 */
#pragma once

#include "analysis/account.h"
#include "cli/verb.h"

extern const struct verb report_time;
extern const struct verb report_quality;

/* The one recording that a report takes: opens argv[1]. NULL with *code set, and
 * said why, where it is missing, not alone, or cannot be opened. */
recording_reader *report_open(const char *report, int argc, char **argv, int *code);

/* "REC: 1,000.000 ms of 2 cores, Xen", and what has to be known of its times. */
void report_print_head(const recording_reader *reader, const struct account *account);

/* The last line of every report: how much of the time it speaks of. */
void report_print_coverage(const struct account *account);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze-plugin.c: stops the machine after a number of instructions
 *
 * A plugin for QEMU that pauses all vCPUs soon after so many instructions of all of
 * them, such that with -icount two runs stop at the same instruction of every vCPU. QEMU's own ways
 * to stop (monitor, breakpoint) ask the main loop, and other vCPUs run on for a host-dependent
 * while until it answers; here the vCPU thread waits for the main loop instead, so that none of
 * them runs.
 *
 * Arguments: at_insns=N, done=FILE (written once the machine stands still: the
 * instructions and the virtual time in ns).
 * It instruments nothing, so it costs nothing. It uses functions of QEMU that
 * are exported but no plugin API (timers, the big lock): tested with 10.0.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* include/qemu/timer.h of QEMU 10.0. */
enum {
	CLOCK_VIRTUAL = 1,
	SCALE_NS = 1,
	TIMER_BYTES = 512
};
/* qapi/run-state.json: the index of "paused". */
enum {
	RUN_STATE_PAUSED = 4
};

struct timer_list_group;
extern void timer_init_full(void *timer, struct timer_list_group *group, int type, int scale,
                            int attributes, void (*callback)(void *), void *opaque);
extern void timer_mod_ns(void *timer, int64_t expire_ns);
extern int64_t qemu_clock_get_ns(int type);
extern int64_t icount_get_raw(void);
extern int64_t icount_to_ns(int64_t insns);
extern void qemu_system_vmstop_request_prepare(void);
extern void qemu_system_vmstop_request(int state);
extern bool runstate_is_running(void);
struct qemu_cpu;
extern struct qemu_cpu *qemu_get_cpu(int index);
/* The last argument is a union of the size of a pointer. */
extern void async_run_on_cpu(struct qemu_cpu *cpu, void (*work)(struct qemu_cpu *, void *),
                             void *data);
extern void bql_lock_impl(const char *file, int line);
extern void bql_unlock(void);

static _Alignas(16) char timer[TIMER_BYTES];
static char *done_path;
static int64_t at_insns = -1;

/* An idle machine's clock runs ahead of its instructions; how close is close enough. */
enum {
	STEP_NS = 20000
};

/* Runs in the vCPU thread, before any vCPU gets its next turn, with the big lock
 * held. The main loop takes the lock, leaves the state "running", marks every vCPU
 * as stopped and waits on a condition, which is when the lock can be had again. */
static void wait_for_stop(struct qemu_cpu *cpu, void *data)
{
	(void)cpu;
	(void)data;
	while (runstate_is_running()) {
		bql_unlock();
		usleep(100);
		bql_lock_impl(__FILE__, __LINE__);
	}
	if (!done_path)
		return;
	/* Whoever waits for the file reads it as soon as it is there. */
	char *temporary = g_strconcat(done_path, ".new", NULL);
	FILE *file = fopen(temporary, "w");
	if (file) {
		fprintf(file, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", icount_get_raw(),
		        qemu_clock_get_ns(CLOCK_VIRTUAL));
		fclose(file);
		rename(temporary, done_path);
	}
	g_clear_pointer(&done_path, g_free);
	g_free(temporary);
}

/* A timer cannot wait: stopping the clock waits for its timers. So it leaves work
 * for every vCPU, and one that has work gets no turn. */
static void freeze(void *data)
{
	(void)data;
	int64_t left = at_insns - icount_get_raw();
	if (left > 0) {
		timer_mod_ns(timer,
		             qemu_clock_get_ns(CLOCK_VIRTUAL) + MAX(icount_to_ns(left), STEP_NS));
		return;
	}
	qemu_system_vmstop_request_prepare();
	qemu_system_vmstop_request(RUN_STATE_PAUSED);
	struct qemu_cpu *cpu;
	for (int i = 0; (cpu = qemu_get_cpu(i)) != NULL; i++)
		async_run_on_cpu(cpu, wait_for_stop, NULL);
}

static void on_vcpu_init(qemu_plugin_id_t id, unsigned int vcpu)
{
	(void)id;
	/* The clocks exist only now; at install time it would be too early. */
	if (vcpu == 0 && at_insns >= 0) {
		timer_init_full(timer, NULL, CLOCK_VIRTUAL, SCALE_NS, 0, freeze, NULL);
		timer_mod_ns(timer, icount_to_ns(at_insns));
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (g_str_has_prefix(argv[i], "at_insns=")) {
			at_insns = g_ascii_strtoll(argv[i] + strlen("at_insns="), NULL, 10);
		} else if (g_str_has_prefix(argv[i], "done=")) {
			done_path = g_strdup(argv[i] + strlen("done="));
		} else {
			fprintf(stderr, "freeze: no option '%s' (at_insns=N, done=FILE)\n",
			        argv[i]);
			return -1;
		}
	}
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu_init);
	return 0;
}

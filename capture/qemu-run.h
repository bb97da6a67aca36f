/* qemu-run.h: one capture from QEMU, with the virtual ETM in it
 *
 * Says in trace-unit registers what is to be traced, builds QEMU's command line with
 * the plugin (capture/virtual-etm/) on it, runs it in the foreground and looks
 * whether a capture came out. It knows the plugin's options and nothing of its inside:
 * the two meet in the command line and in the capture directory.
 */
#pragma once

#include "capture/coresight/etm4.h"

#include <gio/gio.h>

#define QEMU_RUN_ERROR (qemu_run_error_quark())
GQuark qemu_run_error_quark(void);

enum qemu_run_error {
	QEMU_RUN_ERROR_START,  /* QEMU could not be started */
	QEMU_RUN_ERROR_FAILED, /* it ended with an error, or without a capture */
	QEMU_RUN_ERROR_CONFIG, /* asks for what the trace unit has not */
};

enum qemu_edge_kind {
	QEMU_EDGE_NONE,         /* start: power-on; stop: the end of QEMU */
	QEMU_EDGE_INSTRUCTIONS, /* of all cores together */
	QEMU_EDGE_TIME_NS,      /* of the machine's clock */
	QEMU_EDGE_ADDRESS_VA,
};

/* Where the window begins or ends. */
struct qemu_edge {
	enum qemu_edge_kind kind;
	guint64 value;
	gint el;           /* ADDRESS_VA: only at this exception level; -1: at any */
	gboolean relative; /* INSTRUCTIONS, TIME_NS: counted from the window's start */
};

struct qemu_run_config {
	const char *program;          /* "qemu-system-aarch64", or a path */
	const char *plugin;           /* path of hvscope-virtual-etm.so */
	const char *const *arguments; /* the user's own for QEMU, NULL-terminated */
	const char *out_dir;
	guint icount_shift;     /* an instruction takes 1 << n ns */
	gboolean give_icount;   /* FALSE: the user's arguments have -icount */
	struct etm4_config etm; /* stall is ignored */
	struct qemu_edge start, stop;
	guint64 max_bytes;         /* of trace; 0: no limit */
	guint64 stm_pa, stm_bytes; /* the stimulus window; 0 bytes: none */
	/* QEMU stays, with the machine running, when the window has ended, until at_end()
	 * returns. NULL: it ends with the window. */
	void (*at_end)(gpointer data);
	gpointer at_end_data;
	const char *gdb_socket; /* its gdb server listens at this path; NULL: none */
};

/* The value of QEMU's -plugin option. NULL and an error where four address range
 * comparators are not enough. */
char *qemu_run_plugin_option(const struct qemu_run_config *config, GError **error);

/* The whole command line; free with g_strfreev. */
char **qemu_run_command(const struct qemu_run_config *config, GError **error);

/* Runs it to its end with this process's stdin, stdout and stderr. Returns TRUE where the
 * capture is there. */
gboolean qemu_run(const struct qemu_run_config *config, GError **error);

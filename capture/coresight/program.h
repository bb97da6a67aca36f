/* program.h: register accesses as a list
 *
 * What a driver wants done to a component, in order, before anything is done: the
 * same list is printed by --dry-run, compared with the documented sequences in
 * tests, and run against a target (access.h). It knows no link; components are
 * indices into a board.
 */
#pragma once

#include "capture/board.h"

enum program_op_kind {
	PROGRAM_WRITE,
	PROGRAM_MODIFY,    /* value = (old & ~mask) | value */
	PROGRAM_WAIT,      /* until (register & mask) == value */
	PROGRAM_UNLOCK,    /* the CoreSight software lock: LAR */
	PROGRAM_OS_UNLOCK, /* an ETMv4's OS lock: TRCOSLAR = 0 */
};

struct program_op {
	enum program_op_kind kind;
	guint component;
	guint16 reg;
	const char *name; /* of the register, static */
	guint32 mask;
	guint32 value;
	gboolean transient; /* a command or data: there is nothing to restore */
	const char *hint;   /* WAIT: what to do when it never comes; static */
};

struct program {
	GArray *ops; /* struct program_op */
};

void program_init(struct program *self);
void program_deinit(struct program *self);

void program_write(struct program *self, guint component, guint16 reg, const char *name,
                   guint32 value);
/* As program_write, for registers that are commands. */
void program_command(struct program *self, guint component, guint16 reg, const char *name,
                     guint32 value);
void program_modify(struct program *self, guint component, guint16 reg, const char *name,
                    guint32 mask, guint32 value);
void program_wait(struct program *self, guint component, guint16 reg, const char *name,
                  guint32 mask, guint32 value, const char *hint);
void program_unlock(struct program *self, guint component);
void program_os_unlock(struct program *self, guint component);

/* One line an access: "etm0.TRCPRGCTLR 004 = 00000000", "etf2.STS 00C wait 00000004 ==
 * 00000004", "etr.AXICTL 110 = old & FFFFF040 | 00000F3E". Free with g_free. */
char *program_text(const struct program *self, const struct board *board);

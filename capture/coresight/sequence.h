/* sequence.h: register accesses as a list
 *
 * What a driver wants done to a component, in order, before anything is done: the
 * same list is printed by --dry-run, compared with the documented sequences in
 * tests, and run against a target (access.h). It knows no link; components are
 * indices into a board.
 */
#pragma once

#include "capture/board.h"

enum sequence_op_kind {
	SEQUENCE_WRITE,
	SEQUENCE_MODIFY,    /* value = (old & ~mask) | value */
	SEQUENCE_WAIT,      /* until (register & mask) == value */
	SEQUENCE_UNLOCK,    /* the CoreSight software lock: LAR */
	SEQUENCE_OS_UNLOCK, /* an ETMv4's OS lock: TRCOSLAR = 0 */
};

struct sequence_op {
	enum sequence_op_kind kind;
	guint component;
	guint16 reg;
	const char *name; /* of the register, static */
	guint32 mask;
	guint32 value;
	gboolean transient; /* a command or data: there is nothing to restore */
	const char *hint;   /* WAIT: what to do when it never comes; static */
};

struct sequence {
	GArray *ops; /* struct sequence_op */
};

void sequence_init(struct sequence *self);
void sequence_deinit(struct sequence *self);

void sequence_write(struct sequence *self, guint component, guint16 reg, const char *name,
                    guint32 value);
/* As sequence_write, for registers that are commands. */
void sequence_command(struct sequence *self, guint component, guint16 reg, const char *name,
                      guint32 value);
void sequence_modify(struct sequence *self, guint component, guint16 reg, const char *name,
                     guint32 mask, guint32 value);
void sequence_wait(struct sequence *self, guint component, guint16 reg, const char *name,
                   guint32 mask, guint32 value, const char *hint);
void sequence_unlock(struct sequence *self, guint component);
void sequence_os_unlock(struct sequence *self, guint component);

/* One line an access: "etm0.TRCPRGCTLR 004 = 00000000", "etf2.STS 00C wait 00000004 ==
 * 00000004", "etr.AXICTL 110 = old & FFFFF040 | 00000F3E". Free with g_free. */
char *sequence_text(const struct sequence *self, const struct board *board);

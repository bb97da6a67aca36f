/* access.h: a board's component registers through a link, with a way back
 *
 * Reads and writes registers by component, runs programs, and remembers the first
 * value of every register that it changes, so that access_restore can put all of
 * them back in reverse order. It keeps a log of every write in sequence_text's form.
 *
 * Borrows the link and the board. One thread.
 */
#pragma once

#include "capture/board.h"
#include "capture/coresight/sequence.h"
#include "capture/link.h"

#include <gio/gio.h>

#define CORESIGHT_ERROR (coresight_error_quark())
GQuark coresight_error_quark(void);

enum coresight_error {
	CORESIGHT_ERROR_ACCESS,   /* a register could not be read or written */
	CORESIGHT_ERROR_TIMEOUT,  /* a status never came */
	CORESIGHT_ERROR_IDENTITY, /* another component than the board file says */
	CORESIGHT_ERROR_LOCKED,
	CORESIGHT_ERROR_PROHIBITED, /* authentication, power, clock */
	CORESIGHT_ERROR_IN_USE,
	CORESIGHT_ERROR_IGNORED, /* what was written does not read back */
	CORESIGHT_ERROR_PLAN,    /* the board cannot do what was asked for */
	CORESIGHT_ERROR_CANCELLED,
};

struct access {
	struct link *link;
	const struct board *board;
	GArray *journal;
	GString *log;
	GCancellable *cancellable; /* borrowed, may be NULL; looked at before each operation */
	guint wait_ms;             /* how long a WAIT waits; 1000 */
	guint n_failures;          /* failed accesses in a row; after a few no more are tried */
};

void access_init(struct access *self, struct link *link, const struct board *board);
void access_deinit(struct access *self);

/* *value is written on success only. Errors name component, register and address. */
gboolean access_read(struct access *self, guint component, guint16 reg, const char *name,
                     guint32 *value, GError **error);
/* Writes a register that has nothing to restore: a command, or data. It is not logged. */
gboolean access_poke(struct access *self, guint component, guint16 reg, const char *name,
                     guint32 value, GError **error);
gboolean access_run(struct access *self, const struct sequence *program, GError **error);
/* Puts back what was changed, last change first. Goes on after a failure, unless the link is
 * lost, and reports the first one. The journal is empty afterwards. */
gboolean access_restore(struct access *self, GError **error);
/* Sets CORESIGHT_ERROR_CANCELLED and returns TRUE where the user asked to end. */
gboolean access_cancelled(struct access *self, GError **error);
/* The absolute address of a register in the link's view. */
guint64 access_address(const struct access *self, guint component, guint16 reg);

/* session.h: one connection to a target, and the thread that alone talks to it
 *
 * Everything that touches the target is a question: a function that runs in the worker
 * thread on the commands' `struct debug`, and whose answer (plain values, immutable from
 * then on) is handed over on the main thread. Questions are answered in the order they
 * were asked; asking one again drops the one that still waits. The window never waits for
 * any of them.
 *
 * Beside the answers the session holds what all views share: the scene of the system
 * (scene.h), where the target stopped, and what is selected. The last of each stays
 * when the connection is lost. Knows no widget. Of the main thread, but for struct debug
 * in questions.
 *
 * Signals: "state" (connected, running, lost ...), "scene", "stopped", "selected",
 * "busy" (a question begins or ends), "said" (gboolean wrong, text: for the user).
 */
#pragma once

#include "debugger/command.h"
#include "gui/debug/scene.h"

#include <glib-object.h>

#define HVS_TYPE_SESSION (hvs_session_get_type())
G_DECLARE_FINAL_TYPE(HvsSession, hvs_session, HVS, SESSION, GObject)

enum session_state {
	SESSION_CLOSED,
	SESSION_OPENING,
	SESSION_STOPPED,
	SESSION_RUNNING,
	SESSION_LOST, /* what was seen last stays */
};

/* What a question is. Static; its address is its name. */
struct session_question {
	const char *what; /* "the registers": for the status line */
	/* In the worker thread. NULL is an answer too, unless `error` is set. */
	gpointer (*answer)(struct debug *debug, gpointer argument, GError **error);
	GDestroyNotify free_answer;
	GDestroyNotify free_argument;
};

/* On the main thread. `answer` is valid during the call. */
typedef void (*session_answered_fn)(gpointer owner, gpointer answer, const GError *error);

HvsSession *hvs_session_new(void);

/* Lets go of what is open and connects: TARGET as for `hvscope debug --target`, the system
 * file may be NULL. What comes of it is told by "state", "scene" and "said". */
void hvs_session_open(HvsSession *self, const char *target, const char *system_path);
void hvs_session_close(HvsSession *self);

/* Takes `argument`. Nothing is called once `owner` is gone. */
void hvs_session_ask(HvsSession *self, const struct session_question *question, gpointer argument,
                     session_answered_fn answered, gpointer owner);

/* Ends the question that is being answered; what runs is halted. */
void hvs_session_cancel(HvsSession *self);

/* Lets the target go by a command of the debugger: "run", "step", "next", "finish". */
void hvs_session_go(HvsSession *self, const char *command);
void hvs_session_halt(HvsSession *self);

/* Reads the system anew: something was written. */
void hvs_session_look(HvsSession *self);

/* Freezes all into an ELF core; `ram` is "BASE+LENGTH" or NULL for what the target knows. */
void hvs_session_freeze(HvsSession *self, const char *path, const char *ram);

enum session_state hvs_session_state(HvsSession *self);
gboolean hvs_session_can(HvsSession *self, enum target_capability what);
const char *hvs_session_target(HvsSession *self);      /* as given; NULL: none yet */
const char *hvs_session_system_path(HvsSession *self); /* may be NULL */

/* The scene last seen, or NULL. Valid until the next "scene". */
const struct scene_system *hvs_session_scene(HvsSession *self);
/* The one of the stop before, or NULL: what is different since. */
const struct scene_system *hvs_session_scene_before(HvsSession *self);
/* Where it stopped last, or NULL before the first stop of ours. */
const struct scene_stop *hvs_session_stop(HvsSession *self);
/* Counts stops. */
guint hvs_session_serial(HvsSession *self);

/* What is being asked ("the registers"), or NULL, and what was read since it opened. */
const char *hvs_session_busy(HvsSession *self, guint *reads, guint *kilobytes);

/* What is selected: a machine, and in it a vCPU or a task. */
struct selection {
	gint machine; /* its number; -1: nothing */
	gint vcpu;    /* -1: none */
	gint64 tid;   /* -1: none */
};
struct selection hvs_session_selection(HvsSession *self);
void hvs_session_select(HvsSession *self, struct selection selection);

/* The selection as addresses name it: "dom1:::45::", "dom1:::". A new string. */
char *hvs_session_space(HvsSession *self);

/* For questions: what the selection means in the worker thread. `vcpu` is also that of a
 * task which runs on one; either may be NULL. Errors: OS_ERROR_NOT_FOUND. */
gboolean selection_find(struct debug *debug, const struct selection *selection,
                        struct machine **machine, struct vcpu **vcpu, struct task **task,
                        GError **error);

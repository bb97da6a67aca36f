/* commands.h: everything the window can do, by name and key
 *
 * One table for accelerators, for the keys without a modifier that work while no
 * text is being typed, for the command palette and for the shortcuts window. The
 * actions themselves are the window's.
 */
#pragma once

#include <gtk/gtk.h>

struct command {
	const char *action; /* "win.zoom-in" or with a target "win.save-view(1)" */
	const char *group;  /* heading in the shortcuts window */
	const char *title;  /* translatable */
	const char *accel;  /* "<Primary>f", or NULL */
	const char *keys;   /* key names without modifier, separated by blanks, or NULL */
};

const struct command *commands_all(guint *n);

void commands_install_accels(GtkApplication *application);

/* The command of that key, or NULL. */
const struct command *commands_of_key(const GdkEventKey *event);

/* Runs it on the window. */
void command_run(const struct command *command, GtkWidget *window);

GtkWidget *commands_shortcuts_window(void);

/* The palette: type, choose, Enter. */
void commands_palette_run(GtkWindow *parent);

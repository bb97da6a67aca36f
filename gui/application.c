#include "gui/application.h"

#include "gui/commands.h"
#include "gui/window.h"

#include <glib/gi18n.h>

struct _HvsApplication {
	GtkApplication parent_instance;
	char *compare_path; /* --compare; NULL: not given */
	/* Of the command line; NULL: not given. */
	char *target;
	char *system_path;
};

G_DEFINE_TYPE(HvsApplication, hvs_application, GTK_TYPE_APPLICATION)

static void quit(GSimpleAction *action, GVariant *parameter, gpointer data)
{
	GList *windows;

	(void)action;
	(void)parameter;
	while ((windows = gtk_application_get_windows(GTK_APPLICATION(data))) != NULL)
		gtk_widget_destroy(windows->data);
}

static void hvs_application_startup(GApplication *application)
{
	static const GActionEntry entries[] = { { .name = "quit", .activate = quit } };

	G_APPLICATION_CLASS(hvs_application_parent_class)->startup(application);
	g_action_map_add_action_entries(G_ACTION_MAP(application), entries, G_N_ELEMENTS(entries),
	                                application);
	commands_install_accels(GTK_APPLICATION(application));
	gtk_window_set_default_icon_name("utilities-system-monitor");
}

/* The target of the command line is the first window's. */
static void show_window(HvsApplication *self, GFile *file)
{
	HvsWindow *window = hvs_window_new(GTK_APPLICATION(self));
	g_autofree char *target = g_steal_pointer(&self->target);

	gtk_window_present(GTK_WINDOW(window));
	if (file != NULL)
		hvs_window_open(window, file);
	if (file != NULL && self->compare_path != NULL)
		hvs_window_compare(window, self->compare_path);
	if (target != NULL)
		hvs_window_debug(window, target, self->system_path);
}

static void hvs_application_activate(GApplication *application)
{
	show_window(HVS_APPLICATION(application), NULL);
}

static void hvs_application_open(GApplication *application, GFile **files, gint n_files,
                                 const gchar *hint)
{
	(void)hint;
	for (gint i = 0; i < n_files; i++)
		show_window(HVS_APPLICATION(application), files[i]);
}

static gint hvs_application_options(GApplication *application, GVariantDict *options)
{
	HvsApplication *self = HVS_APPLICATION(application);

	g_variant_dict_lookup(options, "compare", "^ay", &self->compare_path);
	return -1; /* go on */
}

static void hvs_application_finalize(GObject *object)
{
	HvsApplication *self = HVS_APPLICATION(object);

	g_free(self->compare_path);
	g_free(self->target);
	g_free(self->system_path);
	G_OBJECT_CLASS(hvs_application_parent_class)->finalize(object);
}

static void hvs_application_class_init(HvsApplicationClass *class)
{
	GApplicationClass *application = G_APPLICATION_CLASS(class);

	G_OBJECT_CLASS(class)->finalize = hvs_application_finalize;
	application->handle_local_options = hvs_application_options;
	application->startup = hvs_application_startup;
	application->activate = hvs_application_activate;
	application->open = hvs_application_open;
}

static void hvs_application_init(HvsApplication *self)
{
	const GOptionEntry entries[] = {
		{ "debug", 0, 0, G_OPTION_ARG_STRING, &self->target,
		  N_("connect the debugger to TARGET, as hvscope debug --target"), N_("TARGET") },
		{ "system", 's', 0, G_OPTION_ARG_FILENAME, &self->system_path,
		  N_("names and symbols of the target's machines"), N_("FILE") },
		G_OPTION_ENTRY_NULL,
	};

	g_application_add_main_option(
		G_APPLICATION(self), "compare", 'c', G_OPTION_FLAG_NONE, G_OPTION_ARG_FILENAME,
		_("a second recording, shown below on the same time axis"), _("RECORDING"));
	g_application_add_main_option_entries(G_APPLICATION(self), entries);
	g_application_set_option_context_parameter_string(G_APPLICATION(self),
	                                                  _("[RECORDING or CAPTURE ...]"));
	g_application_set_option_context_summary(
		G_APPLICATION(self), _("Shows recordings; captures are decoded first."));
}

HvsApplication *hvs_application_new(void)
{
	return g_object_new(HVS_TYPE_APPLICATION, "application-id", "org.hvscope.Gui", "flags",
	                    G_APPLICATION_HANDLES_OPEN | G_APPLICATION_NON_UNIQUE, NULL);
}

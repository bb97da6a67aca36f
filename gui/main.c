#include "gui/application.h"

#include <glib/gi18n.h>
#include <locale.h>

int main(int argc, char **argv)
{
	g_autoptr(HvsApplication) application = NULL;

	setlocale(LC_ALL, "");
	/* Numbers are written and read with a point, whatever the user's locale. */
	gtk_disable_setlocale();
	setlocale(LC_NUMERIC, "C");
	bindtextdomain(GETTEXT_PACKAGE, HVSCOPE_LOCALE_DIR);
	bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
	textdomain(GETTEXT_PACKAGE);
	g_set_application_name("hvscope");
	application = hvs_application_new();
	return g_application_run(G_APPLICATION(application), argc, argv);
}

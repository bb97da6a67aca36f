#include "gui/application.h"

#include <locale.h>

int main(int argc, char **argv)
{
	g_autoptr(HvsApplication) application = NULL;

	setlocale(LC_ALL, "");
	/* Numbers are written and read with a point, whatever the user's locale. */
	gtk_disable_setlocale();
	setlocale(LC_NUMERIC, "C");
	g_set_application_name("hvscope");
	application = hvs_application_new();
	return g_application_run(G_APPLICATION(application), argc, argv);
}

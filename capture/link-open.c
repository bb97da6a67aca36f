#include "capture/link-open.h"

#include "capture/link-devmem.h"
#include "capture/link-openocd.h"

#include <string.h>

static struct link *open_openocd(const char *address, const struct board *board, GError **error)
{
	struct link_openocd_config config = { .debug_ap = board->debug_ap,
		                              .memory_ap = board->memory_ap };
	g_autofree char *host = NULL;

	if (!link_openocd_parse(address, &host, &config.port, error))
		return NULL;
	config.host = host;
	return link_openocd_new(&config, error);
}

struct link *link_open(const char *name, const struct board *board, GError **error)
{
	const char *colon = strchr(name, ':');
	gsize len = colon != NULL ? (gsize)(colon - name) : strlen(name);

	if (len == strlen("openocd") && strncmp(name, "openocd", len) == 0)
		return open_openocd(colon != NULL ? colon + 1 : "", board, error);
	if (len == strlen("devmem") && strncmp(name, "devmem", len) == 0)
		return link_devmem_new(colon != NULL ? colon + 1 : NULL, error);
	g_set_error(error, LINK_ERROR, LINK_ERROR_ADDRESS,
	            "no link '%s': openocd:HOST:PORT, devmem or sysfs", name);
	return NULL;
}

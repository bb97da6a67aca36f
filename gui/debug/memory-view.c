#include "gui/debug/memory-view.h"

#include "gui/debug/columns.h"
#include "gui/debug/look.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	COLUMN_ADDRESS,
	COLUMN_HEX,
	COLUMN_TEXT,
	COLUMN_LOOK,
	COLUMNS
};

enum {
	ROW_BYTES = 16
};

struct _HvsMemoryView {
	GtkBox parent_instance;
	GtkWidget *view, *address, *earlier, *later, *note;
	HvsSession *session;
	GtkListStore *store;
	struct look_bytes shown;             /* space and gap are ours */
	gboolean any;                        /* `shown` holds something */
	guint serial;                        /* the stop that it is of */
	gboolean differs[LOOK_MEMORY_BYTES]; /* from the stop before */
	char *asked;                         /* the address as it was asked for */
	GtkCellRenderer *cell;
	gboolean chosen; /* the user asked for what is shown */
};

G_DEFINE_TYPE(HvsMemoryView, hvs_memory_view, GTK_TYPE_BOX)

static char *hex_of(const struct look_bytes *bytes, gsize from)
{
	GString *text = g_string_new(NULL);

	for (gsize i = from; i < from + ROW_BYTES; i++) {
		if (i > from)
			g_string_append_c(text, ' ');
		if (bytes->known[i])
			g_string_append_printf(text, "%02x", bytes->bytes[i]);
		else
			g_string_append(text, "??");
	}
	return g_string_free(text, FALSE);
}

static char *text_of(const struct look_bytes *bytes, gsize from)
{
	char *text = g_malloc0(ROW_BYTES + 1);

	for (gsize i = 0; i < ROW_BYTES; i++) {
		const guint8 byte = bytes->bytes[from + i];

		text[i] = (char)(!bytes->known[from + i] ? '?'
		                 : g_ascii_isprint(byte) ? byte
		                                         : '.');
	}
	return text;
}

/* What is other than at the stop before, where the same was looked at. */
static void compare(HvsMemoryView *self, const struct look_bytes *now)
{
	const guint serial = hvs_session_serial(self->session);

	if (!self->any || self->shown.address != now->address ||
	    g_strcmp0(self->shown.space, now->space) != 0) {
		memset(self->differs, 0, sizeof(self->differs));
	} else if (serial != self->serial) {
		for (gsize i = 0; i < LOOK_MEMORY_BYTES; i++)
			self->differs[i] = self->shown.known[i] && now->known[i] &&
			                   self->shown.bytes[i] != now->bytes[i];
	}
	self->serial = serial;
}

static void fill(HvsMemoryView *self)
{
	gtk_list_store_clear(self->store);
	for (gsize i = 0; self->any && i < LOOK_MEMORY_BYTES; i += ROW_BYTES) {
		g_autofree char *address =
			g_strdup_printf("0x%016" G_GINT64_MODIFIER "x", self->shown.address + i);
		g_autofree char *hex = hex_of(&self->shown, i);
		g_autofree char *text = text_of(&self->shown, i);
		gboolean differs = FALSE, known = FALSE;

		for (gsize n = i; n < i + ROW_BYTES; n++) {
			differs = differs || self->differs[n];
			known = known || self->shown.known[n];
		}
		gtk_list_store_insert_with_values(self->store, NULL, -1, COLUMN_ADDRESS, address,
		                                  COLUMN_HEX, hex, COLUMN_TEXT, text, COLUMN_LOOK,
		                                  differs ? LOOK_CHANGED
		                                  : known ? LOOK_PLAIN
		                                          : LOOK_FAINT,
		                                  -1);
	}
}

static void note(HvsMemoryView *self, const char *text)
{
	gtk_widget_set_visible(self->note, text != NULL);
	gtk_label_set_text(GTK_LABEL(self->note), text != NULL ? text : "");
}

static void answered(gpointer owner, gpointer answer, const GError *error)
{
	HvsMemoryView *self = owner;
	const struct look_bytes *bytes = answer;

	if (bytes == NULL) {
		note(self, error != NULL ? error->message : NULL);
		return;
	}
	compare(self, bytes);
	g_free(self->shown.space);
	self->shown = *bytes;
	self->shown.space = g_strdup(bytes->space);
	self->shown.gap = NULL;
	self->any = TRUE;
	fill(self);
	note(self, bytes->gap);
}

static void ask(HvsMemoryView *self)
{
	if (self->asked != NULL && *self->asked != '\0')
		hvs_session_ask(self->session, &look_memory, g_strdup(self->asked), answered, self);
}

static void go(HvsMemoryView *self, const char *address)
{
	g_free(self->asked);
	self->asked = g_strdup(address);
	gtk_entry_set_text(GTK_ENTRY(self->address), address);
	ask(self);
}

void hvs_memory_view_go(HvsMemoryView *self, const char *address)
{
	self->chosen = TRUE;
	go(self, address);
}

void hvs_memory_view_suggest(HvsMemoryView *self, const char *address)
{
	if (!self->chosen)
		go(self, address);
}

/* What names no machine is meant in what is selected. */
static void entered(HvsMemoryView *self)
{
	const char *text = gtk_entry_get_text(GTK_ENTRY(self->address));
	g_autofree char *space = hvs_session_space(self->session);
	g_autofree char *whole = strstr(text, "::") != NULL || g_str_has_prefix(text, "pa:")
	                                 ? g_strdup(text)
	                                 : g_strconcat(space, text, NULL);

	hvs_memory_view_go(self, whole);
}

static void move(HvsMemoryView *self, gint64 by_bytes)
{
	g_autofree char *address = NULL;

	if (!self->any)
		return;
	address = g_strdup_printf("%s0x%" G_GINT64_MODIFIER "x", self->shown.space,
	                          self->shown.address + (guint64)by_bytes);
	hvs_memory_view_go(self, address);
}

static void go_earlier(HvsMemoryView *self)
{
	move(self, -LOOK_MEMORY_BYTES);
}

static void go_later(HvsMemoryView *self)
{
	move(self, LOOK_MEMORY_BYTES);
}

static void written(gpointer owner, gpointer answer, const GError *error)
{
	HvsMemoryView *self = owner;

	(void)error;
	/* Success is seen in the bytes, which are read back. */
	if (answer != NULL && strstr(answer, "bytes written") == NULL)
		note(self, g_strstrip(answer));
	ask(self);
}

/* The bytes that were changed in a row, as one write. */
static void row_edited(HvsMemoryView *self, const char *path, const char *text)
{
	const gsize from = (gsize)g_ascii_strtoull(path, NULL, 10) * ROW_BYTES;
	g_autofree char *before = NULL;
	g_autofree char *line = NULL;
	g_autoptr(GString) bytes = g_string_new(NULL);
	gsize first = ROW_BYTES, last = 0;

	if (from + ROW_BYTES > LOOK_MEMORY_BYTES)
		return;
	before = hex_of(&self->shown, from);
	if (strlen(text) != strlen(before)) {
		note(self, _("A row is sixteen bytes of two digits each."));
		return;
	}
	for (gsize i = 0; i < ROW_BYTES; i++) {
		if (g_ascii_strncasecmp(text + i * 3, before + i * 3, 2) != 0) {
			first = MIN(first, i);
			last = i;
		}
	}
	if (first == ROW_BYTES)
		return;
	for (gsize i = first; i <= last; i++)
		g_string_append_len(bytes, text + i * 3, 2);
	line = g_strdup_printf("write '%s0x%" G_GINT64_MODIFIER "x' '%s'", self->shown.space,
	                       self->shown.address + from + first, bytes->str);
	hvs_session_ask(self->session, &look_command,
	                look_command_new(line, hvs_session_selection(self->session), FALSE),
	                written, self);
}

static void state_taken(HvsMemoryView *self)
{
	g_object_set(self->cell, "editable",
	             hvs_session_can(self->session, TARGET_CAN_WRITE_MEMORY), NULL);
}

static void hvs_memory_view_dispose(GObject *object)
{
	HvsMemoryView *self = HVS_MEMORY_VIEW(object);

	g_clear_object(&self->session);
	g_clear_object(&self->store);
	g_clear_pointer(&self->asked, g_free);
	g_clear_pointer(&self->shown.space, g_free);
	G_OBJECT_CLASS(hvs_memory_view_parent_class)->dispose(object);
}

static void hvs_memory_view_class_init(HvsMemoryViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = hvs_memory_view_dispose;
	gtk_widget_class_set_template_from_resource(GTK_WIDGET_CLASS(class),
	                                            "/org/hvscope/gui/debug/memory-view.ui");
	COLUMNS_BIND(class, HvsMemoryView, view);
	COLUMNS_BIND(class, HvsMemoryView, address);
	COLUMNS_BIND(class, HvsMemoryView, earlier);
	COLUMNS_BIND(class, HvsMemoryView, later);
	COLUMNS_BIND(class, HvsMemoryView, note);
}

static void hvs_memory_view_init(HvsMemoryView *self)
{
	g_autoptr(GList) cells = NULL;
	GtkTreeView *view;

	gtk_widget_init_template(GTK_WIDGET(self));
	view = GTK_TREE_VIEW(self->view);
	self->store = gtk_list_store_new(COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING,
	                                 G_TYPE_INT);
	columns_add(view, "", COLUMN_ADDRESS, COLUMN_LOOK, COLUMN_MONO);
	cells = gtk_cell_layout_get_cells(
		GTK_CELL_LAYOUT(columns_add(view, "", COLUMN_HEX, COLUMN_LOOK, COLUMN_MONO)));
	self->cell = cells->data;
	columns_add(view, "", COLUMN_TEXT, COLUMN_LOOK, COLUMN_MONO | COLUMN_WIDE);
	gtk_tree_view_set_model(view, GTK_TREE_MODEL(self->store));
	g_signal_connect_swapped(self->cell, "edited", G_CALLBACK(row_edited), self);
	g_signal_connect_swapped(self->address, "activate", G_CALLBACK(entered), self);
	g_signal_connect_swapped(self->earlier, "clicked", G_CALLBACK(go_earlier), self);
	g_signal_connect_swapped(self->later, "clicked", G_CALLBACK(go_later), self);
}

GtkWidget *hvs_memory_view_new(HvsSession *session)
{
	HvsMemoryView *self = g_object_new(HVS_TYPE_MEMORY_VIEW, NULL);

	self->session = g_object_ref(session);
	g_signal_connect_object(session, "selected", G_CALLBACK(ask), self, G_CONNECT_SWAPPED);
	g_signal_connect_object(session, "state", G_CALLBACK(state_taken), self, G_CONNECT_SWAPPED);
	return GTK_WIDGET(self);
}

#include "analysis/figures.h"

static void figure_clear(gpointer data)
{
	g_free(((struct figure *)data)->text);
}

struct figures *figures_new(const char *name, const char *title,
                            const struct figure_column *columns, guint n_columns)
{
	struct figures *self = g_new0(struct figures, 1);

	*self = (struct figures) { name, title, columns, n_columns,
		                   g_array_new(FALSE, TRUE, sizeof(struct figure)) };
	g_array_set_clear_func(self->cells, figure_clear);
	return self;
}

void figures_free(struct figures *self)
{
	if (self == NULL)
		return;
	g_array_unref(self->cells);
	g_free(self);
}

void figures_add_text(struct figures *self, const char *text)
{
	const struct figure figure = { .known = text != NULL, .text = g_strdup(text) };

	g_array_append_val(self->cells, figure);
}

void figures_add(struct figures *self, double value)
{
	const struct figure figure = { .known = TRUE, .value = value };

	g_array_append_val(self->cells, figure);
}

void figures_add_unknown(struct figures *self)
{
	const struct figure figure = { .known = FALSE };

	g_array_append_val(self->cells, figure);
}

void figures_add_spread(struct figures *self, const struct distribution *spread)
{
	const double values[] = { (double)spread->min_ns,  (double)spread->p50_ns,
		                  (double)spread->p95_ns,  (double)spread->p99_ns,
		                  (double)spread->p999_ns, (double)spread->max_ns,
		                  spread->mean_ns };

	figures_add(self, (double)spread->count);
	for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
		if (spread->count > 0)
			figures_add(self, values[i]);
		else
			figures_add_unknown(self);
	}
}

guint figures_rows(const struct figures *self)
{
	return self->cells->len / self->n_columns;
}

const struct figure *figures_at(const struct figures *self, guint row, guint column)
{
	return &g_array_index(self->cells, struct figure, row * self->n_columns + column);
}

#include "analysis/picture/palette.h"

#include <math.h>
#include <string.h>

static const struct theme themes[] = {
	[THEME_LIGHT] = { THEME_LIGHT, 0xffffff, 0xf3f4f6, 0x1f2328, 0x5b636d, 0xd5d9df, 0x0b57d0,
	                  0x30363d },
	[THEME_DARK] = { THEME_DARK, 0x1b1d21, 0x26292e, 0xe6e8eb, 0x9da5b0, 0x3b4048, 0x8ab4f8,
	                 0xf0f3f6 },
	[THEME_CONTRAST] = { THEME_CONTRAST, 0xffffff, 0xffffff, 0x000000, 0x000000, 0x000000,
	                     0x0000c0, 0x000000 },
};

static const char *const theme_names[] = { "light", "dark", "contrast" };
static const char *const colour_by_names[] = { "domain", "el", "task", "core", "reason" };

/* Domains in order of their VMID. Vermillion is the hypervisor's alone. */
static const guint32 series[] = { 0x56b4e9, 0x009e73, 0xe69f00, 0x0072b2, 0xcc79a7, 0xf0e442,
	                          0x332288, 0x44aa99, 0x999933, 0x882255, 0x88ccee, 0x117733,
	                          0xddcc77, 0xaa4499, 0xcc6677, 0x6699cc };

enum {
	/* Classes of owner are few and always find room: they share no slot with a guest. */
	GUEST_SLOTS_MAX = SLOTS_MAX - OWNER_CLASSES,
	HYPERVISOR_RGB = 0xd55e00,
	SECURE_RGB = 0x7a3b9a,
	HOST_RGB = 0x4d6a8a,
	GUEST_EL0_RGB = 0x56b4e9,
	GUEST_EL1_RGB = 0x0072b2,
};

const struct theme *theme_get(enum theme_kind kind)
{
	return &themes[kind];
}

static gboolean name_parse(const char *text, const char *const *names, guint n, guint *out)
{
	for (guint i = 0; i < n; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return TRUE;
		}
	}
	return FALSE;
}

gboolean theme_parse(const char *text, enum theme_kind *out)
{
	guint index;

	if (!name_parse(text, theme_names, G_N_ELEMENTS(theme_names), &index))
		return FALSE;
	*out = (enum theme_kind)index;
	return TRUE;
}

const char *colour_by_name(enum colour_by by)
{
	return colour_by_names[by];
}

gboolean colour_by_parse(const char *text, enum colour_by *out)
{
	guint index;

	if (!name_parse(text, colour_by_names, G_N_ELEMENTS(colour_by_names), &index))
		return FALSE;
	*out = (enum colour_by)index;
	return TRUE;
}

guint32 palette_series(guint index)
{
	return series[index % G_N_ELEMENTS(series)];
}

guint32 palette_shade(guint domain, guint core)
{
	static const double steps[] = { 0, 0.35, -0.3, 0.55, -0.15, 0.2 };
	const double step = steps[core % G_N_ELEMENTS(steps)];

	return palette_mix(palette_series(domain), step > 0 ? 0xffffff : 0x000000, fabs(step));
}

guint32 palette_mix(guint32 rgb, guint32 to, double share)
{
	guint32 mixed = 0;

	for (guint shift = 0; shift <= 16; shift += 8) {
		const double from = (rgb >> shift) & 0xff;
		const double target = (to >> shift) & 0xff;

		mixed |= (guint32)(from + (target - from) * share + 0.5) << shift;
	}
	return mixed;
}

guint32 palette_text_on(guint32 rgb)
{
	const guint32 luma =
		299 * ((rgb >> 16) & 0xff) + 587 * ((rgb >> 8) & 0xff) + 114 * (rgb & 0xff);

	return luma > 140000 ? 0x000000 : 0xffffff;
}

/* Idle is calm, nobody's time is grey and hatched. */
static struct slot class_slot(enum owner_class owner_class, const char *name, enum theme_kind theme)
{
	const gboolean dark = theme == THEME_DARK;
	struct slot slot = { .name = g_strdup(name), .look = SLOT_SOLID };

	switch (owner_class) {
	case OWNER_HYPERVISOR:
		slot.rgb = HYPERVISOR_RGB;
		break;
	case OWNER_SECURE:
		slot.rgb = SECURE_RGB;
		break;
	case OWNER_HOST:
		slot.rgb = HOST_RGB;
		break;
	case OWNER_IDLE:
		slot.rgb = dark ? 0x34383f : 0xdfe3e8;
		break;
	case OWNER_LOST:
		slot.rgb = dark ? 0x8a8f98 : 0x6b7280;
		slot.look = SLOT_HATCHED;
		break;
	case OWNER_UNTRACED:
	case OWNER_UNKNOWN:
	case OWNER_GUEST:
	case OWNER_CLASSES:
	default:
		slot.rgb = dark ? 0x60656e : 0xb3b9c2;
		slot.look = SLOT_HATCHED;
		break;
	}
	return slot;
}

/* The slot of that name; a new one where there is none yet. The last of `limit` slots takes
 * everything that finds no room. */
static guint slot_add(struct slot_table *self, struct slot slot, guint limit)
{
	for (guint i = 0; i < self->n_slots; i++) {
		if (strcmp(self->slots[i].name, slot.name) == 0) {
			g_free(slot.name);
			return i;
		}
	}
	if (self->n_slots >= limit) {
		g_free(slot.name);
		return limit - 1;
	}
	if (self->n_slots == limit - 1) {
		g_free(slot.name);
		slot.name = g_strdup("others");
	}
	self->slots[self->n_slots] = slot;
	return self->n_slots++;
}

static char *guest_slot_name(const struct names *names, const struct row_owner *owner,
                             enum colour_by by)
{
	g_autofree char *domain = NULL;
	g_autofree char *task = NULL;

	if (by == COLOUR_BY_EL)
		return g_strdup_printf("guest EL%d", owner->el);
	domain = names_domain(names, owner);
	task = by == COLOUR_BY_TASK ? names_task(names, owner) : NULL;
	if (task == NULL)
		return g_steal_pointer(&domain);
	return g_strdup_printf("%s \302\267 %s", domain, task);
}

/* Guests come first, so that they are stacked lowest; within them the order is that of
 * VMID, which keeps a domain's colour the same in every picture of a recording. */
static guint next_guest(const struct row_owner *owners, guint n, const guint8 *done)
{
	guint best = n;

	for (guint i = 0; i < n; i++) {
		if (done[i] || owners[i].owner_class != OWNER_GUEST)
			continue;
		if (best == n || owners[i].vmid < owners[best].vmid ||
		    (owners[i].vmid == owners[best].vmid &&
		     owners[i].context_id < owners[best].context_id))
			best = i;
	}
	return best;
}

static void add_guests(struct slot_table *self, const struct names *names,
                       const struct row_owner *owners, enum colour_by by)
{
	g_autofree guint8 *done = g_new0(guint8, self->n_owners + 1);
	guint owner;

	while ((owner = next_guest(owners, self->n_owners, done)) < self->n_owners) {
		struct slot slot = { .name = guest_slot_name(names, &owners[owner], by) };

		slot.rgb = palette_series(self->n_slots);
		if (by == COLOUR_BY_EL)
			slot.rgb = owners[owner].el == 0 ? GUEST_EL0_RGB : GUEST_EL1_RGB;
		if (by == COLOUR_BY_REASON)
			slot.rgb = palette_mix(slot.rgb, self->theme == THEME_DARK ? 0 : 0xffffff,
			                       0.65);
		self->of_owner[owner] = (guint8)slot_add(self, slot, GUEST_SLOTS_MAX);
		done[owner] = 1;
	}
}

static void add_cores(struct slot_table *self, const recording_reader *reader)
{
	gsize n;
	const struct row_core *cores = recording_reader_cores(reader, &n);

	self->by_core = TRUE;
	self->first_core = self->n_slots;
	for (gsize i = 0; i < n; i++) {
		struct slot slot = { .name = names_core(&cores[i]),
			             .rgb = palette_series((guint)i) };

		slot_add(self, slot, GUEST_SLOTS_MAX);
	}
}

/* In stacking order. The hypervisor is above guests and idle, nobody's time on top. */
static const enum owner_class class_order[] = { OWNER_HOST,       OWNER_IDLE,     OWNER_SECURE,
	                                        OWNER_HYPERVISOR, OWNER_UNTRACED, OWNER_UNKNOWN,
	                                        OWNER_LOST };

void slot_table_init(struct slot_table *self, const recording_reader *reader, enum colour_by by,
                     enum theme_kind theme)
{
	gsize n;
	const struct row_owner *owners = recording_reader_owners(reader, &n);
	struct names names;

	names_init(&names, reader);
	*self = (struct slot_table) {
		.n_owners = (guint)n, .of_owner = g_new0(guint8, n + 1), .theme = theme, .by = by
	};
	if (by == COLOUR_BY_CORE)
		add_cores(self, reader);
	else
		add_guests(self, &names, owners, by);
	for (gsize c = 0; c < G_N_ELEMENTS(class_order); c++) {
		for (guint i = 0; i < self->n_owners; i++) {
			g_autofree char *name = NULL;

			if (owners[i].owner_class != class_order[c])
				continue;
			name = names_domain(&names, &owners[i]);
			self->of_owner[i] = (guint8)slot_add(
				self, class_slot(class_order[c], name, theme), SLOTS_MAX);
		}
	}
	for (guint i = 0; i < self->n_owners; i++) {
		if (self->by_core && owners[i].owner_class == OWNER_GUEST)
			self->of_owner[i] = SLOT_NONE;
	}
}

void slot_table_deinit(struct slot_table *self)
{
	for (guint i = 0; i < self->n_slots; i++)
		g_free(self->slots[i].name);
	g_free(self->of_owner);
	*self = (struct slot_table) { .n_slots = 0 };
}

guint slot_of(const struct slot_table *self, guint owner, guint core)
{
	if (self->by_core && self->of_owner[owner] == SLOT_NONE)
		return MIN(self->first_core + core, GUEST_SLOTS_MAX - 1);
	return self->of_owner[owner];
}

#include "tests/sim/dap.h"

enum dp_register {
	DP_CTRL_STAT = 0x4,
	DP_SELECT = 0x8,
};

enum ctrl_stat_bits {
	ORUNDETECT = 1u << 0,
	STICKYORUN = 1u << 1,
	STICKYCMP = 1u << 4,
	STICKYERR = 1u << 5,
	STICKY_ALL = STICKYORUN | STICKYCMP | STICKYERR,
	PWRUP_REQUESTS = 0x50000000u,
};

enum ack {
	ACK_WAIT = 1,
	ACK_OK_FAULT = 2,
};

void dap_reset(struct dap *dap)
{
	dap->ctrl_stat = 0;
	dap->select = 0;
	dap->read_result = 0;
	dap->last_was_wait = FALSE;
	dap->busy_scans = 0;
	for (guint i = 0; i < G_N_ELEMENTS(dap->aps); i++) {
		dap->aps[i].csw = 2;
		dap->aps[i].tar = 0;
	}
}

void dap_init(struct dap *dap, dap_access_fn access, gpointer data)
{
	dap->access = access;
	dap->data = data;
	dap->aps[0] = (struct dap_ap) { .idr = 0x24770004,
		                        .base = 0xFE800003,
		                        .cfg = 0x2,
		                        .max_size_log2 = 2,
		                        .min_size_log2 = 0 };
	dap->aps[1] = (struct dap_ap) { .idr = 0x24770002,
		                        .base = 0x80000003,
		                        .cfg = 0,
		                        .max_size_log2 = 2,
		                        .min_size_log2 = 2 };
	dap_reset(dap);
}

static void ap_advance(struct dap_ap *ap)
{
	if (((ap->csw >> 4) & 3) != 1)
		return;
	/* The architecture promises increments within 1 KiB only. */
	ap->tar = (ap->tar & ~0x3FFull) | ((ap->tar + (1u << (ap->csw & 7))) & 0x3FF);
}

static void ap_data(struct dap *dap, guint index, gboolean write, guint64 addr, guint32 *value)
{
	guint size = 1u << (dap->aps[index].csw & 7);

	if ((dap->ctrl_stat & 0xA0000000u) != 0xA0000000u ||
	    !dap->access(dap->data, index, write, addr, size, value)) {
		dap->ctrl_stat |= STICKYERR;
		if (!write)
			*value = 0;
	}
}

static void ap_write_csw(struct dap_ap *ap, guint32 value)
{
	guint size = value & 7;

	if (size < ap->min_size_log2 || size > ap->max_size_log2)
		size = 2;
	if (((value >> 4) & 3) > 1)
		value = (value & ~0x30u) | 0x10;
	ap->csw = (value & ~7u) | size;
}

static void ap_access(struct dap *dap, gboolean write, guint reg, guint32 *value)
{
	guint index = dap->select >> 24;
	struct dap_ap *ap;

	if (index >= G_N_ELEMENTS(dap->aps)) {
		if (!write)
			*value = 0;
		return;
	}
	ap = &dap->aps[index];
	reg |= dap->select & 0xF0;
	dap->n_accesses++;
	switch (reg) {
	case 0x00:
		if (write)
			ap_write_csw(ap, *value);
		else
			*value = (ap->csw & ~0x40u) | 0x40;
		break;
	case 0x04:
		if (write)
			ap->tar = (ap->tar & ~0xFFFFFFFFull) | *value;
		else
			*value = (guint32)ap->tar;
		break;
	case 0x08:
		if (write && (ap->cfg & 2) != 0)
			ap->tar = (ap->tar & 0xFFFFFFFFull) | ((guint64)*value << 32);
		else if (!write)
			*value = (guint32)(ap->tar >> 32);
		break;
	case 0x0C:
		ap_data(dap, index, write, ap->tar, value);
		ap_advance(ap);
		break;
	case 0x10:
	case 0x14:
	case 0x18:
	case 0x1C:
		ap_data(dap, index, write, (ap->tar & ~0xFull) + (reg - 0x10), value);
		break;
	default:
		if (write)
			break;
		*value = reg == 0xF4 ? ap->cfg : reg == 0xF8 ? ap->base : reg == 0xFC ? ap->idr : 0;
	}
}

static void dp_access(struct dap *dap, gboolean write, guint reg, guint32 *value)
{
	if (write && reg == DP_CTRL_STAT) {
		dap->ctrl_stat &= ~(*value & STICKY_ALL);
		dap->ctrl_stat =
			(dap->ctrl_stat & STICKY_ALL) | (*value & (ORUNDETECT | PWRUP_REQUESTS));
		if (!dap->no_power)
			dap->ctrl_stat |= (dap->ctrl_stat & PWRUP_REQUESTS) << 1;
	} else if (write && reg == DP_SELECT) {
		dap->select = *value;
	} else if (!write) {
		*value = reg == DP_CTRL_STAT ? dap->ctrl_stat : reg == DP_SELECT ? dap->select : 0;
	}
}

guint64 dap_capture(struct dap *dap, gboolean is_ap)
{
	guint ack = ACK_OK_FAULT;

	(void)is_ap;
	dap->last_was_wait = FALSE;
	if (dap->busy_scans > 0 || (dap->wait_forever && is_ap)) {
		if (dap->busy_scans > 0)
			dap->busy_scans--;
		dap->n_waits++;
		dap->last_was_wait = TRUE;
		ack = ACK_WAIT;
		if ((dap->ctrl_stat & ORUNDETECT) != 0)
			dap->ctrl_stat |= STICKYORUN;
	}
	return ((guint64)dap->read_result << 3) | ack;
}

void dap_update(struct dap *dap, gboolean is_ap, guint64 value)
{
	gboolean write = (value & 1) == 0;
	guint reg = (guint)(value << 1) & 0xC;
	guint32 word = (guint32)(value >> 3);

	if (dap->last_was_wait)
		return;
	if (!is_ap) {
		dp_access(dap, write, reg, &word);
	} else {
		if ((dap->ctrl_stat & STICKY_ALL) != 0)
			return;
		ap_access(dap, write, reg, &word);
		if (dap->wait_every != 0 && dap->n_accesses % dap->wait_every == 0)
			dap->busy_scans = dap->wait_scans;
	}
	if (!write)
		dap->read_result = word;
}

void dap_abort(struct dap *dap, guint64 value)
{
	if (((value >> 3) & 1) != 0)
		dap->busy_scans = 0;
}

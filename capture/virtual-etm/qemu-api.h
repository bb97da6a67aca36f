/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-api.h: the differences between QEMU's plugin APIs
 *
 * The virtual ETM is tested with version 4 (QEMU 9.1 to 10.0). Version 6 changed what
 * reading a register returns and tells of exceptions; version 7 took the plugin's
 * id from all callbacks and gave them a pointer instead. Here is one set of callbacks for
 * all of them. It decides nothing. Included by plugin.c alone.
 */
#pragma once

#include <qemu-plugin.h>

#if QEMU_PLUGIN_VERSION < 4
#error "the virtual ETM needs version 4 of QEMU's plugin API (QEMU 9.1 or later)"
#endif

struct qemu_api_callbacks {
	void (*translate)(struct qemu_plugin_tb *tb);
	void (*vcpu_init)(unsigned vcpu_index);
	void (*flush)(void); /* all translations are gone */
	void (*end)(void);   /* QEMU ends */
	/* An interrupt or exception was taken; the handler has not begun. Never called
	 * before version 6. */
	void (*exception)(unsigned vcpu_index);
};

static struct qemu_api_callbacks qemu_api;

enum {
	QEMU_API_TELLS_EXCEPTIONS = QEMU_PLUGIN_VERSION >= 6
};

/* Appends the value in target byte order. */
static inline bool qemu_api_read_register(struct qemu_plugin_register *handle, GByteArray *bytes)
{
#if QEMU_PLUGIN_VERSION >= 6
	return qemu_plugin_read_register(handle, bytes);
#else
	return qemu_plugin_read_register(handle, bytes) > 0;
#endif
}

#if QEMU_PLUGIN_VERSION >= 7

static inline void qemu_api_on_translate(struct qemu_plugin_tb *tb, void *data)
{
	(void)data;
	qemu_api.translate(tb);
}

static inline void qemu_api_on_vcpu_init(unsigned vcpu_index, void *data)
{
	(void)data;
	qemu_api.vcpu_init(vcpu_index);
}

static inline void qemu_api_on_flush(void *data)
{
	(void)data;
	qemu_api.flush();
}

static inline void qemu_api_on_end(void *data)
{
	(void)data;
	qemu_api.end();
}

static inline void qemu_api_on_discontinuity(unsigned vcpu_index, enum qemu_plugin_discon_type type,
                                             uint64_t from_pc, uint64_t to_pc, void *data)
{
	(void)type;
	(void)from_pc;
	(void)to_pc;
	(void)data;
	qemu_api.exception(vcpu_index);
}

static inline void qemu_api_register(qemu_plugin_id_t id,
                                     const struct qemu_api_callbacks *callbacks)
{
	qemu_api = *callbacks;
	qemu_plugin_register_vcpu_init_cb(id, qemu_api_on_vcpu_init, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, qemu_api_on_translate, NULL);
	qemu_plugin_register_flush_cb(id, qemu_api_on_flush, NULL);
	qemu_plugin_register_atexit_cb(id, qemu_api_on_end, NULL);
	qemu_plugin_register_vcpu_discon_cb(
		id, QEMU_PLUGIN_DISCON_INTERRUPT | QEMU_PLUGIN_DISCON_EXCEPTION,
		qemu_api_on_discontinuity, NULL);
}

#else

static inline void qemu_api_on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_api.translate(tb);
}

static inline void qemu_api_on_vcpu_init(qemu_plugin_id_t id, unsigned vcpu_index)
{
	(void)id;
	qemu_api.vcpu_init(vcpu_index);
}

static inline void qemu_api_on_flush(qemu_plugin_id_t id)
{
	(void)id;
	qemu_api.flush();
}

static inline void qemu_api_on_end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	qemu_api.end();
}

#if QEMU_PLUGIN_VERSION >= 6
static inline void qemu_api_on_discontinuity(qemu_plugin_id_t id, unsigned vcpu_index,
                                             enum qemu_plugin_discon_type type, uint64_t from_pc,
                                             uint64_t to_pc)
{
	(void)id;
	(void)type;
	(void)from_pc;
	(void)to_pc;
	qemu_api.exception(vcpu_index);
}
#endif

static inline void qemu_api_register(qemu_plugin_id_t id,
                                     const struct qemu_api_callbacks *callbacks)
{
	qemu_api = *callbacks;
	qemu_plugin_register_vcpu_init_cb(id, qemu_api_on_vcpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, qemu_api_on_translate);
	qemu_plugin_register_flush_cb(id, qemu_api_on_flush);
	qemu_plugin_register_atexit_cb(id, qemu_api_on_end, NULL);
#if QEMU_PLUGIN_VERSION >= 6
	qemu_plugin_register_vcpu_discon_cb(
		id, QEMU_PLUGIN_DISCON_INTERRUPT | QEMU_PLUGIN_DISCON_EXCEPTION,
		qemu_api_on_discontinuity);
#endif
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/virtual-etm/exception-type.h"

#include "capture/etm4-encoder.h"

/* ESR_ELx.EC (DDI 0487, D17.2.37) in ETM's terms (IHI 0064, exception types). */
static uint16_t sync_type(unsigned ec)
{
	switch (ec) {
	case 0x11: /* SVC, HVC, SMC of A32 */
	case 0x12:
	case 0x13:
	case 0x15: /* and of A64 */
	case 0x16:
	case 0x17:
		return ETM4_EXCEPTION_CALL;
	case 0x20:
	case 0x21:
		return ETM4_EXCEPTION_INST_FAULT;
	case 0x24:
	case 0x25:
		return ETM4_EXCEPTION_DATA_FAULT;
	case 0x22:
	case 0x26:
		return ETM4_EXCEPTION_ALIGNMENT;
	case 0x2F:
		return ETM4_EXCEPTION_SYSTEM_ERROR;
	case 0x30:
	case 0x31:
	case 0x32:
	case 0x33:
	case 0x38:
	case 0x3C:
		return ETM4_EXCEPTION_INST_DEBUG;
	case 0x34:
	case 0x35:
		return ETM4_EXCEPTION_DATA_DEBUG;
	default:
		return ETM4_EXCEPTION_TRAP;
	}
}

uint16_t exception_type(enum vector_kind kind, unsigned ec, bool trapped)
{
	switch (kind) {
	case VECTOR_IRQ:
		return ETM4_EXCEPTION_IRQ;
	case VECTOR_FIQ:
		return ETM4_EXCEPTION_FIQ;
	case VECTOR_SERROR:
		return ETM4_EXCEPTION_SYSTEM_ERROR;
	case VECTOR_SYNC:
		break;
	}

	const uint16_t type = sync_type(ec);

	/* An SMC that HCR_EL2.TSC traps did not execute. */
	return type == ETM4_EXCEPTION_CALL && trapped ? ETM4_EXCEPTION_TRAP : type;
}

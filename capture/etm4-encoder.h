/* etm4-encoder.h: ETMv4 instruction trace, written
 *
 * Turns what a processor did (branches, exceptions, contexts, times) into the
 * packets that an ETMv4 trace unit programmed with the given registers would
 * make of it: A-profile, AArch64 (Arm IHI 0064, chapter 6). It compresses as
 * hardware does, knows what was sent before, and leaves out what TRCCONFIGR says
 * is not traced. It has no notion of instructions, of when a P0 element is due,
 * or of CoreSight frames: the caller says what happened, and the bytes go to a
 * sink, one call a packet. Data trace, conditional tracing (AArch32) and Q
 * elements are not here.
 *
 * No GLib, no allocation: a QEMU plugin links it too. One encoder serves one
 * trace unit and one thread. Functions that take a register-dependent feature
 * return whether a packet was made; false changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The registers that shape the stream, as the hardware holds them. */
struct etm4_registers {
	uint32_t configr; /* TRCCONFIGR: CCI b4, CID b6, VMID b7, COND [10:8], TS b11, RS b12 */
	uint32_t idr0;    /* TRCIDR0: COMMOPT b29, TSSIZE [28:24] */
	uint32_t idr1;    /* TRCIDR1: TRCARCHMAJ [11:8], TRCARCHMIN [7:4] */
	uint32_t idr2;    /* TRCIDR2: CIDSIZE [9:5], VMIDSIZE [14:10], CCSIZE [28:25] */
	uint32_t idr8;    /* TRCIDR8: MAXSPEC */
	uint32_t cc_threshold; /* TRCCCCTLR: cycle counts below it are not traced */
};

/* Register values of the Cortex-A53 trace unit (facts measured on a Juno). */
enum {
	ETM4_A53_IDR0 = 0x28000EA1,
	ETM4_A53_IDR1 = 0x4100F403,
	ETM4_A53_IDR2 = 0x00000488,
};

/* TRCCONFIGR fields of instruction trace. */
enum {
	ETM4_CONFIGR_ALWAYS = 1u << 0, /* bit 0 reads as one */
	ETM4_CONFIGR_BB = 1u << 3,
	ETM4_CONFIGR_CCI = 1u << 4,
	ETM4_CONFIGR_CID = 1u << 6,
	ETM4_CONFIGR_VMID = 1u << 7,
	ETM4_CONFIGR_TS = 1u << 11,
	ETM4_CONFIGR_RS = 1u << 12,
};

/* Exception types of A-profile (IHI 0064, table of exception types). */
enum etm4_exception_type {
	ETM4_EXCEPTION_RESET = 0x0,
	ETM4_EXCEPTION_DEBUG_HALT = 0x1,
	ETM4_EXCEPTION_CALL = 0x2, /* SVC, HVC, SMC */
	ETM4_EXCEPTION_TRAP = 0x3,
	ETM4_EXCEPTION_SYSTEM_ERROR = 0x4,
	ETM4_EXCEPTION_INST_DEBUG = 0x6,
	ETM4_EXCEPTION_DATA_DEBUG = 0x7,
	ETM4_EXCEPTION_ALIGNMENT = 0xA,
	ETM4_EXCEPTION_INST_FAULT = 0xB,
	ETM4_EXCEPTION_DATA_FAULT = 0xC,
	ETM4_EXCEPTION_IRQ = 0xE,
	ETM4_EXCEPTION_FIQ = 0xF,
};

/* Where the PE is. vmid and context_id are sent only where TRCCONFIGR has them
 * traced, cut to the size TRCIDR2 gives. */
struct etm4_context {
	uint8_t el;
	bool aarch64;    /* SF */
	bool non_secure; /* NS */
	uint32_t vmid;
	uint32_t context_id;
};

/* The sub-instruction set of an address: 0 is A64 and A32, 1 is T32. */
enum etm4_is {
	ETM4_IS0 = 0,
	ETM4_IS1 = 1
};

/* Every form an address can be sent in. */
enum etm4_address_form {
	ETM4_ADDRESS_MATCH, /* one of the three last ones */
	ETM4_ADDRESS_SHORT, /* up to [16:2], the rest as before */
	ETM4_ADDRESS_LONG32,
	ETM4_ADDRESS_LONG64,
};

/* What the address in an exception packet means (IHI 0064, EE field). */
enum etm4_exception_address {
	ETM4_EXCEPTION_NO_ADDRESS = 0, /* reset: no return address */
	ETM4_EXCEPTION_RETURN = 1,     /* the preferred return address */
	ETM4_EXCEPTION_TARGET = 2,     /* it, and also the target of the last P0 element */
};

struct etm4_exception {
	uint16_t type; /* enum etm4_exception_type; 0 to 1023, above 31 in the long form */
	bool long_form;
	enum etm4_exception_address address_kind;
	uint64_t return_address_va; /* unless NO_ADDRESS */
	enum etm4_is is;
	const struct etm4_context *context; /* of the interrupted code, sent between the packet
	                                     * and its address where it changed; NULL: unchanged */
};

/* Called for each packet, complete and in order. `bytes` is valid during the call. */
typedef void (*etm4_encoder_write)(void *data, const uint8_t *bytes, size_t len_bytes);

enum {
	ETM4_RETURN_STACK_DEPTH = 15,
	ETM4_ATOMS_MAX = 24,
	ETM4_ADDRESS_HISTORY = 3
};

struct etm4_encoder {
	struct etm4_registers registers;
	etm4_encoder_write write;
	void *write_data;
	uint64_t written_bytes;

	/* Atoms that are not sent yet, oldest in bit 0, E = 1. */
	uint32_t atoms;
	unsigned n_atoms;

	struct {
		uint64_t va;
		enum etm4_is is;
	} history[ETM4_ADDRESS_HISTORY]; /* newest first */
	unsigned n_history;              /* valid since the last trace info */

	struct etm4_context context;
	bool context_known;

	uint64_t timestamp;
	bool timestamp_known; /* sent since the last trace info */

	struct {
		uint64_t va;
		enum etm4_is is;
	} returns[ETM4_RETURN_STACK_DEPTH];
	unsigned n_returns;
};

/* `write` and its data must outlive the encoder. Nothing is written. */
void etm4_encoder_init(struct etm4_encoder *self, const struct etm4_registers *registers,
                       etm4_encoder_write write, void *write_data);

/* Sends atoms that are still being packed. Every other packet does so by itself. */
void etm4_encoder_flush(struct etm4_encoder *self);

/* A-sync and trace info. All that follows is sent in full: addresses, context,
 * timestamp. The return stack is emptied (IHI 0064, trace info packet). */
void etm4_encoder_sync(struct etm4_encoder *self);

/* The two packets of etm4_encoder_sync on their own. */
void etm4_encoder_async(struct etm4_encoder *self);
void etm4_encoder_trace_info(struct etm4_encoder *self);

/* Tracing starts, or starts again after a gap. The caller sends address and
 * context next. Empties the return stack. */
void etm4_encoder_trace_on(struct etm4_encoder *self);

/* One atom: a P0 element, taken (E) or not (N). */
void etm4_encoder_atom(struct etm4_encoder *self, bool taken);

/* An address in its shortest form. IS0 addresses are multiples of 4, IS1 of 2. */
void etm4_encoder_address(struct etm4_encoder *self, uint64_t va, enum etm4_is is);

/* In the form given, or false where that form cannot say it now. */
bool etm4_encoder_address_as(struct etm4_encoder *self, enum etm4_address_form form, uint64_t va,
                             enum etm4_is is);

/* An address with its context in one packet, in the 32-bit form where the upper half
 * is as before; VMID and context ID only where they changed. */
void etm4_encoder_address_context(struct etm4_encoder *self, uint64_t va, enum etm4_is is,
                                  const struct etm4_context *context);

/* A context packet; one byte where nothing changed. */
void etm4_encoder_context(struct etm4_encoder *self, const struct etm4_context *context);

/* An exception with its return address. The handler's address with its context is
 * the caller's next call. The return stack is emptied. */
void etm4_encoder_exception(struct etm4_encoder *self, const struct etm4_exception *exception);

/* Exception return packet: not for A-profile's A64, whose ERET is an atom E and an
 * address with context. */
void etm4_encoder_exception_return(struct etm4_encoder *self);

/* A timestamp as a partial update of the one before; false where not traced. */
bool etm4_encoder_timestamp(struct etm4_encoder *self, uint64_t timestamp);

/* The same with the cycles since the last cycle count; false where either is not
 * traced. Cycles are cut to CCSIZE. */
bool etm4_encoder_timestamp_cycles(struct etm4_encoder *self, uint64_t timestamp, uint32_t cycles);

/* A cycle count, which belongs to the P0 element sent before it. False where not
 * traced or below the threshold: keep counting. Saturates at CCSIZE bits. `n_commit` is the
 * number of P0 elements that it commits, where COMMOPT=0; ignored otherwise. */
bool etm4_encoder_cycle_count(struct etm4_encoder *self, uint32_t cycles, uint32_t n_commit);

/* A cycle count of unknown value, as after an overflow; false where not traced. */
bool etm4_encoder_cycle_count_unknown(struct etm4_encoder *self, uint32_t n_commit);

/* Trace was lost. Hardware sends A-sync, trace info and trace on next (seen on a
 * Juno); the caller does so too. Pending atoms are sent before it. */
void etm4_encoder_overflow(struct etm4_encoder *self);

/* Trace was dropped when tracing stopped; pending atoms are lost with it. */
void etm4_encoder_discard(struct etm4_encoder *self);

/* `events`: bits 0-3, at least one. */
void etm4_encoder_event(struct etm4_encoder *self, unsigned events);

/* One byte without meaning; ETMv4.3 and later by TRCIDR1, false before that. */
bool etm4_encoder_ignore(struct etm4_encoder *self);

/* Resolves speculation where MAXSPEC is not 0: the oldest `n` are certain, or the
 * newest `n` did not happen. False where MAXSPEC is 0. */
bool etm4_encoder_commit(struct etm4_encoder *self, uint32_t n);
bool etm4_encoder_cancel(struct etm4_encoder *self, uint32_t n, bool mispredict);

/* The last atom was the wrong way round. False where MAXSPEC is 0. */
bool etm4_encoder_mispredict(struct etm4_encoder *self);

/* The return stack (TRCCONFIGR.RS, IHI 0064 "return stack"). A branch with link that
 * was taken calls `call` with the address after it. A return calls `predict` before
 * its target would be sent: true means that the stack knew it, and only the atom E
 * is due; false, that the address must follow the atom. Both do nothing where RS=0. */
void etm4_encoder_call(struct etm4_encoder *self, uint64_t return_va, enum etm4_is is);
bool etm4_encoder_predict(struct etm4_encoder *self, uint64_t target_va, enum etm4_is is);

/* What the registers say. */
unsigned etm4_registers_vmid_bytes(const struct etm4_registers *registers);
unsigned etm4_registers_context_id_bytes(const struct etm4_registers *registers);

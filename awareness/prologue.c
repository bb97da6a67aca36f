#include "awareness/prologue.h"

/* Where things are, at one instruction. */
struct state {
	int64_t depth; /* CFA - sp */
	gboolean saved[CFI_REGISTERS];
	int64_t at[CFI_REGISTERS]; /* CFA + at: where it was stored */
};

static int64_t signed_bits(uint32_t word, unsigned high, unsigned low)
{
	uint64_t value = (uint64_t)word << (63 - high);

	return (int64_t)value >> (63 - high + low);
}

static uint32_t bits(uint32_t word, unsigned high, unsigned low)
{
	return word >> low & ((1u << (high - low + 1)) - 1);
}

/* The first store of a callee-saved register is the caller's value; later ones may be
 * anything. */
static void store(struct state *s, unsigned reg, int64_t sp_offset)
{
	if (reg < 19 || reg > CFI_LR || s->saved[reg])
		return;
	s->saved[reg] = TRUE;
	s->at[reg] = sp_offset - s->depth;
}

static gboolean on_sp(uint32_t word)
{
	return bits(word, 9, 5) == 31;
}

/* Stores that make the frame. Returns TRUE if the word was one. */
static gboolean take_store(struct state *s, uint32_t word)
{
	if ((word & 0xff400000) == 0xa9000000 && on_sp(word)) {
		/* STP of two X registers: at an offset (bit 23 clear), or pre-indexed. */
		int64_t offset = signed_bits(word, 21, 15) * 8;
		gboolean moves = bits(word, 23, 23) != 0;

		if (moves)
			s->depth -= offset;
		store(s, bits(word, 4, 0), moves ? 0 : offset);
		store(s, bits(word, 14, 10), moves ? 8 : offset + 8);
		return TRUE;
	}
	if ((word & 0xffe00c00) == 0xf8000c00 && on_sp(word)) {
		/* STR X, [sp, #imm]! */
		s->depth -= signed_bits(word, 20, 12);
		store(s, bits(word, 4, 0), 0);
		return TRUE;
	}
	if ((word & 0xffc00000) == 0xf9000000 && on_sp(word)) {
		store(s, bits(word, 4, 0), (int64_t)bits(word, 21, 10) * 8);
		return TRUE;
	}
	if ((word & 0xffc00000) == 0x6d800000 && on_sp(word)) {
		s->depth -= signed_bits(word, 21, 15) * 8; /* STP D, D, [sp, #imm]! */
		return TRUE;
	}
	if ((word & 0xff8003ff) == 0xd10003ff) {
		s->depth += (int64_t)bits(word, 21, 10) << (bits(word, 22, 22) * 12);
		return TRUE;
	}
	return FALSE;
}

/* How far a restore moves the stack pointer up; 0 for anything else. */
static int64_t restored(uint32_t word)
{
	if ((word & 0xffc00000) == 0xa8c00000 && on_sp(word))
		return signed_bits(word, 21, 15) * 8; /* LDP X, X, [sp], #imm */
	if ((word & 0xffe00c00) == 0xf8400400 && on_sp(word))
		return signed_bits(word, 20, 12); /* LDR X, [sp], #imm */
	if ((word & 0xffc00000) == 0x6cc00000 && on_sp(word))
		return signed_bits(word, 21, 15) * 8;
	if ((word & 0xff8003ff) == 0x910003ff)
		return (int64_t)bits(word, 21, 10) << (bits(word, 22, 22) * 12);
	return 0;
}

/* RET, B, BR: what follows is reached from elsewhere, with the frame still up. */
static gboolean leaves(uint32_t word)
{
	return (word & 0xfffffc1f) == 0xd65f0000 || (word & 0xfc000000) == 0x14000000 ||
	       (word & 0xfffffc1f) == 0xd61f0000;
}

/* ADD or SUB of sp and a register. */
static gboolean is_unknown_move(uint32_t word)
{
	return (word & 0xff20001f) == 0xcb20001f || (word & 0xff20001f) == 0x8b20001f;
}

gboolean prologue_row(const uint32_t *words, size_t n_words, struct cfi_row *row)
{
	struct state now = { 0 };
	struct state whole = { 0 }; /* before the epilogue that we are in */
	gboolean in_epilogue = FALSE;

	if (n_words > PROLOGUE_WORDS_MAX)
		return FALSE;
	for (size_t i = 0; i < n_words; i++) {
		int64_t up = restored(words[i]);

		if (is_unknown_move(words[i]))
			return FALSE;
		if (up > 0) {
			if (!in_epilogue)
				whole = now;
			in_epilogue = TRUE;
			now.depth -= up;
		} else if (leaves(words[i])) {
			if (in_epilogue)
				now = whole;
			in_epilogue = FALSE;
		} else {
			take_store(&now, words[i]);
		}
		if (now.depth < 0)
			return FALSE;
	}
	*row = (struct cfi_row) { .return_register = CFI_LR };
	row->cfa = (struct cfi_rule) { CFI_REGISTER, CFI_SP, now.depth };
	for (unsigned reg = 19; reg <= CFI_LR; reg++) {
		/* Restored already where the frame is gone. */
		if (now.saved[reg] && now.at[reg] >= -now.depth)
			row->rules[reg] = (struct cfi_rule) { CFI_AT_CFA, 0, now.at[reg] };
	}
	return TRUE;
}

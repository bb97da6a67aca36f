/* guest-stm.S: 100,000 markers into an STM window from two cores, then the end
 *
 * Core n writes 50,000 words, n << 24 | number, to the ports (number & 63) with
 * timestamps where bit 3 of the number is clear, and powers the machine off when
 * both are done. EL2 of QEMU's virt machine; the window is 0x20000000. */
	.section .text.start, "ax"
	.global _start
_start:
	mov	x0, #3
	movk	x0, #0xC400, lsl #16	/* PSCI CPU_ON */
	mov	x1, #1
	adr	x2, mark
	mov	x3, #1
	smc	#0
	mov	x0, #0
mark:
	mov	x10, x0
	lsl	w11, w10, #24
	mov	x12, #0
	mov	w13, #50000
	mov	x14, #0x20000000
1:	and	x1, x12, #63
	add	x1, x14, x1, lsl #8
	and	x2, x12, #8
	add	x1, x1, x2		/* bit 3: no timestamp */
	orr	w3, w11, w12
	str	w3, [x1, #0x10]
	add	x12, x12, #1
	cmp	w12, w13
	b.ne	1b
	adrp	x1, done
	add	x1, x1, :lo12:done
	mov	w2, #1
	str	w2, [x1, x10, lsl #2]
	dsb	sy
	cbnz	x10, 3f
2:	ldr	w2, [x1, #4]
	cbz	w2, 2b
	mov	x0, #8
	movk	x0, #0x8400, lsl #16	/* PSCI SYSTEM_OFF */
	smc	#0
3:	wfi
	b	3b
	.bss
	.balign	8
done:	.skip	8

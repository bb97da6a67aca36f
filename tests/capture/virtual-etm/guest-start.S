/* guest-start.S: entry, vectors and the instructions that C cannot say.
 * Runs on QEMU's virt machine from EL2, every core with its own stacks. */
	.macro save
	sub	sp, sp, #272
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	.endm
	.macro restore
	ldr	x30, [sp, #240]
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp, #0]
	add	sp, sp, #272
	.endm
	.macro body handler
body_\handler:
	save
	mov	x0, sp
	bl	\handler
	restore
	eret
	.endm
	.macro vector handler
	.balign	0x80
	b	body_\handler
	.endm
	.macro dead
	.balign	0x80
	b	.
	.endm

	.section .text.start, "ax"
	.global _start
_start:
	mov	x0, #0
secondary:
	mov	x20, x0
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x20, #1
	add	x1, x1, x2, lsl #16
	mov	sp, x1
	sub	x1, x1, #0x8000
	msr	sp_el1, x1
	adrp	x1, vectors_el2
	add	x1, x1, :lo12:vectors_el2
	msr	vbar_el2, x1
	adrp	x1, vectors_el1
	add	x1, x1, :lo12:vectors_el1
	msr	vbar_el1, x1
	isb
	mov	x0, x20
	bl	main_el2
1:	wfi
	b	1b

	.global enter_secondary
enter_secondary:
	b	secondary

	/* enter(pc, spsr, sp_el0, argument): to a lower exception level; comes back with
	 * HVC #1 (handle_el2_lower) to the address in x30 here. */
	.global enter
enter:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	msr	elr_el2, x0
	msr	spsr_el2, x1
	msr	sp_el0, x2
	mov	x0, x3
	eret
	.global leave
leave:
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #96
	ret

	.section .text
	.balign	0x800
vectors_el2:
	.rept	4
	dead
	.endr
	vector	handle_el2_sync
	vector	handle_el2_irq
	dead
	dead
	vector	handle_el2_lower
	vector	handle_el2_irq
	dead
	dead
	.rept	4
	dead
	.endr

	.balign	0x800
vectors_el1:
	.rept	4
	dead
	.endr
	vector	handle_el1_sync
	dead
	dead
	dead
	vector	handle_el1_lower
	dead
	dead
	dead
	.rept	4
	dead
	.endr

	body	handle_el2_sync
	body	handle_el2_irq
	body	handle_el1_sync
	body	handle_el1_lower
body_handle_el2_lower:
	save
	mrs	x0, esr_el2
	mov	w1, #0x0001
	movk	w1, #0x5a00, lsl #16
	cmp	w0, w1		/* HVC #1 of EL1: leave */
	b.ne	1f
	add	sp, sp, #272
	b	leave
1:	mov	x0, sp
	bl	handle_el2_lower
	restore
	eret

	/* chain(n): calls itself n times. */
	.global chain
chain:
	stp	x29, x30, [sp, #-16]!
	cbz	x0, 1f
	sub	x0, x0, #1
	bl	chain
1:	ldp	x29, x30, [sp], #16
	ret

	/* A function that the guest copies and changes: returns a number. */
	.balign	64
	.global number
number:
	mov	x0, #1
	mov	x1, #3
2:	subs	x1, x1, #1
	b.ne	2b
	ret
	.global number_end
number_end:

	/* Stores to the UART in the middle of a block, then faults or goes on. */
	.global mmio_middle
mmio_middle:
	mov	w2, #0
	add	w3, w2, #1
	str	w1, [x0]
	add	w3, w3, #1
	ldr	w4, [x0, #0x18]
	add	w3, w3, w4
	cbnz	w2, mmio_middle
	ret

	/* A loop whose body begins with a store to a device. */
	.global mmio_loop
mmio_loop:
	add	w3, w3, #1
	str	w1, [x0, #0x24]
3:	ldr	w4, [x0, #0x18]
	subs	x2, x2, #1
	b.ne	3b
	ret

	/* Faults in the middle of a block; the handler skips the instruction. */
	.global fault_middle
fault_middle:
	mov	x1, #1
	add	x1, x1, #2
	ldr	x2, [x0]
	add	x1, x1, #3
	.word	0
	add	x1, x1, #4
	brk	#7
	add	x0, x1, #5
	ret

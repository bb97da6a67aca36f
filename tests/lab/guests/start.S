/* The arm64 Image header, the guest's configuration, and the way to guest_main:
 * identity map (1 GiB of devices, 1 GiB of memory), caches on, vectors. */

	.section .head, "ax"
	.globl image_start
image_start:
	b	start
	nop
	.quad	0		/* text offset */
	.quad	image_size
	.quad	0xa		/* little endian, 4 KiB pages, anywhere */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0
	.globl guest_config
guest_config:
	.fill	14, 8, 0

	.text
	.globl start
start:
	ldr	x0, =stack_top
	mov	sp, x0
	ldr	x0, =bss_start
	ldr	x1, =bss_end
1:	cmp	x0, x1
	b.hs	2f
	str	xzr, [x0], #8
	b	1b
2:	ldr	x0, =vectors
	msr	vbar_el1, x0

	ldr	x0, =guest_page_table
	mov	x1, #0x0401		/* block, AF, attribute 0: device */
	str	x1, [x0]
	ldr	x1, =0x40000705		/* block, AF, inner shareable, attribute 1 */
	str	x1, [x0, #8]
	ldr	x1, =0xff04		/* 0: device nGnRE, 1: write-back */
	msr	mair_el1, x1
	ldr	x1, =0x200803519	/* T0SZ 25, WB, inner, EPD1, IPS 40 bits */
	msr	tcr_el1, x1
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, xzr
	dsb	ish
	tlbi	vmalle1
	dsb	ish
	isb
	mrs	x1, sctlr_el1
	mov	x2, #0x1005		/* M, C, I */
	orr	x1, x1, x2
	msr	sctlr_el1, x1
	isb
	bl	guest_main
halt:	wfi
	b	halt

	.globl guest_hypercall
guest_hypercall:
	mov	x16, x0
	mov	x0, x1
	mov	x1, x2
	hvc	#0xea1
	ret

	/* One handler: save what C may change, ask guest_fault where to go on. */
handler:
	sub	sp, sp, #176
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	mrs	x0, esr_el1
	mrs	x1, far_el1
	mrs	x2, elr_el1
	bl	guest_fault
	msr	elr_el1, x0
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x30, [sp, #144]
	add	sp, sp, #176
	eret

	.balign	2048
vectors:
	.rept	16
	.balign	128
	b	handler
	.endr

	.bss
	.balign	4096
	.globl guest_page_table
guest_page_table:
	.skip	4096
	.balign	16
	.skip	8192
stack_top:

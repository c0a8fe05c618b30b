/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vclone.h"

/* Arguments in rdi, rsi, rdx, rcx; a system call spoils rcx and r11 only. The
 * child wakes up on its own, empty and aligned stack. */
__asm__(".text\n"
	".globl vclone3\n"
	".type vclone3, @function\n"
	"vclone3:\n"
	"	movq %rdx, %r8\n"
	"	movq %rcx, %r9\n"
	"	movl $435, %eax\n" /* clone3 */
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xorl %ebp, %ebp\n"
	"	movq %r9, %rdi\n"
	"	call *%r8\n"
	"	xorl %edi, %edi\n"
	"	movl $231, %eax\n" /* exit_group */
	"	syscall\n"
	"	hlt\n"
	".size vclone3, . - vclone3\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");

/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - the same loop in a tiny guest's kernel mode and here.
 *
 * An implementation of KVM that interprets supervisor code runs guests, but
 * hundreds of times slower than the CPU; only measuring tells. */
#include "arch/arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TURNS (4u << 20)
/* Longer than this and the answer is known. */
#define LIMIT_US 200000

/* The guest's memory, at 0. */
#define PML4_AT 0x1000
#define PDPT_AT 0x2000
#define PD_AT 0x3000
#define CODE_AT 0x4000
#define MEM_SIZE 0x10000

#define PAGE_RW_PRESENT 0x3
#define PAGE_2M 0x80

/* 1: dec rcx; jnz 1b; hlt */
static const uint8_t loop_code[] = { 0x48, 0xff, 0xc9, 0x75, 0xfb, 0xf4 };

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t loop_here(void)
{
	uint64_t turns = TURNS, start = now_ns();

	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(turns) : : "cc");
	return now_ns() - start;
}

static int tiny_mem(struct kvm_vm *vm, uint8_t *mem, struct err *e)
{
	const uint64_t pml4 = PDPT_AT | PAGE_RW_PRESENT;
	const uint64_t pdpt = PD_AT | PAGE_RW_PRESENT;
	const uint64_t pd = PAGE_2M | PAGE_RW_PRESENT;
	struct kvm_userspace_memory_region slot = {
		.memory_size = MEM_SIZE,
		.userspace_addr = (uintptr_t)mem,
	};

	memcpy(mem + PML4_AT, &pml4, sizeof(pml4));
	memcpy(mem + PDPT_AT, &pdpt, sizeof(pdpt));
	memcpy(mem + PD_AT, &pd, sizeof(pd));
	memcpy(mem + CODE_AT, loop_code, sizeof(loop_code));
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return err_sys(e, "memory of the probe");
	return 0;
}

static int tiny_regs(int cpu, struct err *e)
{
	struct kvm_regs regs = { .rip = CODE_AT, .rcx = TURNS, .rflags = 2 };
	struct kvm_sregs s;

	if (ioctl(cpu, KVM_GET_SREGS, &s) < 0)
		return err_sys(e, "registers of the probe");
	s.cs = (struct kvm_segment){ .selector = 0x8,
				     .type = 0xb,
				     .present = 1,
				     .s = 1,
				     .l = 1,
				     .g = 1,
				     .limit = 0xffffffff };
	s.ds = (struct kvm_segment){ .selector = 0x10,
				     .type = 0x3,
				     .present = 1,
				     .s = 1,
				     .db = 1,
				     .g = 1,
				     .limit = 0xffffffff };
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.cr0 = 1u | 1u << 4 | 1u << 31; /* PE, ET, PG */
	s.cr3 = PML4_AT;
	s.cr4 = 1u << 5;	     /* PAE */
	s.efer = 1u << 8 | 1u << 10; /* LME, LMA */
	if (ioctl(cpu, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(cpu, KVM_SET_REGS, &regs) < 0)
		return err_sys(e, "registers of the probe");
	return 0;
}

static void on_alarm(int signo)
{
	(void)signo; /* only interrupts KVM_RUN */
}

/* Runs until the guest halts or the limit is over; *turns is what it did. */
static int tiny_run(int cpu, const struct kvm_run *run, uint64_t *turns,
		    struct err *e)
{
	const struct sigaction act = { .sa_handler = on_alarm };
	const struct itimerval limit = { .it_value.tv_usec = LIMIT_US };
	const struct itimerval off = { 0 };
	struct kvm_regs regs;
	int r, error;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	r = ioctl(cpu, KVM_RUN, 0);
	error = errno;
	setitimer(ITIMER_REAL, &off, NULL);
	if (r < 0 && error != EINTR) {
		errno = error;
		return err_sys(e, "run the probe");
	}
	if (r == 0 && run->exit_reason != KVM_EXIT_HLT)
		return err_set(e, EIO,
			       "the probe's guest left with reason %u, "
			       "not by halting",
			       run->exit_reason);
	if (ioctl(cpu, KVM_GET_REGS, &regs) < 0)
		return err_sys(e, "registers of the probe");
	*turns = TURNS - regs.rcx;
	return 0;
}

static int loop_there(struct kvm_vm *vm, uint8_t *mem, uint64_t *ns,
		      struct err *e)
{
	int cpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0), r;
	struct kvm_run *run;
	uint64_t start, turns = 0;

	if (cpu < 0)
		return err_sys(e, "vCPU of the probe");
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu,
		   0);
	if (run == MAP_FAILED) {
		err_sys(e, "vCPU of the probe");
		close(cpu);
		return -e->code;
	}
	r = tiny_mem(vm, mem, e);
	if (r == 0)
		r = tiny_regs(cpu, e);
	start = now_ns();
	if (r == 0)
		r = tiny_run(cpu, run, &turns, e);
	*ns = now_ns() - start;
	/* A guest that was stopped is judged by how far it came. */
	if (r == 0 && turns < TURNS)
		*ns = (uint64_t)((double)*ns * TURNS / (double)(turns + 1));
	munmap(run, vm->run_size);
	close(cpu);
	return r;
}

int arch_probe(struct kvm_vm *vm, struct arch_probe *out, struct err *e)
{
	void *mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (mem == MAP_FAILED)
		return err_sys(e, "memory of the probe");
	loop_here(); /* the first one is slow */
	out->user_ns = loop_here();
	r = loop_there(vm, mem, &out->guest_ns, e);
	munmap(mem, MEM_SIZE);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - the same loop in a tiny guest's kernel mode and here. */
#include "arch/arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TURNS (4u << 20)
/* Longer than this and the answer is known. */
#define LIMIT_US 200000
#define MEM_SIZE 0x10000
#define NOWHERE 0x10000000 /* a store here leaves the guest */

#define CORE_REG(name)                                                         \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |                 \
	 KVM_REG_ARM_CORE_REG(name))
#define SCTLR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 0)
#define SCTLR_ICACHE (1u << 12)

/* 1: subs x0, x0, #1; b.ne 1b; str x0, [x1]; 2: b 2b */
static const uint32_t loop_code[] = { 0xf1000400, 0x54ffffe1, 0xf9000020,
				      0x14000000 };

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t loop_here(void)
{
	uint64_t turns = TURNS, start = now_ns();

	__asm__ volatile("1: subs %0, %0, #1; b.ne 1b" : "+r"(turns) : : "cc");
	return now_ns() - start;
}

static int reg(int cpu, unsigned long op, uint64_t id, uint64_t *value,
	       struct err *e)
{
	struct kvm_one_reg r = { .id = id, .addr = (uintptr_t)value };

	if (ioctl(cpu, op, &r) < 0)
		return err_sys(e, "registers of the probe");
	return 0;
}

static int tiny_init(struct kvm_vm *vm, int cpu, uint8_t *mem, struct err *e)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = MEM_SIZE,
		.userspace_addr = (uintptr_t)mem,
	};
	struct kvm_vcpu_init init;
	uint64_t pc = 0, turns = TURNS, nowhere = NOWHERE, sctlr;

	memcpy(mem, loop_code, sizeof(loop_code));
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return err_sys(e, "memory of the probe");
	if (ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init) < 0 ||
	    ioctl(cpu, KVM_ARM_VCPU_INIT, &init) < 0)
		return err_sys(e, "vCPU of the probe");
	if (reg(cpu, KVM_GET_ONE_REG, SCTLR_EL1, &sctlr, e) < 0)
		return -e->code;
	sctlr |= SCTLR_ICACHE;
	if (reg(cpu, KVM_SET_ONE_REG, SCTLR_EL1, &sctlr, e) < 0 ||
	    reg(cpu, KVM_SET_ONE_REG, CORE_REG(regs.pc), &pc, e) < 0 ||
	    reg(cpu, KVM_SET_ONE_REG, CORE_REG(regs.regs[0]), &turns, e) < 0 ||
	    reg(cpu, KVM_SET_ONE_REG, CORE_REG(regs.regs[1]), &nowhere, e) < 0)
		return -e->code;
	return 0;
}

static void on_alarm(int signo)
{
	(void)signo; /* only interrupts KVM_RUN */
}

static int tiny_run(int cpu, const struct kvm_run *run, uint64_t *left,
		    struct err *e)
{
	const struct sigaction act = { .sa_handler = on_alarm };
	const struct itimerval limit = { .it_value.tv_usec = LIMIT_US };
	const struct itimerval off = { 0 };
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
	if (r == 0 && run->exit_reason != KVM_EXIT_MMIO)
		return err_set(e, EIO,
			       "the probe's guest left with reason %u, "
			       "not by its store",
			       run->exit_reason);
	return reg(cpu, KVM_GET_ONE_REG, CORE_REG(regs.regs[0]), left, e);
}

int arch_probe(struct kvm_vm *vm, struct arch_probe *out, struct err *e)
{
	void *mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int cpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0), r = 0;
	void *run = MAP_FAILED;
	uint64_t start, left = 0;

	if (cpu >= 0)
		run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, cpu, 0);
	if (mem == MAP_FAILED || run == MAP_FAILED)
		r = err_sys(e, "vCPU of the probe");
	loop_here(); /* the first one is slow */
	out->user_ns = loop_here();
	if (r == 0)
		r = tiny_init(vm, cpu, mem, e);
	start = now_ns();
	if (r == 0)
		r = tiny_run(cpu, run, &left, e);
	out->guest_ns = now_ns() - start;
	/* A guest that was stopped is judged by how far it came. */
	if (r == 0 && left > 0)
		out->guest_ns = (uint64_t)((double)out->guest_ns * TURNS /
					   (double)(TURNS - left + 1));
	if (run != MAP_FAILED)
		munmap(run, vm->run_size);
	if (mem != MAP_FAILED)
		munmap(mem, MEM_SIZE);
	if (cpu >= 0)
		close(cpu);
	return r;
}

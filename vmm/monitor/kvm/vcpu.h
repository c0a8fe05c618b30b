/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu.h - one virtual CPU and the thread that runs it.
 *
 * The thread runs the guest, hands register accesses to the machine's hooks
 * and waits when it is paused. It ends when it is stopped or when the guest
 * does something that cannot go on; then ended() is told why, once.
 *
 *   VCPU_PAUSED   waits; registers may be read and written by the loop thread
 *   VCPU_RUNNING  in KVM_RUN or in a hook
 *   VCPU_STOPPED  the thread has left its loop and will touch nothing more */
#pragma once

#include "base/err.h"
#include "kvm/kvm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum vcpu_state { VCPU_PAUSED, VCPU_RUNNING, VCPU_STOPPED };

enum vcpu_end {
	VCPU_END_CRASH,	   /* triple fault or an error in KVM */
	VCPU_END_POWEROFF, /* firmware calls of CPUs that have them */
	VCPU_END_REBOOT,
};

/* Called from the vCPU's thread, without a lock. data is 1 to 8 bytes, to be
 * filled by a read. */
struct vcpu_hooks {
	void (*mmio)(void *ctx, uint64_t addr, void *data, uint32_t len,
		     bool write);
	void (*pio)(void *ctx, uint16_t port, void *data, uint32_t len,
		    bool write);
	void (*ended)(void *ctx, enum vcpu_end end, const char *why);
	/* First thing in the thread; a failure ends it through ended(). */
	int (*enter)(void *ctx, struct err *e);
	void *ctx;
};

struct vcpu {
	unsigned index;
	int fd;
	struct kvm_run *run; /* shared with KVM */
	size_t run_size;
	const struct vcpu_hooks *hooks;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards state and want */
	pthread_cond_t changed;
	enum vcpu_state state, want;
	uint64_t exits, mmio_exits, pio_exits; /* vCPU thread; read racily */
};

int vcpu_create(struct vcpu *c, struct kvm_vm *vm, unsigned index,
		const struct vcpu_hooks *hooks, struct err *e);
void vcpu_close(struct vcpu *c);

/* The thread starts paused; returns when it has called enter(). */
int vcpu_start(struct vcpu *c, struct err *e);
/* Asks for a state; returns at once. STOPPED is final. */
void vcpu_ask(struct vcpu *c, enum vcpu_state want);
/* Waits until the vCPU is in it (or stopped). */
void vcpu_await(struct vcpu *c, enum vcpu_state state);

/* Installs the empty handler that interrupts KVM_RUN; once per process. */
int vcpu_signals(struct err *e);

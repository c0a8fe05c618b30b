/* SPDX-License-Identifier: Apache-2.0 */
#include "kvm/vcpu.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define VCPU_SIGNAL SIGRTMIN
#define VCPU_STACK_SIZE ((size_t)128 * 1024)

static void vcpu_on_signal(int sig)
{
	(void)sig; /* only there to make KVM_RUN return */
}

int vcpu_signals(struct err *e)
{
	struct sigaction sa = { .sa_handler = vcpu_on_signal };

	if (sigaction(VCPU_SIGNAL, &sa, NULL) < 0)
		return err_sys(e, "sigaction");
	return 0;
}

int vcpu_create(struct vcpu *c, struct kvm_vm *vm, unsigned index,
		const struct vcpu_hooks *hooks, struct err *e)
{
	void *p;

	*c = (struct vcpu){ .index = index,
			    .hooks = hooks,
			    .fd = -1,
			    .run_size = vm->run_size };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	c->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (c->fd < 0)
		return err_sys(e, "create vCPU %u", index);
	p = mmap(NULL, c->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd,
		 0);
	if (p == MAP_FAILED)
		return err_sys(e, "map vCPU %u", index);
	c->run = p;
	return 0;
}

void vcpu_close(struct vcpu *c)
{
	if (c->started)
		pthread_join(c->thread, NULL);
	c->started = false;
	if (c->run)
		munmap(c->run, c->run_size);
	c->run = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* ---- exits ---- */

static void vcpu_exit_io(struct vcpu *c)
{
	struct kvm_run *run = c->run;
	uint64_t off = run->io.data_offset;
	uint64_t total = (uint64_t)run->io.size * run->io.count;
	uint8_t *data;

	c->pio_exits++;
	/* KVM wrote these, but they index memory: check all the same. */
	if (off > c->run_size || total > c->run_size - off)
		return;
	data = (uint8_t *)run + off;
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		c->hooks->pio(c->hooks->ctx, run->io.port, data, run->io.size,
			      run->io.direction == KVM_EXIT_IO_OUT);
}

static void vcpu_exit_mmio(struct vcpu *c)
{
	struct kvm_run *run = c->run;

	c->mmio_exits++;
	if (run->mmio.len > sizeof(run->mmio.data))
		return;
	c->hooks->mmio(c->hooks->ctx, run->mmio.phys_addr, run->mmio.data,
		       run->mmio.len, run->mmio.is_write);
}

static bool vcpu_exit_system(struct vcpu *c)
{
	switch (c->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		c->hooks->ended(c->hooks->ctx, VCPU_END_POWEROFF, "");
		return false;
	case KVM_SYSTEM_EVENT_RESET:
		c->hooks->ended(c->hooks->ctx, VCPU_END_REBOOT, "");
		return false;
	default:
		c->hooks->ended(c->hooks->ctx, VCPU_END_CRASH, "system event");
		return false;
	}
}

static bool vcpu_crash(struct vcpu *c)
{
	struct kvm_run *run = c->run;
	char why[128];

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		snprintf(why, sizeof(why), "vCPU %u: triple fault", c->index);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(why, sizeof(why), "vCPU %u: entry failed (%#llx)",
			 c->index,
			 (unsigned long long)
				 run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(why, sizeof(why), "vCPU %u: KVM internal error %u",
			 c->index, run->internal.suberror);
		break;
	default:
		snprintf(why, sizeof(why), "vCPU %u: unexpected exit %u",
			 c->index, run->exit_reason);
		break;
	}
	c->hooks->ended(c->hooks->ctx, VCPU_END_CRASH, why);
	return false;
}

/* Returns false when the vCPU cannot go on. */
static bool vcpu_handle_exit(struct vcpu *c)
{
	c->exits++;
	switch (c->run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_exit_io(c);
		return true;
	case KVM_EXIT_MMIO:
		vcpu_exit_mmio(c);
		return true;
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_SYSTEM_EVENT:
		return vcpu_exit_system(c);
	default:
		return vcpu_crash(c);
	}
}

/* ---- the thread ---- */

static void vcpu_become(struct vcpu *c, enum vcpu_state state)
{
	c->state = state;
	pthread_cond_broadcast(&c->changed);
}

/* Waits while paused; returns false when the vCPU is to stop. */
static bool vcpu_settle(struct vcpu *c)
{
	bool run;

	pthread_mutex_lock(&c->lock);
	while (c->want == VCPU_PAUSED) {
		vcpu_become(c, VCPU_PAUSED);
		pthread_cond_wait(&c->changed, &c->lock);
	}
	run = c->want == VCPU_RUNNING;
	if (run) {
		/* Set again by whoever asks next; see vcpu_ask(). */
		c->run->immediate_exit = 0;
		vcpu_become(c, VCPU_RUNNING);
	}
	pthread_mutex_unlock(&c->lock);
	return run;
}

static void vcpu_loop(struct vcpu *c)
{
	char why[96];

	while (vcpu_settle(c)) {
		for (;;) {
			if (ioctl(c->fd, KVM_RUN, 0) == 0) {
				if (!vcpu_handle_exit(c))
					return;
				continue;
			}
			if (errno == EINTR || errno == EAGAIN)
				break;
			snprintf(why, sizeof(why), "vCPU %u: KVM_RUN: %s",
				 c->index, strerror(errno));
			c->hooks->ended(c->hooks->ctx, VCPU_END_CRASH, why);
			return;
		}
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *c = arg;
	struct err e = { 0 };
	bool ok = c->hooks->enter(c->hooks->ctx, &e) == 0;

	if (ok)
		vcpu_loop(c);
	else
		c->hooks->ended(c->hooks->ctx, VCPU_END_CRASH, e.msg);
	pthread_mutex_lock(&c->lock);
	c->want = VCPU_STOPPED;
	vcpu_become(c, VCPU_STOPPED);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int vcpu_start(struct vcpu *c, struct err *e)
{
	pthread_attr_t attr;
	int r;

	c->want = VCPU_PAUSED;
	c->state = VCPU_RUNNING; /* until it says it is paused */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, VCPU_STACK_SIZE);
	r = pthread_create(&c->thread, &attr, vcpu_main, c);
	pthread_attr_destroy(&attr);
	if (r != 0)
		return err_set(e, r, "thread of vCPU %u: %s", c->index,
			       strerror(r));
	c->started = true;
	vcpu_await(c, VCPU_PAUSED);
	return 0;
}

void vcpu_ask(struct vcpu *c, enum vcpu_state want)
{
	if (!c->started)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->want != VCPU_STOPPED)
		c->want = want;
	/* Before the signal: a KVM_RUN that begins in between returns at
	 * once, and one that runs is interrupted. */
	c->run->immediate_exit = 1;
	pthread_cond_broadcast(&c->changed);
	if (c->state == VCPU_RUNNING)
		pthread_kill(c->thread, VCPU_SIGNAL);
	pthread_mutex_unlock(&c->lock);
}

void vcpu_await(struct vcpu *c, enum vcpu_state state)
{
	if (!c->started)
		return;
	pthread_mutex_lock(&c->lock);
	while (c->state != state && c->state != VCPU_STOPPED)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - the life of a machine that was built. */
#include "base/auto.h"
#include "base/fd.h"
#include "machine/machine.h"

#include <stdio.h>

#define DRAIN_STEP_MS 100

/* ---- what a vCPU asks for; no lock is held on entry ---- */

static void run_mmio(void *ctx, uint64_t addr, void *data, uint32_t len,
		     bool write)
{
	struct machine *m = ctx;

	pthread_mutex_lock(&m->lock);
	bus_access(&m->mmio, addr, data, len, write);
	pthread_mutex_unlock(&m->lock);
}

static void run_pio(void *ctx, uint16_t port, void *data, uint32_t len,
		    bool write)
{
	struct machine *m = ctx;

	pthread_mutex_lock(&m->lock);
	bus_access(&m->pio, port, data, len, write);
	pthread_mutex_unlock(&m->lock);
}

static void run_ended(void *ctx, enum vcpu_end end, const char *why)
{
	static const enum machine_end ends[] = {
		[VCPU_END_CRASH] = END_CRASH,
		[VCPU_END_POWEROFF] = END_POWEROFF,
		[VCPU_END_REBOOT] = END_REBOOT,
	};

	machine_end(ctx, ends[end], why);
}

static int run_enter(void *ctx, struct err *e)
{
	struct machine *m = ctx;

	return m->conf->enter ? m->conf->enter(m->conf->ctx, e) : 0;
}

static int run_enter_dev(void *ctx, struct err *e)
{
	struct machine *m = ctx;

	return m->conf->enter_dev ? m->conf->enter_dev(m->conf->ctx, e) : 0;
}

void machine_end(struct machine *m, enum machine_end end, const char *why)
{
	uint64_t one = 1;

	pthread_mutex_lock(&m->end_lock);
	if (m->end == END_NONE) {
		m->end = end;
		snprintf(m->end_why, sizeof(m->end_why), "%s", why);
		if (write(m->end_watch.fd, &one, sizeof(one)) < 0)
			m->end_why[0] = '\0'; /* cannot fail: count is 0 */
	}
	pthread_mutex_unlock(&m->end_lock);
}

int machine_start(struct machine *m, struct err *e)
{
	m->hooks = (struct vcpu_hooks){
		.mmio = run_mmio,
		.pio = run_pio,
		.ended = run_ended,
		.enter = run_enter,
		.ctx = m,
	};
	m->threads = (struct dev_threads){ .enter = run_enter_dev, .ctx = m };
	if (vcpu_signals(e) < 0 || slot_start_all(m, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < m->conf->vcpus; i++) {
		struct vcpu *c = &m->vcpu[i];
		int r = vcpu_create(c, &m->vm, i, &m->hooks, e);

		m->nvcpus++;
		if (r == 0)
			r = arch_vcpu_init(&m->vm, c, m->conf->vcpus, &m->boot,
					   e);
		if (r < 0)
			return r;
	}
	if (arch_vm_finish(&m->vm, m->nvcpus, e) < 0)
		return -e->code;
	m->paused = true;
	for (unsigned i = 0; i < m->nvcpus; i++)
		if (vcpu_start(&m->vcpu[i], e) < 0)
			return -e->code;
	return 0;
}

void machine_go(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_ask(&m->vcpu[i], VCPU_RUNNING);
	m->paused = false;
}

void machine_pause(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_ask(&m->vcpu[i], VCPU_PAUSED);
	m->paused = true;
}

void machine_stop(struct machine *m)
{
	slot_let_go(m);
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_ask(&m->vcpu[i], VCPU_STOPPED);
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_await(&m->vcpu[i], VCPU_STOPPED);
	serial_log_flush(&m->console);
}

void machine_dev_stats(const struct machine *m, struct dev_stats *s)
{
	for (unsigned i = 0; i < m->nslots; i++)
		if (m->slot[i].kind->stats)
			m->slot[i].kind->stats(m->slot[i].v, s);
}

static bool run_pending(struct machine *m)
{
	bool any = false;

	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < m->nslots && !any; i++)
		any = m->slot[i].kind->pending &&
		      m->slot[i].kind->pending(m->slot[i].v);
	pthread_mutex_unlock(&m->lock);
	return any;
}

void machine_drain(struct machine *m, unsigned max_ms)
{
	uint64_t end = now_us() + max_ms * 1000ull;

	while (run_pending(m) && now_us() < end)
		if (loop_once(m->loop, DRAIN_STEP_MS) < 0)
			return;
}

void machine_fini(struct machine *m)
{
	for (unsigned i = 0; i < m->nvcpus; i++)
		vcpu_close(&m->vcpu[i]);
	m->nvcpus = 0;
	slot_fini_all(m);
	if (m->end_watch.fd >= 0)
		close(m->end_watch.fd);
	m->end_watch.fd = -1;
	serial_fini(&m->serial);
	serial_log_fini(&m->console);
	kvm_close(&m->vm);
	mem_fini(&m->mem);
}

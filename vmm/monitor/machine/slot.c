/* SPDX-License-Identifier: Apache-2.0 */
/* slot.c - a virtio device on the bus: its window, doorbell and interrupt.
 *
 * A device's state belongs to the loop thread, and the tables of system calls
 * hold it to that: a vCPU thread may not touch its sockets and files. Nearly
 * all registers only store a number, so the vCPU that writes them does it
 * itself under the lock. Two writes to Status make a device act, the one that
 * sets DRIVER_OK and the one that resets it: these are handed to the loop and
 * the vCPU waits, since the driver expects the device to be reset when its
 * write returns (Linux does not poll for it). */
#include "base/auto.h"
#include "machine/machine.h"
#include "virtio/mmio.h"
#include "virtio/view.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

static void slot_read(void *own, uint32_t off, void *dst, uint32_t len)
{
	struct slot *s = own;

	mmio_read(s->v, off, dst, len);
}

/* True for a write that makes the device act. */
static bool slot_acts(const struct slot *s, uint32_t off, const void *src,
		      uint32_t len)
{
	uint32_t status;

	if (off != MMIO_STATUS || len != sizeof(status))
		return false;
	memcpy(&status, src, sizeof(status));
	return status == 0 ? s->v->status & VIRTIO_S_DRIVER_OK
			   : status & ~s->v->status & VIRTIO_S_DRIVER_OK;
}

static void slot_write(void *own, uint32_t off, const void *src, uint32_t len)
{
	struct slot *s = own;
	struct machine *m = s->machine;
	uint64_t one = 1;

	if (!slot_acts(s, off, src, len)) {
		mmio_write(s->v, off, src, len);
		return;
	}
	while (m->defer && !m->stopping)
		pthread_cond_wait(&m->deferred, &m->lock);
	if (m->stopping)
		return;
	memcpy(&m->defer_status, src, sizeof(m->defer_status));
	m->defer = s;
	if (write(m->defer_watch.fd, &one, sizeof(one)) < 0)
		log_err("defer: the loop cannot be woken");
	while (m->defer == s && !m->stopping)
		pthread_cond_wait(&m->deferred, &m->lock);
}

static void defer_ready(struct watch *w, uint32_t events)
{
	struct machine *m = container_of(w, struct machine, defer_watch);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) != sizeof(n) || !m->defer)
		return;
	mmio_write(m->defer->v, MMIO_STATUS, &m->defer_status,
		   sizeof(m->defer_status));
	m->defer = NULL;
	pthread_cond_broadcast(&m->deferred);
}

static void slot_kicked(struct watch *w, uint32_t events)
{
	(void)events;
	mmio_kick(container_of(w, struct slot, kick)->v);
}

gpa_t machine_slot_at(unsigned slot)
{
	return GPA(arch_map.virtio_base.v + slot * (uint64_t)MMIO_SIZE);
}

static gpa_t slot_base(const struct machine *m, const struct slot *s)
{
	return machine_slot_at((unsigned)(s - m->slot));
}

static void slot_raise(void *own)
{
	struct slot *s = own;

	/* While the line is high, another's edge would be none. */
	pthread_mutex_lock(&s->raising);
	kvm_raise(&s->machine->vm, s->gsi);
	pthread_mutex_unlock(&s->raising);
}

/* One doorbell for all queues, or each queue's own. */
static int slot_doorbell(struct machine *m, const struct virtio *v, gpa_t at,
			 struct err *e)
{
	int r = 0;

	if (!v->queue_kick_fds)
		return kvm_ioeventfd(&m->vm, v->kick_fd, at, 4, e);
	for (unsigned i = 0; r == 0 && i < v->ops->queues; i++)
		r = kvm_ioeventfd_value(&m->vm, v->queue_kick_fds[i], at, 4, i,
					e);
	return r;
}

static int slot_wire(struct machine *m, struct slot *s, struct err *e)
{
	gpa_t base = slot_base(m, s);
	struct bus_range range = { .name = s->kind->name,
				   .base = base.v,
				   .size = MMIO_SIZE,
				   .own = s,
				   .read = slot_read,
				   .write = slot_write };
	int r = bus_add(&m->mmio, &range, e);

	if (arch_map.raise_by_call) {
		s->v->raise = slot_raise;
		s->v->raise_own = s;
	}
	s->kick = (struct watch){ .fd = s->v->kick_fd,
				  .name = s->kind->name,
				  .ready = slot_kicked };
	/* Another process has nothing but the eventfd. */
	if (r == 0 && (!s->v->raise || s->v->irq_always))
		r = kvm_irqfd(&m->vm, s->v->irq_fd, s->gsi, e);
	if (r == 0)
		r = slot_doorbell(m, s->v, GPA(base.v + MMIO_QUEUE_NOTIFY), e);
	if (r == 0)
		r = loop_add(m->loop, &s->kick, EPOLLIN, e);
	return r;
}

static int slot_build(struct machine *m, const struct dev_conf *conf,
		      struct err *e)
{
	unsigned n = m->nslots;
	struct slot *s = &m->slot[n];

	if (n == MACHINE_MAX_DEVS || n == arch_map.virtio_slots)
		return err_set(e, ENOSPC, "too many devices");
	s->machine = m;
	pthread_mutex_init(&s->raising, NULL);
	s->gsi = arch_map.virtio_gsi + n;
	s->kind = &dev_kinds[conf->type];
	s->v = s->kind->create(conf, &m->mem, m->loop, e);
	if (!s->v)
		return err_wrap(e, "%s", s->kind->name);
	s->spare = s->v->absent;
	m->nslots++;
	return slot_wire(m, s, e);
}

static size_t views_size(const struct machine *m)
{
	return (size_t)m->nslots * MMIO_SIZE;
}

/* An acknowledgement of used buffers says nothing that is not so already. */
static int slot_show(struct machine *m, struct slot *s, struct err *e)
{
	gpa_t ack = GPA(slot_base(m, s).v + MMIO_INTERRUPT_ACK);

	view_open(s->v, m->views + (size_t)(s - m->slot) * MMIO_SIZE);
	return kvm_ioeventfd_value(&m->vm, m->ack_fd, ack, 4, VIRTIO_IRQ_USED,
				   e);
}

/* Registers are read without us from here on, where KVM can do that. */
static int slot_show_all(struct machine *m, struct err *e)
{
	size_t size = views_size(m);
	int r;

	if (m->nslots == 0 || !kvm_has_views(&m->vm))
		return 0;
	m->views = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->views == MAP_FAILED) {
		m->views = NULL;
		return err_sys(e, "pages of registers");
	}
	m->ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->ack_fd < 0)
		return err_sys(e, "eventfd");
	r = kvm_add_view(&m->vm, arch_map.virtio_base, m->views, size, e);
	for (unsigned i = 0; r == 0 && i < m->nslots; i++)
		r = slot_show(m, &m->slot[i], e);
	return r;
}

int slot_build_all(struct machine *m, struct err *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r;

	if (fd < 0)
		return err_sys(e, "eventfd");
	m->defer_watch = (struct watch){ .fd = fd,
					 .name = "defer",
					 .ready = defer_ready };
	r = loop_add(m->loop, &m->defer_watch, EPOLLIN, e);
	for (unsigned i = 0; r == 0 && i < m->conf->ndevs; i++)
		r = slot_build(m, &m->conf->devs[i], e);
	return r < 0 ? r : slot_show_all(m, e);
}

int machine_plug(struct machine *m, const struct dev_conf *conf, struct err *e)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		struct slot *s = &m->slot[i];

		if (!s->spare || s->kind != &dev_kinds[conf->type] ||
		    !s->v->absent || s->v->status)
			continue;
		return s->kind->plug(s->v, conf, e) < 0 ? -e->code : (int)i;
	}
	return err_set(e, ENOSPC,
		       "the machine has no %s device left to be added",
		       dev_kinds[conf->type].name);
}

int machine_unplug(struct machine *m, unsigned slot, struct err *e)
{
	struct slot *s = slot < m->nslots ? &m->slot[slot] : NULL;

	if (!s || !s->spare || s->v->absent)
		return err_set(e, ENODEV, "no device was added at slot %u",
			       slot);
	s->kind->unplug(s->v);
	return 0;
}

int slot_start_all(struct machine *m, struct err *e)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		const struct slot *s = &m->slot[i];

		if (s->kind->start && s->kind->start(s->v, &m->threads, e) < 0)
			return -e->code;
	}
	return 0;
}

void slot_let_go(struct machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	pthread_cond_broadcast(&m->deferred);
	pthread_mutex_unlock(&m->lock);
}

void slot_fini_all(struct machine *m)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		loop_del(m->loop, &m->slot[i].kick);
		m->slot[i].kind->destroy(m->slot[i].v);
	}
	if (m->views)
		munmap(take_ptr(&m->views), views_size(m));
	m->nslots = 0;
	if (m->ack_fd >= 0)
		close(take_fd(&m->ack_fd));
	if (m->defer_watch.fd >= 0)
		close(take_fd(&m->defer_watch.fd));
}

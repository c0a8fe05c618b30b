/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/virtio.h"

#include "virtio/view.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_FEATURES                                                          \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

int virtio_init(struct virtio *v, const struct virtio_ops *ops, const char *id,
		const struct mem *mem, struct err *e)
{
	assert(ops->queues <= VIRTIO_MAX_QUEUES);
	*v = (struct virtio){
		.ops = ops,
		.mem = mem,
		.offered = ops->features | RING_FEATURES,
		.kick_fd = -1,
		.irq_fd = -1,
	};
	snprintf(v->id, sizeof(v->id), "%s", id);
	v->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	v->irq_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->kick_fd < 0 || v->irq_fd < 0) {
		int r = err_sys(e, "%s %s: eventfd", ops->name, v->id);

		virtio_fini(v);
		return r;
	}
	for (unsigned i = 0; i < ops->queues; i++) {
		int r = queue_init(&v->queue[i], v, (uint16_t)i, ops->queue_max,
				   ops->chain_max);

		if (r < 0) {
			virtio_fini(v);
			return err_set(e, -r, "%s %s: no memory for queue %u",
				       ops->name, v->id, i);
		}
	}
	return 0;
}

void virtio_fini(struct virtio *v)
{
	if (!v->ops)
		return;
	for (unsigned i = 0; i < v->ops->queues; i++)
		queue_fini(&v->queue[i]);
	if (v->kick_fd >= 0)
		close(v->kick_fd);
	if (v->irq_fd >= 0)
		close(v->irq_fd);
	v->kick_fd = v->irq_fd = -1;
	v->ops = NULL;
}

static void ring_eventfd(int fd)
{
	uint64_t one = 1;

	/* EAGAIN means that 2^64-2 are pending: one of them will do. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void virtio_kick_self(struct virtio *v)
{
	ring_eventfd(v->kick_fd);
}

void virtio_kick_queue(struct virtio *v, unsigned i)
{
	ring_eventfd(v->queue_kick_fds ? v->queue_kick_fds[i] : v->kick_fd);
}

void virtio_interrupt(struct virtio *v, uint32_t why)
{
	v->irq_status |= why;
	if (why & VIRTIO_IRQ_CONFIG)
		view_refresh(v);
	if (v->raise)
		v->raise(v->raise_own);
	else
		ring_eventfd(v->irq_fd);
}

static const char by_driver[] = "broken by the driver";

static void virtio_tell(struct virtio *v, const char *whose, const char *why)
{
	v->status |= VIRTIO_S_NEEDS_RESET;
	log_limited(&v->limit, "%s %s: %s: %s", v->ops->name, v->id, whose,
		    why);
	/* virtio 1.2, 2.1.2: the driver is told once it is running. */
	if (v->status & VIRTIO_S_DRIVER_OK)
		virtio_config_changed(v);
	else
		view_refresh(v);
}

void virtio_broken(struct virtio *v, const char *why)
{
	if (!atomic_exchange(&v->broken, true))
		virtio_tell(v, by_driver, why);
}

void virtio_lost(struct virtio *v, const char *why)
{
	if (!atomic_exchange(&v->broken, true))
		virtio_tell(v, "lost", why);
}

void virtio_broken_aside(struct virtio *v, const char *why)
{
	if (atomic_exchange(&v->broken, true))
		return;
	v->aside_why = why;
	virtio_kick_self(v);
}

void virtio_config_changed_aside(struct virtio *v)
{
	v->aside_changed = true;
	virtio_kick_self(v);
}

void virtio_settle(struct virtio *v)
{
	const char *why = atomic_exchange(&v->aside_why, NULL);

	if (why)
		virtio_tell(v, by_driver, why);
	if (atomic_exchange(&v->aside_changed, false))
		virtio_config_changed(v);
}

void virtio_appear(struct virtio *v)
{
	assert(v->absent && v->status == 0);
	virtio_reset(v);
	v->absent = false;
	view_refresh(v);
}

void virtio_vanish(struct virtio *v)
{
	v->absent = true;
	/* One that was seen and has no driver needs no reset: Linux leaves
	 * ACKNOWLEDGE behind. */
	if (v->status & VIRTIO_S_DRIVER)
		virtio_lost(v, "taken away");
	else
		virtio_reset(v);
	view_refresh(v);
}

void virtio_config_changed(struct virtio *v)
{
	v->config_generation++;
	virtio_interrupt(v, VIRTIO_IRQ_CONFIG);
}

bool virtio_live(const struct virtio *v)
{
	return (v->status & VIRTIO_S_DRIVER_OK) && !v->broken;
}

void virtio_reset(struct virtio *v)
{
	bool was_ready = v->status & VIRTIO_S_DRIVER_OK;

	/* Not live from here on: what the device still finishes is dropped. */
	v->status = 0;
	if (was_ready && v->ops->reset)
		v->ops->reset(v);
	v->status = 0;
	for (unsigned i = 0; i < v->ops->queues; i++)
		queue_reset(&v->queue[i]);
	v->features = 0;
	v->irq_status = 0;
	v->broken = false;
	v->aside_why = NULL;
	v->dev_sel = v->drv_sel = v->queue_sel = 0;
}

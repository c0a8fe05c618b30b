/* SPDX-License-Identifier: Apache-2.0 */
/* virtio.h - what every virtio device is: a const table and two eventfds.
 *
 * THEORY OF OPERATION
 *
 * The transport (mmio.h) owns status, features, queue registers and the
 * interrupt status; a device supplies what differs. Doorbell in: kick_fd, an
 * eventfd the machine ties to the QueueNotify register and to the loop.
 * Interrupt out: irq_fd, an eventfd the machine ties to an interrupt line, or
 * raise() where it knows a shorter way.
 * Nothing here or in dev/ knows KVM, so the same object runs under the
 * monitor, a unit test or a fuzzer.
 *
 * All calls come with the machine lock held: plain register access from a vCPU
 * thread, everything that reaches a device's ops but its configuration space
 * from the loop thread. The machine hands the two writes to Status that do (the
 * one that sets DRIVER_OK, and reset) to the loop. A device may serve some of
 * its queues in threads of its own, without that lock: each such queue is aside
 * (queue.h), one thread's, which has virtio_live(), interrupts, doorbells and the
 * two functions below that leave the rest to the loop. reset() has those threads
 * let go of their queues before it returns.
 *
 * The driver is not trusted. Whatever it writes, a device stays inside guest
 * RAM, ends, and never blocks. Nonsense ends in virtio_broken(): NEEDS_RESET
 * is set, the queues read as empty until the driver resets the device, and one
 * rate-limited line is logged. */
#pragma once

#include "base/err.h"
#include "base/log.h"
#include "mem/mem.h"
#include "virtio/queue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_MAX_QUEUES 9 /* four pairs and a control queue */

/* virtio 1.2, 5 */
#define VIRTIO_ID_NET   1
#define VIRTIO_ID_BLK   2
#define VIRTIO_ID_RNG   4
#define VIRTIO_ID_BALLOON 5
#define VIRTIO_ID_VSOCK 19
#define VIRTIO_ID_FS    26

/* virtio 1.2, 6 */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

/* virtio 1.2, 2.1 */
#define VIRTIO_S_ACKNOWLEDGE 1
#define VIRTIO_S_DRIVER      2
#define VIRTIO_S_DRIVER_OK   4
#define VIRTIO_S_FEATURES_OK 8
#define VIRTIO_S_NEEDS_RESET 64
#define VIRTIO_S_FAILED      128

struct virtio;

struct virtio_ops {
	uint32_t type;			/* VIRTIO_ID_* */
	const char *name;		/* "blk" */
	unsigned queues;
	uint16_t queue_max;		/* QueueNumMax of each queue */
	uint16_t chain_max;		/* segments one chain may have */
	uint64_t features;		/* of the device; the ring's are added */
	/* The driver rang: look at all queues. Loop thread. Only called
	 * between ready and reset, and at least once after ready. */
	void (*kick)(struct virtio *v);
	/* DRIVER_OK was set; features are in v->features. May be NULL. */
	void (*ready)(struct virtio *v);
	/* The driver reset the device: drop what is in flight. On return no
	 * chain of the old queues is used any more. May be NULL. */
	void (*reset)(struct virtio *v);
	/* Device configuration space; [off, off + len) is inside config_size.
	 * write may be NULL: writes are ignored. Written by a driver only
	 * (DRIVER is set), also before DRIVER_OK. */
	uint32_t config_size;
	void (*config_read)(struct virtio *v, uint32_t off, void *dst,
			    uint32_t len);
	void (*config_write)(struct virtio *v, uint32_t off, const void *src,
			     uint32_t len);
};

struct virtio {
	const struct virtio_ops *ops;
	char id[24];			/* for log lines: "root", "vsock" */
	const struct mem *mem;
	uint64_t offered;		/* features offered to the driver */
	uint64_t features;		/* features agreed */
	int kick_fd;			/* eventfd, owned */
	int irq_fd;			/* eventfd, owned */
	/* of a device whose queues are not all the loop's: the doorbell of each
	 * queue (kick_fd may be among them) */
	const int *queue_kick_fds;
	/* and where another process serves them (vhost_user.h), the bits of
	 * InterruptStatus that read as set, as we are not told of interrupts */
	uint32_t irq_always;
	uint32_t *view; /* registers as the guest reads them (view.h), or NULL */
	/* An interrupt by other means than irq_fd; NULL: there are none. */
	void (*raise)(void *own);
	void *raise_own;
	_Atomic uint8_t status;
	_Atomic bool broken;
	/* What a thread of the device's own has left to the loop to tell. */
	_Atomic(const char *) aside_why;
	_Atomic bool aside_changed;
	/* A placeholder: there is no device here now (virtio 1.2,
	 * 4.2.3.1.1). Its driver, if one is left, may only reset it. */
	bool absent;
	uint32_t config_generation;
	/* selector registers of the transport */
	uint32_t dev_sel, drv_sel, queue_sel;
	struct queue queue[VIRTIO_MAX_QUEUES];
	_Atomic uint32_t irq_status;	/* InterruptStatus, virtio 1.2 4.2.2 */
	struct log_limit limit;
};

/* Opens the eventfds, sizes the queues. The embedding device calls it first
 * in its create function and virtio_fini() last in its destroy function. */
int virtio_init(struct virtio *v, const struct virtio_ops *ops, const char *id,
		const struct mem *mem, struct err *e);
void virtio_fini(struct virtio *v);

/* The driver broke the rules. Idempotent until reset. */
void virtio_broken(struct virtio *v, const char *why);
/* The same for a device that cannot go on for a reason of the host's. */
void virtio_lost(struct virtio *v, const char *why);
/* The device configuration changed: tells the driver. */
void virtio_config_changed(struct virtio *v);
/* The same for a thread that serves a queue of its own: for queues it is so at
 * once, the driver hears of it from the loop, which settles such things at the
 * doorbell. */
void virtio_broken_aside(struct virtio *v, const char *why);
void virtio_config_changed_aside(struct virtio *v);
void virtio_settle(struct virtio *v);
/* True between DRIVER_OK and reset, and not broken. */
bool virtio_live(const struct virtio *v);

/* A device comes and goes. What is gone is lost to the driver that has it; it
 * may only appear when no driver has it any more, which is when its status is
 * 0. Loop thread. */
void virtio_appear(struct virtio *v);
void virtio_vanish(struct virtio *v);

/* Rings the device's own doorbell: kick() runs again in the next turn of the
 * loop. For a device that stops early so that others get their turn. */
void virtio_kick_self(struct virtio *v);
/* The same for whoever serves queue i. */
void virtio_kick_queue(struct virtio *v, unsigned i);

/* InterruptStatus, virtio 1.2, 4.2.2 */
#define VIRTIO_IRQ_USED	  1
#define VIRTIO_IRQ_CONFIG 2

/* For the transport and the queues. virtio_reset() brings everything back to
 * the state after virtio_init(). */
void virtio_interrupt(struct virtio *v, uint32_t why);
void virtio_reset(struct virtio *v);

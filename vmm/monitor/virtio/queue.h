/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - device side of a virtio split queue (virtio 1.2, 2.7).
 *
 * The driver is not trusted. Whatever it writes, these functions stay inside
 * guest RAM, end, and never block. Only this module reads descriptors: each is
 * copied once, indirect tables too, and every range has been through mem_at().
 * A chain that breaks the rules marks the device broken (virtio.h). */
#pragma once

#include "mem/gpa.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define QUEUE_MAX_SIZE 256

struct virtio;

/* One request. out segments (the device reads) come first in iov, then in
 * segments (the device writes). Valid from queue_pop() to queue_push(); each
 * is owned by its queue. The bytes behind iov may change at any moment. */
struct chain {
	uint16_t head;
	uint16_t nout, nin;
	uint32_t out_bytes, in_bytes;	/* sums; no sum passes 4 GiB */
	bool busy;			/* handed out and not yet pushed */
	struct iovec *iov;		/* chain_max entries */
};

struct queue {
	struct virtio *v;
	uint16_t index;
	/* what the driver set up; frozen while ready */
	uint16_t max, size;
	bool ready;
	bool aside; /* the thread that serves it has no machine lock */
	gpa_t desc, avail, used;
	/* host views of the three areas, valid while ready */
	void *desc_host, *avail_host, *used_host;
	/* our own positions: never read back from the guest */
	uint16_t next_avail, next_used;
	uint16_t signalled_used;	/* used index at the last interrupt */
	bool signalled_valid;
	bool event_idx;
	bool pushed;			/* since the last queue_notify() */
	uint16_t chain_max;
	struct chain *chains;		/* one for each head, max entries */
	struct iovec *iovs;		/* their segments, allocated together,
					   touched when used */
	/* The next queue may be another CPU's. */
	char apart[64];
};

int queue_init(struct queue *q, struct virtio *v, uint16_t index, uint16_t max,
	       uint16_t chain_max);
void queue_fini(struct queue *q);
void queue_reset(struct queue *q);

/* The driver wrote 1 to QueueReady: checks size and that the three areas are
 * aligned and inside RAM. 0, or -EINVAL with the device marked broken. */
int queue_enable(struct queue *q);

/* The driver broke a rule of this queue's: of the device, see virtio.h. */
void queue_broken(struct queue *q, const char *why);

/* Next request, or NULL when there is none (or the device is broken). A head
 * that is made available again while in flight is a broken rule. */
struct chain *queue_pop(struct queue *q);
/* Puts back the chain that was popped last, unused; again for the one before
 * it. */
void queue_unpop(struct queue *q, struct chain *c);
/* Requests waiting, without taking any. */
bool queue_has_work(struct queue *q);

/* Returns a chain with the bytes the device wrote into its in segments. */
void queue_push(struct queue *q, struct chain *c, uint32_t written);
/* The same for chains the driver is to see at once, or not at all: all of them
 * are put, then shown. */
void queue_put(struct queue *q, struct chain *c, uint32_t written);
void queue_show(struct queue *q);
/* Raises the interrupt if the driver wants one for what was pushed since the
 * last call (EVENT_IDX and NO_INTERRUPT, virtio 1.2, 2.7.7, 2.7.10). */
void queue_notify(struct queue *q);
/* Asks the driver to ring when more comes (EVENT_IDX avail_event, or flags).
 * Returns true when something came meanwhile: look again. The usual loop is
 *     do { while ((c = queue_pop(q))) ...; } while (queue_want_kick(q)); */
bool queue_want_kick(struct queue *q);
/* Asks the driver not to ring while the device is working anyway. */
void queue_no_kick(struct queue *q);

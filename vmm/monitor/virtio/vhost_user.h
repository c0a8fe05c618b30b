/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_user.h - queues of a device that another process serves.
 *
 * The front end of the vhost-user protocol, version 1, on a socket that is
 * connected already. The other process, the back end, gets guest RAM, the
 * eventfds of doorbells and interrupts, and where the rings are; from then on
 * guest and back end talk without us. Guest RAM must be shared (mem.h).
 *
 * The back end is not trusted: what it says is bounded and checked, and it has
 * VHOST_USER_MS for each of the calls below. After a failure the connection is
 * out of step and of no more use: vhost_user_drop().
 *
 * Each call sends and waits, with nothing but sendmsg and recvfrom, so the
 * loop thread may do it behind the seal. */
#pragma once

#include "base/err.h"
#include "mem/mem.h"
#include "virtio/queue.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(VIAL_TEST) || defined(VIAL_FUZZ)
#define VHOST_USER_MS 200 /* tests wait for it */
#else
#define VHOST_USER_MS 10000
#endif

struct vhost_user {
	int fd; /* borrowed; -1: dropped */
	uint64_t features; /* virtio features of the back end */
	uint64_t until_us; /* of the call that runs */
};

/* Greets the back end and gives it guest RAM, all of which mem has by now. */
int vhost_user_open(struct vhost_user *u, int fd, const struct mem *mem,
		    struct err *e);

/* The n queues that are ready, with their areas checked by queue_enable(), are
 * the back end's from now on. features are those agreed with the driver; the
 * doorbell of queue i is kick_fds[i]. */
int vhost_user_start(struct vhost_user *u, uint64_t features,
		     const struct queue *queue, unsigned n, const int *kick_fds,
		     int irq_fd, struct err *e);

/* On return the back end uses no chain of the ready queues any more. */
int vhost_user_stop(struct vhost_user *u, const struct queue *queue, unsigned n,
		    struct err *e);

/* Ends the conversation, which ends a back end made for us. Idempotent. */
void vhost_user_drop(struct vhost_user *u);
/* The socket became readable while nothing was asked: why that is the end, or
 * NULL when it was a false alarm. */
const char *vhost_user_heard(const struct vhost_user *u);

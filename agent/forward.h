/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - unix sockets that lead out of the guest, or into it.
 *
 *     out   the agent listens; a caller waits until the host sends a stream
 *           for him or sends him away; then the two are one tunnel
 *     in    a connection of the host's that names a socket of the guest's
 *
 * Only the host opens connections, in both directions. A socket that is
 * listened to belongs to the control connection that asked for it. Whoever is
 * in the guest may call it. */
#pragma once

#include "agent/caller.h"
#include "base/err.h"
#include "base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define FORWARD_SOCKETS 64
#define FORWARD_CALLS 256 /* waiting and tied, in and out together */

struct forward_socket;
struct forward_call;

struct forwards {
	struct loop *loop;
	struct callers *callers;
	struct forward_socket *sockets;
	struct forward_call *calls;
	unsigned nsockets, ncalls;
	uint64_t last; /* call */
};

void forwards_init(struct forwards *f, struct loop *l, struct callers *cs);
void forwards_close(struct forwards *f);

int forward_listen(struct forwards *f, struct caller *owner, uint64_t key,
		   const char *path, struct err *e);
void forward_hang_up(struct forwards *f, uint64_t call);
/* The stream for a caller; fd is taken over. */
void forward_take(struct forwards *f, uint64_t call, int fd, const void *early,
		  size_t len);
/* A connection to the socket at path; fd is taken over. */
int forward_dial(struct forwards *f, const char *path, int fd,
		 const void *early, size_t len, struct err *e);
/* Everybody who has called by now is told of. */
void forwards_poll(struct forwards *f);
/* The control connection c is gone. */
void forwards_disowned(struct forwards *f, const struct caller *c);

/* SPDX-License-Identifier: Apache-2.0 */
/* passt.h - the host's side of a network without rights, by passt(1).
 *
 * passt is a TCP/IP stack in a process: frames of the guest come over a stream
 * socket, and become connections that it opens as this user, so no interface,
 * address or rule of the host changes. It confines itself before it reads the
 * first frame, and ends when the other end of its socket does.
 *
 * The guest has the fixed addresses below on a segment that is only its own.
 * The gateway's address leads nowhere: what listens on the host's loopback is
 * not the guest's to see. Names are asked of the host's resolver. */
#pragma once

#include "base/err.h"

#include <sys/types.h>

#define PASST_ADDRESS "10.0.2.15"
#define PASST_PREFIX  24
#define PASST_GATEWAY "10.0.2.2"
#define PASST_DNS     "10.0.2.3"
/* As much as an Ethernet frame of the stream may carry, in whole words. */
#define PASST_MTU 65520

struct passt {
	pid_t pid; /* a child; 0: none */
	int fd;	   /* connected; owned, may be handed on */
	int said;  /* its messages; -1: none */
};

#define PASST_INIT                                                             \
	{                                                                      \
		.fd = -1, .said = -1                                           \
	}

/* On failure nothing is left. That it runs is not known before passt_check().
 * The caller has one thread, and lives as long as the box. */
int passt_start(struct passt *p, struct err *e);
/* Fails when it has ended, with what it said. It knows what it cannot do within
 * a moment of its start. */
int passt_check(struct passt *p, struct err *e);
/* Safe on one that was not started. */
void passt_stop(struct passt *p);

/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - what root has to do outside of the box's namespaces, for a process
 * that has given root up by the time they exist: a child, forked before, that
 * does it when it is told to, and ends. */
#pragma once

#include "base/err.h"
#include "net/addr.h"
#include "net/tap.h"

#include <stdbool.h>
#include <sys/types.h>

#define HOST_TAP "vial0"
#define HOST_UP "up0"

struct host_job {
	bool veth;	  /* else only the tap */
	const char *link; /* the host's end of the pair */
	const struct addr_plan *addr;
	unsigned mtu;
	unsigned queues; /* of the tap */
	int lan; /* the namespace of a network (lan.h); -1: none */
};

struct host {
	pid_t pid; /* 0: none */
	int sock;
};

#define HOST_INIT                                                              \
	{                                                                      \
		.sock = -1                                                     \
	}

int host_fork(struct host *h, const struct host_job *j, struct err *e);
/* From within the namespaces. The pair is up but for the end in here; the tap
 * is open when it is there. Waits for the child's end. */
int host_go(struct host *h, struct tap *tap, struct err *e);
void host_fini(struct host *h);

/* Of the child, and of who joins later: enters the network (lan.h) and makes a
 * pair there whose other end is called link and is box's. */
int host_lan(int lan, in_addr_t address, const char *link, unsigned mtu,
	     pid_t box, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* pasta.h - the way up without rights, by pasta(1).
 *
 * pasta has a tap in the box's namespace, up0, and makes connections and
 * datagrams of this user out of what is routed there: no interface, address or
 * rule of the host changes. It confines itself.
 *
 * Between it and us is a child that is the first process of a pid namespace.
 * pasta changes its rights, and the kernel then forgets that it was to end
 * with its parent; with the first process of its namespace it always does. When
 * pasta ends before the box, it is started again, a few times: its connections
 * are gone, the box's network is not. The new up0 is furnished as the first was
 * (uplink.h). */
#pragma once

#include "base/err.h"
#include "net/addr.h"
#include "net/ports.h"

#include <sys/types.h>

/* As much as an Ethernet frame may carry, in whole words. */
#define PASTA_MTU 65520

struct pasta {
	pid_t pid; /* the child; 0: none */
	int go;	   /* by which it is told to begin */
	int said;  /* what pasta writes */
};

#define PASTA_INIT                                                             \
	{                                                                      \
		.go = -1, .said = -1                                           \
	}

/* Whether it takes this port. Of IPv6's only those of a box that has IPv6, and
 * no datagrams: that of Debian 12 does not hand them on. */
bool pasta_has(const struct addr_plan *a, const struct port *p);

/* Behind netns_user(true), before netns_box(): pasta's sockets are those of
 * the network namespace it starts in. box: our pid. */
int pasta_fork(struct pasta *p, const struct addr_plan *a,
	       const struct ports *ports, pid_t box, struct err *e);
/* From within the box's namespace, which the child opens now: until up0 is
 * there. */
int pasta_go(struct pasta *p, struct err *e);
void pasta_fini(struct pasta *p);

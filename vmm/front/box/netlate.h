/* SPDX-License-Identifier: Apache-2.0 */
/* netlate.h - networks of several boxes that a box joins and leaves while it
 * runs (net/join.h), until its end. For its keeper, which sees to the guest's
 * interface between joining and leaving (run/nic.h). */
#pragma once

#include "base/err.h"
#include "box/boxnet.h"

#include <stddef.h>

struct netlate_who {
	const char *id, *name; /* of the box */
	const char *ip;	       /* it wants there; NULL: any */
	char **aliases;
	size_t naliases;
};

/* n->info is as it is then; writing it down is the caller's. The entry of it
 * that is the network's; *tap is the caller's, not blocking, and its other end
 * the network. NULL: e says why. */
struct netinfo_late *netlate_join(struct boxnet *n, const char *network,
				  const struct netlate_who *who, int *tap,
				  struct err *e);
/* Of one that it may leave, its entry. */
struct netinfo_late *netlate_find(struct boxnet *n, const char *network,
				  struct err *e);
int netlate_leave(struct boxnet *n, const char *network, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* netlate.h - networks of several boxes that a box joins and leaves while it
 * runs (net/join.h), until its end. For its keeper. */
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

/* n->info is as it is then; writing it down is the caller's. */
int netlate_join(struct boxnet *n, const char *network,
		 const struct netlate_who *who, struct err *e);
int netlate_leave(struct boxnet *n, const char *network, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* roof.h - the user namespace above those of all boxes of an ordinary user.
 *
 * A pair of interfaces between two namespaces takes rights over both. Root has
 * them over everything; somebody else has them over what is below a user
 * namespace that they are in. So the namespaces of a user's boxes and networks
 * are all below one, the roof, and what has to reach into two of them enters
 * that first:
 *
 *     the host's ─ roof ─┬─ box: pid namespace ─ its network
 *                        ├─ box: ...
 *                        └─ keeper of a network, its network
 *
 * Nobody stays in it: who is in a box's namespaces, or a network's, has no
 * rights over any of the others, and there is no way up. A process (vial-netd
 * roof) gives it to whoever of the same user asks, and ends with the last of
 * them; what holds it while a box runs is its vial-netd's connection. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct roof {
	int conn; /* by which it stays; owned, as ns is */
	int ns;	  /* -1: none, or not needed */
};

#define ROOF_INIT                                                              \
	{                                                                      \
		.conn = -1, .ns = -1                                           \
	}

/* The folder is meet.h's. */
int roof_take(struct roof *r, int folder, struct err *e);
void roof_fini(struct roof *r);

/* With all rights in it. A process of one thread, in none below it. */
int roof_enter(int ns, struct err *e);
/* Are they the same? */
bool roof_same(int ns, int other);

/* The life of who gives it, met by meet.h. */
int roof_keeper(struct err *e);

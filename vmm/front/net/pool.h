/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - which addresses are whose.
 *
 * Each box of the nat mode gets a block of four: the host's end of the pair,
 * the box's end, the gateway the guest sees, the guest. A block is taken by
 * the lock on a file of its number below POOL_DIR, so one whose holder died,
 * however, is free again; the file itself says nothing, and goes with the next
 * lease that is taken. Blocks are machine-wide,
 * whichever network namespace a vial runs in. What the host's routes already
 * lead to elsewhere is never taken. */
#pragma once

#include "base/err.h"
#include "net/addr.h"

#include <stdbool.h>

#define POOL_DIR "/run/vial-net"

struct pool_lease {
	int dir, fd; /* owned; -1: none */
	unsigned block;
};

#define POOL_LEASE_INIT                                                        \
	{                                                                      \
		.dir = -1, .fd = -1                                            \
	}

/* dir: NULL is POOL_DIR; made when missing. */
int pool_take(struct pool_lease *l, const char *dir, struct addr_plan *a,
	      struct err *e);
/* By whoever may still write there; others just close. */
void pool_give(struct pool_lease *l);

/* For tests: does an address of [base, base + 4) belong to a route of text, as
 * /proc/net/route has it? Default routes and vial's own do not count. */
bool pool_collides(const char *text, in_addr_t base);

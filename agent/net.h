/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the guest's network, set over netlink. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

#include <stddef.h>

/* Brings the loopback link up, then each of links: MTU, addresses, the way to
 * everything else. */
int net_up(Vial__Agent__Link *const *links, size_t n, struct err *e);
/* One that has come since. */
int net_add(const Vial__Agent__Link *l, struct err *e);
/* Replaces path by what r says; NULL leaves it alone. */
int net_resolver(const char *path, const Vial__Agent__Resolver *r,
		 struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* join.h - a network of several boxes that one joins, or leaves, while it runs
 * (vial-netd join, vial-netd leave).
 *
 * The guest gets an interface of that network alone: a tap of its own in the
 * box's namespace, whose other end is plugged into the running machine
 * (machine.h), and a pair to the network as that of lan.h.
 *
 *     guest eth1 ── vial1 │ the box's │ net1 ── m... │ the network's
 *
 * Its address is one of the network and goes through untouched. The guest is
 * told that the network is behind the first address of it, which is the tap's:
 * so it asks for nobody's hardware address but that one's. What comes from the
 * tap is the guest's own (a table for it alone) and goes to the network and
 * nowhere else (policy_nft.h); leaving takes all of it away from under whatever
 * the guest still holds.
 *
 * vial-netd has given up what is needed for that long ago. So it is done by
 * another process, as root, that ends when it is done; the names and the
 * connection to the network's keeper, by which the box is on it, go to the
 * vial-netd of the box (Change in net.proto). */
#pragma once

#include "base/err.h"

/* Reads the request at NETD_FD and answers it, with the connection to the
 * network's keeper and the tap as descriptors. */
int join_run(struct err *e);
int join_leave(struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* join.h - a network of several boxes that one joins, or leaves, while it runs
 * (vial-netd join, vial-netd leave).
 *
 * A guest's devices are those of the device tree it was started with, so it
 * gets no further interface. Its namespace does: a pair to the network as that
 * of lan.h, and an address of the network which is the guest's by translation,
 * both ways. The guest needs no agent that knows of it, nothing of it costs a
 * box that never joins anything, and leaving takes the link away from under
 * whatever the guest still holds. What it costs: the guest does not see the
 * address, so what tells others its own address tells the wrong one.
 *
 * vial-netd has given up what is needed for that long ago. So it is done by
 * another process, as root, that ends when it is done; the names and the
 * connection to the network's keeper, by which the box is on it, go to the
 * vial-netd of the box (Change in net.proto). */
#pragma once

#include "base/err.h"

/* Reads the request at NETD_FD and answers it, with the connection to the
 * network's keeper as descriptor. */
int join_run(struct err *e);
int join_leave(struct err *e);

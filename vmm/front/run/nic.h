/* SPDX-License-Identifier: Apache-2.0 */
/* nic.h - a network that a running box joins, or leaves, with the guest's
 * interface on it. For its keeper, which does nothing else meanwhile.
 *
 *     joining   vial-netd: address, tap     leaving   agent: lets go of it
 *               monitor: plugs it in                  monitor: unplugs it
 *               agent: probes, sets it up             vial-netd: takes it away
 *
 * What fails on the way in undoes what was before it. On the way out nobody is
 * asked for his consent: a guest that holds on to an interface holds one that
 * is dead. When the keeper dies, the box does, and all of it with the box. */
#pragma once

#include "base/err.h"
#include "box/boxnet.h"
#include "box/netlate.h"

int nic_join(struct boxnet *n, int boxdir, const char *network,
	     const struct netlate_who *who, struct err *e);
int nic_leave(struct boxnet *n, int boxdir, const char *network, struct err *e);

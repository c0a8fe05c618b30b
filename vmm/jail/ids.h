/* SPDX-License-Identifier: Apache-2.0 */
/* ids.h - which user the monitor is inside the jail.
 *
 * Two ways, chosen by what the process may do:
 *
 * IDS_OWN: with the capabilities of a real root. The namespaces are made by
 * the host's own user namespace and the process then becomes a user that
 * nobody else is: a uid and gid of a range no distribution hands out, plus the
 * process id. Two monitors are strangers to each other, and no uid of the host
 * owns them.
 *
 * IDS_MAP: everybody else. A user namespace in which the only id is the
 * caller's own, mapped to itself; its capabilities end in jail_enter(). */
#pragma once

#include "base/err.h"

enum ids_way { IDS_OWN, IDS_MAP };

/* First uid and gid given away; systemd's table of ids leaves the range from
 * 0x70000000 to 0x7ffffffd unused, and a process id fits in 22 bits. */
#define IDS_BASE 0x70000000u

/* Reads /proc/self, so before the root vanishes. */
enum ids_way ids_choose(void);

/* IDS_MAP, behind unshare(CLONE_NEWUSER): writes the maps for the ids that
 * were the process's before it. */
int ids_map(unsigned uid, unsigned gid, struct err *e);

/* IDS_OWN: leaves all groups and becomes the new user. Capabilities are still
 * to be dropped, but those of the effective set go with the uid. */
int ids_become(struct err *e);

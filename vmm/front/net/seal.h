/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - what vial-netd gives up last, when everything is open that it needs.
 *
 * May not after: open or make any file (landlock), start a program or a
 * process, mount, enter or make namespaces, look into other processes, connect
 * to others of this user. Its rights are those of netns_limit() over the box's
 * network. */
#pragma once

#include "base/err.h"

/* What the kernel does not have of it is left out: landlock is of 5.13. What
 * is in the folder may still be removed; -1: in none. */
int seal(int folder, struct err *e);

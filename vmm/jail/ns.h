/* SPDX-License-Identifier: Apache-2.0 */
/* ns.h - namespaces of our own, and a root with nothing in it. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* New mount, network, ipc, uts and cgroup namespaces, and a user namespace
 * with them if asked. No pid namespace: unshare() makes one for children only,
 * and a process that has done so cannot start threads any more.
 *
 * What is refused comes back with the setting that would allow it. */
int ns_unshare(bool user, struct err *e);

/* Why clone() or unshare() refused, for a caller that did it: code is what it
 * left in errno. Returns -code. */
int ns_refused(int code, struct err *e);

/* An empty read-only root without inodes to spare; the host's tree is
 * detached. May not after: name any file. */
int ns_empty_root(struct err *e);

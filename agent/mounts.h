/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.h - what the host wants mounted below the root: Setup.mounts.
 *
 * In the order of the list. A target is looked up as any program of the guest
 * would, in the root that the guest has by then, so links of the image lead
 * where the image means; it is made when missing, a folder or, for a source
 * that is none, an empty file. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/* After the root has been switched and before it is made read-only. Stops at
 * the first that cannot be done. */
int mounts_apply(Vial__Agent__Mount *const *all, size_t n, struct err *e);

/* No process is left: disks below the root take no more writes. */
void mounts_close(void);

/* For the above and the tests. */

/* Splits the options of mount(8): what the kernel takes as flags is added to
 * *flags or taken out of it, the rest goes to data. -E2BIG when it does not
 * fit. */
int mounts_options(const char *options, unsigned long *flags, char *data,
		   size_t room);
/* Makes target and what leads to it: a folder, or an empty file. What is
 * there is left alone, and must be of the kind. */
int mounts_target(const char *target, bool is_dir, struct err *e);
/* O_PATH descriptor of what is below dir (absolute links and ".." begin and
 * end there), or an error. */
int mounts_below(int dir, const char *subpath, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* tune.h - what Setup says beyond disks: kernel settings, names, limits. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

#include <stddef.h>

/* Each name below dir (/proc/sys), dots as slashes, so that no name leads out
 * of it. */
int tune_sysctls(const char *dir, Vial__Agent__Sysctl *const *all, size_t n,
		 struct err *e);
/* Lines at the end of the file; one that it has already is not added again, for
 * a disk that is started a second time. */
int tune_hosts(const char *path, Vial__Agent__Host *const *all, size_t n,
	       struct err *e);
/* The root disk takes no more writes; what is mounted below it still may. */
int tune_root_readonly(struct err *e);

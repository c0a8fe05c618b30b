/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what a command that does not end is waiting for.
 *
 * Its processes as a tree; of each its open files, its threads, and where in
 * the kernel they are. Text for people. */
#pragma once

#include <sys/types.h>

#define REPORT_MAX (256 << 10) /* bytes, the end included */

/* Of a control group by the last part of its name, or with NULL of a session.
 * The caller frees it; NULL: no memory. */
char *report_make(const char *group, pid_t session);

/* SPDX-License-Identifier: Apache-2.0 */
/* cpuset.h - lists of CPUs as the kernel and docker write them: "0-3,6". */
#pragma once

#include "base/err.h"

#include <sched.h>

#define CPUSET_TEXT_MAX 256

/* -EINVAL for what is no such list, names none, or a CPU past CPU_SETSIZE. */
int cpuset_parse(const char *text, cpu_set_t *set, struct err *e);
/* Writes into buf and returns it; cut off when it is long. */
char *cpuset_text(const cpu_set_t *set, char buf[CPUSET_TEXT_MAX]);

/* SPDX-License-Identifier: Apache-2.0 */
/* vclone.h - a child in the agent's memory, as vfork() makes one, with a stack
 * of its own and born into a control group.
 *
 * Moving a process between groups waits for every CPU; being born in one costs
 * nothing. That needs clone3(), which the C library does not offer. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Runs fn(arg) in the child, which ends when fn returns. The caller goes on
 * when the child has become another program or ended. cgroup_fd may be -1.
 * The child's pid, or -errno. */
pid_t vclone(void (*fn)(void *arg), void *arg, int cgroup_fd);

/* The CPU's part (arch/): clone3() with args of size bytes, fn(arg) in the
 * child, which then exits. args must name a stack. The pid or -errno. */
struct clone_args;
long vclone3(struct clone_args *args, size_t size, void (*fn)(void *arg),
	     void *arg);

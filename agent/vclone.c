/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vclone.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#define STACK_SIZE (64u << 10)

/* One is enough: its owner has gone before the next child can be made. */
static _Alignas(64) uint8_t stack[STACK_SIZE];

struct vclone_call {
	void (*fn)(void *arg);
	void *arg;
};

static int vclone_main(void *p)
{
	const struct vclone_call *c = p;

	c->fn(c->arg);
	_exit(0);
}

/* A kernel, or a filter on system calls, that has no clone3(). */
static pid_t vclone_old(void (*fn)(void *arg), void *arg)
{
	struct vclone_call c = { fn, arg };
	int pid = clone(vclone_main, stack + sizeof(stack),
			CLONE_VM | CLONE_VFORK | SIGCHLD, &c);

	return pid < 0 ? -errno : pid;
}

pid_t vclone(void (*fn)(void *arg), void *arg, int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	long pid;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = vclone3(&args, sizeof(args), fn, arg);
	if (pid == -ENOSYS || pid == -EPERM)
		return vclone_old(fn, arg);
	return (pid_t)pid;
}

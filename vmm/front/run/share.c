/* SPDX-License-Identifier: Apache-2.0 */
#include "run/share.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "jail/ids.h"
#include "jail/ns.h"
#include "run/share_child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |            \
	 CLONE_NEWCGROUP | CLONE_NEWPID)

/* What the child says, and the descriptor that comes with it. */
static int hear(int sync, struct err *said, int *fd)
{
	ssize_t n = passfd_recv(sync, said, sizeof(*said), fd, fd ? 1 : 0);

	return n == 0 ? 0 : n == sizeof(*said) ? 1 : -1;
}

/* First the connection, then silence: exec has closed the child's end. */
static int await(struct share *s, int sync, struct err *e)
{
	struct err said = { 0 };
	int r = hear(sync, &said, &s->fd);

	if (r > 0 && said.code == 0)
		r = hear(sync, &said, NULL);
	if (r > 0) {
		*e = said;
		return -e->code;
	}
	if (r < 0 || s->fd < 0)
		return err_set(e, EPIPE, "virtiofsd died while it was started");
	return 0;
}

/* Single-threaded, so a plain clone() is a fork(). */
static pid_t clone_child(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int share_clone(struct share *s, struct share_child *c, struct err *e)
{
	int sync[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0)
		return err_sys(e, "socketpair");
	s->pid = clone_child(NAMESPACES | (c->map ? CLONE_NEWUSER : 0));
	if (s->pid < 0) {
		s->pid = 0;
		r = ns_refused(errno, e);
	} else if (s->pid == 0) {
		c->sync = sync[1];
		share_child(c);
	} else {
		close(take_fd(&sync[1]));
		r = await(s, sync[0], e);
	}
	close(sync[0]);
	if (sync[1] >= 0)
		close(sync[1]);
	return r;
}

int share_start(struct share *s, const struct share_dir *dirs, unsigned n,
		int log_fd, struct err *e)
{
	struct share_child c = { .dirs = dirs,
				 .n = n,
				 .log_fd = log_fd,
				 .uid = geteuid(),
				 .gid = getegid(),
				 .map = ids_choose() == IDS_MAP };

	*s = (struct share)SHARE_INIT;
	if (n > SHARE_MAX)
		return err_set(e, E2BIG, "%u shared folders, at most %d", n,
			       SHARE_MAX);
	if (access(VIRTIOFSD, X_OK) < 0)
		return err_set(e, ENOENT,
			       VIRTIOFSD ": %s (install the package "
					 "qemu-system-common)",
			       strerror(errno));
	if (share_clone(s, &c, e) < 0) {
		share_stop(s);
		return -e->code;
	}
	return 0;
}

void share_stop(struct share *s)
{
	if (s->fd >= 0)
		close(take_fd(&s->fd));
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	s->pid = 0;
}

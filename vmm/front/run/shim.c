/* SPDX-License-Identifier: Apache-2.0 */
#include "run/shim.h"

#include "base/auto.h"
#include "box/limits.h"
#include "box/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOG_ROOM 4096
#define EXEC_FAILED 127

struct shim {
	struct shim_conf *c;
	struct box box;
	int null, console, log, control, vsock;
	pid_t monitor;
	int pidfd;
};

static void tell(const struct shim *s, const struct shim_msg *m)
{
	/* A client that is gone is noticed by the end of the leash. */
	if (send(s->c->leash, m, sizeof(*m), MSG_NOSIGNAL) < 0)
		return;
}

/* Nothing of the user's terminal or pipes may be held open from here. */
static int leave_client(struct shim *s, struct err *e)
{
	sigset_t none;

	prctl(PR_SET_NAME, "vial-shim");
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	s->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->null < 0)
		return err_sys(e, "/dev/null");
	for (int fd = 0; fd < 3; fd++)
		if (s->null != fd && dup2(s->null, fd) < 0)
			return err_sys(e, "/dev/null");
	return 0;
}

static int open_files(struct shim *s, struct err *e)
{
	s->console = openat(s->box.dir, "console.log",
			    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	s->log = openat(s->box.dir, "vmm.log",
			O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC,
			0600);
	if (s->console < 0 || s->log < 0)
		return err_sys(e, "box %.12s: logs", s->box.id);
	/* It has to tell, of all things, that there is no more room. */
	(void)fallocate(s->log, FALLOC_FL_KEEP_SIZE, 0, LOG_ROOM);
	s->control = sock_listen(s->box.dir, "control.sock", e);
	s->vsock = s->control < 0 ? -1
				  : sock_listen(s->box.dir, "vsock.sock", e);
	if (s->vsock < 0)
		return err_wrap(e, "box %.12s", s->box.id);
	return 0;
}

/* What there is none of is the null device, which the monitor closes. */
static void place_mounts(const struct boxmounts *m, int null, int *from)
{
	from[SHIM_FD_SHARE] = m && m->share.fd >= 0 ? m->share.fd : null;
	for (unsigned i = 0; i < BOXMOUNTS_DISKS; i++) {
		bool is = m && i < m->ndisks;

		from[SHIM_FD_VOLUME + i] = is ? m->disk[i] : null;
		from[SHIM_FD_SCRATCH + i] =
			is && m->scratch[i] >= 0 ? m->scratch[i] : null;
	}
}

static void place_net(const struct boxnet *n, int null, int *from)
{
	for (unsigned i = 0; i < BOXNET_TAPS; i++)
		from[SHIM_FD_NET + i] = n && n->tap[i] >= 0 ? n->tap[i] : null;
}

/* In the child: gives every descriptor its number. They may stand in each
 * other's way, so all move up first. */
static int place_fds(const struct shim *s)
{
	const struct plan *p = s->c->plan;
	int from[SHIM_FD_END] = {
		s->null,
		s->null,
		s->log,
		[SHIM_FD_PLAN] = s->c->plan_fd,
		[SHIM_FD_KVM] = p->kvm,
		[SHIM_FD_KERNEL] = p->kernel,
		[SHIM_FD_INITRAMFS] = p->initramfs,
		[SHIM_FD_CONSOLE] = s->console,
		[SHIM_FD_CONTROL] = s->control,
		[SHIM_FD_VSOCK] = s->vsock,
		[SHIM_FD_LOCK] = s->box.lock,
		[SHIM_FD_IMAGE] = p->image < 0 ? s->null : p->image,
		[SHIM_FD_OVERLAY] = p->overlay < 0 ? s->null : p->overlay,
	};
	int up[SHIM_FD_END];

	place_net(p->net, s->null, from);
	place_mounts(p->mounts, s->null, from);
	for (int i = 0; i < SHIM_FD_END; i++) {
		up[i] = fcntl(from[i], F_DUPFD_CLOEXEC, SHIM_FD_END);
		if (up[i] < 0)
			return -1;
	}
	for (int i = 0; i < SHIM_FD_END; i++)
		if (dup2(up[i], i) < 0)
			return -1;
	return (int)syscall(SYS_close_range, SHIM_FD_END, ~0u, 0);
}

static void exec_monitor(const struct shim *s, pid_t parent)
{
	static char *const no_env[] = { NULL };
	char title[] = "vial-vmm", id[BOX_SHORT_LEN + 1];
	char *argv[] = { title, id, NULL };
	char path[PATH_MAX];

	snprintf(id, sizeof(id), "%.*s", BOX_SHORT_LEN, s->box.id);
	memcpy(path, s->c->plan->vmm, sizeof(path));
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXEC_FAILED);
	if (place_fds(s) == 0)
		execve(path, argv, no_env);
	/* Descriptor 2 is the box's log by now, or the null device. */
	dprintf(2, "start %s: %s\n", path, strerror(errno));
	_exit(EXEC_FAILED);
}

static int start_monitor(struct shim *s, struct err *e)
{
	const struct limits *l = &s->c->plan->limits;
	pid_t self = getpid();

	if (limits_enter(l, e) < 0)
		return -e->code;
	s->monitor = fork();
	if (s->monitor < 0)
		return err_sys(e, "start the monitor");
	if (s->monitor == 0)
		exec_monitor(s, self);
	s->pidfd = (int)syscall(SYS_pidfd_open, s->monitor, 0);
	if (s->pidfd < 0) {
		err_sys(e, "watch the monitor");
		kill(s->monitor, SIGKILL);
		return -e->code;
	}
	if (limits_hold(l, &s->box, s->monitor, e) < 0) {
		kill(s->monitor, SIGKILL);
		return -e->code;
	}
	return 0;
}

/* What the monitor was given is the monitor's alone from now on. */
static void drop_fds(struct shim *s)
{
	int keep[] = { s->c->leash, s->box.root, s->box.dir, s->box.lock,
		       s->pidfd };
	unsigned from = 3;

	/* Closes the gaps between the few that stay, in rising order. */
	for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
		size_t least = i;

		for (size_t j = i + 1; j < ARRAY_LEN(keep); j++)
			if (keep[j] < keep[least])
				least = j;
		if (least != i) {
			int t = keep[i];

			keep[i] = keep[least];
			keep[least] = t;
		}
		if ((unsigned)keep[i] > from)
			syscall(SYS_close_range, from, keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

static void reap(struct shim *s)
{
	struct shim_msg m = { .kind = SHIM_ENDED };
	struct rusage u = { 0 };

	while (wait4(s->monitor, &m.wait_status, 0, &u) < 0 && errno == EINTR)
		;
	m.cpu_us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
		   (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	m.max_rss_bytes = (uint64_t)u.ru_maxrss * 1024;
	tell(s, &m);
}

/* Nothing is ever said on it: it can only end. */
static bool leash_ended(const struct shim *s)
{
	char byte;

	return recv(s->c->leash, &byte, 1, 0) >= 0 || errno != EINTR;
}

/* Until both the monitor and the client's interest have ended. */
static void look_after(struct shim *s)
{
	bool gone = false, let_go = false;

	while (!gone || !let_go) {
		struct pollfd p[2] = {
			{ .fd = let_go ? -1 : s->c->leash, .events = POLLIN },
			{ .fd = gone ? -1 : s->pidfd, .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			let_go = leash_ended(s);
		if (let_go && !gone)
			kill(s->monitor, SIGKILL);
		if (p[1].revents) {
			reap(s);
			gone = true;
		}
	}
}

void shim_main(struct shim_conf *c)
{
	struct shim s = { .c = c, .box = c->box, .pidfd = -1 };
	struct shim_msg m = { .kind = SHIM_READY };

	if (leave_client(&s, &m.err) < 0 || open_files(&s, &m.err) < 0 ||
	    start_monitor(&s, &m.err) < 0) {
		m.kind = SHIM_FAILED;
		tell(&s, &m);
		_exit(1);
	}
	drop_fds(&s);
	m.monitor = s.monitor;
	tell(&s, &m);
	look_after(&s);
	if (c->plan->sockets)
		sockets_unlink(c->plan->sockets);
	if (c->brief)
		state_remove(&s.box);
	else
		limits_clean(&s.box);
	_exit(0);
}

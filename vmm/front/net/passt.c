/* SPDX-License-Identifier: Apache-2.0 */
#include "net/passt.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "/usr/bin/passt"
#define FD_GUEST 3
/* What it may say. */
#define SAID_MAX (64u << 10)

/* ---- the child ---- */

static int place(int from, int to)
{
	return from == to ? 0 : dup2(from, to);
}

static void child(int guest, int said, pid_t parent)
{
	static const char *const argv[] = {
		"passt",	 "--foreground", "--quiet",
		"--ipv4-only",	 "--fd",	 "3",
		"--address",	 PASST_ADDRESS,	 "--netmask",
		"255.255.255.0", "--gateway",	 PASST_GATEWAY,
		"--dns-forward", PASST_DNS,	 "--no-map-gw",
		"--no-dhcp",	 NULL,
	};
	const struct rlimit limit = { SAID_MAX, SAID_MAX };
	char *const env[] = { NULL };
	sigset_t none;

	/* Undone when it changes its user; the socket's end is what counts. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	guest = dup(guest);
	said = dup(said);
	if (guest < 0 || said < 0 || place(said, STDOUT_FILENO) < 0 ||
	    place(said, STDERR_FILENO) < 0 || place(guest, FD_GUEST) < 0)
		_exit(1);
	syscall(SYS_close_range, FD_GUEST + 1, ~0u, 0);
	execve(PROGRAM, (char *const *)(uintptr_t)argv, env);
	dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	_exit(1);
}

/* ---- the parent ---- */

int passt_start(struct passt *p, struct err *e)
{
	pid_t self = getpid();
	int fds[2];

	*p = (struct passt)PASST_INIT;
	if (access(PROGRAM, X_OK) < 0)
		return err_set(e, ENOENT,
			       PROGRAM ": %s (install the package passt)",
			       strerror(errno));
	p->said = memfd_create("passt", MFD_CLOEXEC);
	if (p->said < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		err_sys(e, "passt");
		passt_stop(p);
		return -e->code;
	}
	p->pid = fork();
	if (p->pid == 0)
		child(fds[1], p->said, self);
	close(fds[1]);
	p->fd = fds[0];
	if (p->pid > 0)
		return 0;
	p->pid = 0;
	err_sys(e, "fork");
	passt_stop(p);
	return -e->code;
}

/* The last line that says something. */
static void last_line(int fd, char *line, size_t room)
{
	char text[4096];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)sizeof(text) - 1
			   ? size - ((off_t)sizeof(text) - 1)
			   : 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, from);
	char *rest = text, *at;

	snprintf(line, room, "it ended");
	text[n > 0 ? n : 0] = '\0';
	/* What it cannot tell syslog, it says it could not. */
	while ((at = strsep(&rest, "\n")) != NULL)
		if (*at && !strstr(at, "to syslog"))
			snprintf(line, room, "%.200s", at);
}

int passt_check(struct passt *p, struct err *e)
{
	char line[256];

	if (p->pid == 0 || waitpid(p->pid, NULL, WNOHANG) != p->pid)
		return 0;
	p->pid = 0;
	last_line(p->said, line, sizeof(line));
	return err_set(e, ENETDOWN, "network: passt: %s", line);
}

void passt_stop(struct passt *p)
{
	if (p->fd >= 0)
		close(take_fd(&p->fd));
	if (p->said >= 0)
		close(take_fd(&p->said));
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	p->pid = 0;
}

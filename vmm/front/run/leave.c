/* SPDX-License-Identifier: Apache-2.0 */
#include "run/leave.h"

#include "base/auto.h"
#include "box/report.h"
#include "spec/signals.h"
#include "guest/term.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_KEEPER 3

bool leave_possible(const struct spec *s, bool input)
{
	return s->tty && s->interactive && input && isatty(STDIN_FILENO);
}

struct parent {
	struct loop loop;
	struct signals signals;
	struct watch word;
	pid_t keeper;
	bool over, left;
};

/* A signal of the terminal's reaches the keeper by itself; a hang-up is told
 * to the first of a session alone, who may be us. */
static void hand_on(struct signals *s, int signo)
{
	struct parent *p = container_of(s, struct parent, signals);

	if (signo == SIGHUP || !s->by_terminal)
		kill(p->keeper, signo);
}

static void word_ready(struct watch *w, uint32_t events)
{
	struct parent *p = container_of(w, struct parent, word);
	char byte;

	(void)events;
	p->left = recv(w->fd, &byte, 1, 0) == 1;
	p->over = true;
}

/* What the keeper has open must not stay open because of us: the box's lock
 * most of all. */
static int only_word(int fd)
{
	if (dup3(fd, FD_KEEPER, O_CLOEXEC) < 0 && errno != EINVAL)
		return -1;
	return (int)syscall(SYS_close_range, FD_KEEPER + 1, ~0u, 0);
}

static int end_of(pid_t keeper)
{
	int status;

	while (waitpid(keeper, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_VIAL;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	term_restore();
	fprintf(stderr,
		"vial: the box's keeper was killed by signal %d, and the "
		"box with it\n",
		WTERMSIG(status));
	return STATUS_VIAL;
}

static void parent(int fd, pid_t keeper)
{
	struct parent p = { .keeper = keeper };
	struct err e;

	term_lend();
	if (only_word(fd) < 0 || loop_init(&p.loop, NULL, &e) < 0 ||
	    signals_open(&p.signals, &p.loop, hand_on, &e) < 0)
		_exit(STATUS_VIAL);
	p.word = (struct watch){ .fd = FD_KEEPER,
				 .name = "keeper",
				 .ready = word_ready };
	if (loop_add(&p.loop, &p.word, EPOLLIN, &e) < 0)
		_exit(STATUS_VIAL);
	while (!p.over && loop_once(&p.loop, -1) >= 0)
		;
	_exit(p.left ? 0 : end_of(keeper));
}

int leave_split(struct err *e)
{
	const pid_t self = getpid();
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(e, "socketpair");
	/* None is lost between here and those who listen. */
	signals_hold();
	pid = fork();
	if (pid < 0) {
		close(s[0]);
		close(s[1]);
		return err_sys(e, "start the keeper");
	}
	if (pid > 0)
		parent(s[0], pid);
	close(s[0]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self)
		_exit(STATUS_VIAL);
	return s[1];
}

void leave_now(int fd)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	autoclose int word = fd;

	setsid();
	prctl(PR_SET_NAME, "vial-keeper");
	prctl(PR_SET_PDEATHSIG, 0);
	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			close(i);
	send(word, "", 1, MSG_NOSIGNAL);
}

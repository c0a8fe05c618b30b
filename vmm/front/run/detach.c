/* SPDX-License-Identifier: Apache-2.0 */
#include "run/detach.h"

#include "base/auto.h"
#include "base/fd.h"
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct word {
	int status; /* -1: it runs */
	char message[400];
};

/* The pipe to whoever waits, and the few descriptors of the box, get the
 * numbers behind the standard streams; all others are somebody else's. */
enum { FD_WORD = 3, FD_ROOT, FD_DIR, FD_LOCK, FD_END };

static int leave(struct box *b, int *word)
{
	int fd[FD_END] = { [FD_WORD] = *word,
			   [FD_ROOT] = b->root,
			   [FD_DIR] = b->dir,
			   [FD_LOCK] = b->lock };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < FD_END; i++) {
		fd[i] = fcntl(i < FD_WORD ? null : fd[i], F_DUPFD_CLOEXEC,
			      FD_END);
		if (fd[i] < 0)
			return -1;
	}
	for (int i = 0; i < FD_END; i++)
		if (dup3(fd[i], i, i < FD_WORD ? 0 : O_CLOEXEC) < 0)
			return -1;
	*word = FD_WORD;
	b->root = FD_ROOT;
	b->dir = FD_DIR;
	b->lock = FD_LOCK;
	return (int)syscall(SYS_close_range, FD_END, ~0u, 0);
}

static void say(void *arg, int status, const char *message)
{
	int *fd = arg;
	struct word w = { .status = status };

	snprintf(w.message, sizeof(w.message), "%s", message);
	fd_write_full(*fd, &w, sizeof(w));
	close(take_fd(fd));
}

static void keeper(const struct spec *s, struct box *b, struct box_info *info,
		   int word)
{
	struct run_how how = { .box = b,
			       .info = info,
			       .detached = true,
			       .started = say,
			       .arg = &word };
	struct report r;
	struct err e;

	prctl(PR_SET_NAME, "vial-keeper");
	setsid();
	/* Nobody's directory is kept in use, but that of copies is needed. */
	if (s->in.n + s->out.n == 0 && chdir("/") < 0)
		_exit(1);
	if (leave(b, &word) < 0)
		_exit(1);
	if (report_init(&r, s, &e) == 0)
		run_box(s, &r, &how);
	report_fini(&r);
	_exit(0);
}

int detach_run(const struct spec *s, struct box *b, struct box_info *info,
	       struct err *e)
{
	struct word w;
	int p[2], r = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0) {
		err_sys(e, "pipe");
		return STATUS_VIAL;
	}
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		keeper(s, b, info, p[1]);
	}
	close(p[1]);
	state_close(b);
	if (pid < 0) {
		err_sys(e, "start the keeper");
		r = STATUS_VIAL;
	} else if (fd_read_full(p[0], &w, sizeof(w)) != sizeof(w)) {
		err_set(e, EPIPE, "the box's keeper died");
		r = STATUS_VIAL;
	} else if (w.status >= 0) {
		/* A command so short that it has ended already has run. */
		w.message[sizeof(w.message) - 1] = '\0';
		err_set(e, EIO, "%s", w.message);
		r = w.status;
	}
	close(p[0]);
	return r;
}

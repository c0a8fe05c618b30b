/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"
#include "builder/shipped.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON_FD 3

struct started {
	pid_t pid;
	int reason; /* read end */
};

static void child(const char *program, const char *const *words, int in,
		  bool to_stderr, int reason)
{
	/* Higher first, in case that one is in the way. */
	int fd = fcntl(reason, F_DUPFD, REASON_FD + 1);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (fd < 0 || (in >= 0 && dup2(in, 0) < 0) ||
	    (to_stderr && dup2(2, 1) < 0) || dup2(fd, REASON_FD) < 0)
		_exit(125);
	close(fd);
	/* execv() takes what it will not change. */
	execv(program, (char *const *)(uintptr_t)words);
	_exit(127);
}

/* in: its stdin; -1: ours. */
static int start(struct started *s, const char *const *words, int in,
		 bool to_stderr, struct err *e)
{
	char program[PATH_MAX];
	int p[2];

	if (where_part(WHERE_FETCH, program, e) < 0)
		return -e->code;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	fflush(stdout);
	s->reason = p[0];
	s->pid = fork();
	if (s->pid == 0)
		child(program, words, in, to_stderr, p[1]);
	close(p[1]);
	if (s->pid > 0)
		return 0;
	close(p[0]);
	return err_sys(e, "start vial-fetch");
}

static int result(pid_t pid, const char *text, struct err *e)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for vial-fetch");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (*text)
		return err_set(e, EIO, "%s", text);
	if (WIFSIGNALED(status))
		return err_set(e, EINTR, "vial-fetch was ended by signal %d",
			       WTERMSIG(status));
	return err_set(e, EIO, "vial-fetch failed (status %d)",
		       WEXITSTATUS(status));
}

static int finish(struct started *s, struct err *e)
{
	char text[256];
	ssize_t n = fd_read_full(s->reason, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(s->reason);
	return result(s->pid, text, e);
}

/* No registry is asked for an image that comes with vial. */
static int load_shipped(const char *name, const struct fetch_how *how,
			struct err *e)
{
	if (shipped_load(name, e) < 0)
		return -e->code;
	fprintf(how->to_stderr ? stderr : stdout, "%s%s\n",
		how->quiet ? "" : "Loaded image: ", name);
	return 0;
}

int fetch_image(const char *name, const struct fetch_how *how, struct err *e)
{
	char datadir[PATH_MAX];
	const char *words[] = {
		"vial-fetch",
		"pull",
		datadir,
		how->platform ? how->platform : "",
		how->quiet ? "name" : "all",
		how->all_tags ? "tags" : "one",
		name,
		NULL,
	};
	struct started s = { .pid = -1, .reason = -1 };
	autoclose int dir = -1;

	if (shipped_is(name) && how->all_tags)
		return err_set(e, EINVAL,
			       "%.100s: what comes with vial is no registry's "
			       "(name the tag)",
			       name);
	if (shipped_is(name))
		return load_shipped(name, how, e);
	dir = where_data(datadir, e);
	if (dir < 0)
		return dir;
	if (start(&s, words, -1, how->to_stderr, e) < 0)
		return -e->code;
	return finish(&s, e);
}

int fetch_push(const char *name, bool all_tags, bool quiet, struct err *e)
{
	char datadir[PATH_MAX];
	const char *words[] = { "vial-fetch",
				"push",
				datadir,
				quiet ? "none" : "all",
				all_tags ? "tags" : "one",
				name,
				NULL };
	autoclose int dir = where_data(datadir, e);
	struct started s = { .pid = -1, .reason = -1 };

	if (dir < 0)
		return dir;
	if (start(&s, words, -1, false, e) < 0)
		return -e->code;
	return finish(&s, e);
}

int fetch_login(const char *host, const char *user, const char *password,
		struct err *e)
{
	const char *words[] = { "vial-fetch", "login", host, user, NULL };
	struct started s = { .pid = -1, .reason = -1 };
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	/* It fits into the pipe, and so is written before anybody reads. */
	r = fcntl(p[1], F_SETPIPE_SZ, 1 << 16) < 0 || strlen(password) > 8192
		  ? err_set(e, E2BIG, "the password is too long")
		  : fd_write_full(p[1], password, strlen(password));
	close(p[1]);
	if (r == 0)
		r = start(&s, words, p[0], false, e);
	close(p[0]);
	return r < 0 ? r : finish(&s, e);
}

int fetch_logout(const char *host, struct err *e)
{
	const char *words[] = { "vial-fetch", "logout", host, NULL };
	struct started s = { .pid = -1, .reason = -1 };

	if (start(&s, words, -1, false, e) < 0)
		return -e->code;
	return finish(&s, e);
}

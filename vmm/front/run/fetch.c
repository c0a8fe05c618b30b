/* SPDX-License-Identifier: Apache-2.0 */
#include "run/fetch.h"

#include "base/auto.h"
#include "base/fd.h"
#include "run/where.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON_FD 3

static void child(const char *program, const char *datadir, const char *name,
		  const struct fetch_how *how, int reason)
{
	/* Higher first, in case that one is in the way. */
	int fd = fcntl(reason, F_DUPFD, REASON_FD + 1);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (fd < 0 || dup2(fd, REASON_FD) < 0 ||
	    (how->to_stderr && dup2(2, 1) < 0))
		_exit(125);
	close(fd);
	execl(program, "vial-fetch", "pull", datadir,
	      how->platform ? how->platform : "", how->quiet ? "name" : "all",
	      name, (char *)NULL);
	_exit(127);
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

int fetch_image(const char *name, const struct fetch_how *how, struct err *e)
{
	char program[PATH_MAX], datadir[PATH_MAX], text[256];
	autoclose int from = -1, to = -1, dir = -1;
	int p[2];
	ssize_t n;
	pid_t pid;

	if (where_part(WHERE_FETCH, program, e) < 0)
		return -e->code;
	dir = where_data(datadir, e);
	if (dir < 0)
		return dir;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	from = p[0];
	to = p[1];
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return err_sys(e, "start vial-fetch");
	if (pid == 0)
		child(program, datadir, name, how, to);
	close(take_fd(&to));
	n = fd_read_full(from, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return result(pid, text, e);
}

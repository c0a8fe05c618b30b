/* SPDX-License-Identifier: Apache-2.0 */
#include "box/mke2fs.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127
#define SAID_MAX 160
#define OPTIONS_MAX 16
/* Where the child has the file. */
#define CHILD_DISK 3
#define CHILD_PATH "/proc/self/fd/3"

/* In the child. A file that is all holes needs no zeroes written, which mke2fs
 * finds out by itself. */
static void exec_mke2fs(int fd, int out, const char *const options[])
{
	static const char *const always[] = { "mke2fs", "-q",	"-F",
					      "-t",	"ext4", "-b",
					      "4096",	"-m",	"0" };
	static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
	static char *const env[] = { path, NULL };
	const char *argv[ARRAY_LEN(always) + OPTIONS_MAX + 2];
	size_t n = ARRAY_LEN(always);

	memcpy(argv, always, sizeof(always));
	for (size_t i = 0; i < OPTIONS_MAX && options[i]; i++)
		argv[n++] = options[i];
	argv[n++] = CHILD_PATH;
	argv[n] = NULL;
	if (dup2(out, 1) == 1 && dup2(out, 2) == 2 &&
	    dup2(fd, CHILD_DISK) == CHILD_DISK &&
	    fcntl(CHILD_DISK, F_SETFD, 0) == 0)
		execvpe("mke2fs", (char **)(uintptr_t)argv, env);
	_exit(NOT_FOUND);
}

/* The first line it said, for the message. */
static void first_line(int fd, char said[SAID_MAX])
{
	ssize_t n = fd_read_full(fd, said, SAID_MAX - 1);

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

int mke2fs_run(int fd, uint64_t bytes, const char *const options[],
	       struct err *e)
{
	char said[SAID_MAX] = "";
	int pipe[2], status = -1;
	pid_t pid;

	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, "a disk of %" PRIu64 " bytes", bytes);
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0)
		exec_mke2fs(fd, pipe[1], options);
	close(pipe[1]);
	if (pid > 0) {
		first_line(pipe[0], said);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(pipe[0]);
	if (pid < 0)
		return err_sys(e, "start mke2fs");
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		return err_set(e, ENOENT,
			       "mke2fs was not found (install e2fsprogs)");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, EIO, "mke2fs: %s",
			       *said ? said : "ended without a word");
	return 0;
}

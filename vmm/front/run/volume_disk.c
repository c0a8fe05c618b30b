/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of a volume, made by mke2fs. */
#include "run/volume.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOURNAL_FROM (1ull << 30) /* smaller ones get what mke2fs thinks */
#define NOT_FOUND    127
#define SAID_MAX     160

/* In the child. The disk is the working directory's. A file that is all holes
 * needs no zeroes written, which mke2fs finds out by itself. */
static void exec_mke2fs(int dir, int out, bool large)
{
	static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
	static char *const env[] = { path, NULL };
	/* Not in the block below: they live as long as the block they are in. */
	char journal[] = "-J", journal_size[] = "size=32";
	char *argv[] = { (char[]){ "mke2fs" },
			 (char[]){ "-q" },
			 (char[]){ "-F" },
			 (char[]){ "-t" },
			 (char[]){ "ext4" },
			 (char[]){ "-b" },
			 (char[]){ "4096" },
			 (char[]){ "-m" },
			 (char[]){ "0" },
			 (char[]){ "-E" },
			 (char[]){ "lazy_journal_init=1,root_owner=0:0" },
			 (char[]){ "disk.ext4" },
			 NULL,
			 NULL,
			 NULL };

	if (large) { /* a journal that does not fill the host's disk */
		argv[13] = argv[11];
		argv[11] = journal;
		argv[12] = journal_size;
	}
	if (fchdir(dir) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2)
		execvpe("mke2fs", argv, env);
	_exit(NOT_FOUND);
}

/* The first line it said, for the message. */
static void first_line(int fd, char said[SAID_MAX])
{
	ssize_t n = fd_read_full(fd, said, SAID_MAX - 1);

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

static int run_mke2fs(int dir, bool large, struct err *e)
{
	char said[SAID_MAX];
	int pipe[2], status = -1;
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0)
		exec_mke2fs(dir, pipe[1], large);
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

int volume_make_disk(int dir, uint64_t size, struct err *e)
{
	autoclose int fd = openat(dir, "disk.ext4",
				  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "disk.ext4");
	if (ftruncate(fd, (off_t)size) < 0)
		return err_sys(e, "disk.ext4: %llu bytes",
			       (unsigned long long)size);
	if (run_mke2fs(dir, size >= JOURNAL_FROM, e) < 0)
		return -e->code;
	return fsync(fd) < 0 ? err_sys(e, "disk.ext4") : 0;
}

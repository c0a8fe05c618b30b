/* SPDX-License-Identifier: Apache-2.0 */
/* The empty ext4 that an image is unpacked into. */
#include "run/builder.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127
#define SAID_MAX  160
/* Where the child has the disk. */
#define CHILD_DISK 3

/* No journal: a box writes to an overlay that is thrown away or closed
 * cleanly. No resize inode and nothing left to the kernel's background
 * zeroing: the file is sparse, its blanks are zeros already. The seeds are
 * fixed because random ones would be the same for every clone anyway. An inode
 * for each 8 KiB: trees of many small files fit. */
static void exec_mke2fs(int fd, int out)
{
	static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
	static char *const env[] = { path, NULL };
	static const char *const argv[] = {
		"mke2fs",
		"-q",
		"-F",
		"-t",
		"ext4",
		"-b",
		"4096",
		"-i",
		"8192",
		"-m",
		"0",
		"-U",
		"76696100-0000-4000-8000-000000000001",
		"-O",
		"^has_journal,^resize_inode,^orphan_file",
		"-E",
		"assume_storage_prezeroed=1,root_owner=0:0,"
		"hash_seed=76696100-0000-4000-8000-000000000002",
		"/proc/self/fd/3",
		NULL
	};

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

int builder_make_disk(int fd, uint64_t bytes, struct err *e)
{
	char said[SAID_MAX] = "";
	int pipe[2], status = -1;
	pid_t pid;

	if (ftruncate(fd, (off_t)bytes) < 0)
		return err_sys(e, "a disk of %llu bytes",
			       (unsigned long long)bytes);
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0)
		exec_mke2fs(fd, pipe[1]);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* stream - run a command, time its output and count it.
 *
 * usage: stream COMMAND...
 *
 * Prints: microseconds from exec to the first byte, from exec to the end of
 * the command, bytes, its exit status. */
#include "base/fd.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(char **argv, pid_t *pid)
{
	int p[2];

	if (pipe(p) < 0)
		return -1;
	*pid = vfork();
	if (*pid == 0) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(p[1]);
	return p[0];
}

int main(int argc, char **argv)
{
	static char buf[1 << 20];
	uint64_t start_us = now_us(), first_us = 0, bytes = 0;
	int fd, status = 0;
	pid_t pid;
	ssize_t n;

	if (argc < 2)
		return 2;
	fd = start(argv + 1, &pid);
	if (fd < 0 || pid < 0) {
		perror("stream");
		return 1;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (bytes == 0)
			first_us = now_us() - start_us;
		bytes += (uint64_t)n;
	}
	waitpid(pid, &status, 0);
	printf("%llu %llu %llu %d\n", (unsigned long long)first_us,
	       (unsigned long long)(now_us() - start_us),
	       (unsigned long long)bytes,
	       WIFEXITED(status) ? WEXITSTATUS(status)
				 : 128 + WTERMSIG(status));
	return 0;
}

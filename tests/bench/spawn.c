/* SPDX-License-Identifier: Apache-2.0 */
/* spawn - what fork and exec alone cost here.
 *
 * usage: spawn N PROGRAM [ARGUMENT...]
 *
 * Starts PROGRAM (a path) N times and waits for each. Prints: microseconds each, and
 * this process's own CPU microseconds each (the child's are not in it). */
#include "base/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
	uint64_t wall, cpu;

	if (n == 0)
		return 2;
	wall = now_us();
	cpu = cpu_us();
	for (unsigned i = 0; i < n; i++) {
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			execv(argv[2], argv + 2);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	printf("%llu %llu\n", (unsigned long long)(now_us() - wall) / n,
	       (unsigned long long)(cpu_us() - cpu) / n);
	return 0;
}

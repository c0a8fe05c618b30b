/* SPDX-License-Identifier: Apache-2.0 */
/* blk - reads and writes of one file around the page cache, in the guest.
 *
 * usage: blk FILE MILLISECONDS   then powers off when it is PID 1
 *
 * FILE exists and has no holes; its content is overwritten. Each test runs for
 * about MILLISECONDS and prints one line, "BLK NAME OPERATIONS-PER-SECOND BYTES-
 * PER-SECOND": randread, randwrite (4 KiB, one at a time), randread8,
 * randwrite8 (eight threads), seqread, seqwrite (128 KiB). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 8

static const struct test {
	const char *name;
	bool write, random;
	size_t block;
	unsigned threads;
} tests[] = {
	{ "randread", false, true, 4096, 1 },
	{ "randread8", false, true, 4096, 8 },
	{ "seqread", false, false, 131072, 1 },
	{ "randwrite", true, true, 4096, 1 },
	{ "randwrite8", true, true, 4096, 8 },
	{ "seqwrite", true, false, 131072, 1 },
};

struct job {
	const struct test *test;
	int fd, error;
	uint64_t size, seed, until_us, ops;
	pthread_t thread;
};

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void *work(void *arg)
{
	struct job *j = arg;
	size_t len = j->test->block;
	uint64_t blocks = j->size / len, at = 0;
	void *buf = NULL;
	ssize_t n;

	if (posix_memalign(&buf, 4096, len) != 0) {
		j->error = ENOMEM;
		return NULL;
	}
	memset(buf, (int)j->seed, len);
	while (clock_us() < j->until_us) {
		uint64_t off = (j->test->random ? next(&j->seed) : at++) %
			       blocks * len;

		n = j->test->write ? pwrite(j->fd, buf, len, (off_t)off)
				   : pread(j->fd, buf, len, (off_t)off);
		if (n != (ssize_t)len) {
			j->error = n < 0 ? errno : EIO;
			break;
		}
		j->ops++;
	}
	free(buf);
	return NULL;
}

static int run(const struct test *t, int fd, uint64_t size, uint64_t us)
{
	struct job job[MAX_THREADS];
	uint64_t start = clock_us(), ops = 0, took;

	for (unsigned i = 0; i < t->threads; i++) {
		job[i] = (struct job){ .test = t,
				       .fd = fd,
				       .size = size,
				       .seed = 88172645463325252u + i,
				       .until_us = start + us };
		if (pthread_create(&job[i].thread, NULL, work, &job[i]) != 0)
			return -EAGAIN;
	}
	for (unsigned i = 0; i < t->threads; i++) {
		pthread_join(job[i].thread, NULL);
		if (job[i].error)
			return -job[i].error;
		ops += job[i].ops;
	}
	took = clock_us() - start;
	printf("BLK %s %llu %llu\n", t->name,
	       (unsigned long long)(ops * 1000000 / took),
	       (unsigned long long)(ops * t->block * 1000000 / took));
	fflush(stdout);
	return 0;
}

static int all(const char *path, uint64_t us)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		printf("BLK error: %s: %s\n", path, strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]) && r == 0; i++)
		r = run(&tests[i], fd, (uint64_t)st.st_size, us);
	if (r < 0)
		printf("BLK error: %s\n", strerror(-r));
	fsync(fd);
	close(fd);
	return r < 0;
}

int main(int argc, char **argv)
{
	int r = 2;

	if (argc == 3)
		r = all(argv[1], strtoull(argv[2], NULL, 0) * 1000);
	if (getpid() != 1)
		return r;
	/* The kernel gave us what it did not know of its command line. */
	printf("BLK end\n");
	fflush(stdout);
	sync();
	reboot(RB_AUTOBOOT);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tree - what a version control system and a build do to a tree of files.
 *
 * usage: tree make DIR FILES     FILES files of 1 KiB, 50 in a directory
 *        tree status DIR FILES   lstat() of each, then every directory is read:
 *                                the calls of `git status` with nothing changed
 *        tree remove DIR         all of it, as rm -rf does
 *
 * Prints the microseconds it took. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_DIR 50
#define MAX_OPEN 32

static int fail(const char *path)
{
	fprintf(stderr, "tree: %s: %s\n", path, strerror(errno));
	return 1;
}

/* Two levels, as sources have them. */
static void name_of(char *out, size_t room, const char *dir, unsigned n,
		    int levels)
{
	unsigned d = n / IN_DIR;

	if (levels == 1)
		snprintf(out, room, "%s/part%u", dir, d / IN_DIR);
	else if (levels == 2)
		snprintf(out, room, "%s/part%u/dir%u", dir, d / IN_DIR, d);
	else
		snprintf(out, room, "%s/part%u/dir%u/file%u.c", dir, d / IN_DIR,
			 d, n);
}

static int make_one(const char *dir, unsigned n)
{
	static const char text[1024];
	char path[512];
	int fd, r = 0;

	for (int level = 1; n % IN_DIR == 0 && level <= 2; level++) {
		name_of(path, sizeof(path), dir, n, level);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return fail(path);
	}
	name_of(path, sizeof(path), dir, n, 3);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(path);
	if (write(fd, text, sizeof(text)) != sizeof(text))
		r = fail(path);
	close(fd);
	return r;
}

static int make(const char *dir, unsigned files)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return fail(dir);
	for (unsigned i = 0; i < files; i++)
		if (make_one(dir, i) != 0)
			return 1;
	return 0;
}

static unsigned seen;

static int count(const char *path, const struct stat *st, int type,
		 struct FTW *at)
{
	(void)path;
	(void)st;
	(void)at;
	seen += type == FTW_F || type == FTW_NS;
	return 0;
}

static int status(const char *dir, unsigned files)
{
	char path[512];
	struct stat st;

	for (unsigned i = 0; i < files; i++) {
		name_of(path, sizeof(path), dir, i, 3);
		if (lstat(path, &st) < 0)
			return fail(path);
	}
	if (nftw(dir, count, MAX_OPEN, FTW_PHYS) < 0)
		return fail(dir);
	if (seen == files)
		return 0;
	fprintf(stderr, "tree: %u files of %u\n", seen, files);
	return 1;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) < 0 ? fail(path) : 0;
}

int main(int argc, char **argv)
{
	unsigned files = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
	uint64_t start = now_us();
	int r = 2;

	if (argc == 4 && strcmp(argv[1], "make") == 0)
		r = make(argv[2], files);
	else if (argc == 4 && strcmp(argv[1], "status") == 0)
		r = status(argv[2], files);
	else if (argc == 3 && strcmp(argv[1], "remove") == 0)
		r = nftw(argv[2], remove_one, MAX_OPEN, FTW_PHYS | FTW_DEPTH);
	else
		fputs("tree: see its first lines\n", stderr);
	if (r == 0)
		printf("%" PRIu64 "\n", now_us() - start);
	return r != 0;
}

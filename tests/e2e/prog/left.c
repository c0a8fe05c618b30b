/* SPDX-License-Identifier: Apache-2.0 */
#include "left.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX (256u << 10)
#define LINES_MAX 65536

/* A file of /proc, terminated; its length, 0 when there is none. */
static size_t slurp(const char *pid, const char *name, char *text)
{
	char path[300];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY);
	while (fd >= 0 && len < TEXT_MAX - 1 &&
	       (n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	return len;
}

/* Whether one of the strings in text is word. */
static bool holds(const char *text, size_t len, const char *word)
{
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if (strcmp(p, word) == 0)
			return true;
	return false;
}

static bool has_open_below(const char *pid, const char *dir)
{
	char path[300], to[4096];
	bool found = false;
	const struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	d = opendir(path);
	while (d && !found && (de = readdir(d))) {
		ssize_t n =
			readlinkat(dirfd(d), de->d_name, to, sizeof(to) - 1);

		to[n > 0 ? n : 0] = '\0';
		found = strncmp(to, dir, strlen(dir)) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

/* Clients and shims carry the directory in their environment; a monitor has
 * none, but its console open. */
static bool is_ours(const char *pid, const char *run)
{
	static char text[TEXT_MAX];
	char word[4200];
	size_t len;

	slurp(pid, "comm", text);
	if (strncmp(text, "vial", 4) != 0)
		return false;
	len = slurp(pid, "environ", text);
	snprintf(word, sizeof(word), "VIAL_RUNDIR=%s", run);
	return holds(text, len, word) || has_open_below(pid, run);
}

static bool is_zombie(const char *pid)
{
	static char text[TEXT_MAX];
	const char *at;

	slurp(pid, "stat", text);
	at = strrchr(text, ')');
	return at && at[1] == ' ' && at[2] == 'Z';
}

int left_pids(const char *run, bool words)
{
	static char text[TEXT_MAX];
	const struct dirent *de;
	DIR *d = opendir("/proc");

	while (d && (de = readdir(d))) {
		if (de->d_name[0] < '0' || de->d_name[0] > '9' ||
		    !is_ours(de->d_name, run) || is_zombie(de->d_name))
			continue;
		if (words) {
			slurp(de->d_name, "comm", text);
			text[strcspn(text, "\n")] = '\0';
		}
		printf("%s%s%s\n", de->d_name, words ? " " : "",
		       words ? text : "");
	}
	if (d)
		closedir(d);
	return 0;
}

/* A monitor is called by its box's id or the start of it. */
int left_monitor(const char *id)
{
	static char text[TEXT_MAX];
	const struct dirent *de;
	DIR *d = opendir("/proc");
	int status = 1;

	while (d && (de = readdir(d))) {
		size_t len = slurp(de->d_name, "cmdline", text);

		if (len < 10 || strcmp(text, "vial-vmm") != 0 ||
		    text[9] == '\0' ||
		    strncmp(text + 9, id, strlen(text + 9)) != 0)
			continue;
		puts(de->d_name);
		status = 0;
	}
	if (d)
		closedir(d);
	return status;
}

/* ---- the machine ---- */

static char *line[LINES_MAX];
static size_t nlines;

static void add(const char *text)
{
	if (nlines < LINES_MAX && (line[nlines] = strdup(text)))
		nlines++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once. */
static void print_lines(const char *head)
{
	printf("-- %s\n", head);
	qsort(line, nlines, sizeof(*line), by_text);
	for (size_t i = 0; i < nlines; i++)
		if (i == 0 || strcmp(line[i], line[i - 1]) != 0)
			puts(line[i]);
	while (nlines > 0)
		free(line[--nlines]);
}

static int add_path(const char *path, const struct stat *st, int type,
		    struct FTW *at)
{
	const char *base = path + at->base;

	(void)st;
	(void)type;
	/* The folders of all boxes and of networks stay, a lock, and what was
	 * told of boxes. */
	if (at->level > 0 && strcmp(base, "boxes") != 0 &&
	    !(at->level == 1 && strcmp(base, "net") == 0) &&
	    strcmp(base, ".lock") != 0 && strcmp(base, "events") != 0)
		add(path);
	return 0;
}

static int add_cgroup(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_D)
		add(path);
	return 0;
}

static void add_namespaces(const char *pid)
{
	static const char *const kinds[] = { "mnt", "net",    "ipc", "uts",
					     "pid", "cgroup", "user" };
	char path[300], to[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kinds[i]);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (n > 0)
			add(to);
	}
}

static void add_mounts(void)
{
	static char text[TEXT_MAX];
	char *next = text, *one;

	slurp("self", "mounts", text);
	while ((one = strsep(&next, "\n")))
		add(one);
}

int left_all(const char *run, const char *data, bool machine)
{
	const struct dirent *de;
	DIR *d;

	puts("-- processes");
	left_pids(run, true);
	nftw(run, add_path, 16, FTW_PHYS);
	nftw(data, add_path, 16, FTW_PHYS);
	print_lines("files");
	if (!machine)
		return 0;
	add_mounts();
	print_lines("mounts");
	d = opendir("/proc");
	while (d && (de = readdir(d)))
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9')
			add_namespaces(de->d_name);
	if (d)
		closedir(d);
	print_lines("namespaces");
	nftw("/sys/fs/cgroup", add_cgroup, 16, FTW_PHYS);
	print_lines("control groups");
	return 0;
}

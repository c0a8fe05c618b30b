/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proc.h"

#include "base/auto.h"
#include "base/fd.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* proc_pid_stat(5); the fields behind the name, which is the second. */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_SESSION = 6,
	STAT_TTY = 7,
	STAT_FLAGS = 9,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_VSIZE = 23,
	STAT_RSS = 24,
	STAT_N,
};
#define PF_KTHREAD 0x00200000u

static ssize_t proc_file(pid_t pid, const char *name, char *out, size_t room)
{
	autoclose int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, out, room - 1);
	out[n < 0 ? 0 : n] = '\0';
	return n;
}

static void proc_printable(char *s, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\0')
			s[i] = ' ';
		else if (iscntrl((unsigned char)s[i]) &&
			 !(lines && (s[i] == '\n' || s[i] == '\t')))
			s[i] = '?';
	}
}

bool proc_text(pid_t pid, const char *name, bool lines, char *out, size_t room)
{
	ssize_t n = proc_file(pid, name, out, room);
	size_t len = n < 0 ? 0 : (size_t)n;

	while (len > 0 && (out[len - 1] == '\0' || out[len - 1] == '\n'))
		out[--len] = '\0';
	proc_printable(out, len, lines);
	return n >= 0;
}

static uid_t proc_uid(pid_t pid)
{
	char text[1024];
	char *at;

	if (proc_file(pid, "status", text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, "\nUid:");
	if (!at)
		return 0;
	strtoul(at + strlen("\nUid:"), &at, 10); /* the real one */
	return (uid_t)strtoul(at, NULL, 10);
}

static uint64_t proc_us(uint64_t ticks)
{
	long hz = sysconf(_SC_CLK_TCK);

	return ticks * 1000000 / (uint64_t)(hz > 0 ? hz : 100);
}

static void proc_fill(struct proc *p, const uint64_t f[STAT_N])
{
	p->ppid = (pid_t)f[STAT_PPID];
	p->session = (pid_t)f[STAT_SESSION];
	p->tty = (unsigned)f[STAT_TTY];
	p->kernel = f[STAT_FLAGS] & PF_KTHREAD;
	p->cpu_us = proc_us(f[STAT_UTIME] + f[STAT_STIME]);
	p->threads = (unsigned)f[STAT_THREADS];
	p->start_us = proc_us(f[STAT_START]);
	p->vsz_bytes = f[STAT_VSIZE];
	p->rss_bytes = f[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool proc_read(pid_t pid, struct proc *p)
{
	uint64_t field[STAT_N] = { 0 };
	char text[1024], *name, *at;

	*p = (struct proc){ .pid = pid };
	if (proc_file(pid, "stat", text, sizeof(text)) <= 0)
		return false;
	/* The name may hold anything, brackets too. */
	name = strchr(text, '(');
	at = strrchr(text, ')');
	if (!name || !at || at < name || at[1] != ' ')
		return false;
	*at = '\0';
	snprintf(p->comm, sizeof(p->comm), "%s", name + 1);
	proc_printable(p->comm, strlen(p->comm), false);
	at += 2;
	p->state = *at ? *at++ : '?';
	for (int i = STAT_STATE + 1; i < STAT_N; i++)
		field[i] = strtoull(at, &at, 10);
	proc_fill(p, field);
	p->uid = proc_uid(pid);
	return true;
}

void proc_each(bool (*fn)(const struct proc *p, void *arg), void *arg)
{
	DIR *dir = opendir("/proc");
	const struct dirent *d;
	bool more = true;

	while (dir && more && (d = readdir(dir))) {
		struct proc p;
		char *end;
		long pid = strtol(d->d_name, &end, 10);

		if (pid > 0 && !*end && proc_read((pid_t)pid, &p))
			more = fn(&p, arg);
	}
	if (dir)
		closedir(dir);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include "agent/proc.h"
#include "base/auto.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCS_MAX   256
#define THREADS_MAX 16
#define FILES_MAX   32
#define DEPTH_MAX   32
#define ARGS_MAX    512
#define STACK_MAX   4096

static const char cut_note[] = "... more was left out\n";

struct report {
	const char *group;
	pid_t session;
	struct proc procs[PROCS_MAX];
	size_t nprocs, left_out;
	char *text;
	size_t len;
	bool full;
};

static void say(struct report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct report *r, const char *fmt, ...)
{
	size_t room = REPORT_MAX - sizeof(cut_note) - r->len;
	va_list ap;
	int n;

	if (r->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(r->text + r->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < room) {
		r->len += (size_t)n;
		return;
	}
	/* Whole lines only. */
	r->full = true;
	memcpy(r->text + r->len, cut_note, sizeof(cut_note));
}

static bool is_of(const struct report *r, const struct proc *p)
{
	char text[4096];
	const char *at;
	size_t len;

	if (p->kernel)
		return false;
	if (!r->group)
		return p->session == r->session;
	if (!proc_text(p->pid, "cgroup", true, text, sizeof(text)))
		return false;
	at = strstr(text, r->group);
	len = strlen(r->group);
	return at && at > text && at[-1] == '/' &&
	       (at[len] == '\0' || at[len] == '\n' || at[len] == '/');
}

static bool collect(const struct proc *p, void *arg)
{
	struct report *r = arg;

	if (!is_of(r, p))
		return true;
	if (r->nprocs < PROCS_MAX)
		r->procs[r->nprocs++] = *p;
	else
		r->left_out++;
	return true;
}

static void say_args(struct report *r, const struct proc *p)
{
	char args[ARGS_MAX];

	if (proc_text(p->pid, "cmdline", false, args, sizeof(args)) && *args)
		say(r, "%s\n", args);
	else
		say(r, "[%s]\n", p->comm);
}

static bool has_parent(const struct report *r, const struct proc *p)
{
	for (size_t i = 0; i < r->nprocs; i++)
		if (r->procs[i].pid == p->ppid && p->ppid != p->pid)
			return true;
	return false;
}

/* Parents are read before their children may have gone and others come in
 * their place: the depth bounds a circle. */
static void say_branch(struct report *r, const struct proc *p, int depth)
{
	if (depth > DEPTH_MAX || r->full)
		return;
	say(r, "%7d %c %*s", (int)p->pid, p->state, 2 * depth, "");
	say_args(r, p);
	for (size_t i = 0; i < r->nprocs; i++)
		if (r->procs[i].ppid == p->pid && r->procs[i].pid != p->pid)
			say_branch(r, &r->procs[i], depth + 1);
}

static void say_files(struct report *r, const struct proc *p)
{
	char path[64], target[256];
	const struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p->pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		ssize_t len;

		if (*d->d_name == '.' || n++ >= FILES_MAX)
			continue;
		len = readlinkat(dirfd(dir), d->d_name, target,
				 sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		for (char *s = target; *s; s++)
			if (*s == '\n' || *s == '\r' || *s == '\033')
				*s = '?';
		say(r, "    fd %-4s %s\n", d->d_name, target);
	}
	if (dir)
		closedir(dir);
	if (n > FILES_MAX)
		say(r, "    and %u more open files\n", n - FILES_MAX);
}

/* The state is the letter behind the name, which may hold brackets. */
static char thread_state(pid_t pid, const char *tid)
{
	char name[300], text[512];
	const char *at;

	snprintf(name, sizeof(name), "task/%s/stat", tid);
	if (!proc_text(pid, name, false, text, sizeof(text)))
		return '?';
	at = strrchr(text, ')');
	return at && at[1] == ' ' && at[2] ? at[2] : '?';
}

static void say_thread(struct report *r, pid_t pid, const char *tid)
{
	char name[300], comm[64], wchan[128], stack[STACK_MAX];
	char *line, *rest = stack;

	snprintf(name, sizeof(name), "task/%s/comm", tid);
	if (!proc_text(pid, name, false, comm, sizeof(comm)))
		return;
	snprintf(name, sizeof(name), "task/%s/wchan", tid);
	proc_text(pid, name, false, wchan, sizeof(wchan));
	say(r, "    thread %s %s: %c%s%s\n", tid, comm, thread_state(pid, tid),
	    *wchan && strcmp(wchan, "0") != 0 ? " in " : "",
	    strcmp(wchan, "0") != 0 ? wchan : "");
	snprintf(name, sizeof(name), "task/%s/stack", tid);
	if (!proc_text(pid, name, true, stack, sizeof(stack)))
		return;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			say(r, "        %s\n", line);
}

static void say_threads(struct report *r, const struct proc *p)
{
	const struct dirent *d;
	unsigned n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)p->pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		if (*d->d_name != '.' && n++ < THREADS_MAX)
			say_thread(r, p->pid, d->d_name);
	if (dir)
		closedir(dir);
	if (n > THREADS_MAX)
		say(r, "    and %u more threads\n", n - THREADS_MAX);
}

static void say_all(struct report *r)
{
	say(r, "processes:\n");
	for (size_t i = 0; i < r->nprocs; i++)
		if (!has_parent(r, &r->procs[i]))
			say_branch(r, &r->procs[i], 0);
	if (r->left_out)
		say(r, "    and %zu more processes\n", r->left_out);
	for (size_t i = 0; i < r->nprocs && !r->full; i++) {
		const struct proc *p = &r->procs[i];

		say(r, "\n%d %s: state %c, %u threads, %llu ms of CPU\n",
		    (int)p->pid, p->comm, p->state, p->threads,
		    (unsigned long long)p->cpu_us / 1000);
		say_files(r, p);
		say_threads(r, p);
	}
}

char *report_make(const char *group, pid_t session)
{
	autofree struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->group = group;
	r->session = session;
	r->text = malloc(REPORT_MAX);
	if (!r->text)
		return NULL;
	proc_each(collect, r);
	say_all(r);
	return r->text;
}

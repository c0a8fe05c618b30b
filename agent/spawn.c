/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spawn.h"

#include "agent/vclone.h"
#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const stage_names[] = {
	[SPAWN_OK] = "ok",	   [SPAWN_FORK] = "fork",
	[SPAWN_TERMINAL] = "tty",  [SPAWN_STDIO] = "stdio",
	[SPAWN_RLIMIT] = "rlimit", [SPAWN_MKDIR] = "mkdir",
	[SPAWN_CHDIR] = "chdir",   [SPAWN_IDS] = "setuid",
	[SPAWN_CAPS] = "caps",	   [SPAWN_EXEC] = "exec",
};
_Static_assert(ARRAY_LEN(stage_names) == SPAWN_NSTAGES, "a stage has no name");

const char *spawn_stage_name(enum spawn_stage stage)
{
	return stage_names[stage];
}

static bool child_fails(struct spawn *s, enum spawn_stage stage)
{
	s->stage = stage;
	s->error = errno;
	return false;
}

/* A session of its own makes the job's process group its pid. */
static bool child_stdio(struct spawn *s)
{
	setsid();
	if (s->tty && ioctl(s->fd[0], TIOCSCTTY, 0) < 0)
		return child_fails(s, SPAWN_TERMINAL);
	for (int i = 0; i < 3; i++)
		if (dup2(s->fd[i], i) < 0)
			return child_fails(s, SPAWN_STDIO);
	/* Everything of the agent's is close-on-exec; this is the belt to
	 * those braces. */
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	return true;
}

static bool child_limits(struct spawn *s)
{
	struct sched_param normal = { 0 };

	sched_setscheduler(0, SCHED_OTHER, &normal); /* the agent is not */
	for (size_t i = 0; i < s->nlimits; i++)
		if (setrlimit((__rlimit_resource_t)s->limits[i].resource,
			      &s->limits[i].value) < 0)
			return child_fails(s, SPAWN_RLIMIT);
	return true;
}

static bool child_mkdir(struct spawn *s)
{
	char path[4096];
	size_t len = strlen(s->cwd);

	if (len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return child_fails(s, SPAWN_MKDIR);
	}
	memcpy(path, s->cwd, len + 1);
	for (char *p = path + 1; p <= path + len; p++) {
		char keep = *p;

		if (keep != '/' && keep != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return child_fails(s, SPAWN_MKDIR);
		*p = keep;
	}
	return true;
}

/* The system calls themselves: the library's functions would look for threads
 * to tell, in memory that is the agent's. */
static bool child_ids(struct spawn *s)
{
	if (!s->set_ids)
		return true;
	if (syscall(SYS_setgroups, s->ngroups, s->groups) < 0 ||
	    syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0 ||
	    syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0)
		return child_fails(s, SPAWN_IDS);
	return true;
}

/* As root first, because a parent folder may be closed to the user; as the
 * user when root has no way in (a network's file system). */
static bool child_enter(struct spawn *s)
{
	int r;

	if (s->make_cwd && !child_mkdir(s))
		return false;
	r = chdir(s->cwd);
	if (r < 0 && errno != EACCES)
		return child_fails(s, SPAWN_CHDIR);
	if (!child_ids(s))
		return false;
	if (r < 0 && chdir(s->cwd) < 0)
		return child_fails(s, SPAWN_CHDIR);
	return true;
}

/* The bound first, which takes power to lower; the rest when the ids are set.
 */
static bool child_user(struct spawn *s)
{
	if (!caps_lower(&s->caps))
		return child_fails(s, SPAWN_CAPS);
	if (!child_enter(s))
		return false;
	if (!caps_take(&s->caps, (s->set_ids ? s->uid : geteuid()) == 0))
		return child_fails(s, SPAWN_CAPS);
	return true;
}

static void child_try(struct spawn *s, const char *path)
{
	/* When it works, this is the last word: the memory is shared. */
	s->stage = SPAWN_OK;
	execve(path, s->argv, s->env);
	s->stage = SPAWN_EXEC;
	/* "Permission denied" somewhere in the path tells more than "not
	 * found" at its end. */
	if (s->error == EACCES && (errno == ENOENT || errno == ENOTDIR))
		return;
	s->error = errno;
	s->found = errno == ENOENT && access(path, F_OK) == 0;
}

static bool child_goes_on(const struct spawn *s)
{
	return !s->found && (s->error == ENOENT || s->error == ENOTDIR ||
			     s->error == EACCES);
}

static void child_exec(struct spawn *s)
{
	const char *name = s->argv[0], *dir = s->path;
	char path[4096];

	if (strchr(name, '/')) {
		child_try(s, name);
		return;
	}
	s->stage = SPAWN_EXEC;
	s->error = ENOENT;
	while (*name) {
		size_t len = strcspn(dir, ":");

		/* An empty element is the working directory. */
		if (len + strlen(name) + 2 <= sizeof(path)) {
			snprintf(path, sizeof(path), "%.*s%s%s", (int)len, dir,
				 len ? "/" : "", name);
			child_try(s, path);
		}
		if (!child_goes_on(s) || !dir[len])
			return;
		dir += len + 1;
	}
}

/* Comes back only when something failed, with stage and error set. */
static void child_run(void *arg)
{
	struct spawn *s = arg;
	sigset_t none;

	sigemptyset(&none);
	if (!child_stdio(s) || !child_limits(s) || !child_user(s))
		return;
	/* Last, so that nothing interrupts the above. */
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_exec(s);
}

pid_t spawn_run(struct spawn *s)
{
	pid_t pid;

	s->stage = SPAWN_OK;
	s->error = 0;
	s->found = false;
	pid = vclone(child_run, s, s->cgroup_fd);
	if (pid < 0) {
		s->stage = SPAWN_FORK;
		s->error = -pid;
	}
	return pid;
}

static int spawn_explain_exec(const struct spawn *s, struct err *e)
{
	const char *name = s->argv[0];

	if (s->found)
		return err_set(e, s->error,
			       "exec: \"%s\": %s (the interpreter or loader "
			       "it names is missing)",
			       name, strerror(s->error));
	if (s->error == ENOENT && !strchr(name, '/'))
		return err_set(e, ENOENT,
			       "exec: \"%s\": executable file not found in "
			       "$PATH",
			       name);
	if (s->error == ENOEXEC)
		return err_set(e, ENOEXEC, "exec: \"%s\": exec format error",
			       name);
	if (s->error == EACCES)
		return err_set(e, EACCES, "exec: \"%s\": permission denied",
			       name);
	if (s->error == ENOENT)
		return err_set(e, ENOENT,
			       "exec: \"%s\": no such file or directory", name);
	return err_set(e, s->error, "exec: \"%s\": %s", name,
		       strerror(s->error));
}

int spawn_explain(const struct spawn *s, struct err *e)
{
	if (s->stage == SPAWN_EXEC)
		return spawn_explain_exec(s, e);
	if (s->stage == SPAWN_MKDIR)
		return err_set(e, s->error, "mkdir cwd (\"%s\"): %s", s->cwd,
			       strerror(s->error));
	if (s->stage == SPAWN_CHDIR && s->error == ENOENT)
		return err_set(e, ENOENT,
			       "chdir to cwd (\"%s\"): no such file or "
			       "directory",
			       s->cwd);
	if (s->stage == SPAWN_CHDIR)
		return err_set(e, s->error, "chdir to cwd (\"%s\"): %s", s->cwd,
			       strerror(s->error));
	if (s->stage == SPAWN_CAPS)
		return err_set(e, s->error, "capabilities: %s",
			       strerror(s->error));
	return err_set(e, s->error, "%s: %s", spawn_stage_name(s->stage),
		       strerror(s->error));
}

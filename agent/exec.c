/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/exec.h"

#include "agent/agent.h"
#include "agent/spawn.h"
#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIPE_BYTES (256 << 10)
#define LIMITS_MAX 32
#define ADDED_ENV 4
/* What a login has. The agent's own limit is high, and programs that close all
 * they could have open would take seconds to start. */
#define FILES_SOFT ((rlim_t)1024)

static const char default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What one start needs besides the job; all of it is given back after. */
struct start {
	struct spawn spawn;
	struct user user;
	struct spawn_limit limit[LIMITS_MAX + 1];
	char **env, **argv;
	char home[300], hostname[80], path[sizeof(default_path) + 5];
	int child_fd[3];
};

static const char *env_get(char **env, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return env[i] + len + 1;
	return NULL;
}

/* The host's variables and those that every command expects. */
static int start_env(struct start *s, const struct job *j,
		     const Vial__Agent__Exec *x, struct err *e)
{
	size_t n = x->n_env;
	static char term[] = "TERM=xterm";

	s->env = calloc(n + ADDED_ENV + 1, sizeof(*s->env));
	if (!s->env)
		return err_set(e, ENOMEM, "environment: no memory");
	if (n > 0)
		memcpy(s->env, x->env, n * sizeof(*s->env));
	snprintf(s->home, sizeof(s->home), "HOME=%s", s->user.home);
	snprintf(s->hostname, sizeof(s->hostname), "HOSTNAME=%s",
		 j->agent->hostname);
	snprintf(s->path, sizeof(s->path), "PATH=%s", default_path);
	if (!env_get(x->env, x->n_env, "PATH"))
		s->env[n++] = s->path;
	if (!env_get(x->env, x->n_env, "HOME"))
		s->env[n++] = s->home;
	if (!env_get(x->env, x->n_env, "HOSTNAME") && *j->agent->hostname)
		s->env[n++] = s->hostname;
	if (x->tty && !env_get(x->env, x->n_env, "TERM"))
		s->env[n++] = term;
	s->spawn.env = s->env;
	s->spawn.path = env_get(s->env, n, "PATH");
	return 0;
}

static int start_limits(struct start *s, const struct agent *a,
			const Vial__Agent__Exec *x, struct err *e)
{
	size_t n = 0;
	bool files = false;

	if (x->n_rlimits > LIMITS_MAX)
		return err_set(e, E2BIG, "more than %d limits", LIMITS_MAX);
	for (size_t i = 0; i < x->n_rlimits; i++) {
		const Vial__Agent__Rlimit *r = x->rlimits[i];

		s->limit[n++] = (struct spawn_limit){
			.resource = (int)r->resource,
			.value = { r->soft, r->hard },
		};
		files |= r->resource == RLIMIT_NOFILE;
	}
	if (!files)
		s->limit[n++] = (struct spawn_limit){
			.resource = RLIMIT_NOFILE,
			.value = { MIN(a->files_hard, FILES_SOFT),
				   a->files_hard },
		};
	s->spawn.limits = s->limit;
	s->spawn.nlimits = n;
	return 0;
}

static int start_user(struct start *s, const struct job *j,
		      const Vial__Agent__Exec *x, struct err *e)
{
	const struct agent *a = j->agent;
	struct user *u = &s->user;
	int r = user_lookup(&a->users, x->user, x->groups, x->n_groups, u, e);

	if (r < 0)
		return r;
	if (!a->can_set_ids && *x->user && u->uid != geteuid())
		return err_set(e, EPERM, "the agent cannot become user %s",
			       x->user);
	s->spawn.set_ids = a->can_set_ids;
	s->spawn.uid = u->uid;
	s->spawn.gid = u->gid;
	s->spawn.groups = u->groups;
	s->spawn.ngroups = u->ngroups;
	return 0;
}

/* The job may open its streams again by name (/dev/stdout), which asks for
 * permission anew: they are its user's. */
static void start_give(const struct start *s, int fd)
{
	if (s->spawn.set_ids && s->spawn.uid != 0 &&
	    fchown(fd, s->spawn.uid, (gid_t)-1) < 0)
		return; /* only opening by name is lost */
}

static int start_pipe(struct start *s, struct job *j, unsigned which,
		      struct err *e)
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };
	bool to_job = which == JOB_STDIN;
	int p[2], mine;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	mine = p[to_job ? 1 : 0];
	s->child_fd[which] = p[to_job ? 0 : 1];
	relay_init(&j->stream[which], &j->agent->loop, names[which], mine,
		   to_job);
	start_give(s, mine);
	if (which != JOB_STDERR)
		fcntl(mine, F_SETPIPE_SZ, PIPE_BYTES);
	if (fd_set_nonblock(mine, true) < 0)
		return err_sys(e, "pipe");
	return 0;
}

static int start_pipes(struct start *s, struct job *j,
		       const Vial__Agent__Exec *x, struct err *e)
{
	const bool want[] = { x->stdin, x->stdout, x->stderr };

	for (unsigned i = 0; i < JOB_NSTREAMS; i++)
		if (want[i] && start_pipe(s, j, i, e) < 0)
			return -e->code;
	for (unsigned i = 0; i < JOB_NSTREAMS; i++)
		s->spawn.fd[i] = want[i] ? s->child_fd[i] : j->agent->null_fd;
	return 0;
}

/* One relay reads the terminal and one writes it, each with a descriptor of
 * its own. Output nobody asked for is thrown away, or the job would stop. */
static int start_tty(struct start *s, struct job *j, const Vial__Agent__Exec *x,
		     struct err *e)
{
	struct loop *l = &j->agent->loop;
	autoclose int master =
		open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int unlocked = 0, fd;

	if (master < 0)
		return err_sys(e, "open /dev/ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(e, "unlock terminal");
	s->child_fd[0] =
		ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->child_fd[0] < 0)
		return err_sys(e, "open terminal");
	start_give(s, s->child_fd[0]);
	for (int i = 0; i < 3; i++)
		s->spawn.fd[i] = s->child_fd[0];
	s->spawn.tty = true;
	if (x->stdin) {
		fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_sys(e, "terminal");
		relay_init(&j->stream[JOB_STDIN], l, "tty in", fd, true);
		j->stream[JOB_STDIN].tty = true;
	}
	relay_init(&j->stream[JOB_STDOUT], l, "tty out", take_fd(&master),
		   false);
	job_resize(j, x->size);
	if (x->stdout)
		return 0;
	fd = fcntl(j->agent->null_fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(e, "terminal")
		      : relay_attach(&j->stream[JOB_STDOUT], fd, NULL, 0, e);
}

static Vial__Agent__Failed__Kind start_kind(const struct spawn *s)
{
	switch (s->stage) {
	case SPAWN_CHDIR:
	case SPAWN_MKDIR:
		return VIAL__AGENT__FAILED__KIND__BAD_CWD;
	case SPAWN_IDS:
		return VIAL__AGENT__FAILED__KIND__BAD_USER;
	case SPAWN_EXEC:
		return s->error == ENOENT || s->error == ENOTDIR
			     ? VIAL__AGENT__FAILED__KIND__NOT_FOUND
			     : VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE;
	default:
		return VIAL__AGENT__FAILED__KIND__OTHER;
	}
}

static int start_prepare(struct start *s, struct job *j,
			 const Vial__Agent__Exec *x,
			 Vial__Agent__Failed__Kind *kind, const char **stage,
			 struct err *e)
{
	*kind = VIAL__AGENT__FAILED__KIND__BAD_REQUEST;
	*stage = "exec";
	if (x->n_argv == 0)
		return err_set(e, EINVAL, "exec: no command");
	/* exec wants a NULL behind the last; the message has none. */
	s->argv = calloc(x->n_argv + 1, sizeof(*s->argv));
	if (!s->argv)
		return err_set(e, ENOMEM, "exec: no memory");
	memcpy(s->argv, x->argv, x->n_argv * sizeof(*s->argv));
	s->spawn.argv = s->argv;
	s->spawn.cwd = *x->cwd ? x->cwd : "/";
	s->spawn.make_cwd = x->make_cwd;
	*stage = "caps";
	if (caps_choose(&s->spawn.caps, x, e) < 0)
		return -e->code;
	*stage = "rlimit";
	if (start_limits(s, j->agent, x, e) < 0)
		return -e->code;
	*kind = VIAL__AGENT__FAILED__KIND__BAD_USER;
	*stage = "user";
	if (start_user(s, j, x, e) < 0)
		return -e->code;
	*kind = VIAL__AGENT__FAILED__KIND__OTHER;
	*stage = "env";
	return start_env(s, j, x, e);
}

static void exec_undo(struct job *j)
{
	for (int i = 0; i < JOB_NSTREAMS; i++)
		relay_close(&j->stream[i]);
	cgroup_close(&j->agent->cgroups, &j->cgroup);
}

int exec_start(struct job *j, const Vial__Agent__Exec *x,
	       Vial__Agent__Failed__Kind *kind, const char **stage,
	       struct err *e)
{
	struct start s = { .child_fd = { -1, -1, -1 } };
	int r = start_prepare(&s, j, x, kind, stage, e);

	j->cgroup.fd = -1;
	if (r == 0) {
		*stage = "stdio";
		r = x->tty ? start_tty(&s, j, x, e) : start_pipes(&s, j, x, e);
	}
	if (r == 0) {
		cgroup_open(&j->agent->cgroups, &j->cgroup, x->key);
		s.spawn.cgroup_fd = j->cgroup.fd;
		j->start_us = now_us();
		j->pid = spawn_run(&s.spawn);
		*kind = start_kind(&s.spawn);
		*stage = spawn_stage_name(s.spawn.stage);
		if (s.spawn.stage != SPAWN_OK)
			r = spawn_explain(&s.spawn, e);
	}
	for (int i = 0; i < 3; i++)
		if (s.child_fd[i] >= 0)
			close(s.child_fd[i]);
	free(s.env);
	free(s.argv);
	if (r < 0)
		exec_undo(j);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job.h"

#include "agent/agent.h"
#include "agent/event.h"
#include "agent/exec.h"
#include "agent/oom.h"
#include "agent/report.h"
#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

enum job_event {
	EV_EXIT,     /* the command has ended */
	EV_LIMIT,    /* time-out, or the end of the grace after it */
	EV_GONE,     /* the connection that wanted it */
	EV_EOF,	     /* the last output stream has ended */
	EV_PATIENCE, /* a stream takes too long */
	EV_N,
};

struct step {
	void (*act)(struct job *j);
	enum job_state next;
};

static void job_collect(struct job *j);
static void job_term(struct job *j);
static void job_kill(struct job *j);
static void job_late(struct job *j);
static void job_abandon(struct job *j);
static void job_cut(struct job *j);
static void job_finish(struct job *j);

/* What is not listed does nothing. job_finish() ends the job: whoever raises
 * an event does not look at it afterwards. */
static const struct step steps[JOB_NSTATES][EV_N] = {
	[JOB_RUNNING] = { [EV_EXIT] = { job_collect, JOB_DRAINING },
			  [EV_LIMIT] = { job_term, JOB_ENDING },
			  [EV_GONE] = { job_kill, JOB_KILLED } },
	[JOB_ENDING] = { [EV_EXIT] = { job_collect, JOB_DRAINING },
			 [EV_LIMIT] = { job_kill, JOB_KILLED },
			 [EV_GONE] = { job_kill, JOB_KILLED } },
	[JOB_KILLED] = { [EV_EXIT] = { job_collect, JOB_DRAINING } },
	[JOB_DRAINING] = { [EV_LIMIT] = { job_late, JOB_DRAINING },
			   [EV_GONE] = { job_abandon, JOB_DRAINING },
			   [EV_EOF] = { job_finish, JOB_DRAINING },
			   [EV_PATIENCE] = { job_cut, JOB_DRAINING } },
};

static void job_event(struct job *j, enum job_event ev)
{
	const struct step *s = &steps[j->state][ev];

	if (!s->act)
		return;
	j->state = s->next;
	s->act(j);
}

static bool job_outputs_open(const struct job *j)
{
	return j->stream[JOB_STDOUT].open || j->stream[JOB_STDERR].open;
}

static void job_check_end(struct job *j)
{
	if (!j->hold && !job_outputs_open(j))
		job_event(j, EV_EOF);
}

static void stdin_ended(struct relay *r)
{
	(void)r;
}

static void stdout_ended(struct relay *r)
{
	job_check_end(container_of(r, struct job, stream[JOB_STDOUT]));
}

static void stderr_ended(struct relay *r)
{
	job_check_end(container_of(r, struct job, stream[JOB_STDERR]));
}

static void limit_fired(struct timer *t)
{
	job_event(container_of(t, struct job, limit), EV_LIMIT);
}

static void patience_fired(struct timer *t)
{
	job_event(container_of(t, struct job, patience), EV_PATIENCE);
}

/* Timers are made when they are needed: most jobs need none. Without one (no
 * descriptors) the job only loses its time limit. */
static void job_arm(struct job *j, struct timer *t, uint64_t ms,
		    void (*fired)(struct timer *t))
{
	struct err e;

	if (!t->fired && timer_init(t, &j->agent->loop, "job", fired, &e) < 0)
		return;
	timer_set(t, MAX(ms, (uint64_t)1));
}

static void job_kill_all(struct job *j)
{
	j->killed = true;
	if (!cgroup_kill(&j->cgroup))
		kill(-j->pid, SIGKILL);
}

/* Why it did not end, while all of it is still there to be looked at. */
static void job_explain(struct job *j)
{
	struct reply to = { &j->agent->callers, j->owner, j->key };
	autofree char *text = NULL;

	if (!j->report || !j->owner)
		return;
	j->report = false;
	text = report_make(j->cgroup.fd >= 0 ? j->cgroup.name : NULL, j->pid);
	if (text)
		event_report(to, text);
}

static void job_term(struct job *j)
{
	j->timed_out = true;
	job_explain(j);
	kill(-j->pid, SIGTERM);
	kill(-j->pid, SIGCONT);
	job_arm(j, &j->limit, j->grace_ms, limit_fired);
}

static void job_kill(struct job *j)
{
	job_kill_all(j);
}

/* Its time is up, and what it left behind still holds its streams. */
static void job_late(struct job *j)
{
	j->timed_out = true;
	job_explain(j);
	job_kill_all(j);
	job_arm(j, &j->patience, JOB_CUT_MS, patience_fired);
}

static void job_abandon(struct job *j)
{
	job_kill_all(j);
	job_finish(j);
}

/* A stream the host does not read is the host's affair, however long it takes;
 * one that nobody came for, or that a survivor keeps open, is cut. */
static void job_cut(struct job *j)
{
	for (int i = JOB_STDOUT; i < JOB_NSTREAMS; i++) {
		struct relay *r = &j->stream[i];

		if (!r->open || !relay_idle(r))
			continue;
		relay_close(r);
		j->cut = true;
	}
	if (job_outputs_open(j))
		job_arm(j, &j->patience, JOB_CUT_MS, patience_fired);
	else
		job_finish(j);
}

static bool job_unattached(const struct job *j)
{
	for (int i = JOB_STDOUT; i < JOB_NSTREAMS; i++)
		if (j->stream[i].open && !j->stream[i].attached)
			return true;
	return false;
}

/* The command has ended; its output is usually there already. */
static void job_collect(struct job *j)
{
	if (j->status != 0)
		j->oom_killed = cgroup_oom_kills(&j->cgroup) > 0;
	if (j->oom_killed)
		oom_victim(OOM_LOG, j->cgroup.name, j->oom_victim,
			   sizeof(j->oom_victim));
	if (j->kill_rest || j->timed_out || (!j->owner && !j->detach)) {
		if (j->cgroup.fd < 0 ||
		    !cgroup_remove(&j->agent->cgroups, &j->cgroup))
			job_kill_all(j);
	}
	if (!j->owner && !j->detach) {
		job_finish(j);
		return;
	}
	j->hold = true;
	relay_poke(&j->stream[JOB_STDOUT]);
	relay_poke(&j->stream[JOB_STDERR]);
	j->hold = false;
	if (!job_outputs_open(j))
		job_finish(j);
	else if (job_unattached(j))
		job_arm(j, &j->patience, CALLER_WAIT_MS, patience_fired);
	else if (j->killed)
		job_arm(j, &j->patience, JOB_CUT_MS, patience_fired);
}

static uint64_t tv_us(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

static void job_report(struct job *j)
{
	struct reply to = { &j->agent->callers, j->owner, j->key };
	Vial__Agent__Usage u = VIAL__AGENT__USAGE__INIT;
	Vial__Agent__Exited x = VIAL__AGENT__EXITED__INIT;

	u.user_us = tv_us(j->usage.ru_utime);
	u.system_us = tv_us(j->usage.ru_stime);
	u.max_rss_bytes = (uint64_t)j->usage.ru_maxrss * 1024;
	x.usage = &u;
	if (WIFSIGNALED(j->status)) {
		x.signal = (uint32_t)WTERMSIG(j->status);
		x.core = WCOREDUMP(j->status);
	} else {
		x.status = (uint32_t)WEXITSTATUS(j->status);
	}
	x.timed_out = j->timed_out;
	x.oom_killed = j->oom_killed;
	x.oom_victim = j->oom_victim;
	x.wall_us = j->wall_us;
	x.streams_cut = j->cut;
	/* Whom it has called hears of it first. */
	forwards_poll(&j->agent->forwards);
	event_exited(to, &x);
}

static void job_free(struct job *j)
{
	struct agent *a = j->agent;

	for (struct job **p = &a->jobs; *p; p = &(*p)->next) {
		if (*p != j)
			continue;
		*p = j->next;
		a->njobs--;
		break;
	}
	reap_drop(&a->reap, &j->child);
	timer_fini(&j->limit, &a->loop);
	timer_fini(&j->patience, &a->loop);
	for (int i = 0; i < JOB_NSTREAMS; i++)
		relay_close(&j->stream[i]);
	cgroup_close(&a->cgroups, &j->cgroup);
	free(j);
}

static void job_finish(struct job *j)
{
	job_report(j);
	job_free(j);
}

static void job_exited(struct child *c, int status, const struct rusage *ru)
{
	struct job *j = container_of(c, struct job, child);

	j->status = status;
	j->usage = *ru;
	j->wall_us = now_us() - j->start_us;
	job_event(j, EV_EXIT);
}

struct job *job_find(const struct agent *a, uint64_t key)
{
	for (struct job *j = a->jobs; j; j = j->next)
		if (j->key == key)
			return j;
	return NULL;
}

/* Streams that came before their Exec. */
static void job_attach_parked(struct agent *a, uint64_t key)
{
	for (unsigned which = 0; which < JOB_NSTREAMS; which++) {
		struct caller *c = caller_find(&a->callers, key, which);
		struct job *j = job_find(a, key);
		int fd;

		if (!c)
			continue;
		fd = caller_take_fd(&a->callers, c);
		if (!j || !job_attach(j, which, fd, buf_head(&c->chan.in),
				      buf_len(&c->chan.in)))
			close(fd);
		caller_free(&a->callers, c);
	}
}

static void job_started(struct job *j)
{
	struct agent *a = j->agent;

	j->child = (struct child){ .pid = j->pid, .exited = job_exited };
	reap_add(&a->reap, &j->child);
	j->next = a->jobs;
	a->jobs = j;
	a->njobs++;
	if (j->timeout_ms)
		job_arm(j, &j->limit, j->timeout_ms, limit_fired);
}

void job_start(struct agent *a, struct caller *owner,
	       const Vial__Agent__Exec *x)
{
	struct reply to = { &a->callers, owner, x->key };
	Vial__Agent__Failed__Kind kind = VIAL__AGENT__FAILED__KIND__BAD_REQUEST;
	const char *stage = "exec";
	struct job *j = NULL;
	struct err e;
	int r;

	if (job_find(a, x->key))
		r = err_set(&e, EEXIST, "this key is in use");
	else if (a->njobs >= JOBS_MAX || !(j = calloc(1, sizeof(*j))))
		r = err_set(&e, EAGAIN, "too many commands are running");
	else {
		*j = (struct job){
			.key = x->key,
			.agent = a,
			.owner = owner,
			.timeout_ms = x->timeout_ms,
			.grace_ms = x->grace_ms,
			.detach = x->detach,
			.kill_rest = x->kill_rest,
			.report = x->report,
			.stream[JOB_STDIN].ended = stdin_ended,
			.stream[JOB_STDOUT].ended = stdout_ended,
			.stream[JOB_STDERR].ended = stderr_ended,
		};
		r = exec_start(j, x, &kind, &stage, &e);
	}
	if (r < 0) {
		free(j);
		callers_drop_key(&a->callers, x->key);
		event_failed(to, kind, stage, &e);
		return;
	}
	job_started(j);
	event_started(to, j->pid);
	job_attach_parked(a, x->key);
}

bool job_attach(struct job *j, unsigned which, int fd, const void *early,
		size_t len)
{
	struct relay *r;
	struct err e;

	if (which >= JOB_NSTREAMS)
		return false;
	r = &j->stream[which];
	if (!r->open || r->attached)
		return false;
	relay_attach(r, fd, early, len, &e);
	return true;
}

void job_signal(struct job *j, int sig, bool group)
{
	/* A reaped pid may be somebody else's; the group's number stays taken
	 * as long as it has a member. */
	if (group)
		kill(-j->pid, sig);
	else if (j->child.pid > 0)
		kill(j->pid, sig);
}

void job_resize(const struct job *j, const Vial__Agent__Size *size)
{
	const struct relay *r = &j->stream[JOB_STDOUT];
	struct winsize w = { 0 };

	if (!size || !r->open)
		return;
	w.ws_row = (unsigned short)size->rows;
	w.ws_col = (unsigned short)size->cols;
	ioctl(r->src.fd, TIOCSWINSZ, &w);
}

void jobs_disowned(struct agent *a, const struct caller *c)
{
	struct job *next;

	for (struct job *j = a->jobs; j; j = next) {
		next = j->next;
		if (j->owner != c)
			continue;
		j->owner = NULL;
		if (!j->detach)
			job_event(j, EV_GONE);
	}
}

void jobs_signal(struct agent *a, int sig)
{
	for (struct job *j = a->jobs; j; j = j->next) {
		if (sig == SIGKILL)
			job_kill_all(j);
		else
			kill(-j->pid, sig);
	}
}

void jobs_close(struct agent *a)
{
	while (a->jobs) {
		job_kill_all(a->jobs);
		job_free(a->jobs);
	}
}

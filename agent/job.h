/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - the life of one command.
 *
 * RUNNING   the command runs
 * ENDING    its time was up and it was asked to end; grace runs
 * KILLED    it was killed and is not yet reaped
 * DRAINING  it has ended; something may still hold its streams open
 *
 * A job is in exactly one control group (or process group) and belongs to the
 * control connection that asked for it, until that goes away. Its key names it
 * to every control connection. Exited is sent, and the job forgotten, when its
 * output streams have come to their end. */
#pragma once

#include "agent/cgroup.h"
#include "agent/caller.h"
#include "agent/reap.h"
#include "agent/stdio.h"
#include "proto/agent.pb-c.h"

#define JOBS_MAX 1024
/* How long a stream that is asked for may stay away, and how long what was
 * killed may hold a stream open. */
#define JOB_ATTACH_MS 30000
#define JOB_CUT_MS 5000

struct agent;

enum job_state {
	JOB_RUNNING,
	JOB_ENDING,
	JOB_KILLED,
	JOB_DRAINING,
	JOB_NSTATES,
};

enum job_stream { JOB_STDIN, JOB_STDOUT, JOB_STDERR, JOB_NSTREAMS };

struct job {
	uint64_t key;
	struct agent *agent;
	struct caller *owner; /* NULL: gone */
	struct job *next;
	enum job_state state;
	struct child child;
	pid_t pid; /* also its process group */
	struct cgroup cgroup;
	struct relay stream[JOB_NSTREAMS];
	struct timer limit; /* time-out, then grace */
	struct timer patience;
	uint64_t timeout_ms, grace_ms;
	uint64_t start_us, wall_us;
	int status; /* as wait4() has it */
	struct rusage usage;
	bool detach, kill_rest;
	bool report; /* wanted, and not sent yet */
	char oom_victim[64];
	bool timed_out, oom_killed, cut;
	bool killed; /* all of it */
	bool hold;   /* ends of streams are looked at later */
};

/* Answers with Started or Failed. */
void job_start(struct agent *a, struct caller *owner,
	       const Vial__Agent__Exec *x);
struct job *job_find(const struct agent *a, uint64_t key);
/* A connection for one of its streams, fd taken over. False, and fd is not
 * touched, when the job does not wait for such a one. j may be gone after. */
bool job_attach(struct job *j, unsigned which, int fd, const void *early,
		size_t len);
void job_signal(struct job *j, int sig, bool group);
void job_resize(const struct job *j, const Vial__Agent__Size *size);

/* The control connection c is gone: what it started ends with it. */
void jobs_disowned(struct agent *a, const struct caller *c);
void jobs_signal(struct agent *a, int sig);
/* Forgets all of them, for the end of the agent. */
void jobs_close(struct agent *a);

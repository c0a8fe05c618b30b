/* SPDX-License-Identifier: Apache-2.0 */
/* run_priv.h - the state of one run, shared by run.c, events.c, stages.c. */
#pragma once

#include "base/loop.h"
#include "proto/chan.h"
#include "run/boxmounts.h"
#include "run/sockets.h"
#include "guest/copy.h"
#include "guest/guest.h"
#include "guest/health.h"
#include "run/keep.h"
#include "spec/keys.h"
#include "run/launch.h"
#include "box/report.h"
#include "run/run.h"
#include "spec/signals.h"
#include "spec/spec.h"
#include "guest/stdio.h"

#include <stdbool.h>
#include <stdint.h>

struct run {
	const struct spec *spec;
	const struct run_how *how;
	struct report *report;
	struct loop loop;
	struct signals signals;
	struct launch launch;
	int disk; /* what the box writes, for reading, without a name; or -1 */
	struct boxmounts mounts;
	struct boxnet net;
	struct sockets sockets;
	struct chan notices; /* on the plan socket */
	struct watch plan_watch, leash_watch;
	struct timer limit; /* until the next sign of life is due */
	enum {
		LIMIT_BOOT,
		LIMIT_COMMAND,
		LIMIT_LOST,
		LIMIT_OFF,
		LIMIT_DRAIN,
		LIMIT_FLOW
	} limit_of;
	uint64_t drained; /* bytes of output when LIMIT_DRAIN began */
	uint64_t flowed;  /* bytes of sockets when LIMIT_FLOW began */
	unsigned flows;	  /* times that there were more */
	bool still;	  /* and none since, or too long */
	struct keep keep;
	struct timer grace; /* between a stop's signal and KILL */
	bool grace_over;    /* KILL was sent */
	bool stopping;	    /* somebody asked it to end */
	struct boxlog log;
	struct health health;
	struct guest guest;
	struct stdio io;
	struct keys keys;
	bool detached; /* from the start or since it was left */
	bool leaving;  /* the keys were typed */
	uint64_t key; /* the command's */
	struct copy copy;
	uint64_t copy_key; /* of the copy that runs; 0: none */
	struct report_copy *copy_report;
	bool copied, archived; /* our child is done; the agent is */
	bool setup, started, exited, stats;
	bool cut;	   /* nobody waits for the guest any more */
	bool monitor_gone; /* and all it had to say was heard */
	bool stop_known;   /* a notice has told why */
	bool no_drain;	   /* output that is under way is not waited for */
	bool told;	   /* how->started was called */
	unsigned interrupts;
};

/* report_end(), and no more waiting. */
#define run_fail(r, ...) ((r)->cut = true, report_end((r)->report, __VA_ARGS__))

/* events.c: everything the loop may hear. All return -errno. */
int run_watch_box(struct run *r, struct err *e);
int run_watch_guest(struct run *r, struct err *e);
void run_unwatch(struct run *r);
void run_signal(struct signals *s, int signo);
void run_limit(struct run *r, unsigned of, uint64_t ms);
void run_limit_fired(struct timer *t);
/* Takes the monitor's end from the shim's message. */
void run_monitor_ended(struct run *r, const struct shim_msg *m);

/* stages.c: what a run goes through after its box is there. Each returns when
 * it is done or the run has ended. */
int run_start_command(struct run *r, struct err *e);
void run_wait(struct run *r, bool (*done)(const struct run *r));
/* What the command has written to sockets of the host is on its way. */
void run_flow(struct run *r);
void run_flow_late(struct run *r);
void run_copy_in(struct run *r);
void run_copy_out(struct run *r);
void run_stats(struct run *r);
/* Switches the guest off in order. */
void run_power_off(struct run *r);

/* visit.c: instead of the command, to the end of the guest. */
void run_visited(struct run *r);

/* serve.c: what other clients ask for. */
int run_serve(struct run *r, struct err *e);
void run_unserve(struct run *r);
/* TERM and the like for the command, KILL after a while. */
void run_stop(struct run *r, int signo, uint64_t grace_ms);

/* The box's record: status and whatever else has changed in launch.info. */
void run_record(struct run *r, const char *status);
/* To whoever started a detached run; the first one counts. */
void run_tell(struct run *r, int status, const char *message);

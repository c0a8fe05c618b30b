/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - what the agent tells the host, one function for each Event.
 *
 * A NULL connection is one that is gone: nothing is sent. */
#pragma once

#include "agent/caller.h"
#include "proto/agent.pb-c.h"

struct reply {
	struct callers *callers;
	struct caller *to; /* may be NULL */
	uint64_t key;
};

void event_hello(struct reply r, uint32_t generation);
void event_setup_done(struct reply r, uint64_t boot_us);
void event_started(struct reply r, pid_t pid);
void event_failed(struct reply r, Vial__Agent__Failed__Kind kind,
		  const char *stage, const struct err *why);
void event_exited(struct reply r, Vial__Agent__Exited *x);
void event_tar_done(struct reply r, uint64_t entries, uint64_t bytes);
void event_stats(struct reply r, Vial__Agent__StatsReply *s);
void event_processes(struct reply r, Vial__Agent__ProcessList *l);
void event_stat(struct reply r, Vial__Agent__StatReply *s);
void event_frozen(struct reply r);
void event_link_done(struct reply r);
void event_called(struct reply r, uint64_t call);
void event_report(struct reply r, char *text);

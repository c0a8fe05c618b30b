/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - one question to the agent of a box, on a control connection of its
 * own, beside whoever keeps the box. All wait at most patience_ms, and -ETIME
 * says that the guest did not answer, as one that is paused does not. What
 * they return was written by the guest: bounded, but not to be trusted. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

/* Free it with vial__agent__process_list__free_unpacked(). */
int ask_processes(int boxdir, unsigned patience_ms,
		  Vial__Agent__ProcessList **out, struct err *e);
int ask_stats(int boxdir, unsigned patience_ms, Vial__Agent__StatsReply *out,
	      struct err *e);
/* An interface that the machine has now, and one that it is about to lose. */
int ask_add_link(int boxdir, unsigned patience_ms, Vial__Agent__AddLink *m,
		 struct err *e);
int ask_remove_link(int boxdir, unsigned patience_ms, uint64_t device,
		    struct err *e);
/* Whether anybody is there. */
int ask_alive(int boxdir, unsigned patience_ms, struct err *e);

/* How long a guest may be silent before it is given up: VIAL_ANSWER_TIMEOUT, a
 * minute if that is not set. */
unsigned ask_patience_ms(void);

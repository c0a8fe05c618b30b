/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - whether a command does its work, asked again and again.
 *
 * A check is a command of its own in the guest, run by its sh, one at a time:
 * the next one is due an interval after the last has ended. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "guest/guest.h"
#include "spec/spec.h"
#include "box/state.h"

#include <stdbool.h>
#include <stdint.h>

struct health {
	const struct spec *spec; /* of the box; NULL: nothing is checked */
	struct guest *guest;
	struct loop *loop;
	struct timer timer;
	uint64_t key; /* of the check that runs; 0: none */
	uint64_t start_us;
	/* In the loop: what `vial ps` shows has changed. */
	void (*changed)(struct health *h, const char *status,
			unsigned failures);
	char status[16];
	unsigned failures;
};

/* The command has just started. Does nothing when the spec has no check. */
int health_start(struct health *h, struct loop *l, struct guest *g,
		 const struct spec *s, struct err *e);
void health_stop(struct health *h);
/* True when the event was about a check. */
bool health_heard(struct health *h, const Vial__Agent__Event *ev);

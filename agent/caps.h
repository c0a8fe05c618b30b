/* SPDX-License-Identifier: Apache-2.0 */
/* caps.h - how much of root's power a command gets, as docker users expect it.
 *
 * The box is a machine: nothing here guards the host. It guards a job from its
 * own mistakes, and lets what works in a container work the same way here. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct caps {
	bool limit;	   /* false: everything the agent has */
	uint64_t mask;	   /* bit n is the capability that Linux numbers n */
	bool no_new_privs; /* setuid bits and file capabilities give nothing */
};

/* What an Exec asks for. privileged is everything; else the start is docker's
 * set with default_caps, and everything without. "ALL" in cap_add begins with
 * everything, in cap_drop with nothing; a name in both is added.
 * -EINVAL: no such capability. */
int caps_choose(struct caps *c, const Vial__Agent__Exec *x, struct err *e);

/* For the child, before and after it becomes its user; no memory is asked for.
 * Root keeps the set, others only its bound. False, and errno says why. */
bool caps_lower(const struct caps *c);
bool caps_take(const struct caps *c, bool root);

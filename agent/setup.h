/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h - what the host says once, before the first command. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

struct agent;

/* Root, hostname, clock, entropy. Outside of a guest only the name is taken.
 * On failure *kind says which of Failed's kinds it is. */
int setup_apply(struct agent *a, const Vial__Agent__Setup *s,
		Vial__Agent__Failed__Kind *kind, struct err *e);

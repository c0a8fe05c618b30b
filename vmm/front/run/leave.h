/* SPDX-License-Identifier: Apache-2.0 */
/* leave.h - a run on a terminal that its user can leave.
 *
 * The process a shell has started must end when its user types the detach keys
 * (keys.h), and the keeper of a box must not. So on a terminal the keeper is a
 * child of that process, in its group and on its terminal, and the parent does
 * nothing but wait: it ends with the keeper's status, or with 0 when the keeper
 * says that it has been left. Signals that are sent to the parent are handed
 * on, and when it is killed, so is the keeper, as if they were one. */
#pragma once

#include "base/err.h"
#include "spec/spec.h"

#include <stdbool.h>

/* A command on a terminal that is its user's, too. */
bool leave_possible(const struct spec *s, bool input);

/* Forks. Returns in the keeper alone, with what leave_now() is given; the
 * parent never comes back. */
int leave_split(struct err *e);

/* The keeper lets go of the terminal, and the parent ends. fd is closed. */
void leave_now(int fd);

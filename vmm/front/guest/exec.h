/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h - a further command in a box that runs.
 *
 * It has a control connection and streams of its own, straight to the agent:
 * nobody else has to be asked, and hundreds of them do not meet. When the
 * client goes, so does the command, unless it was started detached. */
#pragma once

#include "box/report.h"
#include "spec/spec.h"
#include "box/state.h"

/* Fills in r, which is initialised. */
void exec_run(const struct box *b, const struct spec *s, struct report *r);

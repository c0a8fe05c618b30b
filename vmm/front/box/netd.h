/* SPDX-License-Identifier: Apache-2.0 */
/* netd.h - vial-netd, started and asked; boxnet.h. */
#pragma once

#include "base/err.h"
#include "box/boxnet.h"
#include "spec/spec.h"

/* n->info.mode and mac say what is wanted; the rest of info, pid, sock and tap
 * are the answer. On failure nothing is left. */
int netd_start(struct boxnet *n, const struct spec *s, const char *id, int log,
	       struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - where connections come in, and what each Request leads to.
 *
 * Requests are carried out in the order they come, so that a host may send
 * Hello, Setup and Exec at once. A connection that breaks the rules is told so
 * and ended; others do not notice. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

struct agent;

/* The port of the guest, and word to the host that it is open. */
int serve_vsock(struct agent *a, struct err *e);
/* A socket in the file system, for tests. */
int serve_unix(struct agent *a, const char *path, struct err *e);
void serve_close(struct agent *a);

/* Of every connection (caller.h). */
void serve_ready(struct watch *w, uint32_t events);

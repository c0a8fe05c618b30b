/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - signals of the client as events of its loop.
 *
 * Those a command may be told are blocked and read from a descriptor: all that
 * end a program or mean what the program wants them to mean. Left to the
 * system: STOP, TSTP, TTIN and TTOU (stopping the client lets the command
 * wait for its reader), CHLD, URG, and those of faults. SIGPIPE is ignored:
 * a write that fails says so itself. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>

struct signals {
	struct loop *loop;
	struct watch watch;
	void (*got)(struct signals *s, int signo);
	bool by_terminal; /* not sent by a process; valid in got() */
};

/* They wait from now on for a signals_open(), also that of a child. */
void signals_hold(void);

int signals_open(struct signals *s, struct loop *l,
		 void (*got)(struct signals *s, int signo), struct err *e);
void signals_close(struct signals *s);

/* "SIGTERM", or "signal 40". */
const char *signals_name(int signo, char *buf, size_t size);
/* "TERM", "SIGTERM", "sigterm", "15": the number, or -EINVAL. */
int signals_parse(const char *text, struct err *e);

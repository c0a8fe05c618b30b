/* SPDX-License-Identifier: Apache-2.0 */
/* serial_log.h - keeps what the guest writes to its console, bounded.
 *
 * Bytes are put under the machine lock (by vCPU threads) into a small buffer
 * and written to the file by the loop, so a flooding guest waits for nobody
 * and nobody for it: what does not fit is dropped and counted. So is what comes
 * faster than the rate, until a part of a second's worth may pass again; where
 * bytes are missing, a line of ours says how many. The file never grows past
 * its bound: when it is full, its newer half moves to the front. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "dev/rate.h"

#include <stdint.h>

#define SERIAL_LOG_BUF (16u * 1024)

struct serial_log {
	int fd; /* regular file, borrowed; -1: count only */
	uint64_t max, size;
	int wake; /* eventfd, owned */
	struct watch watch;
	struct loop *loop;
	bool asked; /* wake was written and not yet read */
	uint32_t used;
	uint64_t bytes, dropped;
	uint64_t lost; /* of those dropped: not yet told in the file */
	struct rate rate;
	bool choked; /* by the rate */
	uint8_t buf[SERIAL_LOG_BUF];
};

/* max is the file's bound, 0 for a default; rate in bytes a second, 0 for no
 * limit. */
int serial_log_init(struct serial_log *l, int fd, uint64_t max, uint64_t rate,
		    struct loop *loop, struct err *e);
void serial_log_fini(struct serial_log *l);
void serial_log_put(void *log, uint8_t byte);
/* What is in the buffer goes to the file now. */
void serial_log_flush(struct serial_log *l);

/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - one line that says how far something is.
 *
 * Only on a terminal, only on standard error, a few times a second, and gone
 * without a trace at the end. Nothing at all where standard error is piped or
 * the terminal is dumb. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;     /* "Copying to job"; the caller's */
	uint64_t total_bytes; /* 0: not known */
	bool on, shown;
	int64_t started_ms, last_ms;
};

void progress_init(struct progress *p, const char *what, uint64_t total_bytes);
/* May be called for every block: it looks at the clock and returns. */
void progress_update(struct progress *p, uint64_t done_bytes);
void progress_end(struct progress *p);

/* "Copying to job  1.5MB of 3MB (50%)  750kB/s", at most width characters. */
void progress_line(const struct progress *p, uint64_t done_bytes, int64_t ms,
		   int width, char *buf, unsigned size);

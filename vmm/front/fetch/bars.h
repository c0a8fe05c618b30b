/* SPDX-License-Identifier: Apache-2.0 */
/* bars.h - how far the layers are, a line for each, in docker's shape.
 *
 *     5e6ec7f28fb7: Downloading [=====>          ]  12.6MB/34.1MB
 *     a3ed95caeb02: Already exists
 *
 * On a terminal the lines are written over a few times a second; one that has
 * fewer rows, or is dumb, gets what a pipe gets: a line when a layer is done. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bar_state {
	BAR_WAITING,
	BAR_DOWNLOADING,
	BAR_DONE,
	BAR_THERE,
	BAR_NSTATES
};

/* One line without its end, at most width characters; width 0: no bar. */
void bar_line(const char *id, enum bar_state state, uint64_t done,
	      uint64_t total, unsigned width, char *out, size_t size);

struct bars {
	bool live;	/* written over */
	unsigned width; /* of the terminal */
	size_t drawn;	/* lines that are there */
};

/* For n lines on standard output. */
void bars_init(struct bars *b, size_t n);
/* Back to the first line, or nothing when they were not drawn yet. */
void bars_begin(struct bars *b);
void bars_add(struct bars *b, const char *line);

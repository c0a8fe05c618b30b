/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - what a run used, as a list that would have allowed it (policy.h).
 *
 * A connection counts under the name that led to it, else under its address;
 * a name that was only asked gets port 0. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX 8192

struct record {
	char **v; /* words, each once */
	size_t n, room;
	bool full;
};

void record_fini(struct record *r);
/* host: a name or an address; proto and port 0: none. */
void record_use(struct record *r, const char *host, uint8_t proto,
		uint16_t port);
void record_asked(struct record *r, const char *name);
/* A word a line, in order; a name that was also connected to is not there
 * twice. */
int record_write(struct record *r, int fd, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - an archive that somebody gives us, unpacked once if need be.
 *
 * gzip, zstd, xz and bzip2 are told by their first bytes. What is compressed
 * is decoded by a child that can read its input, write its output and nothing
 * else: decoders have had holes. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct source {
	int fd;		/* what is read */
	pid_t child;	/* the decoder; 0: none */
	char head[8];	/* read already, to tell what it is */
	size_t nhead, taken;
};

/* Takes fd, also when it fails. */
int source_open(struct source *s, int fd, struct err *e);
/* A tar_read_fn. At the end it tells what the decoder had to say. */
ssize_t source_read(void *source, void *buf, size_t len, struct err *e);
/* Safe on one that was not opened, once it is zeroed and fd is -1. */
void source_close(struct source *s);

/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel.h - two stream sockets tied together, in the loop.
 *
 * What comes out of one goes into the other, both ways, until both ways have
 * ended. The end of a stream is handed on as a half-close, and a reader that
 * has gone as one, too, so each peer meets what it would have met without a
 * tunnel. A way that its reader does not empty is not read from: it holds one
 * chunk at most, and no memory at all while bytes flow. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TUNNEL_CHUNK (64u << 10)
#define TUNNEL_PATH_MAX 107 /* what a socket's address has room for */

struct tunnel_end {
	struct watch watch;
	struct tunnel *tunnel;
	bool gone; /* the peer neither reads nor writes any more */
};

struct tunnel_way {
	uint8_t *rest; /* read and not taken yet; NULL: nothing */
	size_t start, end;
	bool eof;  /* nothing more is to be read */
	bool over; /* nor written */
};

struct tunnel {
	struct loop *loop;
	struct tunnel_end end[2];
	struct tunnel_way way[2]; /* way[i] begins at end[i] */
	struct timer retry;
	unsigned tries;
	uint64_t bytes; /* of both ways */
	char path[TUNNEL_PATH_MAX + 1];
	/* May be NULL. Bytes of the first end, as they come: how many of them
	 * are not part of the stream, or -errno, which ends the tunnel. */
	ssize_t (*strip)(struct tunnel *t, const uint8_t *bytes, size_t len);
	/* From the loop, once: both ways are over, or the second end cannot be
	 * had. Only tunnel_fini() may follow. */
	void (*over)(struct tunnel *t);
};

/* Takes the first end's descriptor over; nothing is read from it yet. strip
 * and over are set by the caller after. */
void tunnel_init(struct tunnel *t, struct loop *l, int fd);
/* Bytes of the first end that have been read already, before the next two. */
int tunnel_early(struct tunnel *t, const void *bytes, size_t len);
/* Takes the second end over, also on failure, and starts. */
int tunnel_tie(struct tunnel *t, int fd, struct err *e);
/* The same with a unix socket that is to be called. One whose queue of callers
 * is full is called again for some seconds: over() may tell that it was in
 * vain. */
int tunnel_dial(struct tunnel *t, const char *path, struct err *e);
/* Closes both. Safe on a zeroed one. */
void tunnel_fini(struct tunnel *t);

/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - bytes from one descriptor to another, in the loop.
 *
 * One buffer, filled from src and emptied into dst before it is filled again,
 * so a slow reader slows the writer and memory stays flat. Descriptors of the
 * user's are used as they are: their flags are shared with other processes, so
 * none is changed. What cannot be waited for (files) is always ready; what may
 * block (pipes, terminals) is written through a descriptor of our own where
 * one can be had, and in small pieces after a wait where not. From the agent
 * to a pipe, the way of most output, the bytes do not come through here at
 * all: splice(2) moves them.
 *
 * A tap sees every byte on its way, and sinks are further takers that come and
 * go; none of them gets the next bytes before all have taken the last. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "guest/dial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BUF (128u << 10)
#define RELAY_FILTERED 1024u

enum relay_how {
	RELAY_NONBLOCK, /* read/write say EAGAIN */
	RELAY_SOCKET,	/* recv/send with MSG_DONTWAIT do */
	RELAY_PATIENT,	/* may block: only after the loop says ready */
	RELAY_ALWAYS,	/* never blocks, cannot be waited for */
};

struct relay_end {
	struct watch watch;
	enum relay_how how;
	bool own;   /* watch.fd is ours to close */
	bool ready; /* PATIENT: the loop said so */
};

enum relay_state {
	RELAY_IDLE, /* never started */
	RELAY_RUNNING,
	RELAY_EOF,	  /* src has ended, everything is in dst */
	RELAY_SRC_FAILED, /* error has the errno */
	RELAY_DST_FAILED,
};

/* One that takes the bytes. The storage is the caller's. */
struct relay_sink {
	struct relay_end end;
	size_t left; /* of what is in the buffer */
	bool on;
	struct relay *relay;
	/* In the loop, when it cannot be written to any more; it is out of the
	 * relay then. Not for the first one: that ends the relay. */
	void (*gone)(struct relay_sink *s);
};

#define RELAY_SINKS 16

struct relay {
	struct loop *loop;
	struct relay_end src;
	struct relay_sink dst; /* off: there are only sinks */
	struct relay_sink *sink[RELAY_SINKS];
	/* May be NULL; set it behind relay_start(). */
	void (*tap)(struct relay *r, const uint8_t *bytes, size_t len);
	/* Also: what goes on of len bytes, at most RELAY_FILTERED, in place.
	 * Returns how many, no more than RELAY_BUF. */
	size_t (*filter)(struct relay *r, uint8_t *bytes, size_t len);
	struct dial dial; /* the answer to take off src */
	bool from_agent;  /* there is one */
	bool splice;	  /* socket to pipe: the kernel can move the pages */
	enum relay_state state;
	int error;
	uint64_t bytes; /* taken from src */
	size_t end;	/* of what is in the buffer */
	uint8_t *buf;
	/* In the loop, once, when state leaves RUNNING. */
	void (*ended)(struct relay *r);
};

/* Neither descriptor is taken over; dst -1: none. from_agent: src is a fresh
 * connection to the agent, whose answer is not part of the stream. Zero r
 * before. */
int relay_start(struct relay *r, struct loop *l, int src, int dst,
		bool from_agent, void (*ended)(struct relay *r), struct err *e);
void relay_fini(struct relay *r);
/* Everything that came is in dst, and nothing comes. */
bool relay_starves(const struct relay *r);
/* From now on there are only sinks; what dst has not taken yet is theirs
 * alone. */
void relay_leave(struct relay *r);

/* s takes what comes from now on; fd is borrowed. -ENOSPC: there are many
 * already, -EPIPE: the relay has ended. Set s->gone before. */
int relay_add(struct relay *r, struct relay_sink *s, int fd);
/* Safe on one that is not in. */
void relay_drop(struct relay_sink *s);

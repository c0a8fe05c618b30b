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
 * all: splice(2) moves them. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "run/dial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BUF (128u << 10)

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

struct relay {
	struct loop *loop;
	struct relay_end src, dst;
	struct dial dial; /* the answer to take off src */
	bool from_agent;  /* there is one */
	bool splice;	  /* socket to pipe: the kernel can move the pages */
	enum relay_state state;
	int error;
	uint64_t bytes; /* written to dst */
	size_t off, len;
	uint8_t *buf;
	/* In the loop, once, when state leaves RUNNING. */
	void (*ended)(struct relay *r);
};

/* Neither descriptor is taken over. from_agent: src is a fresh connection to
 * the agent, whose answer is not part of the stream. Zero r before. */
int relay_start(struct relay *r, struct loop *l, int src, int dst,
		bool from_agent, void (*ended)(struct relay *r), struct err *e);
void relay_fini(struct relay *r);

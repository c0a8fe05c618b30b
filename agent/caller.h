/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - connections to the agent, before and after they say what they are.
 *
 * NEW      accepted, no whole Request yet; a time limit runs
 * CONTROL  Requests in, Events out, until either side ends it
 * STREAM   has named its job, which has not been asked for yet; nothing more
 *          is read from it, a time limit runs
 *
 * A stream that finds its job leaves this table: its descriptor moves to the
 * job. Memory is bounded: CALLER_MAX connections, CHAN_MAX bytes each way. */
#pragma once

#include "base/loop.h"
#include "proto/chan.h"

#include <stdint.h>

#define CALLER_MAX 4096
/* How long a connection may say nothing, a stream wait for its job, and a job
 * or archive for its stream. Tests have less patience. */
#ifdef VIAL_TEST
#define CALLER_WAIT_MS 5000
#else
#define CALLER_WAIT_MS 30000
#endif
/* Stream.Which: 0 to 2 as a process numbers its descriptors */
#define CALLER_STDIN 0
#define CALLER_TAR 3

enum caller_kind { CALLER_NEW, CALLER_CONTROL, CALLER_STREAM };

struct caller {
	struct watch watch;
	struct chan chan;
	enum caller_kind kind;
	uint64_t deadline_ms; /* NEW and STREAM */
	uint64_t key;	      /* STREAM */
	unsigned which;
	struct callers *callers;
	struct caller *next;
};

struct callers {
	struct loop *loop;
	struct caller *list;
	unsigned count;
	struct timer timer; /* a deadline, not after the nearest */
	bool armed;
	void (*ready)(struct watch *w, uint32_t events);
};

/* ready is called for every connection that has something to read or is gone;
 * its watch is caller.watch. */
int callers_init(struct callers *cs, struct loop *l,
		 void (*ready)(struct watch *w, uint32_t events),
		 struct err *e);
void callers_fini(struct callers *cs);

/* Takes fd over; NULL and the fd is closed when there are too many. */
struct caller *caller_new(struct callers *cs, int fd);
void caller_free(struct callers *cs, struct caller *c);

/* It is a control connection from here on. */
void caller_control(struct caller *c);
/* It waits for its job from here on. */
void caller_park(struct callers *cs, struct caller *c, uint64_t key,
		 unsigned which);
/* The parked stream of that job, or NULL. It stays in the table. */
struct caller *caller_find(const struct callers *cs, uint64_t key,
			   unsigned which);
/* Ends all parked streams of a job that does not come. */
void callers_drop_key(struct callers *cs, uint64_t key);
/* The connection's descriptor, taken out; the caller frees the connection. */
int caller_take_fd(struct callers *cs, struct caller *c);

/* Sends one Event. A peer that cannot take it is cut off: its ready() is
 * called with the hang-up later, c stays valid until then. */
void caller_send(struct callers *cs, struct caller *c,
		 const ProtobufCMessage *ev);
/* The socket has room again. */
void caller_flush(struct callers *cs, struct caller *c);

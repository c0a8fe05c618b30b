/* SPDX-License-Identifier: Apache-2.0 */
/* guest.h - the control connection to a box's agent.
 *
 * Requests are queued and sent when the socket takes them, so nothing here
 * blocks; events are handed to heard() from the loop. The agent is not
 * trusted: what breaks the rules of wire.h or of the protocol ends the
 * connection, and lost() says why, once. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "proto/agent.pb-c.h"
#include "proto/chan.h"
#include "box/boxnet.h"
#include "guest/dial.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define GUEST_GENERATION 4

struct guest {
	struct loop *loop;
	struct chan chan;
	struct watch watch;
	struct dial dial;
	bool open, greeted;
	/* The event is gone after the call. */
	void (*heard)(struct guest *g, const Vial__Agent__Event *ev);
	void (*lost)(struct guest *g, const struct err *why);
};

/* Connects and queues Hello. heard and lost are set by the caller before. */
int guest_open(struct guest *g, struct loop *l, int boxdir, struct err *e);
void guest_close(struct guest *g);

/* setup.c: the root disk, name, time and fresh entropy, and what the spec
 * wants of the machine as a whole. */
int guest_setup(struct guest *g, const struct spec *s, const struct boxnet *net,
		const char *hostname, struct err *e);
/* rest: what the command leaves behind goes on; detach: so does the command
 * when this connection ends. */
struct guest_exec {
	const struct winsize *size;
	bool rest, detach;
	bool no_in, no_out; /* not even as the spec has them */
};
int guest_exec(struct guest *g, uint64_t key, const struct spec *s,
	       const struct guest_exec *x, struct err *e);
/* Those below say nothing when the connection has ended. */
void guest_signal(struct guest *g, uint64_t key, int signo, bool group);
void guest_resize(struct guest *g, uint64_t key, const struct winsize *size);
void guest_stats(struct guest *g);
void guest_processes(struct guest *g);
void guest_stat(struct guest *g, uint64_t key, const char *path);
void guest_hang_up(struct guest *g, uint64_t call);
void guest_shutdown(struct guest *g);
/* -EPIPE when the connection has ended. */
int guest_listen(struct guest *g, uint64_t key, const char *path);

/* Any message that a Request has; -EPIPE when the connection has ended. */
int guest_send(struct guest *g, ProtobufCMessage *m);

/* protobuf-c's structs have plain char * for what they only read; NULL is "". */
char *guest_text(const char *s);

/* A number nobody else uses. */
uint64_t guest_key(void);

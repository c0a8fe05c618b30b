/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.h - sockets of the host in a box, and of a box on the host.
 *
 * The keeper calls the host's sockets and listens on the host: the monitor
 * only moves bytes, and the guest names no path of the host's; it can say that
 * somebody has called a socket which it was told to make, and no more. Every
 * connection is a tunnel (base/tunnel.h) with a stream of its own.
 *
 * A socket that is listened to on the host is there from before the box until
 * its end, whoever dies: the shim removes it, and the keeper when the shim
 * could not. One that both have left behind is replaced by the next box that
 * wants the place, as nobody answers there. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "guest/guest.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

#define SOCKETS_CALLS_MAX 512

struct sockets_one;
struct sockets_call;

struct sockets {
	struct sockets_one *v;
	unsigned n;
	struct sockets_call *calls;
	unsigned ncalls;
	struct loop *loop; /* NULL: not started */
	struct guest *guest;
	int boxdir;
	uint64_t moved; /* by connections that have ended */
	bool quiet, open;
};

/* Before the box is made: what it needs of the host is there, and what it
 * listens to is made. */
int sockets_open(struct sockets *f, const struct spec *s, struct err *e);
/* Has the guest make its sockets. Behind Setup, before the command. */
int sockets_start(struct sockets *f, struct loop *l, struct guest *g,
		  int boxdir, struct err *e);
/* The guest is set up: the host may call. */
void sockets_ready(struct sockets *f);
/* True when the event was about a forward. */
bool sockets_heard(struct sockets *f, const Vial__Agent__Event *ev);
/* Is that the key of a socket the guest was to make? */
bool sockets_failed(const struct sockets *f, uint64_t key);
/* Connections there are now, and bytes that all there were have moved. */
unsigned sockets_calls(const struct sockets *f);
uint64_t sockets_moved(const struct sockets *f);
/* Ends every connection. The loop may go then. */
void sockets_hang_up(struct sockets *f);
/* When the shim has gone. Also after a failure, and more than once. */
void sockets_close(struct sockets *f);
/* For the shim: removes what sockets_open() made on the host. */
void sockets_unlink(const struct sockets *f);

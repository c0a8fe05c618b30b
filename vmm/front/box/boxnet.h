/* SPDX-License-Identifier: Apache-2.0 */
/* boxnet.h - the network of one box: who makes it, the interface in the plan,
 * and what the agent is told of it.
 *
 *     none   no interface at all
 *     default what vial.conf says, else nat for root and user for others, as
 *            the host allows it; when it allows neither, none and a warning
 *     nat    a network namespace, and rules of the host's (root)
 *     user   a network namespace, and pasta, without rights
 *     NAME   nat for root and user for others, and a network of several boxes (network.h)
 *
 * vial-netd makes and holds it (net/netd.h): it is started here, answers when
 * all is there, and ends when its socket does, so with the keeper. */
#pragma once

#include "base/err.h"
#include "box/netinfo.h"
#include "box/state.h"
#include "proto/agent.pb-c.h"
#include "proto/plan.pb-c.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The guest's interface has as many pairs of queues as there are CPUs to use
 * them, up to this: more threads help few jobs. */
#define BOXNET_TAPS 4

struct boxnet {
	pid_t pid; /* vial-netd; 0: none */
	int sock;  /* its life */
	/* Of the tap's queues; owned, handed on. -1: none. */
	int tap[BOXNET_TAPS];
	unsigned queues; /* wanted */
	uint64_t rx_bps, tx_bps; /* of each interface; 0: no limit */
	struct netinfo info;
	/* Why a box that did not ask for a certain network has none; "". */
	char missing[200];
	/* What may not work all the same; "". */
	char warning[400];
};

#define BOXNET_INIT                                                            \
	{                                                                      \
		.sock = -1, .tap = { [0 ... BOXNET_TAPS - 1] = -1 }            \
	}

/* Of a box as its spec says it; "default" when that says nothing. */
const char *boxnet_mode(const struct spec *s);

/* For box b of that name, whose guest has so many CPUs; the descriptor log takes
 * what vial-netd has to say (-1: nobody does). On failure nothing is left. */
int boxnet_open(struct boxnet *n, const struct spec *s, const struct box *b,
		const char *name, unsigned cpus, int log, struct err *e);
/* The monitor has its descriptors; ours are closed. */
void boxnet_hand_on(struct boxnet *n);
void boxnet_close(struct boxnet *n);
/* Is there an interface? */
bool boxnet_is(const struct boxnet *n);
/* Fails unless a TCP port of the guest takes connections. */
int boxnet_probe(const struct boxnet *n, unsigned port, struct err *e);
/* Fails when vial-netd has ended. */
int boxnet_check(const struct boxnet *n, struct err *e);

/* Messages that point into n and each other. */
struct boxnet_plan {
	Vial__Plan__Net net, *nets[1];
	Vial__Plan__Rate rx, tx;
	uint32_t more[BOXNET_TAPS];
};

/* True when there is an interface; its descriptors in the monitor are fd and
 * those that follow. */
bool boxnet_plan(const struct boxnet *n, struct boxnet_plan *p, uint32_t fd);

/* Messages that point into the spec, n and each other; freed as one. */
struct boxnet_setup {
	Vial__Agent__Link link, *links[1];
	Vial__Agent__Address address, address6, *addresses[2];
	Vial__Agent__Resolver resolver;
	ProtobufCBinaryData gateways[2];
	char dns[NETINFO_TEXT], *servers[1];
};

void boxnet_setup(const struct boxnet *n, const struct spec *s,
		  struct boxnet_setup *room, Vial__Agent__Setup *m);

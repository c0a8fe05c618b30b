/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.h - the guest's name server, by UDP and TCP.
 *
 * It decides nothing: judge() says what becomes of a question, filter() what
 * of an answer, and what they leave is sent. All that a guest can make grow is
 * bounded here: questions in a second, on their way, connections, bytes. Past a
 * bound questions are dropped, and the guest asks again. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/dns.h"
#include "net/upstream.h"

#define RESOLVER_RATE	300 /* questions in a second, */
#define RESOLVER_BURST	600 /* and at once */
#define RESOLVER_CONNS	16
#define RESOLVER_IDLE_S 10
/* No answer lives longer, and with it what it opened. */
#define RESOLVER_TTL_MAX 3600

enum resolver_verdict {
	RESOLVER_ASK,	/* a server */
	RESOLVER_DENY,	/* there is no such name */
	RESOLVER_EMPTY, /* there is nothing of this type */
	RESOLVER_OWN,	/* *own is the address */
};

struct resolver_ops {
	enum resolver_verdict (*judge)(void *ctx, const struct dns_query *q,
				       struct ip *own);
	/* Drops records, before the guest gets the rest. a is NULL when no
	 * server answered; otherwise < 0 turns it into that no server did. */
	int (*filter)(void *ctx, const struct dns_query *q,
		      struct dns_answer *a);
	void *ctx;
};

struct resolver;

/* u is borrowed. */
int resolver_new(struct resolver **out, const struct resolver_ops *ops,
		 struct upstream *u, struct err *e);
/* In the box's namespace: sockets at this address. */
int resolver_bind(struct resolver *r, const struct ip *at, uint16_t port,
		  struct err *e);
int resolver_start(struct resolver *r, struct loop *l, struct err *e);
void resolver_free(struct resolver *r);

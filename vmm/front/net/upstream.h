/* SPDX-License-Identifier: Apache-2.0 */
/* upstream.h - asks name servers.
 *
 * The sockets are made where the servers are reached from, all of them at the
 * start; later no more than connect() is needed, from any namespace. A socket
 * that is disconnected gets another port with its next connection, so a forged
 * answer has to guess port and id. A server that does not answer, or will not,
 * is followed by the next; an answer that was cut is asked for again by TCP. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/dns.h"
#include "net/ip.h"

#include <stddef.h>

#define UPSTREAM_SERVERS 3
#define UPSTREAM_QUERIES 64 /* on their way at a time */
#define UPSTREAM_STREAMS 4  /* of them by TCP */
#define UPSTREAM_TRY_MS	 2000
#define UPSTREAM_TRIES	 2 /* for each server */

struct upstream;

/* a is NULL when no server gave one; valid during the call. */
typedef void upstream_done(void *ctx, const struct dns_answer *a);

int upstream_new(struct upstream **out, const struct ip *servers, size_t n,
		 uint16_t port, struct err *e);
int upstream_start(struct upstream *u, struct loop *l, struct err *e);
void upstream_free(struct upstream *u);

/* Calls done once, later. -EBUSY: too many are on their way. */
int upstream_ask(struct upstream *u, const struct dns_query *q,
		 upstream_done *done, void *ctx);

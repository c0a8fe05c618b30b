/* SPDX-License-Identifier: Apache-2.0 */
/* flows.h - the account of the guest's connections: what the kernel's
 * connection tracking says when one ends, and what the rules refused.
 *
 * The kernel drops what does not fit a socket's buffer; that is told, once in
 * a while, as lost. The rules see to that refusals come at a limited rate. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/egresslog.h"

struct flows_ops {
	/* Names are not filled in. */
	void (*ended)(void *ctx, struct egresslog_conn *c);
	void (*refused)(void *ctx, struct egresslog_conn *c);
	void (*lost)(void *ctx);
	void *ctx;
};

struct flows;

/* In the box's namespace; connections from these addresses count. */
int flows_new(struct flows **out, const struct ip *guest4,
	      const struct ip *guest6, unsigned group,
	      const struct flows_ops *ops, struct err *e);
int flows_start(struct flows *f, struct loop *l, struct err *e);
/* A further address of the guest's, of FLOWS_LATER at most, and one that it has
 * no more. */
#define FLOWS_LATER 8
void flows_add_guest(struct flows *f, const struct ip *ip);
void flows_drop_guest(struct flows *f, const struct ip *ip);
/* What there is to be told by now, and the connections that still are. */
void flows_rest(struct flows *f);
void flows_free(struct flows *f);

/* For tests: of a packet that was refused, its begin; false: not known. */
bool flows_packet(const uint8_t *p, size_t len, struct egresslog_conn *c);

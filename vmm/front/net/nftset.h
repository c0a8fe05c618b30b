/* SPDX-License-Identifier: Apache-2.0 */
/* nftset.h - addresses into sets of a table of nftables and out of them, by
 * netlink (linux/netfilter/nf_tables.h).
 *
 * libnftables asks the kernel for all its tables and sets before it changes
 * one element; here a change is one message there and one back, however many
 * elements there are. All that is put until nftset_commit() is one change:
 * it is in force when that returns, or nothing of it is. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFTSET_NAME 32

struct nl_sock;

struct nftset {
	struct nl_sock *sk; /* NULL: not open */
	const char *table;  /* of the family inet; borrowed */
	struct buf out;
	size_t last; /* where in it the last of the messages begins */
	uint32_t seq;
	int bad; /* the first mistake of what was put */
};

/* In the namespace of the table. */
int nftset_open(struct nftset *s, const char *table, struct err *e);
/* Safe when it is not open. */
void nftset_close(struct nftset *s);

/* What is there already may be added; what is not cannot be taken out. */
void nftset_add(struct nftset *s, const char *set, const struct ip *v,
		size_t n);
void nftset_delete(struct nftset *s, const char *set, const struct ip *v,
		   size_t n);
/* Without anything put there is nothing to do. */
int nftset_commit(struct nftset *s, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* blocked.h - does a packet filter of the host drop what boxes send by nat?
 *
 * A packet that is forwarded has to be accepted by every base chain of the
 * hook: rules of our own cannot help where a chain of somebody else's drops
 * what it does not know, as docker's does (FORWARD with the policy drop). Those
 * rules are not ours to change, so they are told, with the line that helps. A
 * table in which some rule names our interfaces ("vl*") has been helped. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

#define BLOCKED_NAME 64

struct blocked {
	uint8_t want;	/* NFPROTO_IPV4 or NFPROTO_IPV6: packets of which */
	uint8_t family; /* the table's, NFPROTO_* */
	char table[BLOCKED_NAME], chain[BLOCKED_NAME]; /* "": none does */
	bool legacy; /* it is of iptables-legacy */
	bool helped;
};

/* In this network namespace, as its root; of packets as want says. Sees
 * nf_tables, which is what iptables is on hosts of today, and behind it what
 * iptables was before (legacy.h): a packet has to pass both. */
int blocked_find(struct blocked *b, uint8_t want, struct err *e);
/* The command after which it would work. Returns out. */
char *blocked_remedy(const struct blocked *b, char *out, size_t room);

/* For tests: one message of the kernel's, a chain or a rule. */
void blocked_chain(struct blocked *b, struct nlmsghdr *h);
void blocked_rule(struct blocked *b, struct nlmsghdr *h);

/* SPDX-License-Identifier: Apache-2.0 */
/* lan.h - a network of several boxes, seen from one of them.
 *
 * The network is a network namespace in which there is nothing but a pair of
 * interfaces for each box, and the routes between them:
 *
 *     guest ─ vial0 │ box netns │ net0 ── m... │ the network's │ m... ── net0 ...
 *
 * Packets between boxes go through the namespaces of both, so each box's own
 * rules see them. Its keeper (lan_keeper.c, a process of vial-netd) hands out
 * the namespace and addresses and tells everybody who else is there; the
 * first box starts it, and it ends with the last one. A box has it as long as
 * its connection to the keeper stands. */
#pragma once

#include "base/err.h"
#include "net/addr.h"
#include "net/roof.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <netinet/in.h>
#include <stdbool.h>

#define LAN_LINK "net0"
/* Of those that are joined later (join.h), numbered from 1. */
#define LAN_LATER "net%u"
#define LAN_LATER_MAX 8
/* The tap of each of these. */
#define LAN_LATER_TAP "vial%u"
/* The two ends of each pair, link-local and the same everywhere. */
#define LAN_HERE  0xa9fe0702u /* 169.254.7.2 */
#define LAN_THERE 0xa9fe0701u /* 169.254.7.1 */

struct lan {
	struct chan chan; /* to the keeper; owned */
	int netns;	  /* the network's; -1: none */
	int roof;	  /* what that is below (roof.h); -1: root's is not */
	in_addr_t address, subnet;
	unsigned prefix;
	Vial__Net__Members *members; /* as they were told last; owned */
};

#define LAN_INIT                                                               \
	{                                                                      \
		.chan.fd = -1, .netns = -1, .roof = -1                         \
	}

/* Where its keeper is met, and what one that is started is to be below. */
struct lan_place {
	int folder; /* owned; -1: none */
	struct roof roof;
};

#define LAN_PLACE_INIT                                                         \
	{                                                                      \
		.folder = -1, .roof = ROOF_INIT                                \
	}

/* path: of an ordinary user's folder; root has its own, and no roof. */
int lan_place_open(struct lan_place *p, const char *path, struct err *e);
void lan_place_fini(struct lan_place *p);

int lan_join(struct lan *l, const struct lan_place *at,
	     const Vial__Net__Network *n, struct err *e);
void lan_fini(struct lan *l);

/* What the keeper says becomes l->members. True: it has; false: nothing whole
 * yet, or, with *error, the end. */
bool lan_news(struct lan *l, int *error);

/* The life of a keeper (vial-netd lan), met by meet.h. */
int lan_keeper(const char *subnet, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* uplink.h - sees a link of this namespace come back: one that is made anew has
 * its name, but no address or route. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

struct nl_sock;

struct uplink {
	struct watch watch;
	struct nl_sock *events; /* owned */
	const char *name;
	unsigned index; /* that was seen last; 0: none */
	/* There is another one of the name. */
	void (*back)(struct uplink *u);
};

#define UPLINK_INIT                                                            \
	{                                                                      \
		.watch.fd = -1                                                 \
	}

/* In its namespace. */
int uplink_init(struct uplink *u, const char *name,
		void (*back)(struct uplink *u), struct err *e);
int uplink_start(struct uplink *u, struct loop *l, struct err *e);
void uplink_fini(struct uplink *u);

/* SPDX-License-Identifier: Apache-2.0 */
/* doors_udp.h - the datagrams of doors (doors.h): who asks by which door,
 * and the socket by which the guest is asked for them. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <netinet/in.h>

struct doors_flow;

struct doors_udp {
	struct loop *loop;
	struct timer sweep;
	struct doors_flow *flows;
	unsigned n;
	uint64_t turn; /* grows with each datagram */
};

int doors_udp_init(struct doors_udp *u, struct loop *l, struct err *e);
void doors_udp_fini(struct doors_udp *u);

/* So that the door tells by which address it was asked. */
int doors_udp_door(int fd, struct err *e);
/* What has come by the door, to guest. */
void doors_udp_ready(struct doors_udp *u, int door,
		     const struct sockaddr_in *guest);

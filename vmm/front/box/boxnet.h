/* SPDX-License-Identifier: Apache-2.0 */
/* boxnet.h - the network of one box: its back end on the host, the interface
 * in the plan, and what the agent is told of it.
 *
 *     none   no interface at all
 *     user   what this user reaches, through passt (net/passt.h) */
#pragma once

#include "base/err.h"
#include "net/passt.h"
#include "proto/agent.pb-c.h"
#include "proto/plan.pb-c.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>

#define BOXNET_MAC 6

struct boxnet {
	struct passt passt;
	uint8_t mac[BOXNET_MAC];
};

#define BOXNET_INIT                                                            \
	{                                                                      \
		.passt = PASST_INIT                                            \
	}

/* What a spec that says nothing means. */
const char *boxnet_mode(const struct spec *s);

/* id is the box's. On failure nothing is left. */
int boxnet_open(struct boxnet *b, const struct spec *s, const char *id,
		struct err *e);
/* The monitor has its descriptors; ours are closed. */
void boxnet_hand_on(struct boxnet *b);
void boxnet_close(struct boxnet *b);
/* Fails when the back end has ended. */
int boxnet_check(struct boxnet *b, struct err *e);

/* True when there is an interface, whose descriptor in the monitor is fd. */
bool boxnet_plan(const struct boxnet *b, Vial__Plan__Net *n, uint32_t fd);

/* Messages that point into the spec, b and each other; freed as one. */
struct boxnet_setup {
	Vial__Agent__Link link, *links[1];
	Vial__Agent__Address address, *addresses[1];
	Vial__Agent__Resolver resolver;
	ProtobufCBinaryData gateway;
	uint8_t raw[2][4];
	char *servers[1];
};

void boxnet_setup(const struct boxnet *b, const struct spec *s,
		  struct boxnet_setup *room, Vial__Agent__Setup *m);

/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - unix sockets of one side that are shown on the other:
 *
 *     HOST:GUEST         a socket of the host, which the guest calls at GUEST
 *     guest:GUEST:HOST   one of the guest, which the host calls at HOST
 *     ssh[:GUEST]        the ssh-agent that $SSH_AUTH_SOCK leads to
 *
 * Kept as text, with whole paths; taken apart where it is used. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define SPEC_FORWARDS_MAX 64
#define SPEC_SOCKET_MAX	  107 /* bytes of a path that can be an address */
#define SPEC_FORWARD_SSH  "/run/ssh-agent.sock"

struct spec_forward {
	bool to_guest; /* the socket is the guest's, the host calls */
	bool ssh;      /* host is to be looked up when the box starts */
	char host[SPEC_SOCKET_MAX + 1];
	char guest[SPEC_SOCKET_MAX + 1];
};

int spec_forward_parse(const char *text, struct spec_forward *f, struct err *e);
/* Of SPEC_FORWARD_TEXT bytes. */
#define SPEC_FORWARD_TEXT (2 * SPEC_SOCKET_MAX + 16)
char *spec_forward_text(const struct spec_forward *f, char *text);
/* The listening side of both is the same one. */
bool spec_forward_same(const struct spec_forward *a,
		       const struct spec_forward *b);

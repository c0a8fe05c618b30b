/* SPDX-License-Identifier: Apache-2.0 */
/* dial.h - connections to the agent through the box's vsock socket.
 *
 * A connection begins with the line "CONNECT port" and is answered with "OK
 * port" once the guest has accepted it. Nobody waits for the answer: the first
 * frames go out right behind the line, and whoever reads first takes the
 * answer off with a struct dial. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

#include <stddef.h>
#include <stdint.h>

/* Connects and sends the line. Returns a non-blocking descriptor. */
int dial_agent(int boxdir, struct err *e);
/* The same, followed by the Stream frame: the bytes of one stream from then
 * on. */
int dial_stream(int boxdir, uint64_t key, Vial__Agent__Stream__Which which,
		struct err *e);

/* The rest of it are the bytes of a connection to a unix socket of the
 * guest's. */
int dial_socket(int boxdir, const char *path, struct err *e);

/* The answer, in pieces as they come. Zero-initialise. */
struct dial {
	char line[24];
	size_t len;
	int done;
};

/* Looks at len fresh bytes. Returns how many of them belong to the answer
 * (all of them until done is set), or -EPROTO. */
int dial_answer(struct dial *d, const uint8_t *bytes, size_t len);

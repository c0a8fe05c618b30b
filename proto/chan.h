/* SPDX-License-Identifier: Apache-2.0 */
/* chan.h - frames over one descriptor, in both directions.
 *
 * Works on blocking and non-blocking descriptors (stream sockets). The
 * channel does not own the fd. Neither direction holds more than CHAN_MAX
 * bytes. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#define CHAN_MAX (2u << 20)

struct chan {
	int fd;
	struct buf in, out;
};

void chan_init(struct chan *c, int fd);
void chan_fini(struct chan *c);

/* Reads once. 1: something came; 0: nothing now (EAGAIN); -EPIPE: the peer
 * ended the stream between frames; -EPROTO: inside one; else -errno. */
int chan_fill(struct chan *c);
/* The same, where descriptors come with what is read: *fd, or -1, is one that
 * waits for its message, and a further one takes its place. */
int chan_fill_fd(struct chan *c, int *fd);
/* The next whole message, allocated with protobuf_c_message_unpack(), or NULL
 * with *error 0 when more bytes are needed, -EMSGSIZE or -EBADMSG when the
 * peer broke the rules. Free with protobuf_c_message_free_unpacked(). */
ProtobufCMessage *chan_next(struct chan *c,
			    const ProtobufCMessageDescriptor *type, int *error);
/* Blocks until a message, the end or an error. For blocking fds. */
ProtobufCMessage *chan_recv(struct chan *c,
			    const ProtobufCMessageDescriptor *type,
			    struct err *e);

/* Queues m; chan_flush() sends. */
int chan_put(struct chan *c, const ProtobufCMessage *m);
/* Sends what is queued: 1 all sent, 0 the socket is full, else -errno. */
int chan_flush(struct chan *c);
bool chan_pending(const struct chan *c);
/* Both, for blocking fds. */
int chan_send(struct chan *c, const ProtobufCMessage *m);
/* The same with a descriptor beside the first byte. */
int chan_send_fd(struct chan *c, const ProtobufCMessage *m, int fd);

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/chan.h"

#include "base/passfd.h"
#include "proto/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 4096

void chan_init(struct chan *c, int fd)
{
	c->fd = fd;
	buf_init(&c->in, CHAN_MAX);
	buf_init(&c->out, CHAN_MAX);
}

void chan_fini(struct chan *c)
{
	buf_fini(&c->in);
	buf_fini(&c->out);
}

static ssize_t plain_recv(int fd, void *p, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, p, len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int fill(struct chan *c, int *fd)
{
	void *p = buf_reserve(&c->in, CHUNK);
	int came = -1;
	ssize_t n;

	if (!p)
		return -ENOBUFS;
	n = fd ? passfd_recv(c->fd, p, CHUNK, &came, 1)
	       : plain_recv(c->fd, p, CHUNK);
	if (came >= 0) {
		if (*fd >= 0)
			close(*fd);
		*fd = came;
	}
	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	if (n == 0)
		return buf_len(&c->in) ? -EPROTO : -EPIPE;
	buf_commit(&c->in, (size_t)n);
	return 1;
}

int chan_fill(struct chan *c)
{
	return fill(c, NULL);
}

int chan_fill_fd(struct chan *c, int *fd)
{
	return fill(c, fd);
}

ProtobufCMessage *chan_next(struct chan *c,
			    const ProtobufCMessageDescriptor *type, int *error)
{
	const uint8_t *payload;
	ProtobufCMessage *m;
	size_t len;

	*error = wire_peek(&c->in, &payload, &len);
	if (*error <= 0)
		return NULL;
	*error = 0;
	m = protobuf_c_message_unpack(type, NULL, len, payload);
	wire_skip(&c->in, len);
	if (!m)
		*error = -EBADMSG;
	return m;
}

ProtobufCMessage *chan_recv(struct chan *c,
			    const ProtobufCMessageDescriptor *type,
			    struct err *e)
{
	ProtobufCMessage *m;
	int r;

	for (;;) {
		m = chan_next(c, type, &r);
		if (m)
			return m;
		if (r < 0)
			break;
		r = chan_fill(c);
		if (r <= 0)
			break;
	}
	errno = r == 0 ? EAGAIN : -r;
	err_sys(e, "receive");
	return NULL;
}

int chan_put(struct chan *c, const ProtobufCMessage *m)
{
	return wire_put(&c->out, m);
}

int chan_flush(struct chan *c)
{
	while (buf_len(&c->out) > 0) {
		ssize_t n = send(c->fd, buf_head(&c->out), buf_len(&c->out),
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		buf_take(&c->out, (size_t)n);
	}
	return 1;
}

bool chan_pending(const struct chan *c)
{
	return buf_len(&c->out) > 0;
}

int chan_send(struct chan *c, const ProtobufCMessage *m)
{
	int r = chan_put(c, m);

	if (r < 0)
		return r;
	r = chan_flush(c);
	if (r < 0)
		return r;
	return r == 1 ? 0 : -EAGAIN;
}

int chan_send_fd(struct chan *c, const ProtobufCMessage *m, int fd)
{
	ssize_t n = chan_put(c, m);

	if (n < 0)
		return (int)n;
	n = passfd_send(c->fd, buf_head(&c->out), buf_len(&c->out), &fd, 1);
	if (n < 0)
		return (int)n;
	buf_take(&c->out, (size_t)n);
	n = chan_flush(c);
	if (n < 0)
		return (int)n;
	return n == 1 ? 0 : -EAGAIN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* net_stream.c - frames over a stream socket, each behind its length in four
 * bytes, big-endian; net.h. The process at the other end is the host's, but is
 * held to the bounds all the same. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LEN_BYTES 4
#define IN_ROOM (4u * (LEN_BYTES + NET_FRAME_MAX))

struct net_stream {
	uint8_t in[IN_ROOM]; /* [from, to) is here */
	size_t from, to;
	uint8_t out[LEN_BYTES + NET_FRAME_MAX]; /* what is left of a frame */
	size_t out_at, out_len;
};

static int stream_flush(struct net_pair *p)
{
	struct net_stream *s = p->net->stream;

	while (s->out_at < s->out_len) {
		ssize_t r = send(p->fd, s->out + s->out_at,
				 s->out_len - s->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		s->out_at += (size_t)r;
	}
	s->out_at = s->out_len = 0;
	return 0;
}

/* What of iov is behind the first done bytes. */
static void keep_rest(struct net_stream *s, const struct iovec *iov,
		      unsigned niov, size_t done)
{
	for (unsigned i = 0; i < niov; i++) {
		size_t skip = MIN(done, iov[i].iov_len);
		size_t part =
			MIN(iov[i].iov_len - skip, sizeof(s->out) - s->out_len);

		memcpy(s->out + s->out_len, (uint8_t *)iov[i].iov_base + skip,
		       part);
		s->out_len += part;
		done -= skip;
	}
}

/* The virtio header's place is taken by the length. */
static int stream_send(struct net_pair *p, struct iovec *iov, unsigned niov)
{
	struct net_stream *s = p->net->stream;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = niov };
	uint8_t head[LEN_BYTES + NET_ETH];
	size_t total = 0;
	uint32_t be;
	ssize_t r = stream_flush(p);

	if (r < 0)
		return (int)r;
	for (unsigned i = 0; i < niov; i++)
		total += iov[i].iov_len;
	be = htonl((uint32_t)(total - NET_HDR));
	memcpy(head, &be, sizeof(be));
	memcpy(head + sizeof(be), (uint8_t *)iov[0].iov_base + NET_HDR,
	       NET_ETH);
	iov[0] = (struct iovec){ head, sizeof(head) };
	do
		r = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	keep_rest(s, iov, niov, (size_t)r);
	return 0;
}

/* A whole frame is here. -EPROTO: its length cannot be one. */
static int whole(const struct net_stream *s, size_t *len)
{
	uint32_t be;

	if (s->to - s->from < LEN_BYTES)
		return 0;
	memcpy(&be, s->in + s->from, sizeof(be));
	*len = ntohl(be);
	if (*len < NET_ETH || *len > NET_FRAME_MAX)
		return -EPROTO;
	return s->to - s->from >= LEN_BYTES + *len;
}

static int take_more(struct net_pair *p)
{
	struct net_stream *s = p->net->stream;
	ssize_t r;

	if (s->from > 0) {
		memmove(s->in, s->in + s->from, s->to - s->from);
		s->to -= s->from;
		s->from = 0;
	}
	do
		r = recv(p->fd, s->in + s->to, sizeof(s->in) - s->to,
			 MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	if (r == 0)
		return -EPIPE;
	s->to += (size_t)r;
	return 0;
}

/* Bytes into iov, from off on; returns how many had room. */
static size_t scatter(const struct iovec *iov, unsigned niov, size_t off,
		      const uint8_t *src, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < niov && done < len; i++) {
		size_t skip = MIN(off, iov[i].iov_len);
		size_t part = MIN(iov[i].iov_len - skip, len - done);

		memcpy((uint8_t *)iov[i].iov_base + skip, src + done, part);
		done += part;
		off -= skip;
	}
	return done;
}

static ssize_t stream_recv(struct net_pair *p, const struct iovec *iov,
			   unsigned niov)
{
	static const uint8_t header[NET_HDR];
	struct net_stream *s = p->net->stream;
	size_t len = 0, done;
	int r;

	while ((r = whole(s, &len)) == 0) {
		r = take_more(p);
		if (r < 0)
			return r;
	}
	if (r < 0) {
		log_limited(&p->limit,
			    "net %s: the stream's other end sends "
			    "no frames",
			    p->net->virtio.id);
		return -EPIPE;
	}
	done = scatter(iov, niov, 0, header, sizeof(header));
	done += scatter(iov, niov, done, s->in + s->from + LEN_BYTES, len);
	s->from += LEN_BYTES + len;
	return (ssize_t)done;
}

static bool stream_buffered(struct net_pair *p)
{
	size_t len;

	return whole(p->net->stream, &len) != 0;
}

int net_stream_init(struct net *n, struct err *e)
{
	n->stream = calloc(1, sizeof(*n->stream));
	return n->stream ? 0 : err_set(e, ENOMEM, "net: no memory");
}

void net_stream_fini(struct net *n)
{
	free(n->stream);
}

const struct net_back net_stream = {
	.name = "stream",
	.send = stream_send,
	.flush = stream_flush,
	.recv = stream_recv,
	.buffered = stream_buffered,
};

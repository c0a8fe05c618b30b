/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/vsock_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPT_TURN 16	/* clients taken in one turn of the loop */
#define DISCARD_MAX 256	/* reads of what nobody wants any more */

/* ---- system calls ---- */

static ssize_t sock_recv(int fd, struct iovec *iov, unsigned n, int flags)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t got;

	do
		got = recvmsg(fd, &m, flags | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Zero when the socket is full. */
static ssize_t sock_send(int fd, struct iovec *iov, unsigned n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t put;

	do
		put = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return errno == EAGAIN ? 0 : -errno;
	return put;
}

/* ---- the CONNECT line ---- */

/* The port after "CONNECT ", or 0. */
static uint32_t line_port(const char *line, size_t len)
{
	static const char verb[] = "CONNECT ";
	size_t at = sizeof(verb) - 1;
	uint64_t port = 0;

	if (len <= at || len > at + 10 || memcmp(line, verb, at) != 0)
		return 0;
	for (; at < len; at++) {
		if (line[at] < '0' || line[at] > '9')
			return 0;
		port = port * 10 + (uint64_t)(line[at] - '0');
	}
	return port < UINT32_MAX ? (uint32_t)port : 0;
}

/* Looks before it takes: what follows the newline stays in the socket and goes
 * the way of all the client's bytes. */
static void client_line(struct conn *c)
{
	struct iovec iov = { .iov_base = c->line + c->line_len,
			     .iov_len = VSOCK_LINE_MAX - c->line_len };
	ssize_t n = sock_recv(c->client.fd, &iov, 1, MSG_PEEK);
	uint32_t port = 0;
	char *nl;

	if (n == -EAGAIN)
		return;
	nl = n > 0 ? memchr(iov.iov_base, '\n', (size_t)n) : NULL;
	if (n > 0) {
		iov.iov_len = nl ? (size_t)(nl + 1 - (char *)iov.iov_base)
				 : (size_t)n;
		n = sock_recv(c->client.fd, &iov, 1, 0);
	}
	if (n > 0)
		c->line_len += (uint8_t)n;
	if (n > 0 && !nl && c->line_len < VSOCK_LINE_MAX)
		return;
	if (n > 0 && nl)
		port = line_port(c->line, c->line_len - 1u);
	if (port)
		conn_event(c, EV_CONNECT, port);
	else
		conn_event(c, EV_HUP, 0);
}

/* ---- clients come ---- */

static void client_new(struct vsock *v, int fd)
{
	struct conn *c = NULL;

	/* Who says nothing makes room for who may. */
	if (v->lines.n >= VSOCK_MAX_LINES)
		conn_event(TAILQ_FIRST(&v->lines.head), EV_HUP, 0);
	c = conn_new(v, fd);
	if (!c) {
		log_limited(&v->virtio.limit, "vsock: more than %d clients",
			    VSOCK_MAX_CONNS);
		close(fd);
		return;
	}
	if (loop_add(v->loop, &c->client, EPOLLIN, NULL) < 0) {
		log_limited(&v->virtio.limit, "vsock: client not watched");
		conn_event(c, EV_HUP, 0);
		return;
	}
	client_line(c);
}

void client_accept(struct watch *w, uint32_t events)
{
	struct vsock *v = container_of(w, struct vsock, listen);

	(void)events;
	for (int i = 0; i < ACCEPT_TURN; i++) {
		int fd = accept4(w->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			client_new(v, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* No descriptor: the client would wake us for ever. Its turn
		 * comes when a connection ends or the guest rings. */
		if (errno != EAGAIN) {
			log_limited(&v->virtio.limit, "vsock: accept: %s",
				    strerror(errno));
			v->deafened = true;
			loop_mod(v->loop, w, 0);
		}
		break;
	}
	vsock_rx(v);
}

void client_resume(struct vsock *v)
{
	if (v->deafened)
		loop_mod(v->loop, &v->listen, EPOLLIN);
	v->deafened = false;
}

/* ---- bytes ---- */

static void client_deaf(struct conn *c)
{
	c->deaf = true;
	conn_forwarded(c, buf_len(&c->out));
	buf_fini(&c->out);
}

static void keep(struct conn *c, const struct iovec *iov, unsigned n,
		 size_t skip)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		if (buf_append(&c->out, (uint8_t *)iov[i].iov_base + skip,
			       len - skip) < 0) {
			log_limited(&c->v->virtio.limit,
				    "vsock: no memory for port %u",
				    c->guest_port);
			conn_event(c, EV_ABORT, 0);
			return;
		}
		skip = 0;
	}
}

static size_t iov_bytes(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

void client_write(struct conn *c, struct iovec *iov, unsigned n)
{
	size_t len = iov_bytes(iov, n);
	ssize_t put = 0;

	if (!c->deaf && buf_len(&c->out) == 0)
		put = sock_send(c->client.fd, iov, n);
	if (put < 0)
		client_deaf(c);
	if (c->deaf)
		put = (ssize_t)len;
	conn_forwarded(c, (size_t)put);
	if ((size_t)put < len)
		keep(c, iov, n, (size_t)put);
	conn_check(c);
	client_sync(c);
}

void client_flush(struct conn *c)
{
	struct iovec iov = { .iov_len = buf_len(&c->out) };
	ssize_t put;

	if (iov.iov_len == 0)
		return;
	iov.iov_base = buf_head(&c->out);
	put = sock_send(c->client.fd, &iov, 1);
	if (put < 0) {
		client_deaf(c);
	} else {
		conn_forwarded(c, (size_t)put);
		buf_take(&c->out, (size_t)put);
	}
	if (buf_len(&c->out) > 0)
		return;
	buf_fini(&c->out);
	conn_event(c, EV_DRAINED, 0);
}

ssize_t client_read(struct conn *c, struct iovec *iov, unsigned n)
{
	return sock_recv(c->client.fd, iov, n, 0);
}

void client_ready(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, client);
	struct vsock *v = c->v;

	if (events & (EPOLLHUP | EPOLLERR)) {
		c->hup = true;
		conn_event(c, EV_HUP, 0);
	} else if (c->state == CONN_LINE) {
		client_line(c);
	} else {
		if (events & EPOLLOUT)
			client_flush(c);
		c->readable = c->readable || (events & EPOLLIN);
		if (conn_may_read(c))
			conn_run(c);
	}
	vsock_rx(v);
	client_sync(c);
}

/* ---- clients go ---- */

void client_eof(struct conn *c)
{
	if (!c->half)
		shutdown(c->client.fd, SHUT_WR);
	c->half = true;
}

void client_mute(struct conn *c)
{
	shutdown(c->client.fd, SHUT_RD);
}

/* Closing a unix socket with unread bytes makes the other side read a reset
 * where its end of file should be, so they are read and dropped first. */
void client_close(struct conn *c)
{
	static uint8_t waste[4096];
	struct iovec iov = { .iov_base = waste, .iov_len = sizeof(waste) };
	int fd = c->client.fd;

	if (fd < 0)
		return;
	loop_del(c->v->loop, &c->client);
	if (!c->hup) {
		shutdown(fd, SHUT_RDWR);
		for (int i = 0; i < DISCARD_MAX; i++)
			if (sock_recv(fd, &iov, 1, 0) <= 0)
				break;
	}
	close(fd);
	c->client.fd = -1;
	buf_fini(&c->out);
	client_resume(c->v);
}

void client_sync(struct conn *c)
{
	uint32_t events = 0;

	if (c->client.fd < 0)
		return;
	if (c->state == CONN_LINE)
		events |= EPOLLIN;
	if (c->state == CONN_OPEN && !c->readable && !c->eof &&
	    !(c->shut_in & VSOCK_SHUT_RCV))
		events |= EPOLLIN;
	if (buf_len(&c->out) > 0)
		events |= EPOLLOUT;
	loop_mod(c->v->loop, &c->client, events);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/back.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Protocol features; modern, indirect descriptors, event index, notify on
 * empty: as virtiofsd of Debian 12 has it. */
#define FEATURES                                                               \
	(1ull << 24 | 1ull << 28 | 1ull << 29 | 1ull << 30 | 1ull << 32)
#define PROTOCOL (1ull << 0 | 1ull << 3 | 1ull << 15)

static void need(bool ok)
{
	if (!ok)
		abort();
}

void back_init(struct back *b)
{
	int s[2];

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	b->ours = s[0];
	b->other = s[1];
}

void back_end(struct back *b)
{
	if (b->other >= 0)
		close(b->other);
	b->other = -1;
}

void back_fini(struct back *b)
{
	back_end(b);
	if (b->ours >= 0)
		close(b->ours);
	b->ours = -1;
}

void back_write(struct back *b, const void *bytes, size_t len)
{
	need(send(b->other, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

void back_answer(struct back *b, enum back_request r, uint64_t num)
{
	uint32_t msg[5] = { r, 5, 8 };

	memcpy(msg + 3, &num, sizeof(num));
	back_write(b, msg, sizeof(msg));
}

void back_open(struct back *b)
{
	back_answer(b, BACK_GET_FEATURES, FEATURES);
	back_answer(b, BACK_GET_PROTOCOL_FEATURES, PROTOCOL);
	back_answer(b, BACK_SET_OWNER, 0);
	back_answer(b, BACK_SET_MEM_TABLE, 0);
}

void back_start(struct back *b, unsigned queues)
{
	back_answer(b, BACK_SET_FEATURES, 0);
	for (unsigned i = 0; i < queues; i++) {
		back_answer(b, BACK_SET_VRING_NUM, 0);
		back_answer(b, BACK_SET_VRING_BASE, 0);
		back_answer(b, BACK_SET_VRING_ADDR, 0);
		back_answer(b, BACK_SET_VRING_CALL, 0);
		back_answer(b, BACK_SET_VRING_KICK, 0);
		back_answer(b, BACK_SET_VRING_ENABLE, 0);
	}
}

void back_stop(struct back *b, unsigned queues)
{
	for (unsigned i = 0; i < queues; i++)
		back_answer(b, BACK_GET_VRING_BASE, i | 7ull << 32);
}

static bool back_header(struct back *b, struct back_msg *m)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * BACK_FDS)];
		struct cmsghdr align;
	} c;
	uint32_t h[3];
	struct iovec iov = { h, sizeof(h) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = c.room,
			      .msg_controllen = sizeof(c.room) };
	const struct cmsghdr *rights;
	ssize_t n = recvmsg(b->other, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return false;
	need(n == sizeof(h));
	rights = CMSG_FIRSTHDR(&msg);
	if (rights) {
		m->nfds = (unsigned)((rights->cmsg_len - CMSG_LEN(0)) /
				     sizeof(int));
		memcpy(m->fds, CMSG_DATA(rights), m->nfds * sizeof(int));
	}
	m->request = h[0];
	m->flags = h[1];
	m->size = h[2];
	return true;
}

bool back_asked(struct back *b, struct back_msg *m)
{
	memset(m, 0, sizeof(*m));
	if (!back_header(b, m))
		return false;
	need(m->size <= sizeof(m->body));
	need(m->size == 0 || recv(b->other, m->body, m->size, MSG_DONTWAIT) ==
				     (ssize_t)m->size);
	return true;
}

void back_done(struct back_msg *m)
{
	for (unsigned i = 0; i < m->nfds; i++)
		close(m->fds[i]);
	m->nfds = 0;
}

unsigned back_forget(struct back *b)
{
	struct back_msg m;
	unsigned n = 0;

	for (; back_asked(b, &m); n++)
		back_done(&m);
	return n;
}

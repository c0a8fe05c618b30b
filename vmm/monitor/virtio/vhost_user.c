/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_user.c - questions, answers and descriptors on a socket.
 *
 *     u32 request | u32 flags | u32 size | payload of size bytes
 *
 * REPLY_ACK is asked for, and without it we do not start: every message has an
 * answer then, so that a refusal is known and nothing is on its way when a
 * call returns.
 *
 * The protocol names ring areas by addresses of the front end's process. What
 * counts is that they are those of the memory table; we say guest physical
 * addresses in both, so the back end does not learn where anything of ours
 * is. */
#include "virtio/vhost_user.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/passfd.h"
#include "virtio/virtio.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The protocol's numbers. */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_SET_VRING_ENABLE = 18,
};

#define VU_VERSION 1u
#define VU_REPLY 4u
#define VU_NEED_REPLY 8u

#define VU_F_PROTOCOL (1ull << 30) /* among the virtio features */
#define VU_P_REPLY_ACK (1ull << 3) /* among the protocol's */

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_state {
	uint32_t index, num;
};

struct vu_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vu_mem {
	uint32_t n, pad;
	struct {
		uint64_t gpa, size, user, fd_off;
	} region[MEM_MAX_REGIONS];
};

union vu_payload {
	uint64_t num;
	struct vu_state state;
	struct vu_addr addr;
	struct vu_mem mem;
};
static_assert(sizeof(struct vu_header) == 12, "no padding on the wire");
static_assert(sizeof(struct vu_addr) == 40, "no padding on the wire");
static_assert(sizeof(struct vu_mem) == 8 + 32 * MEM_MAX_REGIONS,
	      "no padding on the wire");

struct vu_msg {
	enum vu_request request;
	uint32_t size;
	union vu_payload body;
	int fds[MEM_MAX_REGIONS];
	unsigned nfds;
};

static const char *vu_name(enum vu_request r)
{
	static const char *const names[] = {
		[VU_GET_FEATURES] = "GET_FEATURES",
		[VU_SET_FEATURES] = "SET_FEATURES",
		[VU_SET_OWNER] = "SET_OWNER",
		[VU_SET_MEM_TABLE] = "SET_MEM_TABLE",
		[VU_SET_VRING_NUM] = "SET_VRING_NUM",
		[VU_SET_VRING_ADDR] = "SET_VRING_ADDR",
		[VU_SET_VRING_BASE] = "SET_VRING_BASE",
		[VU_GET_VRING_BASE] = "GET_VRING_BASE",
		[VU_SET_VRING_KICK] = "SET_VRING_KICK",
		[VU_SET_VRING_CALL] = "SET_VRING_CALL",
		[VU_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
		[VU_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
		[VU_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	};

	return names[r];
}

/* ---- bytes ---- */

static int vu_fail(enum vu_request r, int code, struct err *e)
{
	if (code == EAGAIN || code == EWOULDBLOCK)
		return err_set(e, ETIMEDOUT,
			       "%s: the back end did not answer in %d ms",
			       vu_name(r), VHOST_USER_MS);
	if (code == EPIPE || code == ECONNRESET)
		return err_set(e, code, "%s: the back end has ended",
			       vu_name(r));
	return err_set(e, code, "%s: %s", vu_name(r), strerror(code));
}

static int vu_send(struct vhost_user *u, const struct vu_msg *m, uint32_t flags,
		   struct err *e)
{
	struct vu_header h = { m->request, VU_VERSION | flags, m->size };
	uint8_t out[sizeof(h) + sizeof(m->body)];
	ssize_t n;

	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), &m->body, m->size);
	n = passfd_send(u->fd, out, sizeof(h) + m->size, m->fds, m->nfds);
	/* A message is far smaller than the buffer, which is empty: all of it
	 * is taken, or the time was up. */
	if (n != (ssize_t)(sizeof(h) + m->size))
		return vu_fail(m->request, n < 0 ? (int)-n : EAGAIN, e);
	return 0;
}

/* Descriptors that come along are closed by the kernel: there is no room for
 * them. The socket's time-out bounds a wait, the deadline their sum. */
static int vu_recv(struct vhost_user *u, enum vu_request r, void *buf,
		   size_t len, struct err *e)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(u->fd, (char *)buf + done, len - done, 0);

		if (n < 0 && errno != EINTR)
			return vu_fail(r, errno, e);
		if (n == 0)
			return vu_fail(r, ECONNRESET, e);
		if (now_us() >= u->until_us)
			return vu_fail(r, EAGAIN, e);
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Sends m and waits for an answer of size bytes, which replaces its body. */
static int vu_ask(struct vhost_user *u, struct vu_msg *m, uint32_t flags,
		  uint32_t size, struct err *e)
{
	struct vu_header h;

	if (u->fd < 0)
		return vu_fail(m->request, EPIPE, e);
	if (vu_send(u, m, flags, e) < 0 ||
	    vu_recv(u, m->request, &h, sizeof(h), e) < 0)
		return -e->code;
	if (h.request != m->request || h.flags != (VU_VERSION | VU_REPLY) ||
	    h.size != size)
		return err_set(e, EPROTO,
			       "%s: the back end answered %u, flags 0x%x, %u "
			       "bytes",
			       vu_name(m->request), h.request, h.flags, h.size);
	return vu_recv(u, m->request, &m->body, size, e);
}

static int vu_get(struct vhost_user *u, enum vu_request r, uint64_t *num,
		  struct err *e)
{
	struct vu_msg m = { .request = r };
	int rc = vu_ask(u, &m, 0, sizeof(m.body.num), e);

	*num = m.body.num;
	return rc;
}

/* Sends and waits for the word that it was done. */
static int vu_do(struct vhost_user *u, struct vu_msg *m, struct err *e)
{
	if (vu_ask(u, m, VU_NEED_REPLY, sizeof(m->body.num), e) < 0)
		return -e->code;
	if (m->body.num != 0)
		return err_set(e, EIO, "%s: the back end refused",
			       vu_name(m->request));
	return 0;
}

static int vu_set(struct vhost_user *u, enum vu_request r, uint64_t num,
		  struct err *e)
{
	struct vu_msg m = { .request = r,
			    .size = sizeof(m.body.num),
			    .body.num = num };

	return vu_do(u, &m, e);
}

static int vu_set_state(struct vhost_user *u, enum vu_request r, uint32_t index,
			uint32_t num, struct err *e)
{
	struct vu_msg m = { .request = r,
			    .size = sizeof(m.body.state),
			    .body.state = { index, num } };

	return vu_do(u, &m, e);
}

static int vu_set_fd(struct vhost_user *u, enum vu_request r, uint32_t index,
		     int fd, struct err *e)
{
	struct vu_msg m = { .request = r,
			    .size = sizeof(m.body.num),
			    .body.num = index,
			    .fds = { fd },
			    .nfds = 1 };

	return vu_do(u, &m, e);
}

static void vu_begin(struct vhost_user *u)
{
	u->until_us = now_us() + VHOST_USER_MS * 1000ull;
}

/* ---- calls ---- */

static int vu_socket(int fd, struct err *e)
{
	const struct timeval t = { .tv_sec = VHOST_USER_MS / 1000,
				   .tv_usec = VHOST_USER_MS % 1000 * 1000L };
	int r = fd_set_nonblock(fd, false);

	if (r < 0)
		return err_set(e, -r, "socket: %s", strerror(-r));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0)
		return err_sys(e, "socket");
	return 0;
}

static int vu_set_mem(struct vhost_user *u, const struct mem *mem,
		      struct err *e)
{
	struct vu_msg m = { .request = VU_SET_MEM_TABLE };

	for (unsigned i = 0; i < mem->nregions; i++) {
		const struct mem_region *r = &mem->region[i];

		if (r->fd < 0)
			return err_set(e, EINVAL, "guest memory is not shared");
		m.body.mem.region[i].gpa = r->base.v;
		m.body.mem.region[i].size = r->size;
		m.body.mem.region[i].user = r->base.v;
		m.body.mem.region[i].fd_off = r->fd_off;
		m.fds[i] = r->fd;
	}
	m.body.mem.n = m.nfds = mem->nregions;
	m.size = (uint32_t)(offsetof(struct vu_mem, region) +
			    mem->nregions * sizeof(m.body.mem.region[0]));
	return vu_do(u, &m, e);
}

static int vu_agree(struct vhost_user *u, struct err *e)
{
	/* The one message whose answer is not asked for: what it sets is that
	 * there will be answers. */
	struct vu_msg set = { .request = VU_SET_PROTOCOL_FEATURES,
			      .size = sizeof(set.body.num),
			      .body.num = VU_P_REPLY_ACK };
	uint64_t protocol = 0;

	if (vu_get(u, VU_GET_FEATURES, &u->features, e) < 0)
		return -e->code;
	if ((u->features & VU_F_PROTOCOL) &&
	    vu_get(u, VU_GET_PROTOCOL_FEATURES, &protocol, e) < 0)
		return -e->code;
	if (!(protocol & VU_P_REPLY_ACK))
		return err_set(e, ENOTSUP,
			       "the back end cannot answer "
			       "(no REPLY_ACK)");
	if (!(u->features & VIRTIO_F_VERSION_1))
		return err_set(e, ENOTSUP, "the back end is a legacy device");
	return vu_send(u, &set, 0, e);
}

int vhost_user_open(struct vhost_user *u, int fd, const struct mem *mem,
		    struct err *e)
{
	struct vu_msg owner = { .request = VU_SET_OWNER };

	*u = (struct vhost_user){ .fd = fd };
	vu_begin(u);
	if (vu_socket(fd, e) < 0 || vu_agree(u, e) < 0 ||
	    vu_do(u, &owner, e) < 0 || vu_set_mem(u, mem, e) < 0)
		return -e->code;
	u->features &= ~VU_F_PROTOCOL;
	return 0;
}

static int vu_start_queue(struct vhost_user *u, const struct queue *q,
			  int kick_fd, int irq_fd, struct err *e)
{
	struct vu_msg addr = {
		.request = VU_SET_VRING_ADDR,
		.size = sizeof(addr.body.addr),
		.body.addr = { .index = q->index,
			       .desc = q->desc.v,
			       .used = q->used.v,
			       .avail = q->avail.v },
	};
	uint32_t i = q->index;

	/* The doorbell comes when all is in place: it may have rung. */
	if (vu_set_state(u, VU_SET_VRING_NUM, i, q->size, e) < 0 ||
	    vu_set_state(u, VU_SET_VRING_BASE, i, 0, e) < 0 ||
	    vu_do(u, &addr, e) < 0 ||
	    vu_set_fd(u, VU_SET_VRING_CALL, i, irq_fd, e) < 0 ||
	    vu_set_fd(u, VU_SET_VRING_KICK, i, kick_fd, e) < 0 ||
	    vu_set_state(u, VU_SET_VRING_ENABLE, i, 1, e) < 0)
		return err_wrap(e, "queue %u", i);
	return 0;
}

int vhost_user_start(struct vhost_user *u, uint64_t features,
		     const struct queue *queue, unsigned n, const int *kick_fds,
		     int irq_fd, struct err *e)
{
	vu_begin(u);
	if (vu_set(u, VU_SET_FEATURES, features | VU_F_PROTOCOL, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < n; i++)
		if (queue[i].ready &&
		    vu_start_queue(u, &queue[i], kick_fds[i], irq_fd, e) < 0)
			return -e->code;
	return 0;
}

int vhost_user_stop(struct vhost_user *u, const struct queue *queue, unsigned n,
		    struct err *e)
{
	vu_begin(u);
	for (unsigned i = 0; i < n; i++) {
		struct vu_msg m = { .request = VU_GET_VRING_BASE,
				    .size = sizeof(m.body.state),
				    .body.state = { i, 0 } };

		if (!queue[i].ready)
			continue;
		if (vu_ask(u, &m, 0, sizeof(m.body.state), e) < 0)
			return err_wrap(e, "queue %u", i);
		if (m.body.state.index != i)
			return err_set(e, EPROTO,
				       "queue %u: the back end stopped another",
				       i);
	}
	return 0;
}

void vhost_user_drop(struct vhost_user *u)
{
	if (u->fd >= 0)
		shutdown(u->fd, SHUT_RDWR);
	u->fd = -1;
}

const char *vhost_user_heard(const struct vhost_user *u)
{
	char byte;
	ssize_t n = recv(u->fd, &byte, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	return n > 0 ? "the back end speaks out of turn"
		     : "the back end has ended";
}

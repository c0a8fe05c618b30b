/* SPDX-License-Identifier: Apache-2.0 */
#include "net/doors_udp.h"

#include "base/auto.h"
#include "net/doors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of one socket, before others have their turn. */
#define TURN 32
#define SWEEP_MS 15000
#define SIZE_MAX_ 65535

struct doors_flow {
	struct doors_flow *next;
	struct doors_udp *of;
	struct watch watch; /* of the socket that is the guest's */
	int door;	    /* borrowed */
	struct sockaddr_in6 from;
	struct in6_pktinfo at; /* which address was asked */
	uint64_t turn;	       /* of its last datagram */
	unsigned silent;       /* sweeps */
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Loops of one process run in one thread. */
static uint8_t datagram[SIZE_MAX_];

/* ---- the guest answers ---- */

/* From the address that was asked, else the caller does not know it. */
static void answer(struct doors_flow *f, size_t len)
{
	struct iovec iov = { datagram, len };
	union control control = { 0 };
	struct msghdr m = {
		.msg_name = &f->from,
		.msg_namelen = sizeof(f->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(f->at));
	memcpy(CMSG_DATA(c), &f->at, sizeof(f->at));
	sendmsg(f->door, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void flow_ready(struct watch *w, uint32_t events)
{
	struct doors_flow *f = container_of(w, struct doors_flow, watch);

	(void)events;
	for (int i = 0; i < TURN; i++) {
		ssize_t n =
			recv(w->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		/* A refusal is not handed on: it is lost as datagrams are. */
		if (n < 0)
			continue;
		f->silent = 0;
		f->turn = ++f->of->turn;
		answer(f, (size_t)n);
	}
}

/* ---- flows ---- */

static void flow_free(struct doors_flow *f)
{
	struct doors_flow **at = &f->of->flows;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->of->n--;
	loop_del(f->of->loop, &f->watch);
	close(f->watch.fd);
	free(f);
}

static struct doors_flow *oldest(const struct doors_udp *u)
{
	struct doors_flow *old = u->flows;

	for (struct doors_flow *f = u->flows; f; f = f->next)
		if (f->turn < old->turn)
			old = f;
	return old;
}

static struct doors_flow *flow_open(struct doors_udp *u,
				    const struct sockaddr_in *guest)
{
	autoclose int fd =
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct doors_flow *f;
	struct err e;

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)guest, sizeof(*guest)) < 0)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->of = u;
	f->watch = (struct watch){ .fd = take_fd(&fd),
				   .name = "flow",
				   .ready = flow_ready };
	f->next = u->flows;
	u->flows = f;
	u->n++;
	if (loop_add(u->loop, &f->watch, EPOLLIN, &e) == 0)
		return f;
	flow_free(f);
	return NULL;
}

static bool same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port &&
	       a->sin6_scope_id == b->sin6_scope_id &&
	       memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

static struct doors_flow *flow_of(struct doors_udp *u, int door,
				  const struct sockaddr_in6 *from,
				  const struct sockaddr_in *guest)
{
	struct doors_flow *f = u->flows;

	while (f && (f->door != door || !same(&f->from, from)))
		f = f->next;
	if (f)
		return f;
	if (u->n == DOORS_FLOWS_MAX)
		flow_free(oldest(u));
	f = flow_open(u, guest);
	if (!f)
		return NULL;
	f->door = door;
	f->from = *from;
	return f;
}

/* ---- callers ---- */

static void asked_at(struct msghdr *m, struct in6_pktinfo *at)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO)
			memcpy(at, CMSG_DATA(c), sizeof(*at));
}

/* False: there is none. */
static bool one(struct doors_udp *u, int door, const struct sockaddr_in *guest)
{
	struct sockaddr_in6 from = { 0 };
	struct iovec iov = { datagram, sizeof(datagram) };
	union control control;
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n = recvmsg(door, &m, MSG_DONTWAIT);
	struct doors_flow *f;

	if (n < 0)
		return errno != EAGAIN;
	f = flow_of(u, door, &from, guest);
	if (!f)
		return true;
	asked_at(&m, &f->at);
	f->silent = 0;
	f->turn = ++u->turn;
	send(f->watch.fd, datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

void doors_udp_ready(struct doors_udp *u, int door,
		     const struct sockaddr_in *guest)
{
	for (int i = 0; i < TURN && one(u, door, guest); i++)
		;
}

int doors_udp_door(int fd, struct err *e)
{
	const int on = 1;

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return err_sys(e, "IPV6_RECVPKTINFO");
	return 0;
}

/* ---- life ---- */

/* Whoever is silent for four of them has gone. */
static void sweep(struct timer *t)
{
	struct doors_udp *u = container_of(t, struct doors_udp, sweep);
	struct doors_flow *next;

	for (struct doors_flow *f = u->flows; f; f = next) {
		next = f->next;
		if (++f->silent > 4)
			flow_free(f);
	}
	timer_set(t, SWEEP_MS);
}

int doors_udp_init(struct doors_udp *u, struct loop *l, struct err *e)
{
	*u = (struct doors_udp){ .loop = l };
	if (timer_init(&u->sweep, l, "flows", sweep, e) < 0)
		return -e->code;
	timer_set(&u->sweep, SWEEP_MS);
	return 0;
}

void doors_udp_fini(struct doors_udp *u)
{
	while (u->flows)
		flow_free(u->flows);
	timer_fini(&u->sweep, u->loop);
}

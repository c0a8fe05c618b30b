/* SPDX-License-Identifier: Apache-2.0 */
#include "net/doors.h"

#include "base/auto.h"
#include "base/tunnel.h"
#include "net/doors_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
/* Of one door, before others have their turn. */
#define TURN 32

struct door {
	struct door *next;
	struct doors *of;
	struct watch watch;
	bool udp;
	uint16_t port;
};

struct call {
	struct doors *of;
	struct call *next;
	struct tunnel tunnel;
};

struct doors {
	struct loop *loop; /* NULL: not started */
	in_addr_t guest;
	struct door *first;
	struct call *calls;
	unsigned ncalls;
	struct doors_udp udp;
};

/* ---- connections ---- */

static void call_free(struct call *c)
{
	struct call **at = &c->of->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->of->ncalls--;
	tunnel_fini(&c->tunnel);
	free(c);
}

static void call_over(struct tunnel *t)
{
	call_free(container_of(t, struct call, tunnel));
}

static struct sockaddr_in guest_of(const struct door *d)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(d->port),
		.sin_addr.s_addr = htonl(d->of->guest),
	};
}

/* Who vanishes without a word does not stay for ever. */
static void keep_alive(int fd)
{
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* The connection is not there yet when it is tied: bytes wait for it. */
static int ask_guest(const struct door *d)
{
	autoclose int fd =
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in to = guest_of(d);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		       errno != EINPROGRESS))
		return -1;
	keep_alive(fd);
	return take_fd(&fd);
}

/* Takes fd over. */
static void call_new(const struct door *d, int fd)
{
	struct doors *r = d->of;
	int guest = r->ncalls < DOORS_CALLS_MAX ? ask_guest(d) : -1;
	struct call *c = guest >= 0 ? calloc(1, sizeof(*c)) : NULL;
	struct err e;

	if (!c) {
		if (guest >= 0)
			close(guest);
		close(fd);
		return;
	}
	keep_alive(fd);
	c->of = r;
	c->next = r->calls;
	r->calls = c;
	r->ncalls++;
	tunnel_init(&c->tunnel, r->loop, fd);
	c->tunnel.over = call_over;
	if (tunnel_tie(&c->tunnel, guest, &e) < 0)
		call_free(c);
}

/* ---- doors ---- */

static void door_ready(struct watch *w, uint32_t events)
{
	struct door *d = container_of(w, struct door, watch);
	struct sockaddr_in guest = guest_of(d);

	(void)events;
	if (d->udp) {
		doors_udp_ready(&d->of->udp, w->fd, &guest);
		return;
	}
	for (int i = 0; i < TURN; i++) {
		int fd = accept4(w->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		call_new(d, fd);
	}
}

int doors_add(struct doors *r, int fd, bool udp, uint16_t port, struct err *e)
{
	struct door *d = calloc(1, sizeof(*d));

	if (!d) {
		close(fd);
		return err_set(e, ENOMEM, "out of memory");
	}
	*d = (struct door){
		.next = r->first,
		.of = r,
		.watch = { .fd = fd, .name = "port", .ready = door_ready },
		.udp = udp,
		.port = port,
	};
	r->first = d;
	return udp ? doors_udp_door(fd, e) : 0;
}

int doors_add_loopback(struct doors *r, bool udp, uint16_t port, struct err *e)
{
	int type = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
		   SOCK_NONBLOCK;
	autoclose int fd = socket(AF_INET6, type, 0);
	const struct sockaddr_in6 a = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT,
					.sin6_port = htons(port) };

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == EADDRINUSE ? 0
					   : err_sys(e, "port [::1]:%u", port);
	if (fd < 0 || (!udp && listen(fd, BACKLOG) < 0))
		return err_sys(e, "port [::1]:%u", port);
	return doors_add(r, take_fd(&fd), udp, port, e);
}

/* ---- life ---- */

int doors_new(struct doors **out, in_addr_t guest, struct err *e)
{
	struct doors *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(e, ENOMEM, "out of memory");
	r->guest = guest;
	r->udp.sweep.watch.fd = -1;
	*out = r;
	return 0;
}

int doors_start(struct doors *r, struct loop *l, struct err *e)
{
	if (!r->first)
		return 0;
	r->loop = l;
	if (doors_udp_init(&r->udp, l, e) < 0)
		return -e->code;
	for (struct door *d = r->first; d; d = d->next)
		if (loop_add(l, &d->watch, EPOLLIN, e) < 0)
			return -e->code;
	return 0;
}

void doors_free(struct doors *r)
{
	if (!r)
		return;
	while (r->calls)
		call_free(r->calls);
	if (r->loop)
		doors_udp_fini(&r->udp);
	while (r->first) {
		struct door *d = r->first;

		r->first = d->next;
		if (r->loop)
			loop_del(r->loop, &d->watch);
		close(d->watch.fd);
		free(d);
	}
	free(r);
}

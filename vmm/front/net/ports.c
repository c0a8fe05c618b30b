/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ports.h"

#include "base/auto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* How often a number is chosen that both families have free. */
#define CHOICES 16
#define BACKLOG 128
/* Descriptors for all else, what doors have among them. */
#define OTHERS 2048

bool port_six(const struct port *p)
{
	return p->address.len == sizeof(struct in6_addr);
}

bool port_any(const struct port *p)
{
	static const struct ip none;

	return memcmp(p->address.b, none.b, sizeof(none.b)) == 0;
}

/* ---- families ---- */

/* Where it is switched off, its loopback has no address. */
static bool host_has_six(void)
{
	autoclose int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 a = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };

	return fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

int ports_families(struct ports *p, struct err *e)
{
	bool six = host_has_six();
	struct port *v = reallocarray(p->v, 2 * p->n + 1, sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	p->v = v;
	p->first = p->n;
	for (size_t i = 0; i < p->first; i++) {
		if (v[i].address.len > 0)
			continue;
		v[i].address.len = sizeof(struct in_addr);
		if (!six)
			continue;
		v[i].twin = p->n;
		v[p->n] = v[i];
		v[p->n].twin = 0;
		v[p->n++].address.len = sizeof(struct in6_addr);
	}
	return 0;
}

/* ---- sockets ---- */

static int refused(const struct port *p, int code, struct err *e)
{
	char ip[IP_TEXT], text[IP_TEXT + 2];

	ip_text(&p->address, ip);
	snprintf(text, sizeof(text), port_six(p) ? "[%s]" : "%s", ip);
	if (code == EADDRINUSE)
		return err_set(e, code,
			       "port %s:%u/%s of the host is in use (choose "
			       "another, or none for one that is free)",
			       text, p->host, p->udp ? "udp" : "tcp");
	if (code == EADDRNOTAVAIL || code == EAFNOSUPPORT)
		return err_set(e, code, "%s is no address of this host", ip);
	if (code == EACCES)
		return err_set(e, code,
			       "port %u of the host is for root alone "
			       "(choose one above 1023)",
			       p->host);
	errno = code;
	return err_sys(e, "port %s:%u", text, p->host);
}

static void set_options(int fd, const struct port *p)
{
	const int on = 1;

	/* Old connections of the last box there do not count. */
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (port_six(p))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

/* sin_port and sin6_port are at the same place. */
static uint16_t number_of(const struct sockaddr_storage *sa)
{
	return ntohs(((const struct sockaddr_in *)sa)->sin_port);
}

static int hold(struct port *p, struct err *e)
{
	int type = (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC |
		   SOCK_NONBLOCK;
	autoclose int fd = socket(port_six(p) ? AF_INET6 : AF_INET, type, 0);
	struct sockaddr_storage a;
	socklen_t len = ip_sockaddr(&p->address, p->host, &a);

	if (fd < 0)
		return refused(p, errno, e);
	set_options(fd, p);
	if (bind(fd, (struct sockaddr *)&a, len) < 0 ||
	    (!p->udp && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return refused(p, errno, e);
	p->host = number_of(&a);
	p->fd = take_fd(&fd);
	return 0;
}

/* A number that is free for the one may not be for the other. */
static int hold_both(struct port *p, struct port *twin, struct err *e)
{
	bool chosen = p->host != 0;

	for (int i = 0;; i++) {
		if (hold(p, e) < 0)
			return -e->code;
		twin->host = p->host;
		if (hold(twin, e) == 0)
			return 0;
		if (chosen || e->code != EADDRINUSE || i == CHOICES)
			return -e->code;
		ports_release(p);
		p->host = 0;
	}
}

static void make_room(size_t n)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= n + OTHERS)
		return;
	l.rlim_cur = l.rlim_max < n + OTHERS ? l.rlim_max : n + OTHERS;
	setrlimit(RLIMIT_NOFILE, &l);
}

int ports_hold(struct ports *p, struct err *e)
{
	make_room(p->n);
	for (size_t i = 0; i < p->first; i++) {
		struct port *one = &p->v[i];

		if ((one->twin ? hold_both(one, &p->v[one->twin], e)
			       : hold(one, e)) < 0)
			return -e->code;
	}
	return 0;
}

void ports_release(struct port *p)
{
	if (p->fd >= 0)
		close(take_fd(&p->fd));
}

void ports_fini(struct ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		ports_release(&p->v[i]);
	free(take_ptr(&p->v));
	p->n = 0;
}

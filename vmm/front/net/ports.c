/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ports.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int refused(const struct port *p, int code, struct err *e)
{
	struct in_addr a = { htonl(p->address) };
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a, text, sizeof(text));
	if (code == EADDRINUSE)
		return err_set(e, code,
			       "port %s:%u/%s of the host is in use (choose "
			       "another, or none for one that is free)",
			       text, p->host, p->udp ? "udp" : "tcp");
	if (code == EADDRNOTAVAIL)
		return err_set(e, code, "%s is no address of this host", text);
	if (code == EACCES)
		return err_set(e, code,
			       "port %u of the host is for root alone "
			       "(choose one above 1023)",
			       p->host);
	errno = code;
	return err_sys(e, "port %s:%u", text, p->host);
}

static int hold(struct port *p, struct err *e)
{
	int type = (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
	autoclose int fd = socket(AF_INET, type, 0);
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(p->host),
				 .sin_addr.s_addr = htonl(p->address) };
	socklen_t len = sizeof(a);
	const int on = 1;

	if (fd < 0)
		return err_sys(e, "socket");
	/* Old connections of the last box there do not count. */
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, len) < 0 ||
	    (!p->udp && listen(fd, 1) < 0) ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return refused(p, errno, e);
	p->host = ntohs(a.sin_port);
	p->fd = take_fd(&fd);
	return 0;
}

int ports_hold(struct ports *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (hold(&p->v[i], e) < 0)
			return -e->code;
	return 0;
}

void ports_release(struct ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].fd >= 0)
			close(take_fd(&p->v[i].fd));
}

void ports_fini(struct ports *p)
{
	ports_release(p);
	free(take_ptr(&p->v));
	p->n = 0;
}

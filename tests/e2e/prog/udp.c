/* SPDX-License-Identifier: Apache-2.0 */
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TRIES 50
#define PAUSE_US 200000

static int fail(const char *what)
{
	fprintf(stderr, "tool: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Of both families where the kernel has them. */
static int listen_at(uint16_t port)
{
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6,
					  .sin6_port = htons(port) };
	const struct sockaddr_in four = { .sin_family = AF_INET,
					  .sin_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		return bind(fd, (const struct sockaddr *)&six, sizeof(six)) < 0
			     ? -1
			     : fd;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && bind(fd, (const struct sockaddr *)&four,
			       sizeof(four)) == 0
		     ? fd
		     : -1;
}

int udp_answer(uint16_t port)
{
	int fd = listen_at(port);
	char b[2048] = "got ";

	if (fd < 0)
		return fail("udp");
	for (;;) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, b + 4, sizeof(b) - 4, 0,
				     (struct sockaddr *)&from, &len);

		if (n >= 0)
			sendto(fd, b, (size_t)n + 4, 0,
			       (struct sockaddr *)&from, len);
	}
}

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons(port) };
	const struct timeval pause = { .tv_usec = PAUSE_US };
	int is6 = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
	int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    (!is6 && inet_pton(AF_INET, address, &four.sin_addr) != 1))
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
	if (is6)
		return connect(fd, (struct sockaddr *)&six, sizeof(six)) < 0
			     ? -1
			     : fd;
	return connect(fd, (struct sockaddr *)&four, sizeof(four)) < 0 ? -1
								       : fd;
}

int udp_ask(const char *address, const char *port, const char *text)
{
	int fd = dial(address, (uint16_t)strtoul(port, NULL, 10));
	char b[2048];

	if (fd < 0)
		return fail(address);
	for (int i = 0; i < TRIES; i++) {
		ssize_t n = -1;

		if (send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0)
			n = recv(fd, b, sizeof(b), 0);
		if (n >= 0)
			return printf("%.*s\n", (int)n, b) < 0;
		/* Refused at once is no pause. */
		if (errno != EAGAIN)
			usleep(PAUSE_US);
	}
	return fail(address);
}

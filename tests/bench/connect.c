/* SPDX-License-Identifier: Apache-2.0 */
/* connect - what a connection costs, and a question for a name.
 *
 * usage: connect serve PORT           accepts and closes, for ever
 *        connect ask SERVER NAME N    N questions to a name server
 *        connect tcp ADDRESS PORT N   N connections
 *        connect name SERVER PORT FIRST N
 *                                     N connections by name, each by another:
 *                                     nFIRST.example.test and so on
 *
 * Prints the median microseconds of one. IPv4. A connection counts until the
 * other end has closed it. */
#include "base/fd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMES_MAX 10000

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int serve(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, fd;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(s, 128) < 0)
		return fail("listen");
	while ((fd = accept(s, NULL, NULL)) >= 0)
		close(fd);
	return fail("accept");
}

static int once_tcp(const struct sockaddr_in *to)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char byte;
	int r = connect(s, (const struct sockaddr *)to, sizeof(*to));

	if (r == 0)
		r = (int)recv(s, &byte, 1, 0);
	close(s);
	return r;
}

static size_t question(const char *name, uint8_t *q)
{
	static const uint8_t head[12] = { 0, 1, 1, 0, 0, 1 };
	static const uint8_t tail[5] = { 0, 0, 1, 0, 1 };
	size_t len = sizeof(head);

	memcpy(q, head, sizeof(head));
	while (*name) {
		size_t n = strcspn(name, ".");

		q[len++] = (uint8_t)n;
		memcpy(q + len, name, n);
		len += n;
		name += n + (name[n] == '.');
	}
	memcpy(q + len, tail, sizeof(tail));
	return len + sizeof(tail);
}

/* The answer ends with the address: it has no more than that. */
static int once_ask(const struct sockaddr_in *to, const char *name,
		    struct in_addr *ip)
{
	uint8_t q[512], a[512] = { 0 };
	size_t len = question(name, q);
	const struct timeval limit = { .tv_sec = 5 };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	int r = connect(s, (const struct sockaddr *)to, sizeof(*to));

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (r == 0)
		r = (int)send(s, q, len, 0);
	if (r > 0)
		r = (int)recv(s, a, sizeof(a), 0);
	close(s);
	if (r < (int)len + 4 || a[7] == 0)
		return -1;
	memcpy(ip, a + r - 4, 4);
	return 0;
}

static int once_name(const struct sockaddr_in *to, uint16_t port, unsigned n)
{
	struct sockaddr_in peer = { .sin_family = AF_INET,
				    .sin_port = htons(port) };
	char name[32];

	snprintf(name, sizeof(name), "n%u.example.test", n);
	return once_ask(to, name, &peer.sin_addr) < 0 ? -1 : once_tcp(&peer);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* argv: WHAT ADDRESS, then as above. */
static int once(char **argv, const struct sockaddr_in *to, unsigned i)
{
	struct in_addr ip;

	if (strcmp(argv[0], "tcp") == 0)
		return once_tcp(to);
	if (strcmp(argv[0], "ask") == 0)
		return once_ask(to, argv[2], &ip);
	return once_name(to, (uint16_t)atoi(argv[2]),
			 (unsigned)atoi(argv[3]) + i);
}

int main(int argc, char **argv)
{
	bool tcp = argc > 1 && strcmp(argv[1], "tcp") == 0;
	struct sockaddr_in to = { .sin_family = AF_INET };
	static uint64_t took[TIMES_MAX];
	unsigned n = argc > 4 ? (unsigned)atoi(argv[argc - 1]) : 0;

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]));
	if (n == 0 || n > TIMES_MAX ||
	    argc != (strcmp(argv[1], "name") == 0 ? 6 : 5) ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 ||
	    strlen(argv[3]) > 250)
		return 2;
	to.sin_port = htons(tcp ? (uint16_t)atoi(argv[3]) : 53);
	for (unsigned i = 0; i < n; i++) {
		uint64_t from = now_us();

		if (once(argv + 1, &to, i) != 0)
			return fail(argv[1]);
		took[i] = now_us() - from;
	}
	qsort(took, n, sizeof(*took), compare);
	printf("%llu\n", (unsigned long long)took[n / 2]);
	return 0;
}

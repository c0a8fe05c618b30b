/* SPDX-License-Identifier: Apache-2.0 */
/* flow - what a network carries.
 *
 * usage: flow serve PORT
 *        flow up|down ADDRESS PORT MIB    bytes a second
 *        flow rr ADDRESS PORT N           microseconds for each of N questions
 *                                         and answers of one byte
 *
 * IPv4, one TCP connection, its set-up not counted. */
#include "base/fd.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (128u << 10)

static char block[CHUNK];

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int pour(int fd, uint64_t bytes)
{
	while (bytes > 0) {
		size_t part = bytes < CHUNK ? (size_t)bytes : CHUNK;
		ssize_t n = send(fd, block, part, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		bytes -= (uint64_t)n;
	}
	return 0;
}

/* Up to the other's end. */
static uint64_t drain(int fd)
{
	uint64_t sum = 0;
	ssize_t n;

	while ((n = recv(fd, block, CHUNK, 0)) > 0)
		sum += (uint64_t)n;
	return sum;
}

static int rr(int fd, uint64_t n, bool first)
{
	char c = 'x';

	for (uint64_t i = 0; i < n; i++) {
		if (first && send(fd, &c, 1, MSG_NOSIGNAL) != 1)
			return -1;
		if (recv(fd, &c, 1, 0) != 1)
			return -1;
		if (!first && send(fd, &c, 1, MSG_NOSIGNAL) != 1)
			return -1;
	}
	return 0;
}

struct wish {
	char what;
	char pad[7];
	uint64_t n;
};

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void answer(int fd)
{
	struct wish w;

	no_delay(fd);
	if (recv(fd, &w, sizeof(w), MSG_WAITALL) != sizeof(w))
		return;
	if (w.what == 'u' && drain(fd) == w.n)
		pour(fd, 1);
	else if (w.what == 'd')
		pour(fd, w.n);
	else if (w.what == 'r')
		rr(fd, w.n, false);
}

static int serve(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, fd;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(s, 16) < 0)
		return fail("listen");
	signal(SIGCHLD, SIG_IGN);
	while ((fd = accept(s, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			answer(fd);
			_exit(0);
		}
		close(fd);
	}
	return fail("accept");
}

static int ask(const char *what, const struct sockaddr_in *to, uint64_t n)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct wish w = { .what = *what, .n = *what == 'r' ? n : n << 20 };
	uint64_t from, us;
	bool good;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return fail("connect");
	no_delay(fd);
	from = now_us();
	if (send(fd, &w, sizeof(w), MSG_NOSIGNAL) != sizeof(w))
		return fail("send");
	if (*what == 'u')
		good = pour(fd, w.n) == 0 && shutdown(fd, SHUT_WR) == 0 &&
		       drain(fd) == 1;
	else if (*what == 'd')
		good = drain(fd) == w.n;
	else
		good = rr(fd, n, true) == 0;
	us = now_us() - from;
	if (!good || us == 0)
		return fail(what);
	printf("FLOW %s %.3f\n", what,
	       *what == 'r' ? (double)us / (double)n
			    : (double)w.n * 1e6 / (double)us);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]));
	if (argc != 5 || !strchr("udr", *argv[1]) ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	return ask(argv[1], &to, strtoull(argv[4], NULL, 10));
}

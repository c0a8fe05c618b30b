/* SPDX-License-Identifier: Apache-2.0 */
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (32u << 10)
#define MANY_MAX 1024

static int fail(const char *what)
{
	fprintf(stderr, "tool: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int dial(const char *path)
{
	struct sockaddr_un to = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int put(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Until the end of from. */
static int pour(int from, int to)
{
	static char b[CHUNK];
	ssize_t n;

	while ((n = read(from, b, sizeof(b))) > 0)
		if (put(to, b, (size_t)n) < 0)
			return -1;
	return (int)n;
}

int sock_call(const char *path)
{
	int fd = dial(path), r;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	if (fd < 0)
		return fail(path);
	pid = fork();
	if (pid == 0) {
		r = pour(STDIN_FILENO, fd);
		shutdown(fd, SHUT_WR);
		_exit(r < 0);
	}
	if (pour(fd, STDOUT_FILENO) < 0)
		return fail("read");
	kill(pid, SIGKILL);
	return 0;
}

int sock_say(const char *path)
{
	int fd = dial(path);

	return fd < 0 || pour(STDIN_FILENO, fd) < 0 ? fail(path) : 0;
}

/* With a queue that is shorter than the tests' callers are many. */
static int answer(const char *path)
{
	struct sockaddr_un at = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 5) < 0)
		return -1;
	puts("up");
	fflush(stdout);
	return fd;
}

int sock_sink(const char *path)
{
	int fd = answer(path), c = fd < 0 ? -1 : accept(fd, NULL, NULL);

	return c < 0 || pour(c, STDOUT_FILENO) < 0 ? fail(path) : 0;
}

/* One process for each caller. */
int sock_echo(const char *path)
{
	int fd = answer(path);

	signal(SIGCHLD, SIG_IGN);
	if (fd < 0)
		return fail(path);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c >= 0 && fork() == 0) {
			int r = pour(c, c);

			/* Says goodbye after the caller has. */
			_exit(r < 0 || put(c, "bye\n", 4) < 0);
		}
		if (c >= 0)
			close(c);
	}
}

static char byte_at(unsigned who, uint64_t i)
{
	return (char)((i * 2654435761u + (uint64_t)who * 40503u) >> 9);
}

struct caller {
	int fd;
	uint64_t sent, got;
};

static bool send_some(struct caller *c, unsigned who, uint64_t bytes)
{
	char b[4096];
	size_t len = bytes - c->sent < sizeof(b) ? (size_t)(bytes - c->sent)
						 : sizeof(b);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		b[i] = byte_at(who, c->sent + i);
	n = send(c->fd, b, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN;
	c->sent += (uint64_t)n;
	if (c->sent == bytes)
		shutdown(c->fd, SHUT_WR);
	return true;
}

/* 0: goes on, 1: right to its end, -1: wrong. */
static int take_some(struct caller *c, unsigned who, uint64_t bytes)
{
	char b[4096];
	ssize_t n = recv(c->fd, b, sizeof(b), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	for (ssize_t i = 0; i < n; i++, c->got++) {
		char want = c->got < bytes ? byte_at(who, c->got)
					   : "bye\n"[(c->got - bytes) & 3];

		if (b[i] != want)
			return -1;
	}
	if (n > 0)
		return 0;
	return c->got == bytes + 4 ? 1 : -1;
}

int sock_many(unsigned count, uint64_t bytes, const char *path)
{
	static struct caller c[MANY_MAX];
	static struct pollfd p[MANY_MAX];
	unsigned left = count;

	if (count > MANY_MAX)
		return 2;
	for (unsigned i = 0; i < count; i++) {
		c[i].fd = p[i].fd = dial(path);
		if (c[i].fd < 0)
			return fail(path);
	}
	while (left > 0) {
		for (unsigned i = 0; i < count; i++)
			p[i].events = c[i].sent < bytes ? POLLIN | POLLOUT
							: POLLIN;
		if (poll(p, count, -1) < 0)
			return fail("poll");
		for (unsigned i = 0; i < count; i++) {
			bool out = p[i].revents & POLLOUT;
			int r = 0;

			if (out && c[i].sent < bytes &&
			    !send_some(&c[i], i, bytes))
				return fail("send");
			if (p[i].revents & ~POLLOUT)
				r = take_some(&c[i], i, bytes);
			if (r < 0) {
				printf("caller %u is wrong at %llu\n", i,
				       (unsigned long long)c[i].got);
				return 1;
			}
			if (r > 0) {
				p[i].fd = -1;
				left--;
			}
		}
	}
	printf("%u right\n", count);
	return 0;
}

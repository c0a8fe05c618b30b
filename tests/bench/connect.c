/* SPDX-License-Identifier: Apache-2.0 */
/* connect - what a connection costs, and a question for a name.
 *
 * usage: connect serve PORT             accepts and closes, for ever
 *        connect tcp ADDRESS PORT N     microseconds for each of N connections
 *        connect ask ADDRESS NAME N     and of N questions to a name server
 *
 * IPv4. A connection counts until the other end has closed it. */
#include "base/fd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int once_ask(const struct sockaddr_in *to, const char *name)
{
	uint8_t q[512], a[512];
	size_t len = question(name, q);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	int r = connect(s, (const struct sockaddr *)to, sizeof(*to));

	if (r == 0)
		r = (int)send(s, q, len, 0);
	if (r > 0)
		r = (int)recv(s, a, sizeof(a), 0);
	close(s);
	return r > 12 ? 0 : -1;
}

int main(int argc, char **argv)
{
	bool ask = argc > 1 && strcmp(argv[1], "ask") == 0;
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint64_t from;
	int n;

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]));
	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 ||
	    (ask && strlen(argv[3]) > 250))
		return 2;
	n = atoi(argv[4]);
	to.sin_port = htons(ask ? 53 : (uint16_t)atoi(argv[3]));
	from = now_us();
	for (int i = 0; i < n; i++)
		if ((ask ? once_ask(&to, argv[3]) : once_tcp(&to)) != 0)
			return fail(argv[1]);
	printf("%.3f\n", (double)(now_us() - from) / n);
	return 0;
}

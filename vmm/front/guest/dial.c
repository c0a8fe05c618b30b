/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/dial.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "proto/ports.h"
#include "proto/wire.h"
#include "box/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int send_all(int fd, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "connect to the agent");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Blocking until the few first bytes are in the socket's buffer. */
static int dial(int boxdir, const Vial__Agent__Request *first, struct err *e)
{
	autoclose int fd = sock_connect(boxdir, "vsock.sock", e);
	struct buf out;
	char line[32];
	int r;

	if (fd < 0)
		return fd;
	snprintf(line, sizeof(line), "CONNECT %d\n", VIAL_AGENT_PORT);
	buf_init(&out, 4096);
	r = buf_append(&out, line, strlen(line));
	if (r == 0 && first)
		r = wire_put(&out, &first->base);
	if (r < 0)
		err_set(e, -r, "connect to the agent: %s", strerror(-r));
	else
		r = send_all(fd, buf_head(&out), buf_len(&out), e);
	buf_fini(&out);
	if (r == 0)
		r = fd_set_nonblock(fd, true);
	return r < 0 ? r : take_fd(&fd);
}

int dial_agent(int boxdir, struct err *e)
{
	return dial(boxdir, NULL, e);
}

int dial_stream(int boxdir, uint64_t key, Vial__Agent__Stream__Which which,
		struct err *e)
{
	Vial__Agent__Request req = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Stream stream = VIAL__AGENT__STREAM__INIT;

	stream.key = key;
	stream.which = which;
	req.op_case = VIAL__AGENT__REQUEST__OP_STREAM;
	req.stream = &stream;
	return dial(boxdir, &req, e);
}

int dial_socket(int boxdir, const char *path, struct err *e)
{
	Vial__Agent__Request req = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Dial to = VIAL__AGENT__DIAL__INIT;

	to.path = (char *)(uintptr_t)path;
	req.op_case = VIAL__AGENT__REQUEST__OP_DIAL;
	req.dial = &to;
	return dial(boxdir, &req, e);
}

int dial_answer(struct dial *d, const uint8_t *bytes, size_t len)
{
	size_t i;

	if (d->done)
		return 0;
	for (i = 0; i < len && !d->done; i++) {
		d->line[d->len++] = (char)bytes[i];
		if (d->len < sizeof(d->line) && bytes[i] != '\n')
			continue;
		if (bytes[i] != '\n' || strncmp(d->line, "OK ", 3) != 0)
			return -EPROTO;
		d->done = 1;
	}
	return (int)i;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/stdio.h"

#include "base/auto.h"
#include "guest/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const Vial__Agent__Stream__Which kinds[STDIO_NSTREAMS] = {
	[STDIO_IN] = VIAL__AGENT__STREAM__WHICH__STDIN,
	[STDIO_OUT] = VIAL__AGENT__STREAM__WHICH__STDOUT,
	[STDIO_ERR] = VIAL__AGENT__STREAM__WHICH__STDERR,
};

static const char *const names[STDIO_NSTREAMS] = {
	[STDIO_IN] = "standard input",
	[STDIO_OUT] = "standard output",
	[STDIO_ERR] = "standard error",
};

static void input_ended(struct relay *r)
{
	struct stdio_stream_end *s =
		container_of(r, struct stdio_stream_end, relay);

	/* An input that cannot be read has ended as far as the command can
	 * tell; a command that closed its own does not care. */
	if (r->state == RELAY_DST_FAILED || !s->io->conf.input_once)
		return;
	s->over = true;
	shutdown(s->fd, SHUT_WR);
}

static void output_ended(struct relay *r)
{
	struct stdio_stream_end *s =
		container_of(r, struct stdio_stream_end, relay);

	if (r->state == RELAY_DST_FAILED)
		shutdown(s->fd, SHUT_RDWR);
}

static void to_log(struct relay *r, const uint8_t *bytes, size_t len)
{
	struct stdio_stream_end *s =
		container_of(r, struct stdio_stream_end, relay);
	struct stdio *io = s->io;

	boxlog_write(io->conf.log, s == &io->stream[STDIO_ERR] ? 2 : 1, bytes,
		     len);
}

static int open_output(struct stdio *io, struct stdio_stream_end *s, int dst,
		       struct err *e)
{
	if (relay_start(&s->relay, io->loop, s->fd, dst, true, output_ended,
			e) < 0)
		return -e->code;
	if (io->conf.log)
		s->relay.tap = to_log;
	return 0;
}

int stdio_open(struct stdio *io, struct loop *l, int boxdir, uint64_t key,
	       const struct stdio_conf *c, struct err *e)
{
	const bool want[STDIO_NSTREAMS] = { c->in, true, c->err };

	*io = (struct stdio)STDIO_INIT;
	io->loop = l;
	io->conf = *c;
	for (int i = 0; i < STDIO_NSTREAMS; i++) {
		struct stdio_stream_end *s = &io->stream[i];
		int r = 0;

		if (!want[i])
			continue;
		s->io = io;
		s->fd = dial_stream(boxdir, key, kinds[i], e);
		if (s->fd < 0)
			return err_wrap(e, "%s", names[i]);
		if (i != STDIO_IN)
			r = open_output(io, s, c->fd[i], e);
		else if (c->fd[i] >= 0)
			r = relay_start(&s->relay, l, c->fd[i], s->fd, false,
					input_ended, e);
		if (r < 0)
			return err_wrap(e, "%s", names[i]);
	}
	return 0;
}

int stdio_add_input(struct stdio *io, int fd)
{
	struct stdio_stream_end *s = &io->stream[STDIO_IN];
	struct err e;

	if (s->fd < 0 || s->over)
		return -EPIPE;
	if (s->relay.state == RELAY_RUNNING)
		return -EBUSY;
	relay_fini(&s->relay);
	return relay_start(&s->relay, io->loop, fd, s->fd, false, input_ended,
			   &e);
}

void stdio_drop_input(struct stdio *io, int fd)
{
	struct relay *r = &io->stream[STDIO_IN].relay;

	if (r->state != RELAY_IDLE && r->src.watch.fd == fd)
		relay_fini(r);
}

int stdio_add_output(struct stdio *io, enum stdio_stream which,
		     struct relay_sink *s, int fd)
{
	return relay_add(&io->stream[which].relay, s, fd);
}

void stdio_leave(struct stdio *io, struct boxlog *log)
{
	stdio_drop_input(io, io->conf.fd[STDIO_IN]);
	io->conf.input_once = false;
	for (int i = STDIO_OUT; i <= STDIO_ERR; i++) {
		struct relay *r = &io->stream[i].relay;

		relay_leave(r);
		if (log && !io->conf.log && r->state == RELAY_RUNNING)
			r->tap = to_log;
	}
	if (log && !io->conf.log)
		io->conf.log = log;
}

void stdio_fini(struct stdio *io)
{
	for (int i = 0; i < STDIO_NSTREAMS; i++) {
		relay_fini(&io->stream[i].relay);
		if (io->stream[i].fd >= 0)
			close(take_fd(&io->stream[i].fd));
	}
}

bool stdio_drained(const struct stdio *io)
{
	return io->stream[STDIO_OUT].relay.state != RELAY_RUNNING &&
	       io->stream[STDIO_ERR].relay.state != RELAY_RUNNING;
}

bool stdio_starves(const struct stdio *io)
{
	return relay_starves(&io->stream[STDIO_OUT].relay) ||
	       relay_starves(&io->stream[STDIO_ERR].relay);
}

int stdio_check(const struct stdio *io, struct err *e)
{
	for (int i = STDIO_OUT; i <= STDIO_ERR; i++) {
		const struct relay *r = &io->stream[i].relay;

		if (r->state == RELAY_DST_FAILED && r->error != EPIPE)
			return err_set(e, r->error, "write %s: %s", names[i],
				       strerror(r->error));
		if (r->state == RELAY_SRC_FAILED)
			return err_set(e, r->error,
				       "%s of the command was "
				       "cut off: %s",
				       names[i], strerror(r->error));
	}
	return 0;
}

uint64_t stdio_bytes(const struct stdio *io, enum stdio_stream which)
{
	return io->stream[which].relay.bytes;
}

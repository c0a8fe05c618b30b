/* SPDX-License-Identifier: Apache-2.0 */
#include "run/stdio.h"

#include "base/auto.h"
#include "run/dial.h"

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
	if (r->state != RELAY_DST_FAILED)
		shutdown(s->fd, SHUT_WR);
}

static void output_ended(struct relay *r)
{
	struct stdio_stream_end *s =
		container_of(r, struct stdio_stream_end, relay);

	if (r->state == RELAY_DST_FAILED)
		shutdown(s->fd, SHUT_RDWR);
}

int stdio_open(struct stdio *io, struct loop *l, int boxdir, uint64_t key,
	       bool in, bool err, struct err *e)
{
	const bool want[STDIO_NSTREAMS] = { in, true, err };

	*io = (struct stdio)STDIO_INIT;
	for (int i = 0; i < STDIO_NSTREAMS; i++) {
		struct stdio_stream_end *s = &io->stream[i];
		bool input = i == STDIO_IN;

		if (!want[i])
			continue;
		s->io = io;
		s->fd = dial_stream(boxdir, key, kinds[i], e);
		if (s->fd < 0)
			return err_wrap(e, "%s", names[i]);
		if (relay_start(&s->relay, l, input ? i : s->fd,
				input ? s->fd : i, !input,
				input ? input_ended : output_ended, e) < 0)
			return err_wrap(e, "%s", names[i]);
	}
	return 0;
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

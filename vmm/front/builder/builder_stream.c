/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs into the builder, words out of it. */
#include "builder/builder_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEED_BYTES (1u << 20)
#define READ_BYTES (64u << 10)

/* ---- in ---- */

static void feed_end(struct build *w)
{
	loop_del(&w->loop, &w->feed);
	shutdown(w->feed.fd, SHUT_WR);
}

/* The guest takes no more: it says why on standard error. */
static void feed_failed(struct build *w, int code)
{
	loop_del(&w->loop, &w->feed);
	if (code != EPIPE && code != ECONNRESET && !w->why.code)
		err_set(&w->why, code, "layer %zu of %zu: read its blob: %s",
			w->layer + 1, w->b->nlayers, strerror(code));
}

/* Past layers that have been sent; false: all have. */
static bool feed_next(struct build *w)
{
	while (w->layer < w->b->nlayers &&
	       w->sent == w->b->layers[w->layer].size) {
		w->layer++;
		w->sent = 0;
		w->at = 0;
	}
	return w->layer < w->b->nlayers;
}

static void feed_ready(struct watch *wt, uint32_t events)
{
	struct build *w = container_of(wt, struct build, feed);

	if (events & (EPOLLERR | EPOLLHUP)) {
		feed_failed(w, EPIPE);
		return;
	}
	while (feed_next(w)) {
		const struct builder_layer *l = &w->b->layers[w->layer];
		ssize_t n = sendfile(wt->fd, l->fd, &w->at,
				     MIN(l->size - w->sent, FEED_BYTES));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			feed_failed(w, n < 0 ? errno : ENODATA);
			return;
		}
		w->sent += (uint64_t)n;
	}
	feed_end(w);
}

/* ---- out ---- */

/* "LAYER BYTES", or "done ...". */
static void progress_line(struct build *w, const char *line)
{
	unsigned layer;
	uint64_t bytes;

	if (strncmp(line, "done", 4) == 0) {
		w->done = true;
		return;
	}
	if (sscanf(line, "%u %" SCNu64, &layer, &bytes) != 2 ||
	    layer >= w->b->nlayers || bytes > w->b->layers[layer].size)
		return;
	w->taken = bytes;
	for (unsigned i = 0; i < layer; i++)
		w->taken += w->b->layers[i].size;
	if (w->b->progress)
		w->b->progress(w->b->arg, w->taken, w->total);
}

static void take_lines(struct build_said *s)
{
	char *nl;

	while ((nl = memchr(s->text, '\n', s->len))) {
		size_t n = (size_t)(nl - s->text) + 1;

		*nl = '\0';
		progress_line(s->owner, s->text);
		s->len -= n;
		memmove(s->text, s->text + n, s->len);
	}
	/* Nobody writes lines like that. */
	if (s->len == sizeof(s->text) - 1)
		s->len = 0;
}

void build_progress(struct build *w, const char *bytes, size_t n)
{
	struct build_said *s = &w->out;

	while (n > 0) {
		size_t take = MIN(n, sizeof(s->text) - 1 - s->len);

		memcpy(s->text + s->len, bytes, take);
		s->len += take;
		bytes += take;
		n -= take;
		take_lines(s);
	}
}

/* Its first words are enough. */
static void complaint(struct build_said *s, const char *bytes, size_t n)
{
	size_t take = MIN(n, sizeof(s->text) - 1 - s->len);

	memcpy(s->text + s->len, bytes, take);
	s->len += take;
}

static void said_ready(struct watch *wt, uint32_t events)
{
	struct build_said *s = container_of(wt, struct build_said, watch);
	struct build *w = s->owner;
	char buf[READ_BYTES];
	ssize_t n = read(wt->fd, buf, sizeof(buf));
	int took;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->ended = true;
		loop_del(&w->loop, wt);
		return;
	}
	took = dial_answer(&s->dial, (const uint8_t *)buf, (size_t)n);
	if (took < 0)
		took = (int)n;
	if (took == n)
		return;
	if (s == &w->out)
		w->said(w, buf + took, (size_t)n - (size_t)took);
	else
		complaint(s, buf + took, (size_t)n - (size_t)took);
}

/* ---- both ---- */

static int open_one(struct build *w, struct watch *wt, const char *name,
		    Vial__Agent__Stream__Which which,
		    void (*ready)(struct watch *, uint32_t), uint32_t events,
		    struct err *e)
{
	int fd = dial_stream(w->launch.box.dir, w->key, which, e);

	if (fd < 0)
		return fd;
	*wt = (struct watch){ .fd = fd, .name = name, .ready = ready };
	return loop_add(&w->loop, wt, events, e);
}

int build_streams(struct build *w, struct err *e)
{
	w->out.owner = w->err.owner = w;
	for (size_t i = 0; w->b && i < w->b->nlayers; i++)
		w->total += w->b->layers[i].size;
	if (open_one(w, &w->out.watch, "builder's stdout",
		     VIAL__AGENT__STREAM__WHICH__STDOUT, said_ready, EPOLLIN,
		     e) < 0 ||
	    open_one(w, &w->err.watch, "builder's stderr",
		     VIAL__AGENT__STREAM__WHICH__STDERR, said_ready, EPOLLIN,
		     e) < 0)
		return -e->code;
	if (!w->feeds)
		return 0;
	return open_one(w, &w->feed, "blobs", VIAL__AGENT__STREAM__WHICH__STDIN,
			feed_ready, EPOLLOUT, e);
}

void build_streams_close(struct build *w)
{
	struct watch *all[] = { &w->feed, &w->out.watch, &w->err.watch };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		loop_del(&w->loop, all[i]);
		if (all[i]->fd > 0)
			close(all[i]->fd);
		all[i]->fd = -1;
	}
}

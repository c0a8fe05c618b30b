/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side of --forward: the test is the box's bridge and its agent. */
#include "run/sockets.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "box/sock.h"
#include "proto/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* A box's folder with a bridge, which also has a service of the host's. */
struct bench {
	char dir[32], service[64], shown[64];
	int boxdir, bridge, host;
	struct loop loop;
	struct guest guest;
	struct chan agent; /* the other end of the guest's connection */
	struct spec spec;
	struct sockets f;
};

static struct bench bench;
static struct err e;

/* Hears nothing by itself: the test hands events on. */
static void no_event(struct guest *g, const Vial__Agent__Event *ev)
{
	(void)g;
	(void)ev;
}

static void no_loss(struct guest *g, const struct err *why)
{
	(void)g;
	(void)why;
}

static int answer_bridge(struct bench *b)
{
	char line[16];
	int fd = accept(b->bridge, NULL, NULL);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_full(fd, line, 13), 13);
	assert_memory_equal(line, "CONNECT 1024\n", 13);
	return fd;
}

/* The next connection's first request, freed by the caller. */
static Vial__Agent__Request *answer(struct bench *b, int *fd)
{
	ProtobufCMessage *m;
	struct chan c;

	*fd = answer_bridge(b);
	chan_init(&c, *fd);
	m = chan_recv(&c, &vial__agent__request__descriptor, &e);
	assert_non_null(m);
	chan_fini(&c);
	assert_int_equal(fd_write_full(*fd, "OK 77\n", 6), 0);
	return container_of(m, Vial__Agent__Request, base);
}

static Vial__Agent__Request *heard_by_agent(struct bench *b)
{
	ProtobufCMessage *m =
		chan_recv(&b->agent, &vial__agent__request__descriptor, &e);

	assert_non_null(m);
	return container_of(m, Vial__Agent__Request, base);
}

static void forget(Vial__Agent__Request *q)
{
	vial__agent__request__free_unpacked(q, NULL);
}

static int start(void **state)
{
	struct bench *b = *state = &bench;
	char text[200];

	*b = (struct bench){ .host = -1 };
	log_init("test", LOG_ERR);
	snprintf(b->dir, sizeof(b->dir), "/tmp/forward.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->boxdir = open(b->dir, O_DIRECTORY | O_CLOEXEC);
	b->bridge = sock_listen(b->boxdir, "vsock.sock", &e);
	b->host = sock_listen(b->boxdir, "service", &e);
	assert_true(b->bridge >= 0 && b->host >= 0);
	snprintf(b->service, sizeof(b->service), "%.31s/service", b->dir);
	snprintf(b->shown, sizeof(b->shown), "%.31s/shown", b->dir);
	assert_int_equal(loop_init(&b->loop, NULL, &e), 0);
	b->guest.heard = no_event;
	b->guest.lost = no_loss;
	assert_int_equal(guest_open(&b->guest, &b->loop, b->boxdir, &e), 0);
	chan_init(&b->agent, answer_bridge(b));
	forget(heard_by_agent(b)); /* Hello */
	spec_init(&b->spec);
	snprintf(text, sizeof(text), "%.63s:/run/out", b->service);
	assert_int_equal(spec_forward(&b->spec, text, &e), 0);
	snprintf(text, sizeof(text), "guest:/run/in:%.63s", b->shown);
	assert_int_equal(spec_forward(&b->spec, text, &e), 0);
	assert_int_equal(sockets_open(&b->f, &b->spec, &e), 0);
	assert_int_equal(
		sockets_start(&b->f, &b->loop, &b->guest, b->boxdir, &e), 0);
	return 0;
}

static int stop(void **state)
{
	struct bench *b = *state;

	sockets_hang_up(&b->f);
	assert_int_equal(sockets_calls(&b->f), 0);
	sockets_close(&b->f);
	assert_int_equal(access(b->shown, F_OK), -1);
	guest_close(&b->guest);
	close(b->agent.fd);
	chan_fini(&b->agent);
	loop_fini(&b->loop);
	spec_fini(&b->spec);
	unlinkat(b->boxdir, "vsock.sock", 0);
	unlinkat(b->boxdir, "service", 0);
	close(b->bridge);
	if (b->host >= 0)
		close(b->host);
	close(b->boxdir);
	return rmdir(b->dir);
}

static void settle(struct bench *b)
{
	struct epoll_event ev[4];

	while (epoll_wait(b->loop.epfd, ev, 4, 0) > 0)
		assert_int_equal(loop_once(&b->loop, 0), 0);
}

/* What the guest was asked to listen to. */
static uint64_t listens(struct bench *b)
{
	Vial__Agent__Request *q = heard_by_agent(b);
	uint64_t key;

	assert_int_equal(q->op_case, VIAL__AGENT__REQUEST__OP_LISTEN);
	assert_string_equal(q->listen->path, "/run/out");
	key = q->listen->key;
	forget(q);
	assert_true(sockets_failed(&b->f, key));
	assert_false(sockets_failed(&b->f, key + 1));
	return key;
}

static void call(struct bench *b, uint64_t key, uint64_t n)
{
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;
	Vial__Agent__Called c = VIAL__AGENT__CALLED__INIT;

	c.key = key;
	c.call = n;
	ev.ev_case = VIAL__AGENT__EVENT__EV_CALLED;
	ev.called = &c;
	assert_true(sockets_heard(&b->f, &ev));
}

static void carries(struct bench *b, int from, int to, const char *text)
{
	char got[32] = "";

	assert_int_equal(fd_write_full(from, text, strlen(text)), 0);
	settle(b);
	assert_int_equal(fd_read_full(to, got, strlen(text)), strlen(text));
	assert_string_equal(got, text);
}

static void out(void **state)
{
	struct bench *b = *state;
	uint64_t key = listens(b);
	Vial__Agent__Request *q;
	int agent, service;
	char c;

	call(b, key, 5);
	q = answer(b, &agent);
	assert_int_equal(q->op_case, VIAL__AGENT__REQUEST__OP_STREAM);
	assert_int_equal(q->stream->key, 5);
	assert_int_equal(q->stream->which, VIAL__AGENT__STREAM__WHICH__SOCKET);
	forget(q);
	service = accept(b->host, NULL, NULL);
	assert_true(service >= 0);
	/* The bridge's own line is no part of it. */
	carries(b, agent, service, "question");
	carries(b, service, agent, "answer");
	assert_int_equal(sockets_calls(&b->f), 1);
	assert_true(sockets_moved(&b->f) >= 14);
	close(agent);
	settle(b);
	assert_int_equal(read(service, &c, 1), 0);
	assert_int_equal(sockets_calls(&b->f), 0);
	assert_true(sockets_moved(&b->f) >= 14);
	close(service);
}

/* A guest can name nothing but what it was told to make. */
static void lies(void **state)
{
	struct bench *b = *state;
	uint64_t key = listens(b);
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	call(b, key + 1, 1);
	call(b, 0, 0);
	/* Not even what is the host's to call. */
	for (uint64_t k = 0; k < 64; k++)
		call(b, key ^ (1ull << k), k);
	settle(b);
	assert_int_equal(sockets_calls(&b->f), 0);
	assert_false(sockets_heard(&b->f, &ev));
}

/* Nobody listens on the host: the caller is sent away. */
static void nobody(void **state)
{
	struct bench *b = *state;
	uint64_t key = listens(b);
	Vial__Agent__Request *q;

	close(take_fd(&b->host));
	b->f.quiet = true;
	call(b, key, 9);
	q = heard_by_agent(b);
	assert_int_equal(q->op_case, VIAL__AGENT__REQUEST__OP_HANG_UP);
	assert_int_equal(q->hang_up->call, 9);
	forget(q);
	assert_int_equal(sockets_calls(&b->f), 0);
}

/* A guest that calls and calls gets so many, and is sent away for the rest. */
static void bounded(void **state)
{
	struct bench *b = *state;
	static int open_fd[2 * SOCKETS_CALLS_MAX];
	uint64_t key = listens(b);
	int hung_up = 0, n = 0;

	for (unsigned i = 1; i <= SOCKETS_CALLS_MAX + 10; i++) {
		call(b, key, i);
		if (i > SOCKETS_CALLS_MAX) {
			forget(heard_by_agent(b));
			hung_up++;
			continue;
		}
		forget(answer(b, &open_fd[n++]));
		open_fd[n++] = accept(b->host, NULL, NULL);
	}
	assert_int_equal(hung_up, 10);
	assert_int_equal(sockets_calls(&b->f), SOCKETS_CALLS_MAX);
	while (n > 0)
		close(open_fd[--n]);
}

static void in(void **state)
{
	struct bench *b = *state;
	int client, agent;
	Vial__Agent__Request *q;
	char c;

	listens(b);
	/* Who comes before the guest is ready waits. */
	client = sock_connect(b->boxdir, "shown", &e);
	assert_true(client >= 0);
	settle(b);
	assert_int_equal(sockets_calls(&b->f), 0);
	sockets_ready(&b->f);
	settle(b);
	q = answer(b, &agent);
	assert_int_equal(q->op_case, VIAL__AGENT__REQUEST__OP_DIAL);
	assert_string_equal(q->dial->path, "/run/in");
	forget(q);
	carries(b, client, agent, "question");
	carries(b, agent, client, "answer");
	close(client);
	settle(b);
	assert_int_equal(read(agent, &c, 1), 0);
	close(agent);
}

/* A bridge that speaks nonsense. */
static void nonsense(void **state)
{
	struct bench *b = *state;
	int client, agent;
	char c;

	listens(b);
	sockets_ready(&b->f);
	client = sock_connect(b->boxdir, "shown", &e);
	settle(b);
	agent = answer_bridge(b);
	assert_int_equal(fd_write_full(agent, "NO\n", 3), 0);
	settle(b);
	assert_int_equal(read(client, &c, 1), 0);
	assert_int_equal(sockets_calls(&b->f), 0);
	close(client);
	close(agent);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(out), T(lies), T(nobody), T(in), T(nonsense), T(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

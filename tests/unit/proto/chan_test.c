/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/chan.h"

#include "base/auto.h"
#include "base/fd.h"
#include "proto/agent.pb-c.h"
#include "proto/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static int pair[2];
static struct chan a, b;

static int setup(void **state)
{
	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	chan_init(&a, pair[0]);
	chan_init(&b, pair[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	chan_fini(&a);
	chan_fini(&b);
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}

static void hang_up(int i)
{
	close(pair[i]);
	pair[i] = -1;
}

static void hello(Vial__Agent__Hello *m, uint32_t n)
{
	vial__agent__hello__init(m);
	m->generation = n;
}

static void send_hello(struct chan *c, uint32_t n)
{
	Vial__Agent__Hello m;

	hello(&m, n);
	assert_int_equal(chan_send(c, &m.base), 0);
}

static void expect_hello(ProtobufCMessage *m, uint32_t n)
{
	assert_non_null(m);
	assert_int_equal(container_of(m, Vial__Agent__Hello, base)->generation,
			 n);
	protobuf_c_message_free_unpacked(m, NULL);
}

static void both_ways(void **state)
{
	struct err e = { 0 };

	(void)state;
	send_hello(&a, 1);
	send_hello(&a, 2);
	send_hello(&b, 3);
	expect_hello(chan_recv(&b, &vial__agent__hello__descriptor, &e), 1);
	expect_hello(chan_recv(&b, &vial__agent__hello__descriptor, &e), 2);
	expect_hello(chan_recv(&a, &vial__agent__hello__descriptor, &e), 3);
}

static void without_blocking(void **state)
{
	const ProtobufCMessageDescriptor *type =
		&vial__agent__hello__descriptor;
	struct err e = { 0 };
	int error = 1;

	(void)state;
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	assert_int_equal(chan_fill(&b), 0);
	assert_null(chan_next(&b, type, &error));
	assert_int_equal(error, 0);
	assert_null(chan_recv(&b, type, &e));
	assert_int_equal(e.code, EAGAIN);
	send_hello(&a, 9);
	assert_int_equal(chan_fill(&b), 1);
	expect_hello(chan_next(&b, type, &error), 9);
	assert_null(chan_next(&b, type, &error));
	assert_int_equal(error, 0);
}

static void end_between_frames(void **state)
{
	struct err e = { 0 };

	(void)state;
	send_hello(&a, 1);
	hang_up(0);
	expect_hello(chan_recv(&b, &vial__agent__hello__descriptor, &e), 1);
	assert_int_equal(chan_fill(&b), -EPIPE);
	assert_null(chan_recv(&b, &vial__agent__hello__descriptor, &e));
	assert_int_equal(e.code, EPIPE);
}

static void end_inside_a_frame(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(send(pair[0], "\x09\0\0\0half", 8, 0), 8);
	hang_up(0);
	assert_null(chan_recv(&b, &vial__agent__hello__descriptor, &e));
	assert_int_equal(e.code, EPROTO);
}

static void too_long(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(send(pair[0], "\xff\xff\xff\xff", 4, 0), 4);
	assert_null(chan_recv(&b, &vial__agent__hello__descriptor, &e));
	assert_int_equal(e.code, EMSGSIZE);
}

/* A frame that is no message of the type is taken off and reported. */
static void no_message(void **state)
{
	const ProtobufCMessageDescriptor *type =
		&vial__agent__hello__descriptor;
	int error;

	(void)state;
	assert_int_equal(send(pair[0], "\x02\0\0\0\xff\xff", 6, 0), 6);
	send_hello(&a, 4);
	assert_int_equal(chan_fill(&b), 1);
	assert_null(chan_next(&b, type, &error));
	assert_int_equal(error, -EBADMSG);
	expect_hello(chan_next(&b, type, &error), 4);
}

/* A reader that does not read: what the socket does not take stays queued,
 * up to the bound, and leaves when there is room. */
static void full_socket(void **state)
{
	Vial__Agent__Setup m = VIAL__AGENT__SETUP__INIT;
	static uint8_t data[600000];
	unsigned put = 0, got = 0;

	(void)state;
	m.entropy.data = data;
	m.entropy.len = sizeof(data);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	while (chan_put(&a, &m.base) == 0)
		put++;
	assert_int_equal(put, CHAN_MAX / sizeof(data));
	assert_int_equal(chan_put(&a, &m.base), -ENOBUFS);
	assert_int_equal(chan_flush(&a), 0);
	assert_true(chan_pending(&a));
	while (got < put) {
		ProtobufCMessage *r;
		int error;

		assert_true(chan_flush(&a) >= 0);
		while (chan_fill(&b) == 1)
			;
		r = chan_next(&b, &vial__agent__setup__descriptor, &error);
		assert_int_equal(error, 0);
		if (!r)
			continue;
		assert_int_equal(
			container_of(r, Vial__Agent__Setup, base)->entropy.len,
			sizeof(data));
		protobuf_c_message_free_unpacked(r, NULL);
		got++;
	}
	assert_false(chan_pending(&a));
	assert_int_equal(chan_flush(&a), 1);
}

/* Bytes that come faster than frames are taken stop at the bound. */
static void input_is_bounded(void **state)
{
	static uint8_t data[65536];
	int r = 1;

	(void)state;
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	for (int i = 0; i < 10000 && r >= 0; i++) {
		if (send(pair[0], data, sizeof(data), 0) < 0)
			assert_int_equal(errno, EAGAIN);
		r = chan_fill(&b);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_true(buf_len(&b.in) <= CHAN_MAX);
}

/* Nobody there: an error, not a signal. */
static void peer_is_gone(void **state)
{
	Vial__Agent__Hello m;

	(void)state;
	hang_up(1);
	hello(&m, 1);
	assert_int_equal(chan_send(&a, &m.base), -EPIPE);
}

static bool same_file(int x, int y)
{
	struct stat s, t;

	return fstat(x, &s) == 0 && fstat(y, &t) == 0 && s.st_ino == t.st_ino;
}

/* A descriptor is there with its message, or waits for it, or is replaced. */
static void descriptors_come_along(void **state)
{
	Vial__Agent__Hello m;
	int pipes[2], fd = -1, first, r;
	ProtobufCMessage *got;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	hello(&m, 1);
	assert_int_equal(chan_send_fd(&a, &m.base, pipes[0]), 0);
	assert_int_equal(chan_fill_fd(&b, &fd), 1);
	assert_true(same_file(fd, pipes[0]));
	got = chan_next(&b, &vial__agent__hello__descriptor, &r);
	assert_non_null(got);
	protobuf_c_message_free_unpacked(got, NULL);
	first = fd;
	/* One without leaves it, one with another takes its place. */
	assert_int_equal(chan_send(&a, &m.base), 0);
	assert_int_equal(chan_fill_fd(&b, &fd), 1);
	assert_int_equal(fd, first);
	assert_int_equal(chan_send_fd(&a, &m.base, pipes[1]), 0);
	assert_int_equal(chan_fill_fd(&b, &fd), 1);
	close(pipes[1]);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	/* The first copy is closed, the second too. */
	assert_int_equal(read(pipes[0], &(char){ 0 }, 1), 1);
	assert_int_equal(read(pipes[0], &(char){ 0 }, 1), 0);
	close(pipes[0]);
	hang_up(1);
	assert_int_equal(chan_send_fd(&a, &m.base, pair[0]), -EPIPE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_ways),	       T(without_blocking),
		T(end_between_frames), T(end_inside_a_frame),
		T(too_long),	       T(no_message),
		T(full_socket),	       T(input_is_bounded),
		T(peer_is_gone),       T(descriptors_come_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* relay_fixture.h - one relay between two ends that a test holds, and a
 * pattern of bytes that shows when one is missing. */
#pragma once

#include "guest/relay.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define MIB (1u << 20)

static struct {
	struct loop loop;
	struct relay r;
	unsigned ended;
	int src[2], dst[2]; /* [0] is the relay's, [1] the test's */
} t;
static struct err e;

static inline void on_end(struct relay *r)
{
	(void)r;
	t.ended++;
}

static inline int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(&t, 0, sizeof(t));
	t.src[0] = t.src[1] = t.dst[0] = t.dst[1] = -1;
	return loop_init(&t.loop, NULL, &e);
}

static inline int stop(void **state)
{
	const int fds[] = { t.src[0], t.src[1], t.dst[0], t.dst[1] };

	(void)state;
	relay_fini(&t.r);
	loop_fini(&t.loop);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 0;
}

static inline void make_pipe(int end[2], bool relay_reads)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	end[0] = p[relay_reads ? 0 : 1];
	end[1] = p[relay_reads ? 1 : 0];
}

static inline void make_sock(int end[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
}

static inline void go(bool from_agent)
{
	assert_int_equal(relay_start(&t.r, &t.loop, t.src[0], t.dst[0],
				     from_agent, on_end, &e),
			 0);
}

static inline void spin(void)
{
	for (int i = 0; i < 20; i++)
		loop_once(&t.loop, 0);
}

static inline uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Writes len bytes into the relay and reads them behind it, in steps that do
 * not fit each other. Returns how many arrived right. */
static inline size_t pump(size_t len, size_t wstep, size_t rstep)
{
	autofree uint8_t *buf = malloc(MIB);
	size_t put = 0, got = 0, idle = 0;

	fd_set_nonblock(t.src[1], true);
	fd_set_nonblock(t.dst[1], true);
	while (got < len && idle < 1000) {
		size_t before = put + got;
		size_t n = MIN(wstep, len - put);
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(put + i);
		r = n ? write(t.src[1], buf, n) : 0;
		put += r > 0 ? (size_t)r : 0;
		loop_once(&t.loop, 0);
		r = read(t.dst[1], buf, rstep);
		for (ssize_t i = 0; i < r; i++)
			if (buf[i] != pattern(got++))
				return got;
		idle = put + got == before ? idle + 1 : 0;
	}
	return got;
}

static inline void start_spliced(void)
{
	char c;

	make_sock(t.src);
	make_pipe(t.dst, false);
	go(true);
	assert_true(t.r.splice);
	assert_int_equal(write(t.src[1], "OK 1\nx", 6), 6);
	spin();
	assert_int_equal(read(t.dst[1], &c, 1), 1);
	assert_int_equal(c, 'x');
}

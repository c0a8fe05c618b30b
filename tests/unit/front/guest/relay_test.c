/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between files, pipes and connections: all of them, in order. */
#include "guest/relay.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

static void on_end(struct relay *r)
{
	(void)r;
	t.ended++;
}

static int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(&t, 0, sizeof(t));
	t.src[0] = t.src[1] = t.dst[0] = t.dst[1] = -1;
	return loop_init(&t.loop, NULL, &e);
}

static int stop(void **state)
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

static void make_pipe(int end[2], bool relay_reads)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	end[0] = p[relay_reads ? 0 : 1];
	end[1] = p[relay_reads ? 1 : 0];
}

static void make_sock(int end[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
}

static void go(bool from_agent)
{
	assert_int_equal(relay_start(&t.r, &t.loop, t.src[0], t.dst[0],
				     from_agent, on_end, &e),
			 0);
}

static void spin(void)
{
	for (int i = 0; i < 20; i++)
		loop_once(&t.loop, 0);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Writes len bytes into the relay and reads them behind it, in steps that do
 * not fit each other. Returns how many arrived right. */
static size_t pump(size_t len, size_t wstep, size_t rstep)
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

static void pipe_to_socket(void **state)
{
	(void)state;
	make_pipe(t.src, true);
	make_sock(t.dst);
	go(false);
	assert_int_equal(pump(8 * MIB, 100000, 77777), 8 * MIB);
	assert_int_equal(t.ended, 0);
	close(take_fd(&t.src[1]));
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_EOF);
	assert_int_equal(t.r.bytes, 8 * MIB);
}

static void socket_to_pipe(void **state)
{
	(void)state;
	make_sock(t.src);
	make_pipe(t.dst, false);
	go(false);
	/* Small reads: the pipe is full most of the time. */
	assert_int_equal(pump(2 * MIB, MIB, 3000), 2 * MIB);
	/* The flags of a pipe that others share stay as they were. */
	assert_false(fcntl(t.dst[0], F_GETFL) & O_NONBLOCK);
}

static void socket_to_socket(void **state)
{
	(void)state;
	make_sock(t.src);
	make_sock(t.dst);
	go(false);
	assert_int_equal(pump(4 * MIB, 65536, MIB), 4 * MIB);
}

/* A pipe that cannot be opened again: written when it polls writable. */
static void patient_pipe(void **state)
{
	(void)state;
	make_sock(t.src);
	make_pipe(t.dst, false);
	go(false);
	relay_fini(&t.r);
	go(false);
	if (t.r.dst.end.own)
		close(t.r.dst.end.watch.fd);
	t.r.dst.end.own = false;
	t.r.dst.end.watch.fd = t.dst[0];
	t.r.dst.end.how = RELAY_PATIENT;
	assert_int_equal(pump(MIB, MIB, 5000), MIB);
}

static void from_a_file(void **state)
{
	char path[] = "/tmp/vial-relay-XXXXXX";
	size_t got = 0, idle = 0;
	uint8_t buf[4096];

	(void)state;
	t.src[0] = mkstemp(path);
	unlink(path);
	for (size_t i = 0; i < 2 * MIB; i += sizeof(buf)) {
		for (size_t j = 0; j < sizeof(buf); j++)
			buf[j] = pattern(i + j);
		assert_int_equal(fd_write_full(t.src[0], buf, sizeof(buf)), 0);
	}
	lseek(t.src[0], 0, SEEK_SET);
	make_sock(t.dst);
	fd_set_nonblock(t.dst[1], true);
	go(false);
	while (got < 2 * MIB && idle++ < 100000) {
		ssize_t n;

		loop_once(&t.loop, 0);
		n = read(t.dst[1], buf, sizeof(buf));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(got++));
	}
	spin();
	assert_int_equal(got, 2 * MIB);
	assert_int_equal(t.r.state, RELAY_EOF);
}

static void to_a_file(void **state)
{
	char path[] = "/tmp/vial-relay-XXXXXX";
	uint8_t *all = malloc(MIB);

	(void)state;
	t.dst[0] = mkstemp(path);
	unlink(path);
	make_sock(t.src);
	go(false);
	fd_set_nonblock(t.src[1], true);
	for (size_t put = 0, idle = 0; put < MIB && idle < 10000; idle++) {
		uint8_t byte[1000];
		size_t n = MIN(sizeof(byte), MIB - put);
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			byte[i] = pattern(put + i);
		r = write(t.src[1], byte, n);
		put += r > 0 ? (size_t)r : 0;
		loop_once(&t.loop, 0);
	}
	close(take_fd(&t.src[1]));
	for (int i = 0; i < 100; i++)
		spin();
	assert_int_equal(t.r.state, RELAY_EOF);
	assert_int_equal(fd_pread_full(t.dst[0], all, MIB, 0), MIB);
	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(all[i], pattern(i));
	free(all);
}

static void from_dev_null(void **state)
{
	(void)state;
	t.src[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	make_sock(t.dst);
	go(false);
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_EOF);
}

static void from_a_closed_descriptor(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	close(fd);
	t.src[0] = fd;
	make_sock(t.dst);
	/* The number may be in use again by now: take one that is not. */
	t.src[0] = 999;
	go(false);
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_SRC_FAILED);
	assert_int_equal(t.r.error, EBADF);
	t.src[0] = -1;
}

static void reader_that_leaves(void **state)
{
	(void)state;
	make_sock(t.src);
	make_pipe(t.dst, false);
	go(false);
	close(take_fd(&t.dst[1]));
	assert_int_equal(write(t.src[1], "x", 1), 1);
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_DST_FAILED);
	assert_int_equal(t.r.error, EPIPE);
}

static void a_full_disk(void **state)
{
	(void)state;
	make_sock(t.src);
	t.dst[0] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	go(false);
	assert_int_equal(write(t.src[1], "x", 1), 1);
	spin();
	assert_int_equal(t.r.state, RELAY_DST_FAILED);
	assert_int_equal(t.r.error, ENOSPC);
}

/* Asleep on one side, the other may hang up without waking the loop. */
static void no_busy_loop(void **state)
{
	char chunk[4096] = { 0 };
	struct timespec wait = { .tv_nsec = 10000000 };
	int turns = 0;

	(void)state;
	make_pipe(t.src, true);
	make_sock(t.dst);
	go(false);
	fd_set_nonblock(t.src[1], true);
	for (int i = 0; i < 1000; i++) {
		if (write(t.src[1], chunk, sizeof(chunk)) < 0)
			nanosleep(&wait, NULL);
		loop_once(&t.loop, 0);
		if (write(t.src[1], chunk, sizeof(chunk)) < 0)
			turns++;
		if (turns > 5)
			break;
	}
	close(take_fd(&t.src[1]));
	/* Everything is full: nothing may be ready now. */
	assert_int_equal(epoll_wait(t.loop.epfd, t.loop.batch, LOOP_BATCH, 0),
			 0);
}

static void takes_off_the_answer(void **state)
{
	uint8_t out[16];

	(void)state;
	make_sock(t.src);
	make_sock(t.dst);
	go(true);
	assert_int_equal(write(t.src[1], "OK ", 3), 3);
	spin();
	assert_int_equal(write(t.src[1], "1025\nhe", 7), 7);
	spin();
	assert_int_equal(write(t.src[1], "llo", 3), 3);
	spin();
	assert_int_equal(recv(t.dst[1], out, sizeof(out), MSG_DONTWAIT), 5);
	assert_memory_equal(out, "hello", 5);
}

static void start_spliced(void)
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

static void spliced_whole(void **state)
{
	(void)state;
	start_spliced();
	assert_int_equal(pump(8 * MIB, 100000, 77777), 8 * MIB);
	assert_true(t.r.splice); /* and it was not given up */
	assert_int_equal(t.r.bytes, 8 * MIB + 1);
	assert_int_equal(t.ended, 0);
	close(take_fd(&t.src[1]));
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_EOF);
}

/* A full pipe: asleep on it alone, though the socket has more. */
static void spliced_slow_reader(void **state)
{
	static uint8_t block[4096];
	ssize_t n;

	(void)state;
	start_spliced();
	fd_set_nonblock(t.src[1], true);
	do
		n = write(t.src[1], block, sizeof(block));
	while (n > 0 && loop_once(&t.loop, 0) == 0);
	spin();
	assert_true(t.r.dst.end.watch.added);
	assert_false(t.r.src.watch.added);
	assert_int_equal(t.ended, 0);
}

static void spliced_reader_that_leaves(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	start_spliced();
	close(take_fd(&t.dst[1]));
	assert_int_equal(write(t.src[1], "y", 1), 1);
	spin();
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_DST_FAILED);
	assert_int_equal(t.r.error, EPIPE);
}

static void a_refused_stream_has_failed(void **state)
{
	(void)state;
	make_sock(t.src);
	make_sock(t.dst);
	go(true);
	close(take_fd(&t.src[1]));
	spin();
	assert_int_equal(t.r.state, RELAY_SRC_FAILED);
	assert_int_equal(t.r.error, ECONNREFUSED);
}

static void a_wrong_answer_is_no_output(void **state)
{
	uint8_t out[16];

	(void)state;
	make_sock(t.src);
	make_sock(t.dst);
	go(true);
	assert_int_equal(write(t.src[1], "hello\n", 6), 6);
	spin();
	assert_int_equal(t.r.state, RELAY_SRC_FAILED);
	assert_int_equal(t.r.error, EPROTO);
	assert_true(recv(t.dst[1], out, sizeof(out), MSG_DONTWAIT) < 0);
}

/* ---- sinks ---- */

static struct side {
	struct relay_sink sink;
	int fd[2]; /* [0] the relay writes, [1] the test reads */
	unsigned gone;
} sides[RELAY_SINKS + 1];

static struct {
	uint64_t bytes, wrong;
} tapped;

static void sink_gone(struct relay_sink *s)
{
	container_of(s, struct side, sink)->gone++;
}

static void tap(struct relay *r, const uint8_t *bytes, size_t len)
{
	(void)r;
	for (size_t i = 0; i < len; i++)
		tapped.wrong += bytes[i] != pattern(tapped.bytes++);
}

static int start_sinks(void **state)
{
	memset(sides, 0, sizeof(sides));
	memset(&tapped, 0, sizeof(tapped));
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		sides[i].fd[0] = sides[i].fd[1] = -1;
	return start(state);
}

static int stop_sinks(void **state)
{
	int r = stop(state);

	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		for (int j = 0; j < 2; j++)
			if (sides[i].fd[j] >= 0)
				close(sides[i].fd[j]);
	return r;
}

static int add_side(struct side *x, bool sock)
{
	if (sock)
		make_sock(x->fd);
	else
		make_pipe(x->fd, false);
	fd_set_nonblock(x->fd[1], true);
	x->sink.gone = sink_gone;
	return relay_add(&t.r, &x->sink, x->fd[0]);
}

/* Reads at most max bytes, which are those from at on. Returns how many. */
static size_t take(int fd, size_t at, size_t max)
{
	static uint8_t buf[65536];
	ssize_t n = read(fd, buf, MIN(max, sizeof(buf)));

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(buf[i], pattern(at + (size_t)i));
	return n > 0 ? (size_t)n : 0;
}

/* The pattern from at on, as much as there is room for. */
static size_t give(size_t at, size_t max)
{
	static uint8_t buf[65536];
	ssize_t n;

	max = MIN(max, sizeof(buf));
	for (size_t i = 0; i < max; i++)
		buf[i] = pattern(at + i);
	n = write(t.src[1], buf, max);
	return n > 0 ? (size_t)n : 0;
}

static void open_sinks(void)
{
	make_sock(t.src);
	make_pipe(t.dst, false);
	fd_set_nonblock(t.src[1], true);
	fd_set_nonblock(t.dst[1], true);
	go(false);
	t.r.tap = tap;
}

/* One slow, one fast, one socket: all get the same, and the tap sees it. */
static void sinks_get_the_same(void **state)
{
	size_t put = 0, got[4] = { 0 }, idle = 0;

	(void)state;
	open_sinks();
	for (int i = 0; i < 3; i++)
		assert_int_equal(add_side(&sides[i], i == 2), 0);
	while (got[0] + got[1] + got[2] + got[3] < 4ull * MIB && idle < 1000) {
		size_t before = put + got[0] + got[1] + got[2] + got[3];

		if (put < MIB)
			put += give(put, MIN(50000, MIB - put));
		loop_once(&t.loop, 0);
		got[0] += take(t.dst[1], got[0], 65536);
		got[1] += take(sides[0].fd[1], got[1], 1777);
		got[2] += take(sides[1].fd[1], got[2], 65536);
		got[3] += take(sides[2].fd[1], got[3], 30000);
		if (before == put + got[0] + got[1] + got[2] + got[3])
			idle++;
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(got[i], MIB);
	assert_int_equal(tapped.bytes, MIB);
	assert_int_equal(tapped.wrong, 0);
	assert_int_equal(t.r.bytes, MIB);
}

/* Gives and takes at the first end until nothing moves. */
static size_t flow(size_t *put, size_t *got)
{
	size_t was = *got;

	for (int idle = 0; idle < 50; idle++) {
		size_t before = *put + *got;

		*put += give(*put, 65536);
		loop_once(&t.loop, 0);
		*got += take(t.dst[1], *got, 65536);
		if (*put + *got != before)
			idle = 0;
		if (*got - was > 8 * MIB)
			break;
	}
	return *got - was;
}

static void a_slow_sink_holds_all_up(void **state)
{
	size_t put = 0, got = 0, late = 0, n;

	(void)state;
	open_sinks();
	assert_int_equal(add_side(&sides[0], false), 0);
	flow(&put, &got);
	/* The sink's pipe and what is in the buffer, and no more. */
	assert_true(got > 0 && got <= 65536 + RELAY_BUF);
	assert_int_equal(flow(&put, &got), 0);
	/* Nothing turns while it waits. */
	assert_int_equal(epoll_wait(t.loop.epfd, t.loop.batch, LOOP_BATCH, 0),
			 0);
	while ((n = take(sides[0].fd[1], late, 65536)) > 0)
		late += n;
	assert_true(flow(&put, &got) > 0);
	/* Dropped, it holds nobody up any more. */
	relay_drop(&sides[0].sink);
	relay_drop(&sides[0].sink); /* twice is once */
	assert_true(flow(&put, &got) > 4 * MIB);
	assert_int_equal(sides[0].gone, 0);
	assert_int_equal(tapped.wrong, 0);
}

/* A reader that leaves while all wait for it lets them go. */
static void a_gone_sink_lets_go(void **state)
{
	size_t put = 0, got = 0;

	(void)state;
	open_sinks();
	assert_int_equal(add_side(&sides[0], false), 0);
	assert_int_equal(add_side(&sides[1], true), 0);
	flow(&put, &got);
	assert_int_equal(flow(&put, &got), 0);
	close(take_fd(&sides[0].fd[1]));
	flow(&put, &got);
	assert_int_equal(sides[0].gone, 1);
	assert_int_equal(sides[1].gone, 0);
	close(take_fd(&sides[1].fd[1]));
	assert_true(flow(&put, &got) > 4 * MIB);
	assert_int_equal(sides[0].gone, 1);
	assert_int_equal(sides[1].gone, 1);
	assert_int_equal(t.ended, 0);
	assert_int_equal(tapped.wrong, 0);
}

static void sinks_alone(void **state)
{
	size_t got = 0;

	(void)state;
	make_sock(t.src);
	go(false); /* t.dst[0] is -1 */
	t.r.tap = tap;
	/* Without a taker it is still read, for the tap. */
	assert_int_equal(give(0, 1000), 1000);
	spin();
	assert_int_equal(tapped.bytes, 1000);
	assert_int_equal(add_side(&sides[0], false), 0);
	assert_int_equal(give(1000, 5000), 5000);
	spin();
	got = take(sides[0].fd[1], 1000, 65536);
	assert_int_equal(got, 5000);
	relay_drop(&sides[0].sink);
	assert_int_equal(give(6000, 10), 10);
	close(take_fd(&t.src[1]));
	spin();
	assert_int_equal(tapped.bytes, 6010);
	assert_int_equal(tapped.wrong, 0);
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.r.state, RELAY_EOF);
}

static void so_many_sinks_and_no_more(void **state)
{
	(void)state;
	open_sinks();
	for (int i = 0; i < RELAY_SINKS; i++)
		assert_int_equal(add_side(&sides[i], false), 0);
	assert_int_equal(add_side(&sides[RELAY_SINKS], false), -ENOSPC);
	relay_drop(&sides[3].sink);
	assert_int_equal(relay_add(&t.r, &sides[RELAY_SINKS].sink,
				   sides[RELAY_SINKS].fd[0]),
			 0);
	assert_int_equal(give(0, 100), 100);
	spin();
	assert_int_equal(take(sides[RELAY_SINKS].fd[1], 0, 1000), 100);
	assert_int_equal(take(sides[3].fd[1], 0, 1000), 0);
	close(take_fd(&t.src[1]));
	spin();
	assert_int_equal(t.r.state, RELAY_EOF);
	assert_int_equal(relay_add(&t.r, &sides[3].sink, sides[3].fd[0]),
			 -EPIPE);
}

/* While somebody else takes the bytes, too, they have to come through here. */
static void no_splice_with_a_sink(void **state)
{
	char c[64];

	(void)state;
	start_spliced();
	assert_int_equal(add_side(&sides[0], false), 0);
	assert_int_equal(write(t.src[1], "both", 4), 4);
	spin();
	assert_int_equal(read(t.dst[1], c, sizeof(c)), 4);
	assert_int_equal(read(sides[0].fd[1], c, sizeof(c)), 4);
	assert_memory_equal(c, "both", 4);
	relay_drop(&sides[0].sink);
	assert_int_equal(write(t.src[1], "one", 3), 3);
	spin();
	assert_int_equal(read(t.dst[1], c, sizeof(c)), 3);
	assert_true(read(sides[0].fd[1], c, sizeof(c)) < 0);
	/* Alone again, the kernel may move them. */
	assert_true(t.r.splice);
	assert_int_equal(pump(2 * MIB, 100000, 77777), 2 * MIB);
	assert_int_equal(t.r.bytes, 2 * MIB + 8);
}

static void no_splice_with_a_tap(void **state)
{
	(void)state;
	start_spliced();
	t.r.tap = tap;
	assert_int_equal(pump(2 * MIB, 100000, 77777), 2 * MIB);
	assert_int_equal(tapped.bytes, 2 * MIB);
	assert_int_equal(tapped.wrong, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define S(name) cmocka_unit_test_setup_teardown(name, start_sinks, stop_sinks)
	const struct CMUnitTest tests[] = {
		T(pipe_to_socket),
		T(socket_to_pipe),
		T(socket_to_socket),
		T(patient_pipe),
		T(from_a_file),
		T(to_a_file),
		T(from_dev_null),
		T(from_a_closed_descriptor),
		T(reader_that_leaves),
		T(a_full_disk),
		T(no_busy_loop),
		T(takes_off_the_answer),
		T(spliced_whole),
		T(spliced_slow_reader),
		T(spliced_reader_that_leaves),
		T(a_refused_stream_has_failed),
		T(a_wrong_answer_is_no_output),
		S(sinks_get_the_same),
		S(a_slow_sink_holds_all_up),
		S(a_gone_sink_lets_go),
		S(sinks_alone),
		S(so_many_sinks_and_no_more),
		S(no_splice_with_a_sink),
		S(no_splice_with_a_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

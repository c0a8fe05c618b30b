/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes for more than one: every sink gets all of them, and so does a tap. */
#include "tests/unit/front/guest/relay_fixture.h"

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
#define S(name) cmocka_unit_test_setup_teardown(name, start_sinks, stop_sinks)
	const struct CMUnitTest tests[] = {
		S(sinks_get_the_same),	      S(a_slow_sink_holds_all_up),
		S(a_gone_sink_lets_go),	      S(sinks_alone),
		S(so_many_sinks_and_no_more), S(no_splice_with_a_sink),
		S(no_splice_with_a_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

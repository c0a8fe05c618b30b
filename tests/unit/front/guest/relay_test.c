/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between files, pipes and connections: all of them, in order. */
#include "tests/unit/front/guest/relay_fixture.h"

#include <stdio.h>

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

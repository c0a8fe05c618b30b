/* SPDX-License-Identifier: Apache-2.0 */
/* What a command has written is kept as it was, up to a size. */
#include "box/log.h"
#include "box/log_priv.h"

#include "base/auto.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define HEAD sizeof(struct boxlog_head)

static struct {
	char path[64];
	int dir;
	struct boxlog log;
	int out, err;
	char *got_out, *got_err; /* NUL behind */
	size_t nout, nerr;
} t;
static struct err e;

static int start(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	snprintf(t.path, sizeof(t.path), "/tmp/vial-boxlog-XXXXXX");
	if (!mkdtemp(t.path))
		return -1;
	t.dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	t.err = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	alarm(120);
	return t.dir < 0 || t.out < 0 || t.err < 0 ||
	       boxlog_open(&t.log, t.dir, 1u << 20, 2, &e) < 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	alarm(0);
	boxlog_close(&t.log);
	free(t.got_out);
	free(t.got_err);
	close(t.out);
	close(t.err);
	close(t.dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.path);
	return system(cmd);
}

static void reopen(uint64_t max, unsigned files)
{
	boxlog_close(&t.log);
	assert_int_equal(boxlog_open(&t.log, t.dir, max, files, &e), 0);
}

static char *all_of(int fd, size_t *len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)end + 1);

	assert_non_null(text);
	assert_int_equal(fd_pread_full(fd, text, (size_t)end, 0), end);
	text[end] = '\0';
	*len = (size_t)end;
	return text;
}

static int print(struct boxlog_read how)
{
	int r;

	how.out = t.out;
	how.err = t.err;
	assert_int_equal(ftruncate(t.out, 0), 0);
	assert_int_equal(ftruncate(t.err, 0), 0);
	lseek(t.out, 0, SEEK_SET);
	lseek(t.err, 0, SEEK_SET);
	r = boxlog_print(t.dir, &how, &e);
	free(take_ptr(&t.got_out));
	free(take_ptr(&t.got_err));
	t.got_out = all_of(t.out, &t.nout);
	t.got_err = all_of(t.err, &t.nerr);
	return r;
}

static int print_all(void)
{
	return print((struct boxlog_read){ .tail = -1 });
}

static void put(unsigned stream, const char *text)
{
	boxlog_write(&t.log, stream, text, strlen(text));
}

/* A record as it would be at that time. */
static void put_at(int64_t ms, unsigned stream, const char *text)
{
	struct boxlog_head h = { 0 };
	size_t len = strlen(text);

	h.time_ns = htole64((uint64_t)ms * 1000000);
	h.len = htole32((uint32_t)len);
	h.stream = (uint8_t)stream;
	assert_int_equal(fd_write_full(t.log.fd, &h, HEAD), 0);
	assert_int_equal(fd_write_full(t.log.fd, text, len), 0);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(t.dir, name, &st, 0) < 0 ? -1 : st.st_size;
}

static void bytes_come_back(void **state)
{
	enum { N = 300000 };
	uint8_t *bytes = malloc(N);
	size_t at = 0, step = 1;

	(void)state;
	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	while (at < N) {
		size_t n = MIN(step, N - at);

		boxlog_write(&t.log, 1, bytes + at, n);
		boxlog_write(&t.log, 2, bytes + at, n / 2);
		at += n;
		step = step * 3 + 1;
	}
	assert_int_equal(print_all(), 0);
	assert_int_equal(t.nout, N);
	assert_memory_equal(t.got_out, bytes, N);
	assert_true(t.nerr > 0 && t.nerr <= N / 2);
	assert_int_equal(t.log.error, 0);
	free(bytes);
}

static void streams_are_apart(void **state)
{
	(void)state;
	put(1, "one ");
	put(2, "two\n");
	put(1, "three\n");
	boxlog_write(&t.log, 1, "", 0);
	assert_int_equal(print_all(), 0);
	assert_string_equal(t.got_out, "one three\n");
	assert_string_equal(t.got_err, "two\n");
}

static void nothing_is_no_error(void **state)
{
	(void)state;
	assert_int_equal(print_all(), 0);
	assert_int_equal(t.nout + t.nerr, 0);
	unlinkat(t.dir, "log", 0);
	assert_int_equal(print_all(), 0);
	assert_int_equal(t.nout + t.nerr, 0);
}

static void it_goes_on(void **state)
{
	(void)state;
	put(1, "before\n");
	reopen(1u << 20, 2);
	put(1, "after\n");
	assert_int_equal(print_all(), 0);
	assert_string_equal(t.got_out, "before\nafter\n");
}

static void tails(void **state)
{
	static const struct {
		int64_t lines;
		const char *out, *err;
	} want[] = {
		{ 0, "", "" },
		{ 1, "", "five" },
		{ 2, "four\n", "five" },
		{ 3, "four\n", "three\nfive" },
		{ 5, "one\ntwo\nfour\n", "three\nfive" },
		{ 99, "one\ntwo\nfour\n", "three\nfive" },
	};

	(void)state;
	put(1, "one\nt");
	put(1, "wo\n");
	put(2, "three\n");
	put(1, "four\n");
	put(2, "fi");
	put(2, "ve");
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(
			print((struct boxlog_read){ .tail = want[i].lines }),
			0);
		assert_string_equal(t.got_out, want[i].out);
		assert_string_equal(t.got_err, want[i].err);
	}
}

static void since_and_until(void **state)
{
	struct boxlog_read how = { .tail = -1 };

	(void)state;
	put_at(1000, 1, "one\n");
	put_at(2000, 1, "two\n");
	put_at(3000, 1, "three\n");
	how.since_ms = 2000;
	assert_int_equal(print(how), 0);
	assert_string_equal(t.got_out, "two\nthree\n");
	how.until_ms = 2000;
	assert_int_equal(print(how), 0);
	assert_string_equal(t.got_out, "two\n");
	how.since_ms = 0;
	how.tail = 1;
	assert_int_equal(print(how), 0);
	assert_string_equal(t.got_out, "two\n");
	how.since_ms = how.until_ms = 4000;
	assert_int_equal(print(how), 0);
	assert_int_equal(t.nout, 0);
}

static void times(void **state)
{
	(void)state;
	put_at(0, 1, "be");
	put_at(1000, 1, "gun\nnext\n");
	put_at(1700000000123, 2, "x");
	assert_int_equal(
		print((struct boxlog_read){ .tail = -1, .times = true }), 0);
	assert_string_equal(t.got_out, "1970-01-01T00:00:00.000000000Z begun\n"
				       "1970-01-01T00:00:01.000000000Z next\n");
	assert_string_equal(t.got_err, "2023-11-14T22:13:20.123000000Z x");
}

static void now_is_the_time_of_a_record(void **state)
{
	struct boxlog_read how = { .tail = -1 };
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	put(1, "x");
	how.since_ms = ((int64_t)now.tv_sec - 1) * 1000;
	assert_int_equal(print(how), 0);
	assert_int_equal(t.nout, 1);
	how.until_ms = how.since_ms;
	assert_int_equal(print(how), 0);
	assert_int_equal(t.nout, 0);
}

static void rotates(void **state)
{
	enum { MAX_BYTES = 4096, LINES = 2000 };
	char line[16], first[16];

	(void)state;
	reopen(MAX_BYTES, 3);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%05d\n", i);
		put(1, line);
		assert_true(size_of("log") <= MAX_BYTES);
	}
	assert_true(size_of("log.1") > MAX_BYTES / 2);
	assert_true(size_of("log.1") <= MAX_BYTES);
	assert_true(size_of("log.2") <= MAX_BYTES);
	assert_int_equal(size_of("log.3"), -1);
	/* What is left is the end, whole and in order. */
	assert_int_equal(print_all(), 0);
	assert_true(t.nout > 2 * 6 && t.nout < 3 * MAX_BYTES);
	assert_int_equal(t.nout % 6, 0);
	for (int i = LINES - (int)(t.nout / 6); i < LINES; i++) {
		snprintf(first, sizeof(first), "%05d\n", i);
		assert_memory_equal(t.got_out +
					    6 * (i - LINES + (int)(t.nout / 6)),
				    first, 6);
	}
	assert_int_equal(print((struct boxlog_read){ .tail = 1 }), 0);
	assert_string_equal(t.got_out, line);
}

static void one_file_rotates(void **state)
{
	(void)state;
	reopen(4096, 1);
	for (int i = 0; i < 1000; i++)
		put(2, "0123456789\n");
	assert_true(size_of("log") <= 4096);
	assert_int_equal(size_of("log.1"), -1);
	assert_int_equal(print_all(), 0);
	assert_true(t.nerr >= 11 && t.nerr < 4096);
	assert_int_equal(t.log.error, 0);
}

/* One piece larger than a file may be: its end is what is kept. */
static void large_pieces_are_split(void **state)
{
	enum { N = 3u << 20 };
	uint8_t *bytes = malloc(N);

	(void)state;
	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 11);
	reopen(65536, 2);
	boxlog_write(&t.log, 1, bytes, N);
	assert_true(size_of("log") <= 65536);
	assert_true(size_of("log.1") <= 65536);
	assert_int_equal(print_all(), 0);
	assert_true(t.nout >= 65536 - HEAD);
	assert_memory_equal(t.got_out, bytes + N - t.nout, t.nout);
	/* And one that is larger than a record may be. */
	reopen(1u << 30, 2);
	boxlog_write(&t.log, 2, bytes, N);
	assert_int_equal(print_all(), 0);
	assert_int_equal(t.nerr, N);
	assert_memory_equal(t.got_err, bytes, N);
	free(bytes);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* What does not fit is lost whole, the rest can still be read, and it goes on
 * when there is room again. */
static void a_full_disk(void **state)
{
	char big[3000];

	(void)state;
	memset(big, 'x', sizeof(big));
	put(1, "first\n");
	limit_files(1000);
	boxlog_write(&t.log, 1, big, sizeof(big));
	boxlog_write(&t.log, 1, big, sizeof(big));
	limit_files(RLIM_INFINITY);
	assert_true(t.log.error == EFBIG || t.log.error == ENOSPC);
	put(1, "last\n");
	assert_int_equal(print_all(), 0);
	assert_string_equal(t.got_out, "first\nlast\n");
}

static void damage_is_said(void **state)
{
	static const struct boxlog_head bad[] = {
		{ .stream = 3 },
		{ .stream = 0 },
		{ .stream = 1, .len = 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put(1, "good\n");
		assert_int_equal(fd_write_full(t.log.fd, &bad[i], HEAD), 0);
		assert_int_equal(print_all(), -EINVAL);
		assert_non_null(strstr(e.msg, "damaged"));
		/* What came before it is shown. */
		assert_string_equal(t.got_out, "good\n");
		unlinkat(t.dir, "log", 0);
		reopen(1u << 20, 2);
	}
}

/* A keeper was killed in the middle of a record: the next one writes behind
 * the last that is whole. */
static void half_a_record(void **state)
{
	static const struct boxlog_head half = { .stream = 1, .len = 100 };

	(void)state;
	for (size_t n = 1; n <= HEAD + 1; n++) {
		put(1, "a");
		assert_int_equal(fd_write_full(t.log.fd, &half, MIN(n, HEAD)),
				 0);
		if (n > HEAD)
			assert_int_equal(fd_write_full(t.log.fd, "z", 1), 0);
		assert_int_equal(print_all(), 0);
		assert_int_equal(t.nout, 2 * n - 1);
		reopen(1u << 20, 2);
		put(1, "b");
		assert_int_equal(print_all(), 0);
		assert_int_equal(t.nout, 2 * n);
		assert_memory_equal(t.got_out + 2 * n - 2, "ab", 2);
	}
}

static void a_reader_that_leaves(void **state)
{
	struct boxlog_read how = { .tail = -1 };
	int p[2];

	(void)state;
	put(1, "x");
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	how.out = how.err = p[1];
	assert_int_equal(boxlog_print(t.dir, &how, &e), -EPIPE);
	close(p[1]);
}

static void the_last_bytes(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(boxlog_last(t.dir, 1, 100, &text), 0);
	free(text);
	put(1, "abc");
	put(2, "no");
	put(1, "defgh");
	assert_int_equal(boxlog_last(t.dir, 1, 100, &text), 8);
	assert_memory_equal(text, "abcdefgh", 8);
	free(text);
	assert_int_equal(boxlog_last(t.dir, 1, 4, &text), 4);
	assert_memory_equal(text, "efgh", 4);
	free(text);
	assert_int_equal(boxlog_last(t.dir, 2, 4, &text), 2);
	assert_memory_equal(text, "no", 2);
	free(text);
}

/* ---- following ---- */

enum { FOLLOW_TURNS = 40, FOLLOW_LINES = 50 };

/* The keeper's part, between two looks: it writes, and rotates now and then. */
static bool write_more(void *arg)
{
	int *turn = arg;
	char line[16];

	for (int i = 0; i < FOLLOW_LINES && *turn < FOLLOW_TURNS; i++) {
		snprintf(line, sizeof(line), "%05d\n",
			 *turn * FOLLOW_LINES + i);
		put(1, line);
	}
	return ++*turn > FOLLOW_TURNS;
}

static void follows(void **state)
{
	int turn = 0;
	struct boxlog_read how = {
		.tail = -1, .follow = true, .ended = write_more, .arg = &turn
	};
	char line[16];

	(void)state;
	reopen(4096, 2);
	put(1, "first\n");
	assert_int_equal(print(how), 0);
	assert_true(size_of("log.1") > 0);
	assert_int_equal(t.nout, 6 + 6 * FOLLOW_TURNS * FOLLOW_LINES);
	assert_memory_equal(t.got_out, "first\n", 6);
	for (int i = 0; i < FOLLOW_TURNS * FOLLOW_LINES; i++) {
		snprintf(line, sizeof(line), "%05d\n", i);
		assert_memory_equal(t.got_out + 6 + 6 * i, line, 6);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(bytes_come_back),
		T(streams_are_apart),
		T(nothing_is_no_error),
		T(it_goes_on),
		T(tails),
		T(since_and_until),
		T(times),
		T(now_is_the_time_of_a_record),
		T(rotates),
		T(one_file_rotates),
		T(large_pieces_are_split),
		T(a_full_disk),
		T(damage_is_said),
		T(half_a_record),
		T(a_reader_that_leaves),
		T(the_last_bytes),
		T(follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tunnel.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* A tunnel between two socket pairs: ours are the outer ends. */
struct fixture {
	struct loop loop;
	struct tunnel tunnel;
	int out[2], in[2];
	bool over;
};

static void over(struct tunnel *t)
{
	struct fixture *f = container_of(t, struct fixture, tunnel);

	assert_false(f->over);
	f->over = true;
	tunnel_fini(t);
}

static void set_up(struct fixture *f)
{
	int s[2];
	struct err e;

	*f = (struct fixture){ .over = false };
	assert_int_equal(loop_init(&f->loop, NULL, &e), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
		f->out[i] = s[0];
		f->in[i] = s[1];
		fd_set_nonblock(s[0], true);
	}
	tunnel_init(&f->tunnel, &f->loop, f->in[0]);
	f->tunnel.over = over;
}

static void tie(struct fixture *f)
{
	struct err e;

	assert_int_equal(tunnel_tie(&f->tunnel, f->in[1], &e), 0);
}

static void tear_down(struct fixture *f)
{
	tunnel_fini(&f->tunnel);
	for (int i = 0; i < 2; i++)
		if (f->out[i] >= 0)
			close(f->out[i]);
	loop_fini(&f->loop);
}

static void quit(struct fixture *f, int i)
{
	close(take_fd(&f->out[i]));
}

/* Until nothing happens any more. */
static void settle(struct fixture *f)
{
	struct epoll_event ev[4];
	int rounds = 0;

	while (!f->over && epoll_wait(f->loop.epfd, ev, 4, 0) > 0) {
		assert_int_equal(loop_once(&f->loop, 0), 0);
		/* A loop that spins would go on for ever. */
		assert_true(++rounds < 10000);
	}
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 11);
}

/* As much as goes in. */
static size_t stuff(int fd, size_t from, size_t most)
{
	static uint8_t b[50000];
	size_t at = from;
	ssize_t n = 1;

	while (n > 0 && at < most) {
		size_t len = MIN(sizeof(b), most - at);

		for (size_t i = 0; i < len; i++)
			b[i] = byte_at(at + i);
		n = send(fd, b, len, MSG_NOSIGNAL);
		at += n > 0 ? (size_t)n : 0;
	}
	return at - from;
}

static size_t drain(int fd, size_t from)
{
	static uint8_t b[30000];
	size_t at = from;
	ssize_t n;

	while ((n = recv(fd, b, sizeof(b), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(at++))
				fail_msg("byte %zu is wrong", at - 1);
	return at - from;
}

static bool at_eof(int fd)
{
	char c;

	return recv(fd, &c, 1, 0) == 0;
}

static void bytes_both_ways(void **state)
{
	const size_t total = 8 * MIB;
	size_t sent[2] = { 0 }, got[2] = { 0 };
	struct fixture f;

	(void)state;
	set_up(&f);
	tie(&f);
	while (got[0] < total || got[1] < total) {
		size_t before = got[0] + got[1] + sent[0] + sent[1];

		for (int i = 0; i < 2; i++) {
			sent[i] += stuff(f.out[i], sent[i], total);
			settle(&f);
			got[i] += drain(f.out[!i], got[i]);
			settle(&f);
		}
		assert_true(got[0] + got[1] + sent[0] + sent[1] > before);
	}
	assert_false(f.over);
	tear_down(&f);
}

/* The end of one way is an end of that way alone. */
static void half_close(void **state)
{
	struct fixture f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		set_up(&f);
		tie(&f);
		assert_int_equal(stuff(f.out[i], 0, 1000), 1000);
		shutdown(f.out[i], SHUT_WR);
		settle(&f);
		assert_int_equal(drain(f.out[!i], 0), 1000);
		assert_true(at_eof(f.out[!i]));
		assert_false(f.over);
		assert_int_equal(stuff(f.out[!i], 0, 2000), 2000);
		shutdown(f.out[!i], SHUT_WR);
		settle(&f);
		assert_true(f.over);
		assert_int_equal(drain(f.out[i], 0), 2000);
		assert_true(at_eof(f.out[i]));
		tear_down(&f);
	}
}

/* What a peer wrote before it left is delivered, however slow the other is. */
static void last_bytes(void **state)
{
	struct fixture f;
	size_t sent, got = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		set_up(&f);
		tie(&f);
		got = 0;
		/* More than one side's buffer holds. */
		sent = stuff(f.out[i], 0, 64 * MIB);
		settle(&f);
		sent += stuff(f.out[i], sent, 64 * MIB);
		settle(&f);
		quit(&f, i);
		settle(&f);
		assert_false(f.over);
		do {
			got += drain(f.out[!i], got);
			settle(&f);
		} while (!f.over);
		got += drain(f.out[!i], got);
		assert_int_equal(got, sent);
		assert_true(at_eof(f.out[!i]));
		tear_down(&f);
	}
}

/* A writer whose reader has gone is told at its next write. */
static void reader_gone(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	tie(&f);
	quit(&f, 1);
	settle(&f);
	assert_true(f.over);
	assert_true(send(f.out[0], "x", 1, MSG_NOSIGNAL) < 0);
	assert_int_equal(errno, EPIPE);
	tear_down(&f);
}

/* One that only reads no more, but still writes. */
static void deaf_reader(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	tie(&f);
	shutdown(f.out[1], SHUT_RD);
	assert_int_equal(stuff(f.out[0], 0, 10), 10);
	settle(&f);
	assert_true(send(f.out[0], "x", 1, MSG_NOSIGNAL) < 0);
	assert_false(f.over);
	assert_int_equal(stuff(f.out[1], 0, 1000), 1000);
	quit(&f, 1);
	settle(&f);
	assert_true(f.over);
	assert_int_equal(drain(f.out[0], 0), 1000);
	tear_down(&f);
}

/* Memory does not grow with what a slow reader has before it. */
static void bounded(void **state)
{
	struct fixture f;
	size_t first, more;

	(void)state;
	set_up(&f);
	tie(&f);
	first = stuff(f.out[0], 0, 256 * MIB);
	settle(&f);
	more = stuff(f.out[0], first, 256 * MIB);
	settle(&f);
	assert_true(first + more < 16 * MIB);
	assert_non_null(f.tunnel.way[0].rest);
	assert_true(f.tunnel.way[0].end <= TUNNEL_CHUNK);
	assert_int_equal(stuff(f.out[0], first + more, 256 * MIB), 0);
	/* The other way is free. */
	assert_int_equal(stuff(f.out[1], 0, 1000), 1000);
	settle(&f);
	assert_int_equal(drain(f.out[0], 0), 1000);
	tear_down(&f);
}

static void early_bytes(void **state)
{
	struct fixture f;
	uint8_t b[100];

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = byte_at(i);
	assert_int_equal(tunnel_early(&f.tunnel, b, sizeof(b)), 0);
	tie(&f);
	assert_int_equal(stuff(f.out[0], 100, 300), 200);
	settle(&f);
	assert_int_equal(drain(f.out[1], 0), 300);
	tear_down(&f);
}

static ssize_t strip_line(struct tunnel *t, const uint8_t *bytes, size_t len)
{
	const uint8_t *nl = memchr(bytes, '\n', len);

	if (*bytes == '!')
		return -EPROTO;
	if (!nl)
		return (ssize_t)len;
	t->strip = NULL;
	return nl + 1 - bytes;
}

static void first_line_is_taken_off(void **state)
{
	struct fixture f;
	char b[16] = "";

	(void)state;
	set_up(&f);
	f.tunnel.strip = strip_line;
	tie(&f);
	assert_int_equal(send(f.out[0], "O", 1, 0), 1);
	settle(&f);
	assert_int_equal(send(f.out[0], "K 7\nrest", 8, 0), 8);
	settle(&f);
	assert_int_equal(recv(f.out[1], b, sizeof(b), 0), 4);
	assert_string_equal(b, "rest");
	tear_down(&f);
	set_up(&f);
	f.tunnel.strip = strip_line;
	tie(&f);
	assert_int_equal(send(f.out[0], "!no", 3, 0), 3);
	settle(&f);
	assert_true(f.over);
	assert_true(at_eof(f.out[1]));
	tear_down(&f);
}

/* ---- calling ---- */

static int listener(char *path, size_t size)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(path, size, "/tmp/tunnel_test.%d", (int)getpid());
	unlink(path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void calls(void **state)
{
	struct fixture f;
	char path[64];
	struct err e;
	int fd, got;

	(void)state;
	set_up(&f);
	close(f.out[1]);
	close(f.in[1]);
	fd = listener(path, sizeof(path));
	assert_int_equal(stuff(f.out[0], 0, 500), 500);
	assert_int_equal(tunnel_dial(&f.tunnel, path, &e), 0);
	got = f.out[1] = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(got >= 0);
	settle(&f);
	assert_int_equal(drain(got, 0), 500);
	tear_down(&f);
	close(fd);
	unlink(path);
}

static void waits_for_its_turn(void **state)
{
	struct fixture f[3];
	char path[64];
	struct err e;
	int fd;

	(void)state;
	fd = listener(path, sizeof(path));
	/* A queue of none has room for one. */
	for (int i = 0; i < 3; i++) {
		set_up(&f[i]);
		close(f[i].out[1]);
		close(f[i].in[1]);
		f[i].out[1] = -1;
		assert_int_equal(tunnel_dial(&f[i].tunnel, path, &e), 0);
	}
	assert_int_equal(f[0].tunnel.tries, 0);
	assert_true(f[2].tunnel.end[1].watch.fd < 0);
	for (int i = 0; i < 3; i++) {
		f[i].out[1] = accept(fd, NULL, NULL);
		assert_true(f[i].out[1] >= 0);
		for (int j = i + 1; j < 3; j++)
			while (i + 1 == j && f[j].tunnel.end[1].watch.fd < 0)
				assert_int_equal(loop_once(&f[j].loop, -1), 0);
	}
	for (int i = 0; i < 3; i++)
		tear_down(&f[i]);
	close(fd);
	unlink(path);
}

static void nobody_there(void **state)
{
	char far[TUNNEL_PATH_MAX + 2];
	struct fixture f;
	struct err e;

	(void)state;
	set_up(&f);
	close(f.in[1]);
	assert_int_equal(tunnel_dial(&f.tunnel, "/nowhere/at/all", &e),
			 -ENOENT);
	memset(far, 'a', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	assert_int_equal(tunnel_dial(&f.tunnel, far, &e), -ENAMETOOLONG);
	tear_down(&f);
	tear_down(&(struct fixture){ .out = { -1, -1 } });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_both_ways),
		cmocka_unit_test(half_close),
		cmocka_unit_test(last_bytes),
		cmocka_unit_test(reader_gone),
		cmocka_unit_test(deaf_reader),
		cmocka_unit_test(bounded),
		cmocka_unit_test(early_bytes),
		cmocka_unit_test(first_line_is_taken_off),
		cmocka_unit_test(calls),
		cmocka_unit_test(waits_for_its_turn),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

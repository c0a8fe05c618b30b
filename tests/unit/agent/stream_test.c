/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: every byte, in any order of events, and none too many in memory. */
#include "tests/guest/peer.h"

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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

static char sh[] = "/bin/sh", dash_c[] = "-c";
static uint64_t key = 1;

static int start(void **state)
{
	static struct peer p;

	peer_start(&p);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	peer_stop(*state);
	return 0;
}

static void exec_now(struct peer *p, Vial__Agent__Exec *x)
{
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
}

static void exited(struct peer *p, struct peer_result *r)
{
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED), r);
}

/* The bytes a generator makes; the same on both sides. */
static uint8_t byte_at(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13);
}

/* A stream through cat and back, written and read by two processes. */
static void through_cat(struct peer *p, size_t total)
{
	char cat[] = "cat";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(cat));
	struct peer_result r;
	static uint8_t block[65536];
	size_t seen = 0;
	int in, out;
	ssize_t n;
	pid_t pid;

	x.stdin = true;
	x.stderr = false;
	exec_now(p, &x);
	in = peer_stream(p, x.key, 0);
	out = peer_stream(p, x.key, 1);
	pid = fork();
	if (pid == 0) {
		for (size_t at = 0; at < total; at += sizeof(block)) {
			for (size_t i = 0; i < sizeof(block); i++)
				block[i] = byte_at(at + i);
			fd_write_full(in, block, sizeof(block));
		}
		_exit(0);
	}
	close(in);
	while ((n = read(out, block, sizeof(block))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (block[i] != byte_at(seen++))
				fail_msg("byte %zu is wrong", seen - 1);
	assert_int_equal(n, 0);
	assert_int_equal(seen, total);
	close(out);
	waitpid(pid, NULL, 0);
	exited(p, &r);
	assert_int_equal(r.status, 0);
}

static void every_byte(void **state)
{
	through_cat(*state, 64 * MIB);
}

static void end_of_stdin(void **state)
{
	char text[] = "cat; echo done";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	peer_run(*state, &x, "line\n", &r);
	assert_string_equal(r.out, "line\ndone\n");
	peer_result_fini(&r);
	x.key = key++;
	peer_run(*state, &x, "", &r);
	assert_string_equal(r.out, "done\n");
	peer_result_fini(&r);
}

/* The command does not want its input: writing ends, the command does not. */
static void stdin_nobody_reads(void **state)
{
	struct peer *p = *state;
	char text[] = "exec 0<&-; while ! test -e \"$0\"; do sleep 0.01; done",
	     flag[64];
	Vial__Agent__Exec x =
		peer_exec(key++, PEER_ARGS(sh, dash_c, text, flag));
	static char junk[65536];
	struct peer_result r;
	char cmd[128];
	int in;

	snprintf(flag, sizeof(flag), "%s/flag", p->dir);
	x.stdin = true;
	x.stdout = x.stderr = false;
	exec_now(p, &x);
	in = peer_stream(p, x.key, 0);
	/* More than every buffer between here and there holds. */
	for (;;)
		if (send(in, junk, sizeof(junk), MSG_NOSIGNAL) < 0)
			break;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	close(in);
	snprintf(cmd, sizeof(cmd), "touch %s", flag);
	assert_int_equal(system(cmd), 0);
	exited(p, &r);
	assert_int_equal(r.status, 0);
}

/* A host that does not read stops the command, and the agent does not store
 * what it would write; Exited waits. */
static void slow_reader(void **state)
{
	struct peer *p = *state;
	char text[] = "head -c 33554432 /dev/zero; touch \"$0\"", flag[64];
	Vial__Agent__Exec x =
		peer_exec(key++, PEER_ARGS(sh, dash_c, text, flag));
	struct peer_result r, other;
	size_t len;
	int out;

	snprintf(flag, sizeof(flag), "%s/written", p->dir);
	x.stderr = false;
	exec_now(p, &x);
	out = peer_stream(p, x.key, 1);
	/* Others are served meanwhile, ten times over. */
	for (int i = 0; i < 10; i++) {
		peer_sh(p, "echo fine", &other);
		assert_string_equal(other.out, "fine\n");
		peer_result_fini(&other);
	}
	assert_int_equal(access(flag, F_OK), -1);
	free(peer_read_all(out, &len));
	assert_int_equal(len, 32 * MIB);
	exited(p, &r);
	assert_int_equal(r.status, 0);
	assert_false(r.cut);
}

/* The reader goes away: the command is told as in any pipe. */
static void reader_goes_away(void **state)
{
	struct peer *p = *state;
	char yes[] = "yes", c[1];
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(yes));
	struct peer_result r;
	int out;

	x.stderr = false;
	exec_now(p, &x);
	out = peer_stream(p, x.key, 1);
	assert_int_equal(read(out, c, 1), 1);
	close(out);
	exited(p, &r);
	assert_int_equal(r.signal, SIGPIPE);
}

static void two_outputs_stay_apart(void **state)
{
	struct peer *p = *state;
	struct peer_result r;

	peer_sh(p,
		"i=0; while [ $i -lt 500 ]; do echo o; echo e >&2; "
		"i=$((i+1)); done",
		&r);
	assert_int_equal(r.out_len, 1000);
	assert_int_equal(r.err_len, 1000);
	assert_null(memchr(r.out, 'e', r.out_len));
	assert_null(memchr(r.err, 'o', r.err_len));
	peer_result_fini(&r);
}

/* A host need not wait for anything: streams come first, their first bytes in
 * the same packet, and Hello, Exec and Signal are sent at once. */
static void streams_before_exec(void **state)
{
	struct peer *p = *state;
	char text[] = "cat; echo err >&2; exit 3";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	Vial__Agent__Stream s = VIAL__AGENT__STREAM__INIT;
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	autofree char *out = NULL, *err = NULL;
	struct peer_result r;
	struct chan c;
	int fd[3];

	x.stdin = true;
	s.key = x.key;
	q.op_case = VIAL__AGENT__REQUEST__OP_STREAM;
	q.stream = &s;
	chan_init(&c, peer_connect(p));
	chan_put(&c, &q.base);
	buf_append(&c.out, "early\n", 6);
	assert_int_equal(chan_flush(&c), 1);
	fd[0] = c.fd;
	shutdown(fd[0], SHUT_WR);
	chan_fini(&c);
	fd[1] = peer_stream(p, x.key, 1);
	fd[2] = peer_stream(p, x.key, 2);
	exec_now(p, &x);
	out = peer_read_all(fd[1], NULL);
	err = peer_read_all(fd[2], NULL);
	assert_string_equal(out, "early\n");
	assert_string_equal(err, "err\n");
	exited(p, &r);
	assert_int_equal(r.status, 3);
	close(fd[0]);
}

static void all_at_once(void **state)
{
	struct peer *p = *state;
	char text[] = "echo hi";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	struct peer_result r;
	struct chan c;

	x.stdout = x.stderr = false;
	chan_init(&c, peer_connect(p));
	h.generation = 7;
	q.op_case = VIAL__AGENT__REQUEST__OP_HELLO;
	q.hello = &h;
	chan_put(&c, &q.base);
	q.op_case = VIAL__AGENT__REQUEST__OP_EXEC;
	q.exec = &x;
	chan_put(&c, &q.base);
	assert_int_equal(chan_flush(&c), 1);
	Vial__Agent__Event *ev = peer_expect(&c, VIAL__AGENT__EVENT__EV_HELLO);
	assert_int_equal(ev->hello->generation, 4);
	peer_free(ev);
	peer_free(peer_expect(&c, VIAL__AGENT__EVENT__EV_STARTED));
	peer_exited(peer_expect(&c, VIAL__AGENT__EVENT__EV_EXITED), &r);
	assert_int_equal(r.status, 0);
	peer_hang_up(&c);
}

/* The Exec fails: streams that came for it are ended. */
static void streams_of_a_failed_exec(void **state)
{
	struct peer *p = *state;
	char nope[] = "/nope", c;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(nope));
	int out = peer_stream(p, x.key, 1);
	struct peer_result r;

	/* Answered means that the stream's connection was read before. */
	peer_sh(p, ":", &r);
	peer_result_fini(&r);
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_FAILED));
	assert_int_equal(read(out, &c, 1), 0);
	close(out);
}

static void second_stream_is_ended(void **state)
{
	struct peer *p = *state;
	char cat[] = "cat", c;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(cat));
	struct peer_result r;
	int in, out, again;

	x.stdin = true;
	x.stderr = false;
	exec_now(p, &x);
	in = peer_stream(p, x.key, 0);
	out = peer_stream(p, x.key, 1);
	fd_write_full(in, "x", 1);
	assert_int_equal(read(out, &c, 1), 1);
	again = peer_stream(p, x.key, 1);
	assert_int_equal(read(again, &c, 1), 0);
	close(again);
	again = peer_stream(p, x.key, 2);
	assert_int_equal(read(again, &c, 1), 0);
	close(again);
	close(in);
	assert_int_equal(read(out, &c, 1), 0);
	close(out);
	exited(p, &r);
}

/* Each of these ends its own connection with one Failed, and nothing else. */
static void malformed(void **state)
{
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0x7f };
	static const uint8_t junk[] = { 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t empty[] = { 0, 0, 0, 0 };
	/* Setup before Hello. */
	static const uint8_t early[] = { 2, 0, 0, 0, 0x1a, 0 };
	/* Hello of generation 0. */
	static const uint8_t zero[] = { 2, 0, 0, 0, 0x0a, 0 };
	/* Field 99: an operation of the future. */
	static const uint8_t next[] = { 3, 0, 0, 0, 0x9a, 0x06, 0 };
	static const struct {
		const uint8_t *bytes;
		size_t len;
	} cases[] = {
		{ huge, sizeof(huge) },	  { junk, sizeof(junk) },
		{ empty, sizeof(empty) }, { early, sizeof(early) },
		{ zero, sizeof(zero) },	  { next, sizeof(next) },
	};
	struct peer *p = *state;
	struct peer_result r;
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct chan c;

		chan_init(&c, peer_connect(p));
		fd_write_full(c.fd, cases[i].bytes, cases[i].len);
		Vial__Agent__Event *ev =
			peer_expect(&c, VIAL__AGENT__EVENT__EV_FAILED);
		assert_int_equal(ev->failed->kind,
				 VIAL__AGENT__FAILED__KIND__BAD_REQUEST);
		peer_free(ev);
		assert_int_equal(read(c.fd, &byte, 1), 0);
		peer_hang_up(&c);
	}
	/* Half a frame, then gone. */
	int fd = peer_connect(p);
	fd_write_full(fd, junk, 3);
	close(fd);
	peer_sh(p, "echo alive", &r);
	assert_string_equal(r.out, "alive\n");
	peer_result_fini(&r);
}

static void hello_twice(void **state)
{
	struct peer *p = *state;
	Vial__Agent__Hello h = VIAL__AGENT__HELLO__INIT;
	struct chan c;
	char byte;

	peer_control(p, &c);
	h.generation = 1;
	peer_request(&c, VIAL__AGENT__REQUEST__OP_HELLO, &h);
	peer_free(peer_expect(&c, VIAL__AGENT__EVENT__EV_FAILED));
	assert_int_equal(read(c.fd, &byte, 1), 0);
	peer_hang_up(&c);
}

static void setup_once(void **state)
{
	struct peer *p = *state;
	Vial__Agent__Setup m = VIAL__AGENT__SETUP__INIT;
	char name[] = "box", say[] = "echo $HOSTNAME";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, say));
	struct peer_result r;
	Vial__Agent__Event *ev;

	m.hostname = name;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_SETUP, &m);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_SETUP_DONE);
	assert_true(ev->setup_done->boot_us > 0);
	peer_free(ev);
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_SETUP, &m);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_FAILED);
	assert_int_equal(ev->failed->kind,
			 VIAL__AGENT__FAILED__KIND__BAD_REQUEST);
	peer_free(ev);
	peer_run(p, &x, NULL, &r);
	assert_string_equal(r.out, "box\n");
	peer_result_fini(&r);
}

static void stats(void **state)
{
	struct peer *p = *state;
	Vial__Agent__Stats m = VIAL__AGENT__STATS__INIT;
	Vial__Agent__Event *ev;

	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_STATS, &m);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STATS);
	assert_true(ev->stats->mem_total_bytes >
		    ev->stats->mem_available_bytes);
	assert_true(ev->stats->mem_available_bytes > 0);
	assert_true(ev->stats->processes > 0);
	assert_true(ev->stats->cpu_us > 0);
	assert_true(ev->stats->disk_total_bytes > ev->stats->disk_free_bytes);
	peer_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte),
		cmocka_unit_test(end_of_stdin),
		cmocka_unit_test(stdin_nobody_reads),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(reader_goes_away),
		cmocka_unit_test(two_outputs_stay_apart),
		cmocka_unit_test(streams_before_exec),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(streams_of_a_failed_exec),
		cmocka_unit_test(second_stream_is_ended),
		cmocka_unit_test(malformed),
		cmocka_unit_test(hello_twice),
		cmocka_unit_test(setup_once),
		cmocka_unit_test(stats),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

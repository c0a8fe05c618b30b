/* SPDX-License-Identifier: Apache-2.0 */
/* How a command comes to its end: by a signal, by the clock, with its host, or
 * with what it left behind. Commands wait for files or for signals; no test
 * depends on how long anything takes. */
#include "tests/guest/peer.h"

#include "base/auto.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Longer than any test may last. */
#define FOREVER "sleep 100000"

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

/* Started, and its stdout, with the line it says when it is ready. */
static int launch(struct peer *p, struct chan *c, Vial__Agent__Exec *x)
{
	char line[64];
	int out;

	x->stderr = false;
	peer_request(c, VIAL__AGENT__REQUEST__OP_EXEC, x);
	peer_free(peer_expect(c, VIAL__AGENT__EVENT__EV_STARTED));
	out = peer_stream(p, x->key, 1);
	assert_true(read(out, line, sizeof(line)) > 0);
	return out;
}

static void exited(struct chan *c, struct peer_result *r)
{
	peer_exited(peer_expect(c, VIAL__AGENT__EVENT__EV_EXITED), r);
}

static void send_signal(struct chan *c, uint64_t to, int sig, bool group)
{
	Vial__Agent__Signal m = VIAL__AGENT__SIGNAL__INIT;

	m.key = to;
	m.signal = (uint32_t)sig;
	m.group = group;
	peer_request(c, VIAL__AGENT__REQUEST__OP_SIGNAL, &m);
}

static void signal_to_the_process(void **state)
{
	struct peer *p = *state;
	char text[] = "trap 'echo got; exit 9' USR1; echo ready; "
		      "while :; do sleep 0.01; done";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;
	autofree char *said = NULL;
	struct chan c;
	int out = launch(p, &p->control, &x);

	/* From another connection: the key is the command's name. */
	peer_control(p, &c);
	send_signal(&c, x.key, SIGUSR1, false);
	said = peer_read_all(out, NULL);
	assert_string_equal(said, "got\n");
	exited(&p->control, &r);
	assert_int_equal(r.status, 9);
	/* Too late, or no such command: nothing happens. */
	send_signal(&c, x.key, SIGKILL, true);
	peer_hang_up(&c);
}

static void signal_to_the_group(void **state)
{
	struct peer *p = *state;
	char text[] = FOREVER " & echo ready; wait";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;
	int out = launch(p, &p->control, &x);
	char c;

	/* The child holds the pipe; both must go for it to end. */
	send_signal(&p->control, x.key, SIGINT, true);
	send_signal(&p->control, x.key, SIGTERM, true);
	while (read(out, &c, 1) > 0)
		;
	close(out);
	exited(&p->control, &r);
	assert_true(r.signal == SIGINT || r.signal == SIGTERM);
}

static void time_out(void **state)
{
	struct peer *p = *state;
	char text[] = "echo ready; exec " FOREVER;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	x.timeout_ms = 50;
	x.grace_ms = 100000;
	peer_run(p, &x, NULL, &r);
	assert_true(r.timed_out);
	assert_int_equal(r.signal, SIGTERM);
	peer_result_fini(&r);
}

static void time_out_with_last_words(void **state)
{
	struct peer *p = *state;
	char text[] = "trap 'echo last words; exit 5' TERM; "
		      "while :; do sleep 0.01; done";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	x.timeout_ms = 50;
	x.grace_ms = 100000;
	peer_run(p, &x, NULL, &r);
	assert_true(r.timed_out);
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "last words\n");
	peer_result_fini(&r);
}

static void time_out_of_the_deaf(void **state)
{
	struct peer *p = *state;
	char text[] = "trap '' TERM; echo ready; " FOREVER "& wait; " FOREVER;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	x.timeout_ms = 50;
	x.grace_ms = 50;
	peer_run(p, &x, NULL, &r);
	assert_true(r.timed_out);
	assert_int_equal(r.signal, SIGKILL);
	assert_false(r.cut);
	peer_result_fini(&r);
}

/* A process left behind keeps the stream open; what it writes belongs to the
 * command, so Exited waits for it. */
static void left_behind(void **state)
{
	struct peer *p = *state;
	char text[] = "(while ! test -e \"$0\"; do sleep 0.01; done; "
		      "echo late) & echo ready",
	     flag[64], cmd[128];
	Vial__Agent__Exec x =
		peer_exec(key++, PEER_ARGS(sh, dash_c, text, flag));
	struct peer_result r;
	autofree char *rest = NULL;
	int out;

	snprintf(flag, sizeof(flag), "%s/go", p->dir);
	out = launch(p, &p->control, &x);
	snprintf(cmd, sizeof(cmd), "touch %s", flag);
	assert_int_equal(system(cmd), 0);
	rest = peer_read_all(out, NULL);
	assert_string_equal(rest, "late\n");
	exited(&p->control, &r);
	assert_int_equal(r.status, 0);
	assert_false(r.cut);
}

static void left_behind_and_killed(void **state)
{
	struct peer *p = *state;
	char text[] = FOREVER " & echo ready; exit 4";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	x.kill_rest = true;
	peer_run(p, &x, NULL, &r);
	assert_int_equal(r.status, 4);
	assert_string_equal(r.out, "ready\n");
	assert_false(r.cut);
	peer_result_fini(&r);
}

/* The time limit is for the whole of it. */
static void left_behind_and_late(void **state)
{
	struct peer *p = *state;
	char text[] = FOREVER " & echo ready";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer_result r;

	x.timeout_ms = 100;
	peer_run(p, &x, NULL, &r);
	assert_true(r.timed_out);
	assert_string_equal(r.out, "ready\n");
	peer_result_fini(&r);
}

static void wait_gone(int pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	while (access(path, F_OK) == 0)
		usleep(1000);
}

/* What it says last are two pids: its own and its child's. */
static void launch_pair(struct peer *p, struct chan *c, bool detach,
			int pids[2])
{
	char text[] = FOREVER " & echo $$ $!; wait", line[64] = "";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	int out;

	x.stderr = false;
	x.detach = detach;
	peer_request(c, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(c, VIAL__AGENT__EVENT__EV_STARTED));
	out = peer_stream(p, x.key, 1);
	assert_true(read(out, line, sizeof(line) - 1) > 0);
	assert_int_equal(sscanf(line, "%d %d", &pids[0], &pids[1]), 2);
	close(out);
}

static void host_goes_away(void **state)
{
	struct peer *p = *state;
	struct chan c;
	int pids[2];

	peer_control(p, &c);
	launch_pair(p, &c, false, pids);
	peer_hang_up(&c);
	wait_gone(pids[0]);
	wait_gone(pids[1]);
}

static void host_goes_away_detached(void **state)
{
	struct peer *p = *state;
	struct peer_result r;
	struct chan c;
	int pids[2];

	peer_control(p, &c);
	launch_pair(p, &c, true, pids);
	peer_hang_up(&c);
	/* Answered after the hang-up was seen, or else soon: the agent takes
	 * connections in turn. */
	for (int i = 0; i < 3; i++) {
		peer_sh(p, ":", &r);
		peer_result_fini(&r);
	}
	assert_int_equal(kill(pids[0], 0), 0);
	assert_int_equal(kill(pids[1], 0), 0);
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	wait_gone(pids[0]);
	wait_gone(pids[1]);
}

/* A host that vanishes in the middle of everything. */
static void host_goes_away_early(void **state)
{
	struct peer *p = *state;
	char cat[] = "cat";

	for (int i = 0; i < 30; i++) {
		Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(cat));
		struct chan c;
		int fd[3] = { -1, -1, -1 };

		peer_control(p, &c);
		x.stdin = true;
		for (int s = 0; s < i % 4 && s < 3; s++)
			fd[s] = peer_stream(p, x.key, s);
		peer_request(&c, VIAL__AGENT__REQUEST__OP_EXEC, &x);
		if (i % 2)
			peer_free(peer_expect(&c,
					      VIAL__AGENT__EVENT__EV_STARTED));
		peer_hang_up(&c);
		for (int s = 0; s < 3; s++)
			if (fd[s] >= 0)
				close(fd[s]);
	}
}

/* What is waited for with a limit, all at once: the limits are seconds.
 *
 * 1  an output nobody comes for
 * 2  a survivor of kill_rest, which left the group, holds the stream
 * 3  a stream whose job never comes
 * 4  a connection that says nothing */
static void patience_ends(void **state)
{
	struct peer *p = *state;
	char echo[] = "echo lost", flag[64];
	char flee[] = "setsid sh -c 'touch \"$0\"; exec " FOREVER "' \"$0\" & "
		      "while ! test -e \"$0\"; do sleep 0.01; done; echo $!";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, echo));
	Vial__Agent__Exec y =
		peer_exec(key++, PEER_ARGS(sh, dash_c, flee, flag));
	autofree char *said = NULL;
	int parked = peer_stream(p, 999999, 1), idle = peer_connect(p), out;
	struct chan c;
	struct peer_result r;
	char byte;

	snprintf(flag, sizeof(flag), "%s/fled", p->dir);
	peer_control(p, &c);
	peer_request(&c, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	y.stderr = false;
	y.kill_rest = true;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &y);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	out = peer_stream(p, y.key, 1);
	said = peer_read_all(out, NULL);
	exited(&p->control, &r);
	assert_true(r.cut);
	kill(atoi(said), SIGKILL);
	peer_free(peer_expect(&c, VIAL__AGENT__EVENT__EV_STARTED));
	exited(&c, &r);
	assert_true(r.cut);
	assert_int_equal(r.status, 0);
	peer_hang_up(&c);
	assert_int_equal(read(parked, &byte, 1), 0);
	close(parked);
	assert_int_equal(read(idle, &byte, 1), 0);
	close(idle);
	/* And again, with nothing else to wait for. */
	idle = peer_connect(p);
	assert_int_equal(read(idle, &byte, 1), 0);
	close(idle);
}

#define MANY 200

/* All at work at the same time: each is there before the first may end. */
static void two_hundred(void **state)
{
	struct peer *p = *state;
	static char text[] = "read x; echo $0 $x; exit $(($0 % 100))";
	static char number[MANY][12];
	static int in[MANY], out[MANY];
	bool seen[MANY] = { false };
	uint64_t first = key;

	key += MANY;
	for (int i = 0; i < MANY; i++) {
		Vial__Agent__Exec x;

		snprintf(number[i], sizeof(number[i]), "%d", i);
		x = peer_exec(first + (uint64_t)i,
			      PEER_ARGS(sh, dash_c, text, number[i]));
		x.stdin = true;
		x.stderr = false;
		peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
		in[i] = peer_stream(p, x.key, 0);
		out[i] = peer_stream(p, x.key, 1);
	}
	for (int i = 0; i < MANY; i++)
		peer_free(peer_expect(&p->control,
				      VIAL__AGENT__EVENT__EV_STARTED));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(write(in[i], "go\n", 3), 3);
		close(in[i]);
	}
	for (int i = 0; i < MANY; i++) {
		char want[32];
		autofree char *got = peer_read_all(out[i], NULL);

		snprintf(want, sizeof(want), "%d go\n", i);
		assert_string_equal(got, want);
	}
	for (int i = 0; i < MANY; i++) {
		Vial__Agent__Event *ev =
			peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED);
		uint64_t n = ev->exited->key - first;

		assert_true(n < MANY && !seen[n]);
		seen[n] = true;
		assert_int_equal(ev->exited->status, n % 100);
		peer_free(ev);
	}
}

/* The fastest exits there are, one after the other. */
static void fast_exits(void **state)
{
	char name[] = "true";
	struct peer_result r;

	for (int i = 0; i < 300; i++) {
		Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(name));

		peer_run(*state, &x, NULL, &r);
		assert_int_equal(r.status, 0);
		assert_false(r.failed);
		peer_result_fini(&r);
	}
}

/* Shutdown ends what runs, politely first. */
static void shutdown_with_work(void **state)
{
	struct peer p;
	char text[] = "trap 'touch \"$0\"; exit' TERM; echo ready; "
		      "while :; do sleep 0.01; done",
	     flag[64], cmd[80];
	Vial__Agent__Exec x =
		peer_exec(key++, PEER_ARGS(sh, dash_c, text, flag));
	int out;

	(void)state;
	peer_start(&p);
	snprintf(flag, sizeof(flag), "%s.flag", p.dir);
	out = launch(&p, &p.control, &x);
	peer_stop(&p);
	close(out);
	snprintf(cmd, sizeof(cmd), "rm %s", flag);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal_to_the_process),
		cmocka_unit_test(signal_to_the_group),
		cmocka_unit_test(time_out),
		cmocka_unit_test(time_out_with_last_words),
		cmocka_unit_test(time_out_of_the_deaf),
		cmocka_unit_test(left_behind),
		cmocka_unit_test(left_behind_and_killed),
		cmocka_unit_test(left_behind_and_late),
		cmocka_unit_test(host_goes_away),
		cmocka_unit_test(host_goes_away_detached),
		cmocka_unit_test(host_goes_away_early),
		cmocka_unit_test(patience_ends),
		cmocka_unit_test(two_hundred),
		cmocka_unit_test(fast_exits),
		cmocka_unit_test(shutdown_with_work),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on a terminal. */
#include "tests/guest/peer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

static Vial__Agent__Exec on_tty(char *text)
{
	static char *argv[4];
	Vial__Agent__Exec x;

	argv[0] = sh;
	argv[1] = dash_c;
	argv[2] = text;
	x = peer_exec(key++, argv);
	x.tty = true;
	x.stderr = false;
	return x;
}

static void size_and_name(void **state)
{
	char text[] = "stty size; test -t 0 -a -t 1 -a -t 2 && echo yes; "
		      "echo $TERM; echo err >&2; ps -o tty= -p $$ | wc -w; "
		      "echo opened > /dev/tty";
	Vial__Agent__Exec x = on_tty(text);
	Vial__Agent__Size size = VIAL__AGENT__SIZE__INIT;
	struct peer_result r;

	size.rows = 33;
	size.cols = 121;
	x.size = &size;
	peer_run(*state, &x, NULL, &r);
	assert_string_equal(r.out, "33 121\r\nyes\r\nxterm\r\nerr\r\n1\r\n"
				   "opened\r\n");
	assert_int_equal(r.status, 0);
	peer_result_fini(&r);
}

static void until(int fd, const char *what)
{
	char seen[4096] = "";
	size_t n = 0;

	while (!strstr(seen, what)) {
		ssize_t got = read(fd, seen + n, sizeof(seen) - 1 - n);

		if (got <= 0)
			fail_msg("ended before \"%s\": %s", what, seen);
		n += (size_t)got;
		seen[n] = '\0';
	}
}

static void resize(void **state)
{
	struct peer *p = *state;
	char text[] = "trap 'stty size' WINCH; echo ready; "
		      "while :; do sleep 0.01; done";
	Vial__Agent__Exec x = on_tty(text);
	Vial__Agent__Size size = VIAL__AGENT__SIZE__INIT;
	Vial__Agent__Resize m = VIAL__AGENT__RESIZE__INIT;
	struct peer_result r;
	int in, out;

	x.stdin = true;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	in = peer_stream(p, x.key, 0);
	out = peer_stream(p, x.key, 1);
	until(out, "ready\r\n");
	m.key = x.key;
	m.size = &size;
	size.rows = 50;
	size.cols = 200;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_RESIZE, &m);
	until(out, "50 200\r\n");
	/* The terminal's own signal. */
	fd_write_full(in, "\003", 1);
	free(peer_read_all(out, NULL));
	close(in);
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	assert_int_equal(r.signal, 2);
}

static void end_of_input(void **state)
{
	char text[] = "stty -echo; cat; echo done";
	Vial__Agent__Exec x = on_tty(text);
	struct peer_result r;

	peer_run(*state, &x, "line\n", &r);
	assert_non_null(strstr(r.out, "line\r\n"));
	assert_non_null(strstr(r.out, "done\r\n"));
	assert_int_equal(r.status, 0);
	peer_result_fini(&r);
}

static void much_output(void **state)
{
	char text[] = "stty -opost; head -c 4194304 /dev/zero";
	Vial__Agent__Exec x = on_tty(text);
	struct peer_result r;

	peer_run(*state, &x, NULL, &r);
	assert_int_equal(r.out_len, 4 << 20);
	peer_result_fini(&r);
}

/* Nobody looks: the terminal is there and is emptied all the same. */
static void output_not_wanted(void **state)
{
	struct peer *p = *state;
	char text[] = "test -t 1 && head -c 1048576 /dev/zero && exit 6";
	Vial__Agent__Exec x = on_tty(text);
	struct peer_result r;

	x.stdout = false;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	assert_int_equal(r.status, 6);
}

/* The window is closed. */
static void hang_up(void **state)
{
	struct peer *p = *state;
	char text[] = "echo ready; while :; do echo more; sleep 0.01; done";
	Vial__Agent__Exec x = on_tty(text);
	struct peer_result r;
	int out;

	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	out = peer_stream(p, x.key, 1);
	until(out, "ready\r\n");
	close(out);
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	assert_int_equal(r.signal, 1);
}

static void failed_start(void **state)
{
	char nope[] = "/nope";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(nope));
	struct peer_result r;

	x.tty = true;
	x.stderr = false;
	peer_run(*state, &x, NULL, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_and_name),
		cmocka_unit_test(resize),
		cmocka_unit_test(end_of_input),
		cmocka_unit_test(much_output),
		cmocka_unit_test(output_not_wanted),
		cmocka_unit_test(hang_up),
		cmocka_unit_test(failed_start),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a command that runs out of time was doing. */
#include "tests/guest/peer.h"

#include "agent/report.h"
#include "base/auto.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

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

/* Starts it; its output is there, so it has come as far as that. */
static int launch(struct peer *p, Vial__Agent__Exec *x, char *line, size_t room)
{
	ssize_t n;
	int out;

	x->stderr = false;
	x->report = true;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	out = peer_stream(p, x->key, 1);
	n = read(out, line, room - 1);
	assert_true(n > 0);
	line[n] = '\0';
	return out;
}

static void has(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void has(const char *text, const char *fmt, ...)
{
	char want[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (!strstr(text, want))
		fail_msg("\"%s\" is not in:\n%s", want, text);
}

/* The report, then the end. */
static char *report(struct peer *p, uint64_t of, struct peer_result *r)
{
	Vial__Agent__Event *ev =
		peer_expect(&p->control, VIAL__AGENT__EVENT__EV_REPORT);
	char *text = strdup(ev->report->text);

	assert_int_equal(ev->report->key, of);
	peer_free(ev);
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED), r);
	return text;
}

static void of_a_tree(void **state)
{
	char text[] = "exec 5</etc/passwd; " FOREVER " & echo $$ $!; wait";
	struct peer *p = *state;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	autofree char *said = NULL;
	struct peer_result r;
	char line[64], *at;
	long shell, child;
	int out;

	x.timeout_ms = 1000;
	x.grace_ms = 100000;
	out = launch(p, &x, line, sizeof(line));
	shell = strtol(line, &at, 10);
	child = strtol(at, NULL, 10);
	said = report(p, x.key, &r);
	assert_true(r.timed_out);
	has(said, "processes:\n%7ld S /bin/sh -c exec 5<", shell);
	has(said, "\n%7ld S   " FOREVER "\n", child);
	has(said, "\n%ld sh: state S, 1 threads, ", shell);
	has(said, "    fd 5    /etc/passwd\n");
	has(said, "    thread %ld sleep: S", child);
	/* Nothing of the test's or of the agent's. */
	assert_null(strstr(said, "report_test"));
	free(peer_read_all(out, NULL));
}

/* The command itself is gone, what it left holds the stream. */
static void of_what_is_left(void **state)
{
	char text[] = FOREVER " & echo $!";
	struct peer *p = *state;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	autofree char *said = NULL;
	struct peer_result r;
	char line[64];
	int out;

	x.timeout_ms = 1000;
	out = launch(p, &x, line, sizeof(line));
	said = report(p, x.key, &r);
	assert_true(r.timed_out);
	assert_int_equal(r.status, 0);
	has(said, "processes:\n%7ld S " FOREVER "\n", strtol(line, NULL, 10));
	free(peer_read_all(out, NULL));
}

/* None in time, none unasked; one, however long the killing takes. */
static void one_or_none(void **state)
{
	char quick[] = "echo done", deaf[] = "trap '' TERM; echo on; " FOREVER,
	     slow[] = "echo on; " FOREVER;
	struct peer *p = *state;
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, quick));
	struct peer_result r;
	char line[64];
	int out;

	x.timeout_ms = 100000;
	out = launch(p, &x, line, sizeof(line));
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	free(peer_read_all(out, NULL));
	x = peer_exec(key++, PEER_ARGS(sh, dash_c, deaf));
	x.timeout_ms = 200;
	x.grace_ms = 50;
	out = launch(p, &x, line, sizeof(line));
	free(report(p, x.key, &r));
	assert_int_equal(r.signal, SIGKILL);
	free(peer_read_all(out, NULL));
	x = peer_exec(key++, PEER_ARGS(sh, dash_c, slow));
	x.timeout_ms = 50;
	peer_run(p, &x, NULL, &r);
	assert_true(r.timed_out);
	peer_result_fini(&r);
}

#define MANY 300

/* More processes than it holds, each with more to say than fits. */
static void bounded(void **state)
{
	static pid_t pid[MANY];
	static char arg[2000];
	autofree char *text = NULL;
	int up[2], hold[2];
	char byte;

	(void)state;
	memset(arg, 'y', sizeof(arg) - 1);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(hold), 0);
	for (int i = 0; i < MANY; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0) {
			dup2(hold[0], 0);
			dup2(up[1], 1);
			for (int fd = 10; fd < 40; fd++)
				dup2(0, fd);
			execl(sh, sh, dash_c, "echo; read x", arg, NULL);
			_exit(1);
		}
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(read(up[0], &byte, 1), 1);
	text = report_make(NULL, getsid(0));
	assert_non_null(text);
	assert_true(strlen(text) < REPORT_MAX);
	assert_true(strlen(text) > REPORT_MAX - 4096);
	assert_non_null(strstr(text, "more processes\n"));
	assert_string_equal(text + strlen(text) -
				    strlen("\n... more was left out\n"),
			    "\n... more was left out\n");
	for (int i = 0; i < MANY; i++)
		kill(pid[i], SIGKILL);
	for (int i = 0; i < MANY; i++)
		waitpid(pid[i], NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(hold[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_tree),
		cmocka_unit_test(of_what_is_left),
		cmocka_unit_test(one_or_none),
		cmocka_unit_test(bounded),
	};

	/* A session that holds what this test starts and nothing else. */
	setsid();
	return cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper behind the process a shell knows, and streams that are left. */
#include "run/leave.h"

#include "base/auto.h"
#include "guest/relay.h"
#include "box/report.h"
#include "spec/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct err e;
static int line[2]; /* from the keeper to the test */

static int start(void **state)
{
	(void)state;
	alarm(60);
	return pipe2(line, O_CLOEXEC);
}

static int stop(void **state)
{
	(void)state;
	alarm(0);
	close(line[0]);
	if (line[1] >= 0)
		close(line[1]);
	return 0;
}

static void say(char c)
{
	if (write(line[1], &c, 1) != 1)
		_exit(99);
}

/* In a process of its own, whose standard streams may be taken away. The
 * keeper says 'k' when it is there. */
static pid_t split(void (*keeper)(int fd))
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = leave_split(&e);

		if (fd < 0)
			_exit(98);
		say('k');
		keeper(fd);
		_exit(97);
	}
	assert_true(pid > 0);
	close(take_fd(&line[1]));
	return pid;
}

/* '.' at the end of all who could say something. */
static char heard(void)
{
	char c = '.';

	return read(line[0], &c, 1) < 0 ? '!' : c;
}

static int end_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void ends_with_7(int fd)
{
	(void)fd;
	_exit(7);
}

static void the_status_is_the_keepers(void **state)
{
	pid_t pid = split(ends_with_7);

	(void)state;
	assert_int_equal(end_of(pid), 7);
	assert_int_equal(heard(), 'k');
	assert_int_equal(heard(), '.');
}

static void leaves(int fd)
{
	int parent = getppid();

	leave_now(fd);
	for (int i = 0; getppid() == parent && i < 1000; i++)
		usleep(10000);
	say(getppid() != parent && getsid(0) == getpid() ? 'y' : 'n');
	_exit(0);
}

static void a_keeper_that_is_left_goes_on(void **state)
{
	pid_t pid = split(leaves);

	(void)state;
	assert_int_equal(end_of(pid), 0);
	assert_int_equal(heard(), 'k');
	assert_int_equal(heard(), 'y');
}

static void sleeps(int fd)
{
	(void)fd;
	for (;;)
		pause();
}

static void they_are_killed_as_one(void **state)
{
	pid_t pid = split(sleeps);

	(void)state;
	assert_int_equal(heard(), 'k');
	kill(pid, SIGKILL);
	assert_int_equal(end_of(pid), 128 + SIGKILL);
	assert_int_equal(heard(), '.');
}

static void kills_itself(int fd)
{
	(void)fd;
	raise(SIGKILL);
}

static void a_keeper_that_is_killed_is_told(void **state)
{
	(void)state;
	assert_int_equal(end_of(split(kills_itself)), STATUS_VIAL);
}

/* They wait for whoever reads them, so none is early. */
static void takes_a_signal(int fd)
{
	sigset_t term;
	int signo;

	(void)fd;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigwait(&term, &signo);
	_exit(signo);
}

static void signals_are_handed_on(void **state)
{
	pid_t pid = split(takes_a_signal);

	(void)state;
	assert_int_equal(heard(), 'k');
	kill(pid, SIGTERM);
	assert_int_equal(end_of(pid), SIGTERM);
}

/* ---- relays ---- */

static struct {
	struct loop loop;
	struct relay r;
	int src[2], dst[2];
	size_t tapped;
} t;

static int start_relay(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(pipe2(t.src, O_CLOEXEC), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.dst), 0);
	return loop_init(&t.loop, NULL, &e) < 0 ||
	       relay_start(&t.r, &t.loop, t.src[0], t.dst[0], false, NULL, &e) <
		       0;
}

static int stop_relay(void **state)
{
	(void)state;
	relay_fini(&t.r);
	loop_fini(&t.loop);
	for (int i = 0; i < 2; i++) {
		close(t.src[i]);
		close(t.dst[i]);
	}
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(write(t.src[1], text, strlen(text)), strlen(text));
	for (int i = 0; i < 10; i++)
		loop_once(&t.loop, 0);
}

static void got(const char *want)
{
	char text[64] = "";

	if (recv(t.dst[1], text, sizeof(text) - 1, MSG_DONTWAIT) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_string_equal(text, want);
}

/* "x" goes, "2" is doubled. */
static size_t edit(struct relay *r, uint8_t *bytes, size_t len)
{
	uint8_t in[RELAY_FILTERED];
	size_t n = 0;

	(void)r;
	memcpy(in, bytes, len);
	for (size_t i = 0; i < len; i++) {
		if (in[i] != 'x')
			bytes[n++] = in[i];
		if (in[i] == '2')
			bytes[n++] = in[i];
	}
	return n;
}

static void a_filter_edits(void **state)
{
	(void)state;
	t.r.filter = edit;
	put("axb2c");
	got("ab22c");
	put("x");
	got("");
	put("d");
	got("d");
}

static void count(struct relay *r, const uint8_t *bytes, size_t len)
{
	(void)r;
	(void)bytes;
	t.tapped += len;
}

/* It is read and kept, and nobody who does not read holds it up. */
static void what_is_left_goes_on(void **state)
{
	char page[4096] = { 0 };

	(void)state;
	t.r.tap = count;
	fcntl(t.src[1], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 1000; i++) {
		if (write(t.src[1], page, sizeof(page)) < 0)
			break;
		loop_once(&t.loop, 0);
	}
	assert_int_equal(errno, EAGAIN);
	relay_leave(&t.r);
	relay_leave(&t.r); /* twice is once */
	for (int i = 0; i < 100; i++)
		loop_once(&t.loop, 0);
	t.tapped = 0;
	put("hello");
	assert_int_equal(t.tapped, 5);
	close(t.src[1]);
	t.src[1] = -1;
	for (int i = 0; i < 10; i++)
		loop_once(&t.loop, 0);
	assert_int_equal(t.r.state, RELAY_EOF);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define R(name) cmocka_unit_test_setup_teardown(name, start_relay, stop_relay)
	const struct CMUnitTest tests[] = {
		T(the_status_is_the_keepers),
		T(a_keeper_that_is_left_goes_on),
		T(they_are_killed_as_one),
		T(a_keeper_that_is_killed_is_told),
		T(signals_are_handed_on),
		R(a_filter_edits),
		R(what_is_left_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

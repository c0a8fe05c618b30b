/* SPDX-License-Identifier: Apache-2.0 */
/* The line that says how far something is. */
#include "cli/progress.h"

#include "cli/colour.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void line(void **state)
{
	struct progress p = { .what = "Copying" };
	char buf[256];

	(void)state;
	progress_line(&p, 1500, 1000, 80, buf, sizeof(buf));
	assert_string_equal(buf, "Copying  1.5kB  1.5kB/s");
	p.total_bytes = 3000;
	progress_line(&p, 1500, 0, 80, buf, sizeof(buf));
	assert_string_equal(buf, "Copying  1.5kB of 3kB (50%)  0B/s");
	progress_line(&p, 1500, 1000, 10, buf, sizeof(buf));
	assert_string_equal(buf, "Copying  1");
}

/* Without a byte more. */
#define SETTLED_MS 300

/* What progress writes to standard error. */
static size_t written(int fd, int from, char *buf, size_t size)
{
	struct progress p;
	struct pollfd ready = { .fd = from, .events = POLLIN };
	int saved = dup(STDERR_FILENO);
	size_t len = 0;
	ssize_t n;

	dup2(fd, STDERR_FILENO);
	progress_init(&p, "Copying", 0);
	p.last_ms -= 10000;
	progress_update(&p, 1000);
	p.last_ms += 10000;
	progress_update(&p, 2000); /* too soon to be shown */
	progress_end(&p);
	progress_end(&p);
	dup2(saved, STDERR_FILENO);
	close(saved);
	/* A terminal hands it over in pieces. */
	while (poll(&ready, 1, SETTLED_MS) > 0 &&
	       (n = read(from, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return len;
}

static void on_terminals_only(void **state)
{
	char buf[256];
	int master, slave, fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFL, O_NONBLOCK);
	setenv("TERM", "xterm", 1);
	assert_int_equal(written(fds[1], fds[0], buf, sizeof(buf)), 0);
	assert_true(written(slave, master, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "\rCopying  1kB"));
	assert_null(strstr(buf, "2kB"));
	assert_string_equal(buf + strlen(buf) - 4, "\r\033[K");
	setenv("TERM", "dumb", 1);
	assert_int_equal(written(slave, master, buf, sizeof(buf)), 0);

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_true(colour_wanted(slave));
	assert_string_equal(colour(slave, COLOUR_RED), "\033[31m");
	assert_string_equal(colour(fds[1], COLOUR_RED), "");
	setenv("NO_COLOR", "1", 1);
	assert_false(colour_wanted(slave));
	setenv("NO_COLOR", "", 1);
	assert_true(colour_wanted(slave));
	unsetenv("TERM");
	assert_false(colour_wanted(slave));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line),
		cmocka_unit_test(on_terminals_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "run/hostsock.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

static char dir[32], path[64];
static struct err e;

static int start(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/hostsock.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static bool answers(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static void made_and_removed(void **state)
{
	struct hostsock s = HOSTSOCK_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(hostsock_open(&s, path, &e), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	assert_true(answers());
	hostsock_close(&s);
	assert_int_equal(lstat(path, &st), -1);
	hostsock_close(&s);
}

/* What nobody listens to any more is replaced; what is alive, or is no socket,
 * stays as it is. */
static void taken_back(void **state)
{
	struct hostsock a = HOSTSOCK_INIT, b = HOSTSOCK_INIT;
	int fd;

	(void)state;
	assert_int_equal(hostsock_open(&a, path, &e), 0);
	assert_int_equal(hostsock_open(&b, path, &e), -EADDRINUSE);
	assert_true(answers());
	/* Its owner is killed. */
	close(take_fd(&a.fd));
	assert_int_equal(hostsock_open(&b, path, &e), 0);
	assert_true(answers());
	/* The one who comes late finds another's. */
	hostsock_close(&a);
	assert_true(answers());
	hostsock_close(&b);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(hostsock_open(&b, path, &e), -EADDRINUSE);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(hostsock_open(&b, path, &e), -EADDRINUSE);
}

static void no_folder(void **state)
{
	struct hostsock s = HOSTSOCK_INIT;

	(void)state;
	assert_int_equal(hostsock_open(&s, "/nowhere/at/all", &e), -ENOENT);
	hostsock_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(made_and_removed, start, stop),
		cmocka_unit_test_setup_teardown(taken_back, start, stop),
		cmocka_unit_test_setup_teardown(no_folder, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/passfd.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static int s[2], event;

static int setup(void **state)
{
	(void)state;
	event = eventfd(0, EFD_CLOEXEC);
	assert_true(event >= 0);
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (s[i] >= 0)
			close(take_fd(&s[i]));
	return close(event);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void descriptors_come_in_order(void **state)
{
	int sent[] = { event, s[0], s[1] }, came[4];
	struct stat a, b;
	char buf[8];

	(void)state;
	assert_int_equal(passfd_send(s[0], "three", 5, sent, 3), 5);
	assert_int_equal(passfd_recv(s[1], buf, sizeof(buf), came, 4), 5);
	assert_memory_equal(buf, "three", 5);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fcntl(came[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(fstat(sent[i], &a), 0);
		assert_int_equal(fstat(came[i], &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		close(came[i]);
	}
	assert_int_equal(came[3], -1);
}

static void none_is_minus_one(void **state)
{
	int came = event;
	char byte;

	(void)state;
	assert_int_equal(passfd_send(s[0], "", 1, NULL, 0), 1);
	assert_int_equal(passfd_recv(s[1], &byte, 1, &came, 1), 1);
	assert_int_equal(came, -1);
}

static void more_than_asked_for_do_not_stay(void **state)
{
	int sent[8], came[4], before = open_fds();
	char byte;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		sent[i] = event;
	for (size_t n = 1; n <= 8; n++)
		for (size_t room = 0; room <= 4; room++) {
			size_t taken = MIN(n, room);

			assert_int_equal(passfd_send(s[0], "", 1, sent, n), 1);
			assert_int_equal(
				passfd_recv(s[1], &byte, 1, came, room), 1);
			assert_int_equal(open_fds(), before + (int)taken);
			for (size_t i = 0; i < taken; i++)
				close(came[i]);
			assert_int_equal(open_fds(), before);
		}
}

static void the_end_is_no_signal(void **state)
{
	int came = event;
	char byte;

	(void)state;
	close(take_fd(&s[0]));
	assert_int_equal(passfd_recv(s[1], &byte, 1, &came, 1), 0);
	assert_int_equal(came, -1);
	assert_int_equal(passfd_send(s[1], "", 1, &event, 1), -EPIPE);
}

static void errors_are_returned(void **state)
{
	int came = event;
	char byte;

	(void)state;
	assert_int_equal(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(passfd_recv(s[0], &byte, 1, &came, 1), -EAGAIN);
	assert_int_equal(came, -1);
	came = -1;
	assert_int_equal(passfd_send(s[0], "", 1, &came, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(descriptors_come_in_order,
						setup, teardown),
		cmocka_unit_test_setup_teardown(none_is_minus_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_than_asked_for_do_not_stay,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_is_no_signal, setup,
						teardown),
		cmocka_unit_test_setup_teardown(errors_are_returned, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

static int file_with(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void whole_reads(void **state)
{
	autoclose int fd = file_with("0123456789", 10);
	char buf[32] = "";

	(void)state;
	assert_int_equal(fd_read_full(fd, buf, 4), 4);
	assert_int_equal(fd_read_full(fd, buf + 4, 20), 6);
	assert_string_equal(buf, "0123456789");
	assert_int_equal(fd_read_full(fd, buf, 1), 0);
	assert_int_equal(fd_pread_full(fd, buf, 3, 5), 3);
	assert_memory_equal(buf, "567", 3);
	assert_int_equal(fd_pread_full(fd, buf, 9, 8), 2);
	assert_int_equal(fd_pread_full(fd, buf, 9, 100), 0);
}

static void *feed(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 100; i++)
		if (fd_write_full(fd, "0123456789", 10) < 0)
			break;
	close(fd);
	return NULL;
}

/* A stream gives what it has; a whole read goes on. */
static void pieces_of_a_stream(void **state)
{
	pthread_t writer;
	char buf[2000];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pthread_create(&writer, NULL, feed, &pair[1]), 0);
	assert_int_equal(fd_read_full(pair[0], buf, 995), 995);
	assert_int_equal(fd_read_full(pair[0], buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "56789", 5);
	pthread_join(writer, NULL);
	close(pair[0]);
}

static void errors_are_negative(void **state)
{
	autofree char *all = NULL;
	char c = 0;

	(void)state;
	assert_int_equal(fd_read_full(-1, &c, 1), -EBADF);
	assert_int_equal(fd_pread_full(-1, &c, 1, 0), -EBADF);
	assert_int_equal(fd_write_full(-1, &c, 1), -EBADF);
	assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
	assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
	assert_int_equal(fd_slurp(-1, &all, 10), -EBADF);
	assert_null(all);
}

static void flags(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fd_set_nonblock(pair[0], true), 0);
	assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(pair[0], true), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(pair[0], false), 0);
	assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(pair[0], false), 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), 0);
	close(pair[0]);
	close(pair[1]);
}

static void slurp_up_to_a_bound(void **state)
{
	static const size_t sizes[] = { 0,    1,    4094, 4095,
					4096, 4097, 8191, 100000 };
	static char data[100000];

	(void)state;
	memset(data, 'd', sizeof(data));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		autoclose int fd = file_with(data, sizes[i]);
		autofree char *all = NULL;
		autofree char *cut = NULL;

		assert_int_equal(fd_slurp(fd, &all, sizes[i]), sizes[i]);
		assert_memory_equal(all, data, sizes[i]);
		assert_int_equal(all[sizes[i]], '\0');
		if (sizes[i] == 0)
			continue;
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_slurp(fd, &cut, sizes[i] - 1), -EFBIG);
		assert_null(cut);
	}
}

static void time_goes_on(void **state)
{
	uint64_t a = now_us(), b = now_us();

	(void)state;
	assert_true(a > 0 && b >= a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_reads),
		cmocka_unit_test(pieces_of_a_stream),
		cmocka_unit_test(errors_are_negative),
		cmocka_unit_test(flags),
		cmocka_unit_test(slurp_up_to_a_bound),
		cmocka_unit_test(time_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

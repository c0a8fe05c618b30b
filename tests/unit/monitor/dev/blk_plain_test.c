/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is one file, written in place. */
#include "tests/guest/disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (1u << 20)

static uint8_t data[65536], got[65536];

static int open_plain(struct disk *d, int fd, bool loop, uint64_t size,
		      struct err *e)
{
	struct blk_conf conf = { .serial = "vol",
				 .overlay_fd = fd,
				 .plain = true,
				 .size_bytes = size };

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	return disk_open(d, &conf, loop, e);
}

/* Sector for sector where the guest put it, and nothing else. */
static void bytes_land_in_place(bool loop)
{
	int fd = file_new(SIZE);
	struct err e = { 0 };
	struct stat st;
	struct disk d;

	assert_int_equal(open_plain(&d, fd, loop, 0, &e), 0);
	assert_int_equal(disk_write(&d, 3, data, 4096 + 512), 0);
	assert_int_equal(disk_write(&d, SIZE / 512 - 1, data, 512), 0);
	assert_int_not_equal(disk_write(&d, SIZE / 512, data, 512), 0);
	assert_int_equal(disk_flush(&d), 0);
	assert_int_equal(disk_read(&d, 3, got, 4096 + 512), 0);
	assert_memory_equal(got, data, 4096 + 512);
	disk_close(&d);
	assert_int_equal(pread(fd, got, 4096 + 512, 3 * 512), 4096 + 512);
	assert_memory_equal(got, data, 4096 + 512);
	assert_int_equal(pread(fd, got, 512, SIZE - 512), 512);
	assert_memory_equal(got, data, 512);
	assert_int_equal(pread(fd, got, 3 * 512, 0), 3 * 512);
	for (unsigned i = 0; i < 3 * 512; i++)
		assert_int_equal(got[i], 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	close(fd);
}

static void it_is_written_in_place(void **state)
{
	(void)state;
	bytes_land_in_place(false);
	bytes_land_in_place(true);
}

static void what_was_there_is_read(void **state)
{
	int fd = file_new(SIZE);
	struct err e = { 0 };
	struct disk d;

	(void)state;
	assert_int_equal(open_plain(&d, fd, false, SIZE, &e), 0);
	assert_int_equal(pwrite(fd, data, 8192, 4096), 8192);
	assert_int_equal(disk_read(&d, 8, got, 8192), 0);
	assert_memory_equal(got, data, 8192);
	disk_close(&d);
	close(fd);
}

static void discards_make_holes(void **state)
{
	int fd = file_new(SIZE);
	struct err e = { 0 };
	struct stat before, after;
	struct disk d;

	(void)state;
	assert_int_equal(open_plain(&d, fd, false, 0, &e), 0);
	assert_int_equal(disk_write(&d, 0, data, 65536), 0);
	assert_int_equal(disk_flush(&d), 0);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(disk_range(&d, DISK_DISCARD, 8, 64, 0), 0);
	assert_int_equal(disk_range(&d, DISK_WRITE_ZEROES, 81, 2, 0), 0);
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(before.st_blocks - after.st_blocks, 64);
	assert_int_equal(disk_read(&d, 0, got, 65536), 0);
	memset(data + 8 * 512, 0, 64 * 512);
	memset(data + 81 * 512, 0, 2 * 512);
	assert_memory_equal(got, data, 65536);
	disk_close(&d);
	close(fd);
}

static void what_cannot_be_is_refused(void **state)
{
	int fd = file_new(SIZE), odd = file_new(SIZE + 1), none = file_new(0);
	int base = file_readonly(fd);
	struct blk_conf conf = { .serial = "vol",
				 .overlay_fd = fd,
				 .plain = true,
				 .base_fds = &base,
				 .nbase = 1 };
	struct err e = { 0 };
	struct disk d;

	(void)state;
	assert_true(open_plain(&d, fd, false, 2 * SIZE, &e) < 0);
	assert_non_null(strstr(e.msg, "plain disk of 1048576 bytes"));
	assert_true(open_plain(&d, odd, false, 0, &e) < 0);
	assert_true(open_plain(&d, none, false, 0, &e) < 0);
	assert_true(disk_open(&d, &conf, false, &e) < 0);
	assert_non_null(strstr(e.msg, "layers"));
	close(fd);
	close(odd);
	close(none);
	close(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_written_in_place),
		cmocka_unit_test(what_was_there_is_read),
		cmocka_unit_test(discards_make_holes),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

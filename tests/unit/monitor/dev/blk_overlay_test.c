/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_overlay.h"

#include "tests/guest/disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (40ull << 20)	/* 10240 clusters */

static void save(struct overlay *o)
{
	struct err e = { 0 };

	assert_true(overlay_save_begin(o));
	assert_int_equal(overlay_save_write(o, &e), 0);
}

static int saved_file(void)
{
	int fd = file_new(0);
	struct overlay o;

	assert_int_equal(overlay_open(&o, fd, true, SIZE, 0, NULL), 0);
	overlay_set(&o, 5, 3);
	save(&o);
	overlay_close(&o);
	return fd;
}

static void new_file_has_nothing(void **state)
{
	int fd = file_new(0);
	struct overlay o;
	struct stat st;

	(void)state;
	assert_int_equal(overlay_open(&o, fd, true, SIZE, 0, NULL), 0);
	assert_int_equal(o.size, SIZE);
	assert_int_equal(overlay_run(&o, 0, 10240), 10240);
	assert_false(overlay_has(&o, 10239));
	assert_false(overlay_save_begin(&o));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, (1 << 20) + SIZE);
	assert_int_equal(st.st_blocks, 0);
	overlay_close(&o);
	close(fd);
}

static void runs_are_counted(void **state)
{
	int fd = file_new(0);
	struct overlay o;

	(void)state;
	assert_int_equal(overlay_open(&o, fd, true, SIZE, 0, NULL), 0);
	overlay_set(&o, 3, 1);
	overlay_set(&o, 63, 2);
	overlay_set(&o, 100, 200);
	assert_int_equal(overlay_run(&o, 0, 999), 3);
	assert_int_equal(overlay_run(&o, 3, 999), 1);
	assert_int_equal(overlay_run(&o, 4, 999), 59);
	assert_int_equal(overlay_run(&o, 4, 7), 7);
	assert_int_equal(overlay_run(&o, 63, 999), 2);
	assert_int_equal(overlay_run(&o, 64, 999), 1);
	assert_int_equal(overlay_run(&o, 100, 9999), 200);
	assert_int_equal(overlay_run(&o, 100, 128), 128);
	assert_int_equal(overlay_run(&o, 299, 1), 1);
	assert_int_equal(overlay_run(&o, 300, 9940), 9940);
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(overlay_has(&o, i),
				 i == 3 || i == 63 || i == 64 ||
					 (i >= 100 && i < 300));
	overlay_set(&o, 0, 10240);
	assert_int_equal(overlay_run(&o, 0, 10240), 10240);
	assert_true(overlay_has(&o, 10239));
	overlay_close(&o);
	close(fd);
}

static void comes_back_as_it_was_saved(void **state)
{
	int fd = saved_file();
	struct overlay o;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(overlay_open(&o, fd, true, 0, 0, &e), 0);
	assert_int_equal(o.size, SIZE);
	assert_int_equal(overlay_run(&o, 0, 99), 5);
	assert_int_equal(overlay_run(&o, 5, 99), 3);
	assert_false(overlay_save_begin(&o));
	overlay_close(&o);
	assert_int_equal(overlay_open(&o, fd, false, SIZE, 0, &e), 0);
	overlay_close(&o);
	assert_int_equal(overlay_open(&o, fd, true, SIZE + 512, 0, &e),
			 -EINVAL);
	assert_non_null(strstr(e.msg, "41943040 bytes, not 41943552"));
	close(fd);
}

static void change_while_saving_is_kept_for_the_next(void **state)
{
	int fd = file_new(0);
	struct overlay o, now;

	(void)state;
	assert_int_equal(overlay_open(&o, fd, true, SIZE, 0, NULL), 0);
	overlay_set(&o, 1, 1);
	assert_true(overlay_save_begin(&o));
	overlay_set(&o, 2, 1);
	assert_int_equal(overlay_save_write(&o, NULL), 0);
	/* the file knows what was true at the beginning, no more */
	assert_int_equal(overlay_open(&now, fd, false, 0, 0, NULL), 0);
	assert_true(overlay_has(&now, 1));
	assert_false(overlay_has(&now, 2));
	overlay_close(&now);
	/* an abandoned save is not forgotten */
	assert_true(overlay_save_begin(&o));
	overlay_save_abort(&o);
	save(&o);
	assert_int_equal(overlay_open(&now, fd, false, 0, 0, NULL), 0);
	assert_true(overlay_has(&now, 2));
	overlay_close(&now);
	overlay_close(&o);
	close(fd);
}

static void died_before_the_first_save(void **state)
{
	int fd = file_new((1 << 20) + SIZE);
	struct overlay o;

	(void)state;
	assert_int_equal(overlay_open(&o, fd, true, SIZE, 0, NULL), 0);
	assert_int_equal(overlay_run(&o, 0, 10240), 10240);
	overlay_close(&o);
	close(fd);
}

static void refuses(int fd, bool writable, uint64_t size, const char *why)
{
	struct err e = { 0 };
	struct overlay o;

	assert_int_equal(overlay_open(&o, fd, writable, size, 0, &e), -EINVAL);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
	assert_int_equal(o.fd, -1);
	assert_null(o.map);
}

static void refuses_damaged_headers(void **state)
{
	static const struct {
		unsigned at;
		uint8_t val;
		const char *why;
	} bad[] = {
		{ 0, 'X', "not an overlay" },
		{ 7, '2', "not an overlay" },
		{ 8, 2, "version 2, this program knows 1" },
		{ 12, 9, "damaged" },
		{ 16, 1, "damaged" },
		{ 23, 0xff, "damaged" },
		{ 24, 1, "damaged" },
		{ 32, 1, "damaged" },
		{ 40, 1, "damaged" },
		{ 48, 1, "damaged" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int fd = saved_file();

		assert_int_equal(pwrite(fd, &bad[i].val, 1, bad[i].at), 1);
		refuses(fd, true, 0, bad[i].why);
		refuses(fd, false, 0, bad[i].why);
		close(fd);
	}
}

/* Somebody who can compute the sum: the fields are checked all the same. */
static void forge(int fd, unsigned at, uint64_t val, unsigned len)
{
	uint64_t sum = 0xcbf29ce484222325;
	uint8_t h[56];

	assert_int_equal(pread(fd, h, 56, 0), 56);
	memcpy(h + at, &val, len);
	for (unsigned i = 0; i < 48; i++)
		sum = (sum ^ h[i]) * 0x100000001b3;
	memcpy(h + 48, &sum, 8);
	assert_int_equal(pwrite(fd, h, 56, 0), 56);
}

static void refuses_forged_headers(void **state)
{
	static const struct {
		unsigned at;
		uint64_t val;
		unsigned len;
		const char *why;
	} bad[] = {
		{ 12, 9, 4, "makes no sense" },
		{ 12, 64, 4, "makes no sense" },
		{ 16, 0, 8, "not possible" },
		{ 16, 1, 8, "not possible" },
		{ 16, UINT64_MAX - 511, 8, "not possible" },
		{ 16, 9ull << 40, 8, "not possible" },
		{ 16, 8ull << 40, 8, "makes no sense" }, /* others do not fit */
		{ 16, SIZE + 4096, 8, "cut off" },
		{ 24, 0, 8, "makes no sense" },
		{ 24, UINT64_MAX, 8, "makes no sense" },
		{ 32, UINT64_MAX, 8, "makes no sense" },
		{ 40, 0, 8, "makes no sense" },
		{ 40, UINT64_MAX - 4095, 8, "makes no sense" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int fd = saved_file();

		forge(fd, bad[i].at, bad[i].val, bad[i].len);
		refuses(fd, true, 0, bad[i].why);
		close(fd);
	}
}

static void refuses_files_that_are_something_else(void **state)
{
	int fd = file_new(0), pipes[2];

	(void)state;
	refuses(fd, false, 0, "is empty");
	refuses(fd, true, 0, "not possible");
	refuses(fd, true, 1000, "not possible");
	refuses(fd, true, 16ull << 40, "not possible");
	close(fd);
	fd = file_new(12345); /* zeroes, but not one of ours */
	refuses(fd, true, SIZE, "not an overlay");
	close(fd);
	fd = file_new(0);
	assert_int_equal(write(fd, "VIALCOW1", 8), 8);
	refuses(fd, true, SIZE, "not an overlay");
	close(fd);
	fd = saved_file();
	assert_int_equal(ftruncate(fd, (1 << 20) + SIZE - 1), 0);
	refuses(fd, true, 0, "cut off");
	assert_int_equal(ftruncate(fd, 4096), 0);
	refuses(fd, true, 0, "cut off");
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	refuses(pipes[0], false, 0, "not a regular file");
	close(pipes[0]);
	close(pipes[1]);
}

static void disk_of(struct blk_conf conf, const char *why)
{
	struct err e = { 0 };
	struct disk d;

	conf.serial = "root";
	assert_true(disk_open(&d, &conf, false, &e) < 0);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void disk_names_what_is_wrong(void **state)
{
	int raw = file_new(65536), ro = file_readonly(raw);
	int two[] = { ro, ro }, many[17];

	(void)state;
	assert_int_equal(pwrite(raw, "ext4", 4, 1080), 4);
	assert_int_equal(pwrite(raw, "boot", 4, 0), 4);
	disk_of((struct blk_conf){ .overlay_fd = -1 }, "blk root: a disk of 0");
	disk_of((struct blk_conf){ .overlay_fd = -1, .size_bytes = 513 },
		"a disk of 513 bytes");
	disk_of((struct blk_conf){ .overlay_fd = -1,
				   .base_fds = &raw,
				   .nbase = 1 },
		"blk root: layer 0 is open for writing");
	/* only the lowest layer is plain */
	disk_of((struct blk_conf){ .overlay_fd = -1,
				   .base_fds = two,
				   .nbase = 2 },
		"blk root: layer 1: overlay: not an overlay file");
	disk_of((struct blk_conf){ .overlay_fd = raw,
				   .base_fds = two,
				   .nbase = 1,
				   .size_bytes = SIZE },
		"blk root: overlay: not an overlay file");
	for (unsigned i = 0; i < 17; i++)
		many[i] = ro;
	disk_of((struct blk_conf){ .overlay_fd = -1,
				   .base_fds = many,
				   .nbase = 17 },
		"more than 16 layers");
	close(raw);
	close(ro);
}

/* A guest may write our magic into a plain image: it stays plain. */
static void plain_image_is_never_an_overlay(void **state)
{
	int fd = saved_file(), ro = file_readonly(fd);
	struct blk_conf conf = { .base_fds = &ro,
				 .nbase = 1,
				 .overlay_fd = -1 };
	struct err e = { 0 };
	uint8_t got[512];
	struct disk d;

	(void)state;
	assert_int_equal(disk_open(&d, &conf, false, &e), 0);
	assert_int_equal(disk_read(&d, 0, got, 512), 0);
	assert_memory_equal(got, "VIALCOW1", 8);
	disk_close(&d);
	close(fd);
	close(ro);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_file_has_nothing),
		cmocka_unit_test(runs_are_counted),
		cmocka_unit_test(comes_back_as_it_was_saved),
		cmocka_unit_test(change_while_saving_is_kept_for_the_next),
		cmocka_unit_test(died_before_the_first_save),
		cmocka_unit_test(refuses_damaged_headers),
		cmocka_unit_test(refuses_forged_headers),
		cmocka_unit_test(refuses_files_that_are_something_else),
		cmocka_unit_test(disk_names_what_is_wrong),
		cmocka_unit_test(plain_image_is_never_an_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

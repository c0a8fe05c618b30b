/* SPDX-License-Identifier: Apache-2.0 */
/* Images that are none, and disks that leave nothing behind. */
#include "box/disk.h"
#include "box/where.h"

#include "base/auto.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BLOCKS 64u

static char dir[64], path[128];
static uint8_t sb[1024];
static struct err e;

static void put32(size_t off, uint32_t v)
{
	v = htole32(v);
	memcpy(sb + off, &v, sizeof(v));
}

static int start(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-disk-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/image", dir);
	memset(sb, 0, sizeof(sb));
	put32(0x4, BLOCKS);
	put32(0x18, 2); /* 4 KiB blocks */
	sb[0x38] = 0x53;
	sb[0x39] = 0xef;
	return 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static int open_image(off_t size)
{
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int r;

	assert_int_equal(pwrite(fd, sb, sizeof(sb), 1024), sizeof(sb));
	assert_int_equal(ftruncate(fd, size), 0);
	r = disk_open_image(path, &e);
	if (r >= 0)
		close(r);
	return r < 0 ? r : 0;
}

static void whole(void **state)
{
	(void)state;
	assert_int_equal(open_image(BLOCKS * 4096), 0);
	assert_int_equal(open_image(BLOCKS * 4096 + 512), 0);
}

static void truncated(void **state)
{
	(void)state;
	assert_int_equal(open_image(BLOCKS * 4096 - 512), -EINVAL);
	assert_non_null(strstr(e.msg, "truncated"));
	assert_int_equal(open_image(100), -EINVAL);
	assert_int_equal(open_image(0), -EINVAL);
	assert_non_null(strstr(e.msg, "not an ext4"));
}

static void odd_size(void **state)
{
	(void)state;
	assert_int_equal(open_image(BLOCKS * 4096 + 1), -EINVAL);
	assert_non_null(strstr(e.msg, "sectors"));
}

static void no_magic(void **state)
{
	(void)state;
	sb[0x38] = 0;
	assert_int_equal(open_image(BLOCKS * 4096), -EINVAL);
	assert_non_null(strstr(e.msg, "help images"));
}

static void nonsense_in_the_superblock(void **state)
{
	(void)state;
	put32(0x18, 40);
	assert_int_equal(open_image(BLOCKS * 4096), -EINVAL);
	put32(0x18, 2);
	put32(0x4, 0);
	assert_int_equal(open_image(BLOCKS * 4096), -EINVAL);
	put32(0x4, 1);
	put32(0x60, 0x80);
	put32(0x150, 0xffffffff);
	assert_int_equal(open_image(BLOCKS * 4096), -EINVAL);
	assert_non_null(strstr(e.msg, "damaged"));
	put32(0x150, 1);
	assert_int_equal(open_image(BLOCKS * 4096), -EINVAL);
	assert_non_null(strstr(e.msg, "truncated"));
}

static void no_file(void **state)
{
	(void)state;
	assert_int_equal(disk_open_image("no-such-image:12", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "Unable to find image"));
	assert_int_equal(disk_open_image("/no/such", &e), -ENOENT);
	assert_int_equal(disk_open_image(dir, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "not a regular file"));
	/* A fifo without a writer must not be waited for. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(disk_open_image(path, &e), -EINVAL);
}

static void overlays_have_no_name(void **state)
{
	char cmd[128];
	int fd;

	(void)state;
	setenv("VIAL_DATADIR", dir, 1);
	fd = disk_open_overlay(&e);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, "x", 1), 0);
	snprintf(cmd, sizeof(cmd), "test -z \"$(ls -A '%s')\"", dir);
	assert_int_equal(system(cmd), 0);
	close(fd);
	setenv("VIAL_DATADIR", "/proc/nowhere", 1);
	assert_true(disk_open_overlay(&e) < 0);
	assert_non_null(strstr(e.msg, "/proc/nowhere"));
}

static void parts_are_found(void **state)
{
	char found[PATH_MAX], file[128];

	(void)state;
	unsetenv("VIAL_LIBDIR");
	assert_int_equal(where_part(WHERE_VMM, found, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "vial-vmm"));
	setenv("VIAL_LIBDIR", dir, 1);
	assert_int_equal(where_part(WHERE_KERNEL, found, &e), -ENOENT);
	snprintf(file, sizeof(file), "%s/bzImage", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(where_part(WHERE_KERNEL, found, &e), 0);
	assert_string_equal(found, file);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(whole),
		T(truncated),
		T(odd_size),
		T(no_magic),
		T(nonsense_in_the_superblock),
		T(no_file),
		T(overlays_have_no_name),
		T(parts_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

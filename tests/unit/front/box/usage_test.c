/* SPDX-License-Identifier: Apache-2.0 */
/* What of the host's disk is a box's. */
#include "box/usage.h"

#include "base/auto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB 1024u

static char top[64];
static struct box box;
static struct box_info info;

static int begin(void **state)
{
	char path[96];
	struct err e;

	(void)state;
	snprintf(top, sizeof(top), "/var/tmp/usage-test.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/run", top);
	setenv("VIAL_RUNDIR", path, 1);
	snprintf(path, sizeof(path), "%s/data", top);
	setenv("VIAL_DATADIR", path, 1);
	info = (struct box_info){ .name = "one" };
	state_new_id(info.id);
	return state_create(&box, &info, &e);
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	state_close(&box);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static void fill(int fd, unsigned kib)
{
	char block[KIB];

	memset(block, 1, sizeof(block));
	assert_true(fd >= 0);
	for (unsigned i = 0; i < kib; i++)
		assert_int_equal(write(fd, block, sizeof(block)), KIB);
	assert_int_equal(fsync(fd), 0);
}

static void files_of_the_box_count(void **state)
{
	uint64_t before = usage_box(&box, &info);
	int fd = openat(box.dir, "disk", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	fill(fd, 256);
	/* Holes take nothing. */
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	close(fd);
	assert_in_range(usage_box(&box, &info) - before, 256 * KIB, 1024 * KIB);
	/* What has a second name is somebody else's. */
	assert_int_equal(linkat(box.dir, "disk", box.root, "elsewhere", 0), 0);
	assert_int_equal(usage_box(&box, &info), before);
	assert_int_equal(unlinkat(box.root, "elsewhere", 0), 0);
}

static void what_its_monitor_has_open_counts(void **state)
{
	uint64_t before = usage_box(&box, &info);
	int fd = openat(box.root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)state;
	if (fd < 0)
		skip();
	fill(fd, 512);
	info.pid = getpid();
	assert_int_equal(usage_box(&box, &info), before);
	info.alive = true;
	assert_in_range(usage_box(&box, &info) - before, 512 * KIB, 2048 * KIB);
	close(fd);
	assert_true(usage_box(&box, &info) - before < 512 * KIB);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(files_of_the_box_count),
		T(what_its_monitor_has_open_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

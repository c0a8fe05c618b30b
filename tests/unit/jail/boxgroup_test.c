/* SPDX-License-Identifier: Apache-2.0 */
/* On a tree of plain files that looks like the kernel's: what is written where.
 * What the kernel makes of it, tests/e2e/limits.bats sees. */
#include "jail/boxgroup.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];

static char *path(const char *rel)
{
	static char text[4][256];
	static unsigned n;
	char *p = text[n++ % 4];

	snprintf(p, sizeof(text[0]), "%s%s", top, rel);
	return p;
}

static void put(const char *rel, const char *text)
{
	int fd =
		open(path(rel), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static void holds(const char *rel, const char *want)
{
	char got[128] = "";
	int fd = open(path(rel), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(fd_read_full(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, want);
}

/* A group with the files that the kernel would put there. */
static void group(const char *rel, const char *controllers)
{
	static const char *const files[] = {
		"cgroup.procs", "cgroup.subtree_control",
		"cpu.max",	"memory.max",
		"pids.max",	"cgroup.kill",
	};
	char name[200];

	assert_true(mkdir(path(rel), 0755) == 0 || errno == EEXIST);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", rel, files[i]);
		put(name, "");
	}
	snprintf(name, sizeof(name), "%s/cgroup.controllers", rel);
	put(name, controllers);
}

static int begin(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/cgroup-test.XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

/* Our own group is /u/shell, and /u is ours to use. */
static void delegated(const char *controllers)
{
	group("", "cpu memory pids\n");
	assert_int_equal(unlink(path("/cgroup.procs")), 0);
	group("/u", controllers);
	group("/u/shell", "");
	group("/u/vial", controllers);
	group("/u/vial/box", controllers);
}

static void limits_are_set(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 150000,
				     .memory_bytes = 1 << 20,
				     .pids = 99 };
	struct boxgroup c;
	struct err e;

	(void)state;
	delegated("cpu memory pids\n");
	assert_int_equal(boxgroup_open(&c, top, "/u/shell", "box", &l, &e), 0);
	assert_string_equal(c.path, path("/u/vial/box"));
	holds("/u/vial/box/cpu.max", "150000 100000");
	holds("/u/vial/box/memory.max", "1048576");
	holds("/u/vial/box/pids.max", "99");
	/* each was asked for by itself: a fake keeps the last, over the first */
	holds("/u/cgroup.subtree_control", "+pidsry");
	holds("/u/vial/cgroup.subtree_control", "+pidsry");
	assert_int_equal(boxgroup_add(&c, 1234, &e), 0);
	holds("/u/vial/box/cgroup.procs", "1234");
	boxgroup_close(&c);
	assert_int_equal(c.fd, -1);
}

static void what_is_enabled_is_left_alone(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 50000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	delegated("memory cpu\n");
	put("/u/cgroup.subtree_control", "pids cpu\n");
	put("/u/vial/cgroup.subtree_control", "cpu\n");
	assert_int_equal(boxgroup_open(&c, top, "/u/shell", "box", &l, &e), 0);
	holds("/u/cgroup.subtree_control", "pids cpu\n");
	holds("/u/vial/cgroup.subtree_control", "cpu\n");
	holds("/u/vial/box/cpu.max", "50000 100000");
	boxgroup_close(&c);
}

static void limits_are_taken_away(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 50000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	delegated("cpu\n");
	assert_int_equal(boxgroup_open(&c, top, "/u/shell", "box", &l, &e), 0);
	assert_int_equal(unlink(path("/u/vial/box/memory.max")), 0);
	l.cpu_us = 0;
	put("/u/vial/box/cpu.max", "");
	assert_int_equal(boxgroup_limit(&c, &l, &e), 0);
	holds("/u/vial/box/cpu.max", "max 100000");
	l.memory_bytes = 4096;
	assert_int_equal(boxgroup_limit(&c, &l, &e), -ENOENT);
	boxgroup_close(&c);
}

static void the_nearest_place_is_taken(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 1000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	delegated("cpu\n");
	group("/u/shell/deep", "");
	/* /u/shell could be it, but has no controller to give */
	assert_int_equal(boxgroup_open(&c, top, "/u/shell/deep", "box", &l, &e),
			 0);
	assert_string_equal(c.path, path("/u/vial/box"));
	boxgroup_close(&c);
	group("/u/shell", "cpu\n");
	group("/u/shell/vial", "cpu\n");
	group("/u/shell/vial/box", "cpu\n");
	assert_int_equal(boxgroup_open(&c, top, "/u/shell/deep", "box", &l, &e),
			 0);
	assert_string_equal(c.path, path("/u/shell/vial/box"));
	boxgroup_close(&c);
}

static void a_missing_controller_is_told(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 1000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	group("", "memory\n");
	if (geteuid() != 0)
		group("/u", "memory\n");
	assert_int_not_equal(boxgroup_open(&c, top, "/u/shell", "box", &l, &e),
			     0);
	assert_non_null(strstr(e.msg, "no limit of CPU time"));
	assert_int_equal(c.fd, -1);
	assert_int_equal(access(path("/vial"), F_OK), -1);
	assert_int_equal(access(path("/u/vial"), F_OK), -1);
}

static void an_old_hierarchy_is_told(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 1000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	assert_int_equal(boxgroup_open(&c, top, "/", "box", &l, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "not cgroup version 2"));
}

static void a_limit_that_fails_leaves_nothing(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 1000 };
	struct boxgroup c;
	struct err e;

	(void)state;
	delegated("cpu\n");
	/* fresh directories of a fake have no cpu.max */
	assert_int_equal(boxgroup_open(&c, top, "/u/shell", "new", &l, &e),
			 -ENOENT);
	assert_int_equal(c.fd, -1);
	assert_int_equal(access(path("/u/vial/new"), F_OK), -1);
	/* the parent is not ours alone */
	assert_int_equal(access(path("/u/vial/box"), F_OK), 0);
}

static void names_do_not_overflow(void **state)
{
	struct boxgroup_limits l = { .cpu_us = 1000 };
	struct boxgroup c;
	char name[BOXGROUP_PATH_MAX + 10];
	struct err e;

	(void)state;
	delegated("cpu\n");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(boxgroup_open(&c, top, "/u/shell", name, &l, &e),
			 -ENAMETOOLONG);
}

static void usage_is_read(void **state)
{
	struct boxgroup_use u;
	struct err e;

	(void)state;
	delegated("cpu\n");
	put("/u/vial/box/cpu.stat", "usage_usec 1234567\nuser_usec 1000000\n");
	assert_int_equal(boxgroup_usage(path("/u/vial/box"), &u, &e), 0);
	assert_int_equal(u.cpu_us, 1234567);
	assert_int_equal(u.memory_bytes, 0);
	put("/u/vial/box/memory.current", "4096\n");
	assert_int_equal(boxgroup_usage(path("/u/vial/box"), &u, &e), 0);
	assert_int_equal(u.memory_bytes, 4096);
	assert_int_equal(boxgroup_usage(path("/u/vial/no"), &u, &e), -ENOENT);
}

static void removing_takes_the_empty_parent_too(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(mkdir(path("/vial"), 0755), 0);
	assert_int_equal(mkdir(path("/vial/a"), 0755), 0);
	assert_int_equal(mkdir(path("/vial/b"), 0755), 0);
	assert_int_equal(boxgroup_remove(path("/vial/a"), &e), 0);
	assert_int_equal(access(path("/vial/a"), F_OK), -1);
	assert_int_equal(access(path("/vial/b"), F_OK), 0);
	assert_int_equal(boxgroup_remove(path("/vial/a"), &e), 0);
	assert_int_equal(boxgroup_remove(path("/vial/b"), &e), 0);
	assert_int_equal(access(path("/vial"), F_OK), -1);
	assert_int_equal(boxgroup_remove(path("/vial/b"), &e), 0);
	assert_int_equal(access(top, F_OK), 0);
}

static void what_is_left_in_it_is_killed(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(mkdir(path("/vial"), 0755), 0);
	group("/vial/a", "");
	/* files of a fake stay, and so does the group */
	assert_int_equal(boxgroup_remove(path("/vial/a"), &e), -ENOTEMPTY);
	holds("/vial/a/cgroup.kill", "1");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(limits_are_set),
		T(what_is_enabled_is_left_alone),
		T(limits_are_taken_away),
		T(the_nearest_place_is_taken),
		T(a_missing_controller_is_told),
		T(an_old_hierarchy_is_told),
		T(a_limit_that_fails_leaves_nothing),
		T(names_do_not_overflow),
		T(usage_is_read),
		T(removing_takes_the_empty_parent_too),
		T(what_is_left_in_it_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

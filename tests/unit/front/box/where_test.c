/* SPDX-License-Identifier: Apache-2.0 */
#include "box/where.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/where_test_XXXXXX";

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int group_teardown(void **state)
{
	char path[PATH_MAX];

	(void)state;
	for (const char *const *p =
		     (const char *const[]){ "/a/b/run/boxes", "/a/b/run",
					    "/a/b", "/a", "", NULL };
	     *p; p++) {
		snprintf(path, sizeof(path), "%s%s", root, *p);
		rmdir(path);
	}
	return 0;
}

static void the_folders_above_are_made(void **state)
{
	char path[PATH_MAX];
	struct err e = { 0 };
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/run", root);
	setenv("VIAL_RUNDIR", path, 1);
	fd = where_boxes(WHERE_BRIEF, &e);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	close(fd);
	unsetenv("VIAL_RUNDIR");
}

static void a_folder_others_can_write_is_refused(void **state)
{
	char path[PATH_MAX];
	struct err e = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/run", root);
	setenv("VIAL_RUNDIR", path, 1);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(where_boxes(WHERE_BRIEF, &e), -EPERM);
	assert_non_null(strstr(e.msg, "chmod 700"));
	unsetenv("VIAL_RUNDIR");
}

/* /var/tmp is everybody's: what another has put there is not ours. */
static void a_link_in_var_tmp_is_refused(void **state)
{
	char path[PATH_MAX];
	struct err e = { 0 };
	uid_t was = geteuid();

	(void)state;
	unsetenv("VIAL_DATADIR");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	if (!was && seteuid(54321) < 0)
		fail_msg("seteuid: %s", strerror(errno));
	snprintf(path, sizeof(path), "/var/tmp/vial-%u", geteuid());
	if (symlink("/tmp", path) == 0) {
		assert_true(where_data(NULL, &e) < 0);
		unlink(path);
	} else {
		assert_int_equal(errno, EEXIST);
	}
	assert_int_equal(seteuid(was), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_folders_above_are_made),
		cmocka_unit_test(a_folder_others_can_write_is_refused),
		cmocka_unit_test(a_link_in_var_tmp_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

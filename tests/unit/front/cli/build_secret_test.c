/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static struct build_args a;
static struct err e;

static int start(void **state)
{
	(void)state;
	a = (struct build_args){ .desk = DESK_INIT, .cache_lock = -1 };
	e = (struct err){ 0 };
	snprintf(top, sizeof(top), "/tmp/vial-secret-XXXXXX");
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	a.desk.dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return a.desk.dir < 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	close(a.desk.dir);
	strv_fini(&a.secrets);
	strv_fini(&a.secret_words);
	snprintf(cmd, sizeof(cmd), "cd /; rm -rf '%s'", top);
	return system(cmd);
}

static void put_file(const char *name, size_t len)
{
	autofree char *bytes = calloc(1, len + 1);
	autoclose int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_non_null(bytes);
	memset(bytes, 'x', len);
	assert_int_equal(fd_write_full(fd, bytes, len), 0);
}

static void is_there(const char *name, const char *want)
{
	autoclose int fd = open(name, O_RDONLY | O_CLOEXEC);
	autofree char *got = NULL;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(fd_slurp(fd, &got, 1000) >= 0);
	assert_string_equal(got, want);
}

static void taken(void **state)
{
	(void)state;
	put_file("file", 3);
	put_file("plain", 2);
	setenv("VIAL_TEST_SECRET", "from env", 1);
	strv_add(&a.secrets, "id=a,src=file");
	strv_add(&a.secrets, "type=env,id=b,env=VIAL_TEST_SECRET");
	strv_add(&a.secrets, "id=VIAL_TEST_SECRET");
	strv_add(&a.secrets, "id=plain");
	strv_add(&a.secrets, "id=c,source=file,type=file");
	assert_int_equal(build_secrets(&a, &e), 0);
	is_there("secret-0", "xxx");
	is_there("secret-1", "from env");
	is_there("secret-2", "from env");
	is_there("secret-3", "xx");
	is_there("secret-4", "xxx");
	assert_int_equal(a.secret_words.n, 5);
	assert_string_equal(a.secret_words.v[1],
			    "--secret=id=b,src=/in/secret-1");
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"",
		"src=file",
		"id=",
		"id=a,src",
		"id=a,how=x",
		"id=a,type=x,src=file",
		"id=a",
		"id=a,src=none",
		"id=a,env=VIAL_TEST_NONE",
		"id=a,src=no/such/file",
		"id=a,src=large",
		"id=a,src=.",
	};

	(void)state;
	put_file("file", 3);
	put_file("large", 600000);
	unsetenv("VIAL_TEST_NONE");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		strv_fini(&a.secrets);
		a.secrets = (struct strv){ 0 };
		strv_add(&a.secrets, bad[i]);
		assert_true(build_secrets(&a, &e) < 0);
		assert_non_null(strstr(e.msg, "--secret"));
		assert_int_equal(a.secret_words.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(taken, start, stop),
		cmocka_unit_test_setup_teardown(refused, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

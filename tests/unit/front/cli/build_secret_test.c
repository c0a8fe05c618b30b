/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static struct build_args a;
static struct err e;

static int start(void **state)
{
	(void)state;
	a = (struct build_args){ .desk = DESK_INIT,
				 .secrets_fd = -1,
				 .cache_lock = -1 };
	e = (struct err){ 0 };
	snprintf(top, sizeof(top), "/tmp/vial-secret-XXXXXX");
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	a.desk.dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return a.desk.dir < 0;
}

static void forget(void)
{
	if (a.secrets_fd >= 0)
		close(take_fd(&a.secrets_fd));
	strv_fini(&a.secrets);
	strv_fini(&a.secret_words);
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	close(a.desk.dir);
	forget();
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

/* The next in the archive. */
static void is_next(struct archive *in, const char *name, const char *want)
{
	struct archive_entry *entry;
	char got[100] = "";

	assert_int_equal(archive_read_next_header(in, &entry), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(entry), name);
	assert_int_equal(archive_entry_perm(entry), 0600);
	assert_int_equal(archive_read_data(in, got, sizeof(got)), strlen(want));
	assert_string_equal(got, want);
}

/* Only what the test has put there. */
static unsigned files(void)
{
	unsigned n = 0;
	DIR *d = opendir(top);

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void taken(void **state)
{
	struct archive *in = archive_read_new();

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
	assert_int_equal(archive_read_support_format_tar(in), ARCHIVE_OK);
	assert_int_equal(archive_read_open_fd(in, a.secrets_fd, 10240),
			 ARCHIVE_OK);
	is_next(in, "secret-0", "xxx");
	is_next(in, "secret-1", "from env");
	is_next(in, "secret-2", "from env");
	is_next(in, "secret-3", "xx");
	is_next(in, "secret-4", "xxx");
	archive_read_free(in);
	assert_int_equal(a.secret_words.n, 5);
	assert_string_equal(a.secret_words.v[1],
			    "--secret=id=b,src=/secrets/secret-1");
}

/* Nor would there be anything to remove. */
static void a_kill_leaves_nothing(void **state)
{
	unsigned before;
	int status;
	pid_t pid;

	(void)state;
	put_file("file", 3);
	strv_add(&a.secrets, "id=a,src=file");
	before = files();
	pid = fork();
	if (pid == 0) {
		if (build_secrets(&a, &e) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(files(), before);
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
		forget();
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
		cmocka_unit_test_setup_teardown(a_kill_leaves_nothing, start,
						stop),
		cmocka_unit_test_setup_teardown(refused, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

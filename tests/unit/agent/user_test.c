/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/user.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char passwd_path[64], group_path[64], dir[] = "/tmp/vial-user-XXXXXX";
static const struct user_files files = { passwd_path, group_path };

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "\n"
			     "broken line\n"
			     "bad:x:notanumber:1:::\n"
			     "daemon:x:1:1::/usr/sbin:/bin/false\n"
			     "worker:x:1000:100:W,,:/home/worker:/bin/sh\n"
			     "1234:x:77:77:a name of digits:/digits:\n"
			     "nohome:x:5:5:::\n";
static const char group[] = "root:x:0:\n"
			    "users:x:100:\n"
			    "docker:x:998:worker,daemon\n"
			    "broken\n"
			    "video:x:44:daemon,worker,root\n"
			    "dup:x:44:worker\n";

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int start(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(passwd_path, sizeof(passwd_path), "%s/passwd", dir);
	snprintf(group_path, sizeof(group_path), "%s/group", dir);
	put(passwd_path, passwd);
	put(group_path, group);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	unlink(passwd_path);
	unlink(group_path);
	return rmdir(dir);
}

static int look(const char *spec, struct user *u)
{
	struct err e = { 0 };

	return user_lookup(&files, spec, NULL, 0, u, &e);
}

static void is(const char *spec, uid_t uid, gid_t gid, size_t ngroups,
	       const char *home)
{
	struct user u;

	assert_int_equal(look(spec, &u), 0);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_int_equal(u.ngroups, ngroups);
	assert_string_equal(u.home, home);
}

static void by_name(void **state)
{
	struct user u;

	(void)state;
	is("root", 0, 0, 1, "/root");
	is("", 0, 0, 1, "/root");
	is("nohome", 5, 5, 0, "/");
	is("worker", 1000, 100, 2, "/home/worker");
	assert_int_equal(look("worker", &u), 0);
	assert_int_equal(u.groups[0], 998);
	assert_int_equal(u.groups[1], 44);
}

static void by_number(void **state)
{
	(void)state;
	is("1000", 1000, 100, 2, "/home/worker");
	is("4242", 4242, 0, 0, "/");
	is("0", 0, 0, 1, "/root");
	/* A number is a number, whoever is called so. */
	is("1234", 1234, 0, 0, "/");
	is("2147483647", 2147483647, 0, 0, "/");
}

static void with_group(void **state)
{
	(void)state;
	/* Then the lists of members do not count. */
	is("worker:docker", 1000, 998, 0, "/home/worker");
	is("worker:7", 1000, 7, 0, "/home/worker");
	is("4242:4343", 4242, 4343, 0, "/");
	is(":docker", 0, 998, 0, "/root");
	is("worker:", 1000, 100, 2, "/home/worker");
}

static void further_groups(void **state)
{
	char users[] = "users", num[] = "5555", again[] = "44", no[] = "none";
	char *more[] = { users, num, again };
	char *bad[] = { no };
	struct err e = { 0 };
	struct user u;

	(void)state;
	assert_int_equal(user_lookup(&files, "worker", more, 3, &u, &e), 0);
	assert_int_equal(u.ngroups, 4);
	assert_int_equal(u.groups[2], 100);
	assert_int_equal(u.groups[3], 5555);
	assert_int_equal(user_lookup(&files, "worker", bad, 1, &u, &e),
			 -ENOENT);
	assert_string_equal(e.msg, "unable to find group none: no matching "
				   "entries in group file");
}

static void refused(const char *spec, const char *text)
{
	struct err e = { 0 };
	struct user u;

	assert_true(user_lookup(&files, spec, NULL, 0, &u, &e) < 0);
	assert_string_equal(e.msg, text);
}

static void unknown(void **state)
{
	char lots[400];

	(void)state;
	refused("ghost", "unable to find user ghost: no matching entries in "
			 "passwd file");
	refused("-1", "unable to find user -1: no matching entries in passwd "
		      "file");
	refused("2147483648", "unable to find user 2147483648: no matching "
			      "entries in passwd file");
	refused("bad", "unable to find user bad: no matching entries in "
		       "passwd file");
	refused("root:ghosts", "unable to find group ghosts: no matching "
			       "entries in group file");
	memset(lots, 'u', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	refused(lots, "user: name too long");
}

/* An image may have no such files, or something else in their place. */
static void files_that_are_none(void **state)
{
	struct user_files f = { "/nonexistent/passwd", "/nonexistent/group" };
	char fifo[80];
	struct err e = { 0 };
	struct user u;

	(void)state;
	assert_int_equal(user_lookup(&f, "", NULL, 0, &u, &e), 0);
	assert_string_equal(u.home, "/root");
	assert_int_equal(user_lookup(&f, "root", NULL, 0, &u, &e), 0);
	assert_int_equal(user_lookup(&f, "12:34", NULL, 0, &u, &e), 0);
	assert_int_equal(user_lookup(&f, "worker", NULL, 0, &u, &e), -ENOENT);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	f.passwd = f.group = fifo;
	assert_int_equal(user_lookup(&f, "1000", NULL, 0, &u, &e), 0);
	unlink(fifo);
	f.passwd = f.group = "/dev/zero";
	assert_int_equal(user_lookup(&f, "worker", NULL, 0, &u, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(by_number),
		cmocka_unit_test(with_group),
		cmocka_unit_test(further_groups),
		cmocka_unit_test(unknown),
		cmocka_unit_test(files_that_are_none),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

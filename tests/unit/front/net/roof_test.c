/* SPDX-License-Identifier: Apache-2.0 */
/* The roof of a user's boxes, and how it is met. As the process that gives it
 * this program starts itself. */
#include "net/roof.h"

#include "base/auto.h"
#include "net/link.h"
#include "net/meet.h"
#include "net/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/roof-test-XXXXXX";

static int start(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Whether this machine lets us have user namespaces. */
static bool allowed(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0);
	waitpid(pid, &status, 0);
	return status == 0;
}

static int take(struct roof *r)
{
	struct err e = { 0 };
	autoclose int dir = meet_folder(folder, &e);

	*r = (struct roof)ROOF_INIT;
	if (dir < 0 || roof_take(r, dir, &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static bool is_met(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/roof", folder);
	return lstat(path, &st) == 0;
}

static void it_is_one_until_the_last(void **state)
{
	struct roof a, b, c;

	(void)state;
	if (!allowed())
		skip();
	take(&a);
	take(&b);
	assert_true(roof_same(a.ns, b.ns));
	roof_fini(&a);
	take(&a);
	assert_true(roof_same(a.ns, b.ns));
	roof_fini(&a);
	roof_fini(&b);
	while (is_met())
		usleep(1000);
	take(&c);
	roof_fini(&c);
	while (is_met())
		usleep(1000);
}

/* What outlived who started it has become ours. */
static pid_t child(void)
{
	char path[300], text[256];
	const struct dirent *de;
	DIR *d = opendir("/proc");
	int ppid, found = 0;

	while (d && !found && (de = readdir(d))) {
		autoclose int fd = -1;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/stat", de->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (sscanf(text, "%*d (%*[^)]) %*c %d", &ppid) == 1 &&
		    ppid == getpid())
			found = (int)strtol(text, NULL, 10);
	}
	if (d)
		closedir(d);
	return found;
}

/* Its socket is still there, and leads nowhere. */
static void one_that_was_killed_is_replaced(void **state)
{
	struct roof a, b;
	char byte;
	pid_t pid;

	(void)state;
	if (!allowed())
		skip();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	take(&a);
	pid = child();
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(a.conn, &byte, 1), 0);
	assert_true(is_met());
	take(&b);
	assert_false(roof_same(a.ns, b.ns));
	roof_fini(&a);
	roof_fini(&b);
	while (is_met())
		usleep(1000);
}

/* In namespaces below the roof as a box's are, until the pipe ends. */
static pid_t below(int roof, int *end)
{
	int ready[2], hold[2];
	struct err e;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		if (roof_enter(roof, &e) < 0 || netns_user(false, &e) < 0 ||
		    netns_box(&e) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*end = hold[1];
	return pid;
}

static bool enter_net(pid_t pid)
{
	char path[64];
	autoclose int ns = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	return ns >= 0 && setns(ns, CLONE_NEWNET) == 0;
}

/* 0: a pair was made from the one to the other. */
static int link_from(pid_t one, pid_t other)
{
	struct err e = { 0 };
	struct nl_sock *sk;

	if (!enter_net(one))
		return 2;
	sk = link_open(&e);
	return !sk || link_veth(sk, "here", "there", other, &e) < 0;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void who_is_in_it_links_what_is_below(void **state)
{
	int ends[2];
	struct roof r;
	struct err e;
	pid_t one, two, pid;

	(void)state;
	if (!allowed())
		skip();
	take(&r);
	one = below(r.ns, &ends[0]);
	two = below(r.ns, &ends[1]);
	pid = fork();
	if (pid == 0)
		_exit(roof_enter(r.ns, &e) < 0 ? 3 : link_from(one, two));
	assert_int_equal(status_of(pid), 0);
	/* One of them reaches neither the other nor the roof. */
	pid = fork();
	if (pid == 0) {
		if (roof_enter(r.ns, &e) < 0 || netns_user(false, &e) < 0)
			_exit(3);
		if (enter_net(one) || setns(r.ns, CLONE_NEWUSER) == 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(status_of(pid), 0);
	for (int i = 0; i < 2; i++)
		close(ends[i]);
	assert_int_equal(status_of(one), 0);
	assert_int_equal(status_of(two), 0);
	roof_fini(&r);
	while (is_met())
		usleep(1000);
}

static void a_folder_of_others_is_refused(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(chmod(folder, 0750), 0);
	assert_int_equal(meet_folder(folder, &e), -EPERM);
	assert_int_equal(chmod(folder, 0700), 0);
	assert_true(meet_folder("/proc/self/exe", &e) < 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_one_until_the_last),
		cmocka_unit_test(one_that_was_killed_is_replaced),
		cmocka_unit_test(who_is_in_it_links_what_is_below),
		cmocka_unit_test(a_folder_of_others_is_refused),
	};
	struct err e = { 0 };

	if (argc == 2 && strcmp(argv[1], "roof") == 0)
		return roof_keeper(&e) < 0;
	return cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/confine.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char store[] = "/tmp/confine-test.XXXXXX";
static char beside[64];
static int fd_page;

/* Where the kernel cannot keep files closed, the table alone is looked at. */
static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION) >= 2;
}

static int can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- each in a process of its own, that is closed in; 1: it could ---- */

static int in_store(const char *name, int flags)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", store, name);
	return can_open(path, flags);
}

static int do_make(void)
{
	return in_store("new", O_RDWR | O_CREAT | O_EXCL);
}

static int do_change(void)
{
	return in_store("old", O_RDWR | O_TRUNC);
}

static int do_move(void)
{
	char from[100], to[100];

	snprintf(from, sizeof(from), "%s/old", store);
	snprintf(to, sizeof(to), "%s/deep/moved", store);
	return rename(from, to) == 0;
}

static int do_read(void)
{
	return can_open(store, O_RDONLY);
}

static int do_whole(void)
{
	autoclose int fd = -1;
	char path[100];

	snprintf(path, sizeof(path), "%s/old", store);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 && fchmod(fd, 0400) == 0;
}

static int do_open_up(void)
{
	autoclose int fd = -1;
	char path[100];

	snprintf(path, sizeof(path), "%s/old", store);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || fchmod(fd, 0666) == 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int do_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 &&
	       pthread_join(t, NULL) == 0;
}

static int do_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static int do_inet6(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT;
}

static int do_hosts(void)
{
	return can_open("/etc/hosts", O_RDONLY);
}

static int do_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static int do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static int do_exec(void)
{
	/* It ends with 1, so that it cannot be taken for nothing. */
	execl("/bin/false", "false", (char *)NULL);
	return 0;
}

static int do_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd_page,
		       0);

	return p != MAP_FAILED;
}

static int do_kill(void)
{
	return kill(getppid(), 0) == 0;
}

static int do_passwd(void)
{
	return can_open("/etc/passwd", O_RDONLY);
}

static int do_beside(void)
{
	return can_open(beside, O_RDONLY);
}

static int do_beside_new(void)
{
	return can_open("/tmp/confine-test-new", O_WRONLY | O_CREAT);
}

static int do_listen(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || listen(fd, 1) == 0;
}

static int apart(int (*does)(void), const char *where)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = { 0 };

		if (confine(where, &e) < 0) {
			fprintf(stderr, "%s\n", e.msg);
			_exit(99);
		}
		_exit(does());
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 99);
	return WEXITSTATUS(status);
}

static const struct deed {
	const char *name;
	int (*does)(void);
	bool may, files;
} deeds[] = {
	{ "make a file of the store", do_make, true, true },
	{ "change one", do_change, true, true },
	{ "close a whole one", do_whole, true, true },
	{ "open it to others", do_open_up, false, false },
	{ "move one to another folder", do_move, true, true },
	{ "start a thread", do_thread, true, false },
	{ "connect by IPv4", do_inet, true, false },
	{ "connect by IPv6", do_inet6, true, false },
	{ "read what names need", do_hosts, true, true },
	{ "reach a local socket", do_unix, false, false },
	{ "listen", do_listen, false, false },
	{ "make a process", do_fork, false, false },
	{ "start a program", do_exec, false, false },
	{ "map code", do_code, false, false },
	{ "signal another process", do_kill, false, false },
	{ "read who users are", do_passwd, false, true },
	{ "read a file beside the store", do_beside, false, true },
	{ "make one there", do_beside_new, false, true },
};

static void test_deeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		const struct deed *d = &deeds[i];

		if (d->files && !d->may && !has_landlock())
			continue;
		if (apart(d->does, store) != d->may)
			fail_msg("it may%s %s", d->may ? " not" : "", d->name);
	}
}

/* Without a store there is nothing to be written at all. */
static void test_no_store(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	assert_int_equal(do_read(), 1);
	assert_int_equal(apart(do_read, NULL), 0);
	assert_int_equal(apart(do_hosts, NULL), 1);
}

static int begin(void **state)
{
	char path[100];

	(void)state;
	if (!mkdtemp(store))
		return -1;
	snprintf(path, sizeof(path), "%s/old", store);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/deep", store);
	mkdir(path, 0700);
	snprintf(beside, sizeof(beside), "%s.beside", store);
	close(open(beside, O_WRONLY | O_CREAT, 0600));
	fd_page = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	return fd_page < 0 ? -1 : 0;
}

static int end(void **state)
{
	static const char *const names[] = { "old", "new", "deep/moved",
					     "deep" };
	char path[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", store, names[i]);
		remove(path);
	}
	unlink(beside);
	close(fd_page);
	return rmdir(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deeds),
		cmocka_unit_test(test_no_store),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

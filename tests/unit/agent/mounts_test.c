/* SPDX-License-Identifier: Apache-2.0 */
/* What of Setup.mounts needs no guest: words and paths. In a namespace where it
 * may mount, also the mounts themselves. */
#include "agent/mounts.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path[256];
static struct err e;

static const char *at(const char *name)
{
	snprintf(path, sizeof(path), "%s%s", dir, name);
	return path;
}

static int begin(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	snprintf(dir, sizeof(dir), "/tmp/vial-mounts-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void options_become_flags_and_data(void **state)
{
	unsigned long flags = 0;
	char data[32];

	(void)state;
	assert_int_equal(mounts_options("size=4m,ro,noexec,mode=755", &flags,
					data, sizeof(data)),
			 0);
	assert_string_equal(data, "size=4m,mode=755");
	assert_int_equal(flags, MS_RDONLY | MS_NOEXEC);
	assert_int_equal(mounts_options("rw,,exec,rod=1,", &flags, data,
					sizeof(data)),
			 0);
	assert_string_equal(data, "rod=1");
	assert_int_equal(flags, 0);
	assert_int_equal(mounts_options("", &flags, data, sizeof(data)), 0);
	assert_string_equal(data, "");
}

static void options_stay_in_their_room(void **state)
{
	unsigned long flags = 0;
	char data[8];

	(void)state;
	assert_int_equal(mounts_options("12345678", &flags, data, sizeof(data)),
			 -E2BIG);
	assert_int_equal(mounts_options("1234567", &flags, data, sizeof(data)),
			 0);
	assert_string_equal(data, "1234567");
	assert_int_equal(mounts_options("123,4567", &flags, data, sizeof(data)),
			 -E2BIG);
	assert_int_equal(mounts_options("123,456", &flags, data, sizeof(data)),
			 0);
	assert_string_equal(data, "123,456");
}

static bool is_kind(const char *name, mode_t kind)
{
	struct stat st;

	return lstat(at(name), &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

static void targets_are_made(void **state)
{
	(void)state;
	assert_int_equal(mounts_target(at("/a/b//c/"), true, &e), 0);
	assert_true(is_kind("/a/b/c", S_IFDIR));
	assert_int_equal(mounts_target(at("/a/x/file"), false, &e), 0);
	assert_true(is_kind("/a/x/file", S_IFREG));
	/* what is there will do */
	assert_int_equal(mounts_target(at("/a/x/file"), false, &e), 0);
	assert_int_equal(mounts_target(at("/a/b"), true, &e), 0);
	assert_int_equal(mounts_target("/", true, &e), 0);
}

static void targets_of_another_kind_are_refused(void **state)
{
	(void)state;
	assert_int_equal(mounts_target(at("/a/file"), false, &e), 0);
	assert_int_equal(mounts_target(at("/a/file"), true, &e), -ENOTDIR);
	assert_int_equal(mounts_target(at("/a"), false, &e), -EISDIR);
	assert_int_equal(mounts_target(at("/a/file/below"), true, &e),
			 -ENOTDIR);
	assert_int_equal(mounts_target("relative", true, &e), -EINVAL);
	assert_int_equal(mounts_target("", true, &e), -EINVAL);
}

static void links_lead_where_the_image_means(void **state)
{
	(void)state;
	assert_int_equal(mounts_target(at("/run"), true, &e), 0);
	assert_int_equal(symlink("run", at("/var")), 0);
	assert_int_equal(mounts_target(at("/var/lock"), true, &e), 0);
	assert_true(is_kind("/run/lock", S_IFDIR));
	assert_int_equal(symlink("nowhere", at("/broken")), 0);
	assert_int_equal(mounts_target(at("/broken/x"), true, &e), -ENOENT);
}

static void nothing_above_a_share_is_reached(void **state)
{
	autoclose int top = -1;
	int fd;

	(void)state;
	assert_int_equal(mounts_target(at("/share/0"), true, &e), 0);
	assert_int_equal(mounts_target(at("/secret"), true, &e), 0);
	assert_int_equal(symlink("/secret", at("/share/out")), 0);
	assert_int_equal(symlink("../../secret", at("/share/0/up")), 0);
	top = open(at("/share"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	fd = mounts_below(top, "0", &e);
	assert_true(fd >= 0);
	close(fd);
	fd = mounts_below(top, "", &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mounts_below(top, "../secret", &e), -ENOENT);
	assert_int_equal(mounts_below(top, "out", &e), -ENOENT);
	assert_int_equal(mounts_below(top, "0/up", &e), -ENOENT);
	assert_int_equal(mounts_below(top, "none", &e), -ENOENT);
}

/* ---- in a namespace ---- */

static bool put(const char *file, const char *text)
{
	autoclose int fd = open(file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) >= 0;
}

static bool may_mount(void)
{
	char uids[40], gids[40];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    !put("/proc/self/setgroups", "deny") ||
	    !put("/proc/self/uid_map", uids) ||
	    !put("/proc/self/gid_map", gids))
		return false;
	/* a /dev of our own: the place is made in it */
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("dev", "/dev", "tmpfs", 0, NULL) == 0;
}

static int tmpfs_is_mounted(void)
{
	Vial__Agent__Mount m = VIAL__AGENT__MOUNT__INIT, *all[] = { &m, &m };
	char target[128], options[] = "size=1m,mode=700,ro";
	struct stat st;

	snprintf(target, sizeof(target), "%s/new/tmp", dir);
	m.target = target;
	m.options = options;
	m.noexec = true;
	if (mounts_apply(all, 1, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	if (stat(target, &st) < 0 || (st.st_mode & 07777) != 0700)
		return 2;
	if (open(at("/new/tmp/x"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644) >= 0 ||
	    errno != EROFS)
		return 3;
	if (access("/dev/.vial", F_OK) == 0)
		return 4;
	options[0] = '!';
	if (mounts_apply(all, 2, &e) != -EINVAL ||
	    !strstr(e.msg, "/new/tmp: tmpfs \"!ize=1m"))
		return 5;
	return access("/dev/.vial", F_OK) == 0 ? 6 : 0;
}

static int disk_is_missing(void)
{
	Vial__Agent__Mount m = VIAL__AGENT__MOUNT__INIT, *all[] = { &m };
	char target[] = "/dev/x", source[] = "no-such-serial";

	m.kind = VIAL__AGENT__MOUNT__KIND__DISK;
	m.target = target;
	m.source = source;
	if (mounts_apply(all, 1, &e) >= 0)
		return 1;
	if (!strstr(e.msg, "mount /dev/x: disk \"no-such-serial\": ")) {
		fprintf(stderr, "%s\n", e.msg);
		return 2;
	}
	return access(target, F_OK) == 0 ? 3 : 0;
}

static void in_namespace(int (*test)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(may_mount() ? test() : 99);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 99)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_tmpfs_has_its_options(void **state)
{
	(void)state;
	in_namespace(tmpfs_is_mounted);
}

static void a_disk_that_is_missing_is_named(void **state)
{
	(void)state;
	in_namespace(disk_is_missing);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(options_become_flags_and_data),
		T(options_stay_in_their_room),
		T(targets_are_made),
		T(targets_of_another_kind_are_refused),
		T(links_lead_where_the_image_means),
		T(nothing_above_a_share_is_reached),
		T(a_tmpfs_has_its_options),
		T(a_disk_that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

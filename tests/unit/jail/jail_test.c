/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/jail.h"

#include "base/auto.h"
#include "base/fd.h"
#include "jail/ids.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define USER_ID 54321

/* A check runs in a child behind jail_enter() and returns what is wrong, or
 * NULL. */
typedef const char *check_fn(void);

static int outside_fd = -1; /* a file opened before */

static const char *root_is_empty(void)
{
	DIR *d = opendir("/");
	struct dirent *ent;

	if (!d)
		return "no root";
	while ((ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 &&
		    strcmp(ent->d_name, "..") != 0)
			return "something in the root";
	closedir(d);
	if (open("/x", O_CREAT | O_RDWR, 0600) >= 0 || mkdir("/x", 0700) == 0)
		return "the root can be written";
	if (access("/proc/self", F_OK) == 0 || access("/etc", F_OK) == 0 ||
	    access("../etc", F_OK) == 0)
		return "a path of the host is there";
	if (access(".", F_OK) != 0)
		return "no working directory";
	return NULL;
}

static const char *capabilities_are_gone(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
						 0 };
	struct __user_cap_data_struct set[2];

	memset(set, 0xff, sizeof(set));
	if (syscall(SYS_capget, &head, set) < 0)
		return "capget";
	for (int i = 0; i < 2; i++)
		if (set[i].effective | set[i].permitted | set[i].inheritable)
			return "a capability is left";
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) > 0)
			return "the bounding set is not empty";
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) > 0)
			return "the ambient set is not empty";
	}
	if (mount("x", "/", "tmpfs", 0, NULL) == 0 ||
	    sethostname("x", 1) == 0 || chroot("/") == 0)
		return "something privileged works";
	return NULL;
}

static const char *network_is_empty(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 9 };
	struct if_nameindex *list = if_nameindex();
	struct ifreq req = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (!list || !list[0].if_name || strcmp(list[0].if_name, "lo") != 0 ||
	    list[1].if_name)
		return "not lo alone";
	if_freenameindex(list);
	if (ioctl(s, SIOCGIFFLAGS, &req) < 0 || (req.ifr_flags & IFF_UP))
		return "lo is up";
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) == 0 ||
	    errno != ENETUNREACH)
		return "the network is reached";
	return NULL;
}

static const char *user_is_nobody(void)
{
	uid_t r, eff, s;
	gid_t groups[4];

	getresuid(&r, &eff, &s);
	if (r != eff || r != s || r == 0)
		return "ids differ or are root's";
	if (r >= IDS_BASE && getgroups(4, groups) != 0)
		return "groups are left";
	if (r >= IDS_BASE && r != IDS_BASE + (unsigned)getpid())
		return "not a user of its own";
	if (syscall(SYS_setresuid, 0, 0, 0) == 0 ||
	    syscall(SYS_setresuid, 1, 1, 1) == 0 ||
	    syscall(SYS_setgroups, 0, NULL) == 0)
		return "ids can be changed";
	return NULL;
}

static const char *nothing_comes_back(void)
{
	struct rlimit core;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "no_new_privs is not set";
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return "dumpable";
	getrlimit(RLIMIT_CORE, &core);
	if (core.rlim_cur || core.rlim_max)
		return "cores are written";
	return NULL;
}

static void *thread_main(void *arg)
{
	return arg;
}

static const char *work_goes_on(void)
{
	pthread_t t;
	char c;

	if (pread(outside_fd, &c, 1, 0) != 1 || ftruncate(outside_fd, 2) < 0)
		return "an open file cannot be used";
	if (pthread_create(&t, NULL, thread_main, NULL) != 0)
		return "no thread can be started";
	pthread_join(t, NULL);
	return NULL;
}

/* ---- the child ---- */

static void become_user(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(USER_ID, USER_ID, USER_ID) ||
	    setresuid(USER_ID, USER_ID, USER_ID) < 0)
		_exit(98);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* Runs check in a jail; the answer comes through a pipe. "refused: ..." when
 * the jail could not be entered. */
static void in_jail(bool user, check_fn *check, char *answer, size_t room)
{
	int p[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = { 0 };
		const char *wrong;

		if (user)
			become_user();
		if (jail_enter(&e) < 0) {
			dprintf(p[1], "refused: %s", e.msg);
			_exit(0);
		}
		wrong = check();
		dprintf(p[1], "%s", wrong ? wrong : "fine");
		_exit(0);
	}
	close(p[1]);
	n = fd_read_full(p[0], answer, room - 1);
	assert_true(n >= 0);
	answer[n] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void expect(check_fn *check)
{
	char answer[512];

	in_jail(false, check, answer, sizeof(answer));
	assert_string_equal(answer, "fine");
	in_jail(true, check, answer, sizeof(answer));
	/* A host may refuse users; then it must say what would change that. */
	if (strncmp(answer, "refused: jail: ", 15) == 0 &&
	    (strstr(answer, "run: sysctl ") || strstr(answer, "policy")))
		return;
	assert_string_equal(answer, "fine");
}

#define JAIL_TEST(name)                                                        \
	static void test_##name(void **state)                                  \
	{                                                                      \
		(void)state;                                                   \
		expect(name);                                                  \
	}
JAIL_TEST(root_is_empty)
JAIL_TEST(capabilities_are_gone)
JAIL_TEST(network_is_empty)
JAIL_TEST(user_is_nobody)
JAIL_TEST(nothing_comes_back)
JAIL_TEST(work_goes_on)

/* Writes text to a file of /proc; in a user namespace of our own the limits of
 * the host are ours to set. */
static bool put(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY);

	return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

static void without_namespaces(void)
{
	struct err e = { 0 };
	char uids[40], gids[40];

	snprintf(uids, sizeof(uids), "%u %u 1", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(0); /* refused already; expect() looks at the line */
	if (!put("/proc/self/setgroups", "deny") ||
	    !put("/proc/self/uid_map", uids) ||
	    !put("/proc/self/gid_map", gids) ||
	    !put("/proc/sys/user/max_net_namespaces", "0"))
		_exit(1);
	if (jail_enter(&e) == 0)
		_exit(2);
	_exit(strstr(e.msg, "sysctl user.max_") ? 0 : 3);
}

/* No namespaces left to make: the reason and the setting are named. */
static void refusal_names_the_remedy(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		without_namespaces();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int setup(void **state)
{
	(void)state;
	outside_fd = memfd_create("outside", MFD_CLOEXEC);
	return outside_fd < 0 || write(outside_fd, "x", 1) != 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_is_empty),
		cmocka_unit_test(test_capabilities_are_gone),
		cmocka_unit_test(test_network_is_empty),
		cmocka_unit_test(test_user_is_nobody),
		cmocka_unit_test(test_nothing_comes_back),
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(refusal_names_the_remedy),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/ns.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMESPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |            \
	 CLONE_NEWCGROUP)

/* Any directory that is there before the root is gone; nothing of it stays. */
#define PIVOT_DIR "/proc"

/* The number in a sysctl file, or def when there is no such file. */
static long sysctl_get(const char *path, long def)
{
	char text[32];
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return def;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

/* Why the host said no, and what would make it say yes. */
static const char *remedy(void)
{
	if (sysctl_get("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
		return "run: sysctl kernel.unprivileged_userns_clone=1";
	if (sysctl_get("/proc/sys/user/max_user_namespaces", 1) == 0)
		return "run: sysctl user.max_user_namespaces=10000";
	if (sysctl_get("/proc/sys/kernel/"
		       "apparmor_restrict_unprivileged_userns",
		       0) != 0)
		return "run: sysctl "
		       "kernel.apparmor_restrict_unprivileged_userns=0";
	return "the container or policy around this process forbids it";
}

int ns_refused(int code, struct err *e)
{
	if (code == ENOSPC)
		return err_set(e, code,
			       "namespaces: the host allows no more "
			       "(sysctl user.max_*_namespaces)");
	if (code == EPERM || code == EACCES)
		return err_set(e, code, "namespaces: not permitted: %s",
			       remedy());
	errno = code;
	return err_sys(e, "namespaces");
}

int ns_unshare(bool user, struct err *e)
{
	if (unshare(NAMESPACES | (user ? CLONE_NEWUSER : 0)) == 0)
		return 0;
	return ns_refused(errno, e);
}

/* From the new root as working directory to being in it. */
static int swap_root(struct err *e)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		/* "." is now the old root, on top of the new one. */
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, "detach the host's root");
		return 0;
	}
	if (errno != EINVAL)
		return err_sys(e, "change the root");
	/* The root is an initramfs or a plain directory (chroot), which
	 * pivot_root(2) does not swap: cover it instead. */
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return err_sys(e, "cover the root");
	return 0;
}

int ns_empty_root(struct err *e)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV |
				    MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		if (errno == EACCES || errno == EPERM)
			return err_set(e, EPERM, "mounts: not permitted: %s",
				       remedy());
		return err_sys(e, "make mounts private");
	}
	/* One inode: the root itself. */
	if (mount("vial", PIVOT_DIR, "tmpfs", flags,
		  "size=4k,nr_inodes=1,mode=0555") < 0)
		return err_sys(e, "mount an empty root");
	if (chdir(PIVOT_DIR) < 0)
		return err_sys(e, "chdir %s", PIVOT_DIR);
	if (swap_root(e) < 0)
		return e ? -e->code : -EPERM;
	if (chdir("/") < 0)
		return err_sys(e, "chdir /");
	return 0;
}

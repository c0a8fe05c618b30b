/* SPDX-License-Identifier: Apache-2.0 */
/* share_child.c - a root for virtiofsd, and the way into it.
 *
 * All trees are cloned first, while their names mean what the caller means;
 * then the new root is put together out of the clones, and the host's is
 * detached. */
#include "run/share_child.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/passfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> cannot be had together everywhere. */
int mount(const char *source, const char *target, const char *type,
	  unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define DETACH 2 /* MNT_DETACH */

/* Any directory that is there and that nobody shares. */
#define BUILD_AT "/proc"

enum { FD_LISTENER = 3, FD_SYNC, FD_FREE };

/* What a dynamic program needs. A link (merged /usr) is made again. */
static const char *const parts[] = { "usr", "lib", "lib64", "lib32" };

struct root {
	int part[ARRAY_LEN(parts)]; /* clones; -1: none, or a link */
	char link[ARRAY_LEN(parts)][64];
	int proc;
	int dir[SHARE_MAX];
	bool is_dir[SHARE_MAX];
};

/* ---- trees ---- */

/* A copy of the tree of mounts at path, attached nowhere. */
static int tree_clone(const char *path, uint64_t attrs, struct err *e)
{
	struct mount_attr a = { .attr_set = attrs };
	autoclose int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						AT_RECURSIVE);

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &a,
		    sizeof(a)) < 0)
		return err_sys(e, "%s: mount flags", path);
	return take_fd(&fd);
}

static int tree_put(int tree, const char *at, struct err *e)
{
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, at,
		    MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "mount /%s", at);
	close(tree);
	return 0;
}

static int tree_close_to_writes(const char *at, struct err *e)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY };

	if (syscall(SYS_mount_setattr, AT_FDCWD, at, 0, &a, sizeof(a)) < 0)
		return err_sys(e, "%s: read-only", at);
	return 0;
}

/* ---- the new root ---- */

static int root_clone_parts(struct root *r, struct err *e)
{
	const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			       MOUNT_ATTR_NODEV;
	char path[16];

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		ssize_t n;

		r->part[i] = -1;
		snprintf(path, sizeof(path), "/%s", parts[i]);
		n = readlink(path, r->link[i], sizeof(r->link[i]) - 1);
		if (n >= 0 || access(path, F_OK) < 0)
			continue;
		r->part[i] = tree_clone(path, attrs, e);
		if (r->part[i] < 0)
			return r->part[i];
	}
	/* For where /proc may not be mounted anew. */
	r->proc = tree_clone("/proc", attrs, e);
	return r->proc;
}

static int root_clone_dirs(struct root *r, const struct share_child *c,
			   struct err *e)
{
	for (unsigned i = 0; i < c->n; i++) {
		uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				 (c->dirs[i].readonly ? MOUNT_ATTR_RDONLY : 0);
		struct stat st;

		r->dir[i] = tree_clone(c->dirs[i].path, attrs, e);
		if (r->dir[i] < 0)
			return r->dir[i];
		if (fstat(r->dir[i], &st) < 0)
			return err_sys(e, "%s", c->dirs[i].path);
		r->is_dir[i] = S_ISDIR(st.st_mode);
	}
	return 0;
}

/* A place of the right type for a tree, in the working directory. */
static int root_place(const char *at, bool is_dir, struct err *e)
{
	int r = is_dir ? mkdir(at, 0755) : mknod(at, S_IFREG | 0644, 0);

	return r < 0 ? err_sys(e, "make /%s", at) : 0;
}

static int root_put_parts(struct root *r, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		if (r->link[i][0] && symlink(r->link[i], parts[i]) < 0)
			return err_sys(e, "link /%s", parts[i]);
		if (r->part[i] >= 0 && (root_place(parts[i], true, e) < 0 ||
					tree_put(r->part[i], parts[i], e) < 0))
			return -e->code;
	}
	if (root_place("proc", true, e) < 0)
		return -e->code;
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) == 0) {
		close(r->proc);
		return 0;
	}
	return tree_put(r->proc, "proc", e);
}

static int root_put_dirs(struct root *r, const struct share_child *c,
			 struct err *e)
{
	char at[16];

	if (root_place("src", true, e) < 0)
		return -e->code;
	if (mount("vial", "src", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=64k") < 0)
		return err_sys(e, "mount /src");
	for (unsigned i = 0; i < c->n; i++) {
		snprintf(at, sizeof(at), "src/%u", i);
		if (root_place(at, r->is_dir[i], e) < 0 ||
		    tree_put(r->dir[i], at, e) < 0)
			return err_wrap(e, "%s", c->dirs[i].path);
	}
	return tree_close_to_writes("src", e);
}

static int root_build(const struct share_child *c, struct err *e)
{
	struct root r = { .proc = -1 };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make mounts private");
	if (root_clone_dirs(&r, c, e) < 0 || root_clone_parts(&r, e) < 0)
		return -e->code;
	if (mount("vial", BUILD_AT, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=0755,size=64k") < 0 ||
	    chdir(BUILD_AT) < 0)
		return err_sys(e, "mount a root");
	if (root_put_parts(&r, e) < 0 || root_put_dirs(&r, c, e) < 0 ||
	    tree_close_to_writes(".", e) < 0)
		return -e->code;
	return 0;
}

/* As jail/ns.c does: an initramfs is covered, all else is swapped. */
static int root_enter(struct err *e)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", DETACH) < 0)
			return err_sys(e, "detach the host's root");
	} else if (errno != EINVAL) {
		return err_sys(e, "change the root");
	} else if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
		   chroot(".") < 0) {
		return err_sys(e, "cover the root");
	}
	return chdir("/") < 0 ? err_sys(e, "chdir /") : 0;
}

/* ---- the process ---- */

static int put_file(const char *path, const char *text, struct err *e)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, "%s", path);
	return 0;
}

/* Root inside is the caller outside: exec keeps root's capabilities. */
static int child_map(const struct share_child *c, struct err *e)
{
	char uids[40], gids[40];

	if (!c->map)
		return 0;
	snprintf(uids, sizeof(uids), "0 %u 1\n", c->uid);
	snprintf(gids, sizeof(gids), "0 %u 1\n", c->gid);
	if (put_file("/proc/self/setgroups", "deny", e) < 0 ||
	    put_file("/proc/self/uid_map", uids, e) < 0 ||
	    put_file("/proc/self/gid_map", gids, e) < 0)
		return -e->code;
	return 0;
}

/* Nobody is connected but the other end of *conn: the address is one of a
 * network namespace that nobody else is in. */
static int child_sockets(int *listener, int *conn, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*conn = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || *conn < 0 ||
	    bind(*listener, (struct sockaddr *)&a, sizeof(sa_family_t)) < 0 ||
	    getsockname(*listener, (struct sockaddr *)&a, &len) < 0 ||
	    listen(*listener, 1) < 0 ||
	    connect(*conn, (struct sockaddr *)&a, len) < 0)
		return err_sys(e, "socket");
	return 0;
}

static void child_say(int sync, const struct err *what, int fd)
{
	/* Who started us has died before we asked to die with it. */
	if (passfd_send(sync, what, sizeof(*what), &fd, fd >= 0) < 0)
		_exit(1);
}

static void child_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The listener, the way back, the log and two that lead nowhere. */
static int child_fds(int null, int log, int listener, int sync, struct err *e)
{
	/* Out of the way of the numbers they are to have. */
	listener = fcntl(listener, F_DUPFD_CLOEXEC, FD_FREE);
	sync = fcntl(sync, F_DUPFD_CLOEXEC, FD_FREE);
	null = fcntl(null, F_DUPFD_CLOEXEC, FD_FREE);
	log = log < 0 ? null : fcntl(log, F_DUPFD_CLOEXEC, FD_FREE);
	if (listener < 0 || sync < 0 || log < 0 || dup2(log, 2) < 0 ||
	    dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(listener, FD_LISTENER) < 0 ||
	    dup3(sync, FD_SYNC, O_CLOEXEC) < 0 ||
	    syscall(SYS_close_range, FD_FREE, ~0u, 0) < 0)
		return err_sys(e, "descriptors");
	return 0;
}

/* Every file that the guest has looked at is a descriptor. */
static void child_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* virtiofsd leaves all groups, or ends. In a user namespace of one group that
 * is not possible, nor needed: what they give is the caller's to use. So there
 * the call does nothing and says that it did. */
static int child_groups(const struct share_child *c, struct err *e)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_LEN(insns), insns };

	if (c->map && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return err_sys(e, "filter setgroups");
	return 0;
}

static int child_prepare(const struct share_child *c, int *listener, int *conn,
			 struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl");
	setsid();
	umask(0);
	child_signals();
	child_limits();
	if (child_map(c, e) < 0 || root_build(c, e) < 0 || root_enter(e) < 0 ||
	    child_groups(c, e) < 0 || child_sockets(listener, conn, e) < 0)
		return -e->code;
	return 0;
}

void share_child(const struct share_child *c)
{
	static const char options[] =
		"source=/src,sandbox=chroot,cache=auto,xattr,"
		"announce_submounts,modcaps=-mknod,log_level=err";
	static const char *const argv[] = {
		VIRTIOFSD, "-f", "--fd=3", "-o", options, NULL,
	};
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int listener = -1, conn = -1;
	struct err e = { 0 };

	if (child_prepare(c, &listener, &conn, &e) < 0) {
		child_say(c->sync, &e, -1);
		_exit(1);
	}
	child_say(c->sync, &e, conn);
	if (child_fds(null, c->log_fd, listener, c->sync, &e) == 0) {
		execve(VIRTIOFSD, (char *const *)(uintptr_t)argv, env);
		err_sys(&e, VIRTIOFSD);
	}
	child_say(FD_SYNC, &e, -1);
	_exit(1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* share.h - folders of the host for one box, served by virtiofsd.
 *
 * THEORY OF OPERATION
 *
 * One virtiofsd serves all folders of a box. It is started in namespaces of
 * its own, pid and network too, with a root that has nothing but its program
 * and libraries, a /proc of its own processes, and /src:
 *
 *     /src       tmpfs, read-only, made virtiofsd's root by itself
 *     /src/0     the first folder (or file), with what is mounted below it
 *     /src/1     the second, ...
 *
 * Each is a mount of its own, and one that the guest may only read is mounted
 * read-only here: whatever virtiofsd is made to do, the kernel refuses to
 * write. What lies beside a shared file or above a shared folder is in no
 * mount that it has. Then virtiofsd closes its system calls, as it does
 * everywhere.
 *
 * As root, users of the guest are users of the host, as with containers. For
 * anybody else root of the guest is the caller, in a user namespace that has
 * nobody else; what other users of the guest make fails then.
 *
 * It ends with the connection to it, and is killed when the thread that
 * started it ends. The kernel removes its mounts with it. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define SHARE_MAX 64

struct share_dir {
	const char *path; /* folder, or any other file */
	bool readonly;
};

struct share {
	pid_t pid; /* a child; 0: none */
	int fd;	   /* connected, vhost-user; owned, may be handed on */
};

#define SHARE_INIT                                                             \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Folder i is at /i of the share. Its descriptor is close-on-exec. What
 * virtiofsd has to say goes to log_fd, or nowhere (-1). On failure nothing is
 * left, and e names the folder and why. The caller has one thread, and lives
 * as long as the box. */
int share_start(struct share *s, const struct share_dir *dirs, unsigned n,
		int log_fd, struct err *e);
/* Safe on one that was not started. */
void share_stop(struct share *s);

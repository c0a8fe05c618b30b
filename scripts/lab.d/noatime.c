/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noatime - preloaded into virtiofsd when it does not run as root.
 *
 * overlayfs opens the files below it with O_NOATIME, and virtiofsd passes the
 * flag on. Only the owner of a file may use it; with the flag gone, reading
 * what belongs to root works as it does outside.
 */
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The two names virtiofsd calls; not in a header that may be included here. */
int openat64(int dir, const char *path, int flags, mode_t mode);
int __openat64_2(int dir, const char *path, int flags);

#define NOATIME 01000000 /* O_NOATIME: fcntl.h has other prototypes */

int openat64(int dir, const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, dir, path, flags & ~NOATIME, mode);
}

int __openat64_2(int dir, const char *path, int flags)
{
	return openat64(dir, path, flags, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "run/hostsock.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define LOCK_TRIES 300
#define LOCK_NS 10000000

/* Between the look at an old socket and its end no other may come: whoever
 * makes one in this folder holds the folder. Three seconds are enough for all
 * who do only that. */
static int lock_folder(const char *path, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_NS };
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	autoclose int fd = -1;

	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + 1, path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", dir);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return err_sys(e, "lock %s", dir);
		nanosleep(&pause, NULL);
	}
	return take_fd(&fd);
}

static bool deserted(const struct sockaddr_un *at)
{
	autoclose int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	return fd >= 0 && lstat(at->sun_path, &st) == 0 &&
	       S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 &&
	       errno == ECONNREFUSED;
}

static int bind_at(int fd, const struct sockaddr_un *at)
{
	mode_t mask = umask(0177);
	int r = bind(fd, (const struct sockaddr *)at, sizeof(*at));

	if (r < 0 && errno == EADDRINUSE) {
		if (deserted(at) && unlink(at->sun_path) == 0)
			r = bind(fd, (const struct sockaddr *)at, sizeof(*at));
		else
			errno = EADDRINUSE;
	}
	umask(mask);
	return r;
}

/* A number of a file that was removed is used again soon. */
static bool identity(const char *path, uint64_t *ino, uint64_t *born)
{
	struct statx x;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
		  &x) < 0)
		return false;
	*ino = x.stx_ino;
	*born = (uint64_t)x.stx_btime.tv_sec * 1000000000 + x.stx_btime.tv_nsec;
	return true;
}

int hostsock_open(struct hostsock *s, const char *path, struct err *e)
{
	autoclose int folder = lock_folder(path, e);
	autoclose int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (folder < 0)
		return folder;
	if (fd < 0)
		return err_sys(e, "socket");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (bind_at(fd, &at) < 0)
		return errno == EADDRINUSE
			     ? err_set(e, EADDRINUSE,
				       "%s: is in use (another box, or a "
				       "file of that name)",
				       path)
			     : err_sys(e, "%s", path);
	s->path = path;
	identity(path, &s->ino, &s->born);
	s->fd = fd;
	if (listen(fd, SOMAXCONN) < 0) {
		err_sys(e, "listen on %s", path);
		take_fd(&fd);
		hostsock_close(s);
		return -e->code;
	}
	take_fd(&fd);
	return 0;
}

void hostsock_unlink(const struct hostsock *s)
{
	uint64_t ino, born;

	if (s->path && identity(s->path, &ino, &born) && ino == s->ino &&
	    born == s->born)
		unlink(s->path);
}

void hostsock_close(struct hostsock *s)
{
	hostsock_unlink(s);
	s->path = NULL;
	if (s->fd >= 0)
		close(take_fd(&s->fd));
}

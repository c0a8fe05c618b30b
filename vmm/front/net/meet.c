/* SPDX-License-Identifier: Apache-2.0 */
#include "net/meet.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define MORE_MAX 4
#define BACKLOG 64

int meet_folder(const char *path, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %.200s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %.200s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, EPERM, "%.200s is not ours alone", path);
	return take_fd(&fd);
}

/* Its folder may have a name that is too long for a socket's. */
static int path_of(struct sockaddr_un *a, int folder, const char *name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(a->sun_path, sizeof(a->sun_path),
			"/proc/self/fd/%d/%.*s", folder, MEET_NAME, name);
}

/* ---- its start ---- */

/* Not our child for long: it outlives us. */
static void become(int listening, int lock, const struct meet_who *w)
{
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR);
	int from[MEET_MORE_FD + MORE_MAX] = { null, null, null, listening,
					      lock };
	int end = MEET_MORE_FD;

	if (fork() != 0)
		_exit(0);
	setsid();
	for (size_t i = 0; i < w->nmore && i < MORE_MAX; i++)
		from[end++] = w->more[i];
	/* Out of the way of those places. */
	for (int i = 0; i < end; i++)
		if (from[i] >= 0)
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC,
					MEET_MORE_FD + MORE_MAX);
	for (int i = 0; i < end; i++) {
		close(i);
		if (from[i] >= 0 && dup2(from[i], i) < 0)
			_exit(1);
	}
	syscall(SYS_close_range, end, ~0u, 0);
	execve(SELF, (char *const *)(uintptr_t)w->argv, env);
	_exit(1);
}

/* The lock that it takes before it goes must not be the one we have open:
 * locks of flock(2) are the open file's. */
static int start(int folder, const struct sockaddr_un *a,
		 const struct meet_who *w, struct err *e)
{
	autoclose int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	autoclose int lock =
		openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mode_t mask;
	pid_t pid;
	int r;

	unlink(a->sun_path);
	mask = umask(0177);
	r = s < 0 ? -1 : bind(s, (const struct sockaddr *)a, sizeof(*a));
	umask(mask);
	if (r < 0 || lock < 0 || listen(s, BACKLOG) < 0)
		return err_sys(e, "%s", w->name);
	pid = fork();
	if (pid == 0)
		become(s, lock, w);
	if (pid < 0)
		return err_sys(e, "fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int dial(const struct sockaddr_un *a)
{
	autoclose int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || connect(s, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -errno;
	return take_fd(&s);
}

int meet(int folder, const struct meet_who *w, struct err *e)
{
	autoclose int lock =
		openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un at;
	int s;

	path_of(&at, folder, w->name);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, "the folder of networks");
	s = dial(&at);
	if (s == -ECONNREFUSED || s == -ENOENT) {
		if (start(folder, &at, w, e) < 0)
			return -e->code;
		s = dial(&at);
	}
	return s < 0 ? err_set(e, -s, "%s", strerror(-s)) : s;
}

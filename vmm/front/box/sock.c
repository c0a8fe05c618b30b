/* SPDX-License-Identifier: Apache-2.0 */
#include "box/sock.h"

#include "base/auto.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define BACKLOG 128
#define PATIENCE_S 10

/* A socket's address holds 107 bytes of path; going through the descriptor
 * of the directory keeps it short. */
static void address(int dir, const char *name, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir,
		 name);
}

static int listen_at(int dir, const char *name, int type, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	address(dir, name, &sa);
	if (fd < 0)
		return err_sys(e, "socket %s", name);
	/* Of a life before this one. */
	unlinkat(dir, name, 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "bind %s", name);
	if (listen(fd, BACKLOG) < 0)
		return err_sys(e, "listen on %s", name);
	return take_fd(&fd);
}

static int connect_at(int dir, const char *name, int type, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un sa;

	address(dir, name, &sa);
	if (fd < 0)
		return err_sys(e, "socket %s", name);
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			   sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "connect to %s", name);
	return take_fd(&fd);
}

int sock_listen(int dir, const char *name, struct err *e)
{
	return listen_at(dir, name, SOCK_STREAM, e);
}

int sock_connect(int dir, const char *name, struct err *e)
{
	return connect_at(dir, name, SOCK_STREAM, e);
}

int sock_listen_packets(int dir, const char *name, struct err *e)
{
	return listen_at(dir, name, SOCK_SEQPACKET, e);
}

int sock_connect_packets(int dir, const char *name, struct err *e)
{
	return connect_at(dir, name, SOCK_SEQPACKET, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/passfd.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

union room {
	char bytes[CMSG_SPACE(PASSFD_MAX * sizeof(int))];
	struct cmsghdr head;
};

ssize_t passfd_send(int sock, const void *buf, size_t len, const int *fds,
		    size_t n)
{
	union room u = { .bytes = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	assert(n <= PASSFD_MAX);
	if (n > 0) {
		m.msg_control = u.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		u.head.cmsg_level = SOL_SOCKET;
		u.head.cmsg_type = SCM_RIGHTS;
		u.head.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&u.head), fds, n * sizeof(int));
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t passfd_recv(int sock, void *buf, size_t len, int *fds, size_t n)
{
	union room u;
	struct iovec iov = { buf, len };
	/* LEN and not SPACE: where there is room for one more, for alignment,
	 * the kernel fills it. What has no room it closes. */
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = u.bytes,
			    .msg_controllen = CMSG_LEN(n * sizeof(int)) };
	struct cmsghdr *c;
	ssize_t r;

	assert(n <= PASSFD_MAX);
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* passfd.h - one message over a unix socket, with descriptors beside it. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define PASSFD_MAX 16

/* Returns what went out (a stream may take less) or -errno. There is no
 * SIGPIPE, and n may be 0. */
ssize_t passfd_send(int sock, const void *buf, size_t len, const int *fds,
		    size_t n);
/* Returns what came, 0 at the end, or -errno. fds[0..n) are the caller's, -1
 * where none came; a sender's further ones do not stay open. */
ssize_t passfd_recv(int sock, void *buf, size_t len, int *fds, size_t n);

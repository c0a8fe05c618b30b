/* SPDX-License-Identifier: Apache-2.0 */
/* passfd.h - one byte over a stream socket, with a descriptor or without. */
#pragma once

/* fd -1: without. 0 or -errno. */
int passfd_send(int sock, int fd);
/* *fd becomes -1 when none came. -EPIPE: the other end is gone. */
int passfd_recv(int sock, int *fd);

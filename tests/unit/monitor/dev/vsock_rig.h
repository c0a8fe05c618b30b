/* SPDX-License-Identifier: Apache-2.0 */
/* vsock_rig.h - what the tests of the vsock device have in common. */
#pragma once

#include "base/auto.h"
#include "tests/guest/vsock.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct vguest s;
static struct vpkt p;

static inline int setup(void **state)
{
	(void)state;
	vguest_init(&s, VIRTIO_F_EVENT_IDX);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	vguest_fini(&s);
	return 0;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	vguest_pump(&s);
}

/* The client reads exactly this, now. */
static inline void expect_text(int fd, const char *text)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static inline void expect_eof(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
}

static inline void expect_nothing(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static inline void expect_op(enum vsock_op op)
{
	assert_true(vguest_recv(&s, &p));
	assert_int_equal(p.h.op, op);
}

static inline void expect_bytes(const char *text)
{
	expect_op(VSOCK_OP_RW);
	assert_int_equal(p.h.len, strlen(text));
	assert_int_equal(p.used, VSOCK_HDR + strlen(text));
	assert_memory_equal(p.data, text, strlen(text));
}

static inline void expect_quiet(void)
{
	assert_false(vguest_recv(&s, &p));
}

static inline unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline struct vsock *dev(void)
{
	return container_of(s.v, struct vsock, virtio);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

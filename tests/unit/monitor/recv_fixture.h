/* SPDX-License-Identifier: Apache-2.0 */
/* recv_fixture.h - a plan that is right, and the way it comes. */
#pragma once

#include "monitor/recv.h"

#include "base/auto.h"
#include "base/fd.h"
#include "monitor/plan.h"
#include "proto/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A plan that is right, and everything it points at. Tests change one thing. */
struct box {
	Vial__Plan__Plan plan;
	Vial__Plan__Disk disk[2], *disks[CONF_MAX_DISKS + 1];
	uint32_t base_fds[CONF_MAX_LAYERS + 1];
	Vial__Plan__Share share[2], *shares[CONF_MAX_SHARES + 1];
	Vial__Plan__Net net, *nets[1];
	uint8_t mac[CONF_MAC];
	uint32_t more[CONF_NET_MORE + 1];
	char id[80], cmdline[CONF_CMDLINE_MAX + 2], serial[32], tag[64];
	int fds[20];
	unsigned nfds;
};

static inline uint32_t keep(struct box *b, int fd)
{
	assert_true(fd >= 0);
	if (fd < PLAN_FIRST_FD) {
		int up = fcntl(fd, F_DUPFD, PLAN_FIRST_FD);

		close(fd);
		fd = up;
	}
	assert_true(b->nfds < ARRAY_LEN(b->fds));
	b->fds[b->nfds++] = fd;
	return (uint32_t)fd;
}

static inline uint32_t file_fd(struct box *b)
{
	return keep(b, memfd_create("file", MFD_CLOEXEC));
}

static inline uint32_t listen_fd(struct box *b)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A name of the kernel's choice. */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return keep(b, fd);
}

static inline uint32_t talk_fd(struct box *b)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s),
			 0);
	close(s[1]); /* connected it was, for all a plan can tell */
	return keep(b, s[0]);
}

static inline void box_init(struct box *b)
{
	memset(b, 0, sizeof(*b));
	vial__plan__plan__init(&b->plan);
	snprintf(b->id, sizeof(b->id), "job-1.a_B");
	snprintf(b->cmdline, sizeof(b->cmdline), "quiet x=1");
	snprintf(b->serial, sizeof(b->serial), "root");
	b->plan.generation = PLAN_GENERATION;
	b->plan.id = b->id;
	b->plan.vcpus = 2;
	b->plan.ram_bytes = 256ull << 20;
	b->plan.cmdline = b->cmdline;
	b->plan.kvm_fd = keep(b, open("/dev/null", O_RDWR | O_CLOEXEC));
	b->plan.kernel_fd = file_fd(b);
	b->plan.initrd_fd = file_fd(b);
	b->plan.console_fd = file_fd(b);
	b->plan.console_max_bytes = 1 << 20;
	b->plan.control_fd = listen_fd(b);
	b->plan.vsock_fd = listen_fd(b);
	b->plan.lock_fd = file_fd(b);
	b->plan.tied = 1;
	for (int i = 0; i < 2; i++)
		vial__plan__disk__init(&b->disk[i]);
	for (size_t i = 0; i < ARRAY_LEN(b->disks); i++)
		b->disks[i] = &b->disk[i > 0];
	b->base_fds[0] = file_fd(b);
	b->base_fds[1] = file_fd(b);
	b->disk[0].serial = b->serial;
	b->disk[0].base_fds = b->base_fds;
	b->disk[0].n_base_fds = 2;
	b->disk[0].overlay_fd = file_fd(b);
	b->disk[0].size_bytes = 1 << 20;
	b->plan.disks = b->disks;
	b->plan.n_disks = 1;
	snprintf(b->tag, sizeof(b->tag), "work");
	for (int i = 0; i < 2; i++)
		vial__plan__share__init(&b->share[i]);
	for (size_t i = 0; i < ARRAY_LEN(b->shares); i++)
		b->shares[i] = &b->share[i > 0];
	b->share[0].tag = b->tag;
	b->share[0].socket_fd = talk_fd(b);
	b->plan.shares = b->shares;
	b->plan.n_shares = 1;
}

static inline void box_fini(struct box *b)
{
	for (unsigned i = 0; i < b->nfds; i++)
		close(b->fds[i]);
}

/* ---- a plan through a socket ---- */

static inline int send_bytes(const void *bytes, size_t len,
			     struct monitor_conf *conf, struct err *e)
{
	int s[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s),
			 0);
	assert_int_equal(fd_write_full(s[1], bytes, len), 0);
	close(s[1]);
	memset(e, 0, sizeof(*e));
	r = recv_plan(s[0], conf, e);
	close(s[0]);
	return r;
}

static inline int send_box(struct box *b, struct monitor_conf *conf,
			   struct err *e)
{
	struct buf out;
	int r;

	buf_init(&out, WIRE_MAX + WIRE_HEADER);
	assert_int_equal(wire_put(&out, &b->plan.base), 0);
	r = send_bytes(buf_head(&out), buf_len(&out), conf, e);
	buf_fini(&out);
	return r;
}

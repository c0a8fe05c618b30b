/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/vhost_user.h"

#include "base/auto.h"
#include "tests/guest/back.h"
#include "tests/guest/toy.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NEED_REPLY 9 /* version 1 */
#define PROTOCOL   (1ull << 30)

static struct guest g;
static struct toy toy;
static struct ring ring[2];
static struct back back;
static struct vhost_user u;
static struct back_msg m;
static struct err e;

static int begin(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	guest_init_shared(&g);
	toy_init(&toy, &g.mem);
	back_init(&back);
	u = (struct vhost_user){ .fd = -1 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	vhost_user_drop(&u);
	back_fini(&back);
	toy_fini(&toy);
	guest_fini(&g);
	return 0;
}

static int open_back(void)
{
	return vhost_user_open(&u, back.ours, &g.mem, &e);
}

/* Both queues are the driver's, kicked by two descriptors of their own. */
static void open_both(void)
{
	back_open(&back);
	if (open_back() < 0)
		fail_msg("%s", e.msg);
	back_forget(&back);
	assert_true(guest_start(&toy.virtio, 0));
	ring_init(&ring[0], &g, &toy.virtio, 0, 8);
	ring_init(&ring[1], &g, &toy.virtio, 1, 16);
}

static int start(void)
{
	const int kicks[2] = { toy.virtio.kick_fd, toy.virtio.kick_fd };

	return vhost_user_start(&u, VIRTIO_F_VERSION_1, toy.virtio.queue, 2,
				kicks, toy.virtio.irq_fd, &e);
}

static int stop(void)
{
	return vhost_user_stop(&u, toy.virtio.queue, 2, &e);
}

static void asked(enum back_request r, uint32_t flags, uint32_t size)
{
	assert_true(back_asked(&back, &m));
	assert_int_equal(m.request, r);
	assert_int_equal(m.flags, flags);
	assert_int_equal(m.size, size);
}

static void asked_state(enum back_request r, uint32_t index, uint32_t num)
{
	asked(r, NEED_REPLY, 8);
	assert_int_equal(m.body[0], index | (uint64_t)num << 32);
	assert_int_equal(m.nfds, 0);
}

static void asked_fd(enum back_request r, uint32_t index, int fd)
{
	struct stat a, b;

	asked(r, NEED_REPLY, 8);
	assert_int_equal(m.body[0], index);
	assert_int_equal(m.nfds, 1);
	assert_int_equal(fstat(m.fds[0], &a) | fstat(fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	back_done(&m);
}

static void opening_gives_memory(void **state)
{
	char seen[4] = "";

	(void)state;
	back_open(&back);
	assert_int_equal(open_back(), 0);
	assert_true(u.features & VIRTIO_F_VERSION_1);
	assert_false(u.features & PROTOCOL);
	asked(BACK_GET_FEATURES, 1, 0);
	asked(BACK_GET_PROTOCOL_FEATURES, 1, 0);
	asked(BACK_SET_PROTOCOL_FEATURES, 1, 8);
	assert_int_equal(m.body[0], 8);
	asked(BACK_SET_OWNER, NEED_REPLY, 0);
	asked(BACK_SET_MEM_TABLE, NEED_REPLY, 8 + 2 * 32);
	assert_int_equal(m.body[0], 2);
	/* guest address, size, "our" address, offset */
	assert_int_equal(m.body[1], GUEST_LOW_BASE);
	assert_int_equal(m.body[2], GUEST_LOW_SIZE);
	assert_int_equal(m.body[3], GUEST_LOW_BASE);
	assert_int_equal(m.body[5], GUEST_HIGH_BASE);
	assert_int_equal(m.body[7], GUEST_HIGH_BASE);
	assert_int_equal(m.nfds, 2);
	mem_write(&g.mem, GPA(GUEST_HIGH_BASE + 64), "abc", 4);
	assert_int_equal(pread(m.fds[1], seen, 4, (off_t)m.body[8] + 64), 4);
	assert_string_equal(seen, "abc");
	/* whoever has it cannot make it shorter */
	assert_int_equal(ftruncate(m.fds[0], 4096), -1);
	back_done(&m);
	assert_false(back_asked(&back, &m));
}

static void starting_gives_rings(void **state)
{
	(void)state;
	open_both();
	back_start(&back, 2);
	assert_int_equal(start(), 0);
	asked(BACK_SET_FEATURES, NEED_REPLY, 8);
	assert_int_equal(m.body[0], VIRTIO_F_VERSION_1 | PROTOCOL);
	for (uint32_t i = 0; i < 2; i++) {
		asked_state(BACK_SET_VRING_NUM, i, ring[i].size);
		asked_state(BACK_SET_VRING_BASE, i, 0);
		asked(BACK_SET_VRING_ADDR, NEED_REPLY, 40);
		assert_int_equal(m.body[0], i);
		assert_int_equal(m.body[1], ring[i].desc.v);
		assert_int_equal(m.body[2], ring[i].used.v);
		assert_int_equal(m.body[3], ring[i].avail.v);
		asked_fd(BACK_SET_VRING_CALL, i, toy.virtio.irq_fd);
		asked_fd(BACK_SET_VRING_KICK, i, toy.virtio.kick_fd);
		asked_state(BACK_SET_VRING_ENABLE, i, 1);
	}
	back_stop(&back, 2);
	assert_int_equal(stop(), 0);
	asked(BACK_GET_VRING_BASE, 1, 8);
	assert_int_equal(m.body[0], 0);
	asked(BACK_GET_VRING_BASE, 1, 8);
	assert_int_equal(m.body[0], 1);
	assert_false(back_asked(&back, &m));
}

static void queues_the_driver_left_out_stay_out(void **state)
{
	(void)state;
	open_both();
	toy.virtio.queue[0].ready = false;
	back_start(&back, 1);
	assert_int_equal(start(), 0);
	asked(BACK_SET_FEATURES, NEED_REPLY, 8);
	asked_state(BACK_SET_VRING_NUM, 1, ring[1].size);
	back_forget(&back);
	back_answer(&back, BACK_GET_VRING_BASE, 1);
	assert_int_equal(stop(), 0);
}

static void private_memory_is_not_given(void **state)
{
	struct guest p;

	(void)state;
	guest_init(&p);
	back_open(&back);
	assert_int_equal(vhost_user_open(&u, back.ours, &p.mem, &e), -EINVAL);
	assert_string_equal(e.msg, "guest memory is not shared");
	guest_fini(&p);
}

/* ---- a back end that lacks something ---- */

static void one_that_cannot_answer_is_refused(void **state)
{
	(void)state;
	back_answer(&back, BACK_GET_FEATURES, PROTOCOL | VIRTIO_F_VERSION_1);
	back_answer(&back, BACK_GET_PROTOCOL_FEATURES, 1);
	assert_int_equal(open_back(), -ENOTSUP);
}

static void one_without_the_protocol_is_refused(void **state)
{
	(void)state;
	back_answer(&back, BACK_GET_FEATURES, VIRTIO_F_VERSION_1);
	assert_int_equal(open_back(), -ENOTSUP);
}

static void a_legacy_one_is_refused(void **state)
{
	(void)state;
	back_answer(&back, BACK_GET_FEATURES, PROTOCOL);
	back_answer(&back, BACK_GET_PROTOCOL_FEATURES, 8);
	assert_int_equal(open_back(), -ENOTSUP);
	assert_string_equal(e.msg, "the back end is a legacy device");
}

/* ---- a back end that breaks the rules ---- */

static void answer_words(uint32_t request, uint32_t flags, uint32_t size)
{
	const uint32_t msg[5] = { request, flags, size, 0, 0 };

	back_write(&back, msg, sizeof(msg));
}

static void answers_of_another_shape_are_refused(void **state)
{
	static const uint32_t bad[][3] = {
		{ BACK_SET_OWNER, 5, 8 },
		{ BACK_GET_FEATURES, 1, 8 },
		{ BACK_GET_FEATURES, 4, 8 },
		{ BACK_GET_FEATURES, 13, 8 },
		{ BACK_GET_FEATURES, 5, 4 },
		{ BACK_GET_FEATURES, 5, UINT32_MAX },
		{ BACK_GET_FEATURES, 5, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		back_fini(&back);
		back_init(&back);
		answer_words(bad[i][0], bad[i][1], bad[i][2]);
		assert_int_equal(open_back(), -EPROTO);
		assert_non_null(strstr(e.msg, "GET_FEATURES: "));
	}
}

static void a_refusal_is_told(void **state)
{
	(void)state;
	open_both();
	back_answer(&back, BACK_SET_FEATURES, 0);
	back_answer(&back, BACK_SET_VRING_NUM, 1);
	assert_int_equal(start(), -EIO);
	assert_string_equal(e.msg,
			    "queue 0: SET_VRING_NUM: the back end refused");
}

static void the_wrong_queue_stopped_is_told(void **state)
{
	(void)state;
	open_both();
	back_answer(&back, BACK_GET_VRING_BASE, 1);
	assert_int_equal(stop(), -EPROTO);
	back_fini(&back);
	back_init(&back);
	u.fd = back.ours;
	back_answer(&back, BACK_GET_VRING_BASE, 0);
	back_answer(&back, BACK_GET_VRING_BASE, 0);
	assert_int_equal(stop(), -EPROTO);
}

static void an_end_is_told(void **state)
{
	(void)state;
	back_write(&back, "\1\0\0", 3);
	assert_int_equal(shutdown(back.other, SHUT_WR), 0);
	assert_int_equal(open_back(), -ECONNRESET);
	assert_string_equal(e.msg, "GET_FEATURES: the back end has ended");
	back_fini(&back);
	back_init(&back);
	back_end(&back);
	assert_int_equal(open_back(), -EPIPE);
}

static void silence_ends(void **state)
{
	(void)state;
	assert_int_equal(open_back(), -ETIMEDOUT);
	assert_non_null(strstr(e.msg, "GET_FEATURES: the back end did not"));
	/* and half an answer is no answer */
	back_write(&back, "\1\0\0\0\5\0", 6);
	assert_int_equal(open_back(), -ETIMEDOUT);
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void descriptors_that_come_are_not_kept(void **state)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = { .room = { 0 } };
	uint32_t msg[5] = { BACK_SET_FEATURES, 5, 8, 0, 0 };
	struct iovec iov = { msg, sizeof(msg) };
	struct msghdr out = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = c.room,
			      .msg_controllen = sizeof(c.room) };
	unsigned before;

	(void)state;
	open_both();
	toy.virtio.queue[0].ready = toy.virtio.queue[1].ready = false;
	c.align.cmsg_len = CMSG_LEN(sizeof(int));
	c.align.cmsg_level = SOL_SOCKET;
	c.align.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&c.align), &toy.virtio.irq_fd, sizeof(int));
	assert_int_equal(sendmsg(back.other, &out, 0), sizeof(msg));
	before = open_fds();
	assert_int_equal(start(), 0);
	assert_int_equal(open_fds(), before);
}

static void what_is_heard_unasked_is_the_end(void **state)
{
	(void)state;
	open_both();
	assert_null(vhost_user_heard(&u));
	back_write(&back, "x", 1);
	assert_string_equal(vhost_user_heard(&u),
			    "the back end speaks out of turn");
	assert_null(vhost_user_heard(&u));
	back_end(&back);
	assert_string_equal(vhost_user_heard(&u), "the back end has ended");
}

static void dropped_is_dropped(void **state)
{
	char byte;

	(void)state;
	open_both();
	vhost_user_drop(&u);
	vhost_user_drop(&u);
	assert_int_equal(recv(back.other, &byte, 1, 0), 0);
	assert_int_equal(start(), -EPIPE);
	assert_int_equal(stop(), -EPIPE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(opening_gives_memory),
		T(starting_gives_rings),
		T(queues_the_driver_left_out_stay_out),
		T(private_memory_is_not_given),
		T(one_that_cannot_answer_is_refused),
		T(one_without_the_protocol_is_refused),
		T(a_legacy_one_is_refused),
		T(answers_of_another_shape_are_refused),
		T(a_refusal_is_told),
		T(the_wrong_queue_stopped_is_told),
		T(an_end_is_told),
		T(silence_ends),
		T(descriptors_that_come_are_not_kept),
		T(what_is_heard_unasked_is_the_end),
		T(dropped_is_dropped),
	};

	log_init("test", LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

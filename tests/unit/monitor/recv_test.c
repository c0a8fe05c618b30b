/* SPDX-License-Identifier: Apache-2.0 */
/* One plan comes, and with it the descriptors that it names and no other. */
#include "tests/unit/monitor/recv_fixture.h"

#include <sys/wait.h>

static void a_right_plan_is_copied(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	if (send_box(&b, &c, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(c.id, "job-1.a_B");
	assert_string_equal(c.cmdline, "quiet x=1");
	assert_int_equal(c.vcpus, 2);
	assert_int_equal(c.ram_bytes, 256ull << 20);
	assert_int_equal(c.kvm_fd, b.plan.kvm_fd);
	assert_int_equal(c.kernel_fd, b.plan.kernel_fd);
	assert_int_equal(c.initrd_fd, b.plan.initrd_fd);
	assert_int_equal(c.console_fd, b.plan.console_fd);
	assert_int_equal(c.console_max_bytes, 1 << 20);
	assert_int_equal(c.control_fd, b.plan.control_fd);
	assert_int_equal(c.vsock_fd, b.plan.vsock_fd);
	assert_int_equal(c.lock_fd, b.plan.lock_fd);
	assert_int_equal(c.ndisks, 1);
	assert_string_equal(c.disk[0].serial, "root");
	assert_int_equal(c.disk[0].nbase, 2);
	assert_int_equal(c.disk[0].base_fds[1], b.base_fds[1]);
	assert_int_equal(c.disk[0].overlay_fd, b.disk[0].overlay_fd);
	assert_int_equal(c.disk[0].size_bytes, 1 << 20);
	assert_int_equal(c.nshares, 1);
	assert_string_equal(c.share[0].tag, "work");
	assert_int_equal(c.share[0].socket_fd, b.share[0].socket_fd);
	assert_true(c.tied);
	assert_false(c.verbose);
	box_fini(&b);
}

static void what_is_absent_is_minus_one(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	b.plan.initrd_fd = b.plan.console_fd = b.plan.control_fd = 0;
	b.plan.vsock_fd = b.plan.lock_fd = b.disk[0].overlay_fd = 0;
	b.plan.cmdline = NULL;
	assert_int_equal(send_box(&b, &c, &e), 0);
	assert_int_equal(c.initrd_fd, -1);
	assert_int_equal(c.console_fd, -1);
	assert_int_equal(c.control_fd, -1);
	assert_int_equal(c.vsock_fd, -1);
	assert_int_equal(c.lock_fd, -1);
	assert_int_equal(c.disk[0].overlay_fd, -1);
	assert_string_equal(c.cmdline, "");
	b.plan.n_disks = b.plan.n_shares = 0;
	assert_int_equal(send_box(&b, &c, &e), 0);
	assert_int_equal(c.ndisks, 0);
	assert_int_equal(c.nshares, 0);
	box_fini(&b);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* In a child, whose descriptors are its own. Returns what is wrong, or 0. */
static int close_others(const struct box *b, const struct monitor_conf *c)
{
	int plan = fcntl(0, F_DUPFD, 200), low = fcntl(0, F_DUPFD, 3);
	int middle = fcntl(0, F_DUPFD, (int)b->plan.kernel_fd + 1);
	int high = fcntl(0, F_DUPFD, plan + 10);
	struct err e;

	if (plan < 0 || low < 0 || middle < 0 || high < 0)
		return 1;
	if (recv_close_others(c, plan, &e) < 0)
		return 2;
	for (unsigned i = 0; i < b->nfds; i++)
		if (!is_open(b->fds[i]))
			return 3;
	if (!is_open(plan) || !is_open(0) || !is_open(1) || !is_open(2))
		return 4;
	return is_open(low) || is_open(middle) || is_open(high) ? 5 : 0;
}

static void what_no_plan_names_is_closed(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;
	pid_t child;
	int status;

	(void)state;
	box_init(&b);
	assert_int_equal(send_box(&b, &c, &e), 0);
	child = fork();
	if (child == 0)
		_exit(close_others(&b, &c));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	box_fini(&b);
}

/* Only the frame is read: what follows belongs to the next reader. */
static void not_a_byte_more_is_read(void **state)
{
	struct monitor_conf c;
	struct err e = { 0 };
	struct box b;
	struct buf out;
	int s[2];
	char next = 0;

	(void)state;
	box_init(&b);
	buf_init(&out, WIRE_MAX + WIRE_HEADER);
	assert_int_equal(wire_put(&out, &b.plan.base), 0);
	assert_int_equal(buf_append(&out, "N", 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	assert_int_equal(fd_write_full(s[1], buf_head(&out), buf_len(&out)), 0);
	assert_int_equal(recv_plan(s[0], &c, &e), 0);
	assert_int_equal(read(s[0], &next, 1), 1);
	assert_int_equal(next, 'N');
	close(s[0]);
	close(s[1]);
	buf_fini(&out);
	box_fini(&b);
}

static void broken_frames(void **state)
{
	struct monitor_conf c;
	struct err e;

	(void)state;
	assert_int_equal(send_bytes("", 0, &c, &e), -EPIPE);
	assert_int_equal(send_bytes("\1\0", 2, &c, &e), -EPROTO);
	assert_int_equal(send_bytes("\5\0\0\0ab", 6, &c, &e), -EPROTO);
	assert_int_equal(send_bytes("\0\0\0\0", 4, &c, &e), -EPROTO);
	assert_int_equal(send_bytes("\1\0\x10\0", 4, &c, &e), -EPROTO);
	assert_int_equal(send_bytes("\xff\xff\xff\xff", 4, &c, &e), -EPROTO);
	assert_int_equal(send_bytes("\3\0\0\0\xff\xff\xff", 7, &c, &e),
			 -EPROTO);
	assert_int_equal(recv_plan(-1, &c, &e), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_plan_is_copied),
		cmocka_unit_test(what_is_absent_is_minus_one),
		cmocka_unit_test(what_no_plan_names_is_closed),
		cmocka_unit_test(not_a_byte_more_is_read),
		cmocka_unit_test(broken_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

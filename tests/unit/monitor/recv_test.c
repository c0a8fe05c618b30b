/* SPDX-License-Identifier: Apache-2.0 */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A plan that is right, and everything it points at. Tests change one thing. */
struct box {
	Vial__Plan__Plan plan;
	Vial__Plan__Disk disk[2], *disks[CONF_MAX_DISKS + 1];
	uint32_t base_fds[CONF_MAX_LAYERS + 1];
	Vial__Plan__Share share[2], *shares[CONF_MAX_SHARES + 1];
	char id[80], cmdline[CONF_CMDLINE_MAX + 2], serial[32], tag[64];
	int fds[20];
	unsigned nfds;
};

static uint32_t keep(struct box *b, int fd)
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

static uint32_t file_fd(struct box *b)
{
	return keep(b, memfd_create("file", MFD_CLOEXEC));
}

static uint32_t listen_fd(struct box *b)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A name of the kernel's choice. */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return keep(b, fd);
}

static uint32_t talk_fd(struct box *b)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s),
			 0);
	close(s[1]); /* connected it was, for all a plan can tell */
	return keep(b, s[0]);
}

static void box_init(struct box *b)
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

static void box_fini(struct box *b)
{
	for (unsigned i = 0; i < b->nfds; i++)
		close(b->fds[i]);
}

/* ---- a plan through a socket ---- */

static int send_bytes(const void *bytes, size_t len, struct monitor_conf *conf,
		      struct err *e)
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

static int send_box(struct box *b, struct monitor_conf *conf, struct err *e)
{
	struct buf out;
	int r;

	buf_init(&out, WIRE_MAX + WIRE_HEADER);
	assert_int_equal(wire_put(&out, &b->plan.base), 0);
	r = send_bytes(buf_head(&out), buf_len(&out), conf, e);
	buf_fini(&out);
	return r;
}

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

/* ---- one wrong thing at a time ---- */

static void bad_generation(struct box *b)
{
	b->plan.generation = 2;
}
static void no_generation(struct box *b)
{
	b->plan.generation = 0;
}
static void no_id(struct box *b)
{
	b->id[0] = '\0';
}
static void id_dot(struct box *b)
{
	strcpy(b->id, "..");
}
static void id_slash(struct box *b)
{
	strcpy(b->id, "a/b");
}
static void id_newline(struct box *b)
{
	strcpy(b->id, "a\nb");
}
static void id_high(struct box *b)
{
	strcpy(b->id, "a\xc3\xa9");
}
static void id_long(struct box *b)
{
	memset(b->id, 'a', CONF_ID_MAX + 1);
}
static void no_vcpus(struct box *b)
{
	b->plan.vcpus = 0;
}
static void many_vcpus(struct box *b)
{
	b->plan.vcpus = 33;
}
static void huge_vcpus(struct box *b)
{
	b->plan.vcpus = UINT32_MAX;
}
static void no_ram(struct box *b)
{
	b->plan.ram_bytes = 0;
}
static void small_ram(struct box *b)
{
	b->plan.ram_bytes = 31ull << 20;
}
static void odd_ram(struct box *b)
{
	b->plan.ram_bytes += 4096;
}
static void big_ram(struct box *b)
{
	b->plan.ram_bytes = 1025ull << 30;
}
static void all_ram(struct box *b)
{
	b->plan.ram_bytes = UINT64_MAX;
}
static void big_console(struct box *b)
{
	b->plan.console_max_bytes = -1ull;
}
static void tab_cmdline(struct box *b)
{
	strcpy(b->cmdline, "a\tb");
}
static void no_kvm(struct box *b)
{
	b->plan.kvm_fd = 0;
}
static void no_kernel(struct box *b)
{
	b->plan.kernel_fd = 0;
}
static void low_fd(struct box *b)
{
	b->plan.vsock_fd = 2;
}
static void plan_fd(struct box *b)
{
	b->plan.kernel_fd = 3;
}
static void negative_fd(struct box *b)
{
	b->plan.initrd_fd = UINT32_MAX;
}
static void closed_fd(struct box *b)
{
	b->plan.initrd_fd = 900;
}
static void twice(struct box *b)
{
	b->plan.initrd_fd = b->plan.kernel_fd;
}
static void kvm_file(struct box *b)
{
	b->plan.kvm_fd = file_fd(b);
}
static void kernel_device(struct box *b)
{
	b->plan.kernel_fd = keep(b, open("/dev/zero", O_RDWR));
}
static void kernel_folder(struct box *b)
{
	b->plan.kernel_fd = keep(b, open("/", O_RDONLY));
}
static void kernel_path(struct box *b)
{
	b->plan.kernel_fd = keep(b, open("/proc/self/exe", O_PATH));
}
static void console_device(struct box *b)
{
	b->plan.console_fd = keep(b, open("/dev/null", O_RDWR));
}
static void console_reader(struct box *b)
{
	b->plan.console_fd = keep(b, open("/proc/self/exe", O_RDONLY));
}
static void control_file(struct box *b)
{
	b->plan.control_fd = file_fd(b);
}
static void control_deaf(struct box *b)
{
	b->plan.control_fd = keep(b, socket(AF_UNIX, SOCK_STREAM, 0));
}
static void vsock_datagrams(struct box *b)
{
	b->plan.vsock_fd = keep(b, socket(AF_UNIX, SOCK_DGRAM, 0));
}
static void vsock_internet(struct box *b)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	listen(fd, 1); /* at a port of the kernel's choice */
	b->plan.vsock_fd = keep(b, fd);
}
static void serial_long(struct box *b)
{
	memset(b->serial, 's', 21);
}
static void serial_bell(struct box *b)
{
	strcpy(b->serial, "a\a");
}
static void same_serials(struct box *b)
{
	b->plan.n_disks = 2;
	b->disk[1].serial = b->serial;
	b->disk[1].overlay_fd = file_fd(b);
	b->disk[1].size_bytes = 512;
}
static void many_disks(struct box *b)
{
	b->plan.n_disks = 9;
}
static void many_layers(struct box *b)
{
	b->disk[0].n_base_fds = 17;
}
static void layer_zero(struct box *b)
{
	b->base_fds[1] = 0;
}
static void layers_same(struct box *b)
{
	b->base_fds[1] = b->base_fds[0];
}
static void empty_disk(struct box *b)
{
	b->disk[0].n_base_fds = 0;
	b->disk[0].overlay_fd = 0;
}
static void sizeless_disk(struct box *b)
{
	b->disk[0].n_base_fds = 0;
	b->disk[0].size_bytes = 0;
}
static void odd_disk(struct box *b)
{
	b->disk[0].size_bytes = 513;
}
static void wide_disk(struct box *b)
{
	b->disk[0].size_bytes = 1ull << 63;
}
static void overlay_reader(struct box *b)
{
	b->disk[0].overlay_fd = keep(b, open("/proc/self/exe", O_RDONLY));
}
/* Another descriptor of a file that is a layer already. */
static void overlay_is_layer(struct box *b)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%u", b->base_fds[0]);
	b->disk[0].overlay_fd = keep(b, open(path, O_RDWR));
}
static void layer_writer(struct box *b)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%u", b->base_fds[0]);
	b->base_fds[0] = keep(b, open(path, O_WRONLY));
}

static void many_shares(struct box *b)
{
	b->plan.n_shares = CONF_MAX_SHARES + 1;
}
static void no_tag(struct box *b)
{
	b->tag[0] = '\0';
}
static void long_tag(struct box *b)
{
	memset(b->tag, 't', CONF_TAG_MAX + 1);
}
static void same_tags(struct box *b)
{
	b->plan.n_shares = 2;
	b->share[1].tag = b->tag;
	b->share[1].socket_fd = talk_fd(b);
}
static void no_back_end(struct box *b)
{
	b->share[0].socket_fd = 0;
}
static void back_end_deaf(struct box *b)
{
	b->share[0].socket_fd = listen_fd(b);
}
static void back_end_file(struct box *b)
{
	b->share[0].socket_fd = file_fd(b);
}

static const struct {
	void (*break_it)(struct box *b);
	const char *says; /* part of the line */
} wrongs[] = {
	{ bad_generation, "generation: 2" },
	{ no_generation, "generation: 0" },
	{ no_id, "id: missing" },
	{ many_shares, "shares: 9 of them, at most 8" },
	{ no_tag, "share 0: tag: missing" },
	{ long_tag, "share 0: tag: longer than 36" },
	{ same_tags, "shares 0 and 1: both have tag work" },
	{ no_back_end, "share 0: socket_fd: missing" },
	{ back_end_deaf, "is not a connected unix socket" },
	{ back_end_file, "is not a connected unix socket" },
	{ id_dot, "id: begins with" },
	{ id_slash, "id: byte 0x2f at 1" },
	{ id_newline, "id: byte 0x0a" },
	{ id_high, "id: byte 0xc3" },
	{ id_long, "id: longer than 64" },
	{ no_vcpus, "vcpus: 0" },
	{ many_vcpus, "vcpus: 33" },
	{ huge_vcpus, "vcpus: 4294967295" },
	{ no_ram, "ram_bytes: 0" },
	{ small_ram, "ram_bytes: " },
	{ odd_ram, "ram_bytes: " },
	{ big_ram, "ram_bytes: " },
	{ all_ram, "ram_bytes: " },
	{ big_console, "console_max_bytes: " },
	{ tab_cmdline, "cmdline: byte 0x09 at 1" },
	{ no_kvm, "kvm_fd: missing" },
	{ no_kernel, "kernel_fd: missing" },
	{ low_fd, "vsock_fd: descriptor 2" },
	{ plan_fd, "kernel_fd: descriptor 3" },
	{ negative_fd, "initrd_fd: descriptor 4294967295" },
	{ closed_fd, "initrd_fd: descriptor 900: Bad file descriptor" },
	{ twice, "kernel_fd and initrd_fd: both are" },
	{ kvm_file, "kvm_fd: " },
	{ kernel_device, "kernel_fd: " },
	{ kernel_folder, "is not a regular file or block device" },
	{ kernel_path, "kernel_fd: " },
	{ console_device, "is not a regular file" },
	{ console_reader, "console_fd: " },
	{ control_file, "is not a listening unix socket" },
	{ control_deaf, "is not a listening unix socket" },
	{ vsock_datagrams, "is not a listening unix socket" },
	{ vsock_internet, "is not a listening unix socket" },
	{ serial_long, "disk 0: serial: longer than 20" },
	{ serial_bell, "disk 0: serial: byte 0x07 at 1" },
	{ same_serials, "disks 0 and 1: both have serial root" },
	{ many_disks, "disks: 9 of them" },
	{ many_layers, "disk 0: base_fds: 17 layers" },
	{ layer_zero, "disk 0: base_fds: missing" },
	{ layers_same, "disk 0 layer 0 and disk 0 layer 1: both are" },
	{ empty_disk, "disk 0: neither" },
	{ sizeless_disk, "disk 0: size_bytes: missing" },
	{ odd_disk, "disk 0: size_bytes: 513" },
	{ wide_disk, "disk 0: size_bytes: " },
	{ overlay_reader, "disk 0 overlay: " },
	{ overlay_is_layer, "the same file" },
	{ layer_writer, "disk 0 layer 0: " },
};

static void each_wrong_thing_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct monitor_conf c;
		struct box b;
		struct err e;
		int r;

		box_init(&b);
		wrongs[i].break_it(&b);
		r = send_box(&b, &c, &e);
		box_fini(&b);
		if (r >= 0 || !strstr(e.msg, wrongs[i].says))
			fail_msg("%zu: wanted \"%s\", got %d \"%s\"", i,
				 wrongs[i].says, r, e.msg);
		assert_int_equal(r, -e.code);
	}
}

static void limits_are_inside(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	b.plan.vcpus = CONF_MAX_VCPUS;
	b.plan.ram_bytes = CONF_MAX_RAM;
	memset(b.id, 'z', CONF_ID_MAX);
	b.id[CONF_ID_MAX] = '\0';
	memset(b.serial, '~', CONF_SERIAL_MAX);
	b.serial[CONF_SERIAL_MAX] = '\0';
	memset(b.cmdline, 'c', CONF_CMDLINE_MAX);
	b.cmdline[CONF_CMDLINE_MAX] = '\0';
	if (send_box(&b, &c, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(strlen(c.cmdline), CONF_CMDLINE_MAX);
	assert_int_equal(strlen(c.id), CONF_ID_MAX);
	b.plan.ram_bytes = CONF_MIN_RAM;
	b.plan.vcpus = 1;
	assert_int_equal(send_box(&b, &c, &e), 0);
	b.cmdline[CONF_CMDLINE_MAX] = 'c';
	assert_int_equal(send_box(&b, &c, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "cmdline: longer than 2048"));
	box_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_plan_is_copied),
		cmocka_unit_test(what_is_absent_is_minus_one),
		cmocka_unit_test(what_no_plan_names_is_closed),
		cmocka_unit_test(not_a_byte_more_is_read),
		cmocka_unit_test(broken_frames),
		cmocka_unit_test(each_wrong_thing_is_named),
		cmocka_unit_test(limits_are_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One wrong thing in a plan at a time: each is named. */
#include "tests/unit/monitor/recv_fixture.h"

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
/* An interface on a tap, with two further queues. */
static void with_net(struct box *b)
{
	vial__plan__net__init(&b->net);
	b->mac[0] = 2;
	b->net.mac = (ProtobufCBinaryData){ sizeof(b->mac), b->mac };
	b->net.tap_fd = 50;
	b->more[0] = 51;
	b->more[1] = 52;
	b->net.more_tap_fds = b->more;
	b->net.n_more_tap_fds = 2;
	b->nets[0] = &b->net;
	b->plan.nets = b->nets;
	b->plan.n_nets = 1;
}
static void many_queues(struct box *b)
{
	with_net(b);
	b->net.n_more_tap_fds = CONF_NET_MORE + 1;
}
static void queue_zero(struct box *b)
{
	with_net(b);
	b->more[1] = 0;
}
static void stream_queues(struct box *b)
{
	with_net(b);
	b->net.tap_fd = 0;
	b->net.stream_fd = 50;
}
static void queue_file(struct box *b)
{
	with_net(b);
	b->net.tap_fd = file_fd(b);
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
	{ many_queues, "net 0: more_tap_fds: 4, at most 3" },
	{ queue_zero, "net 0: more_tap_fds: missing" },
	{ stream_queues, "net 0: more_tap_fds: of a stream" },
	{ queue_file, "is not a tap with a virtio header" },
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
		cmocka_unit_test(each_wrong_thing_is_named),
		cmocka_unit_test(limits_are_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

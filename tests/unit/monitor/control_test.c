/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may ask of the monitor about interfaces that come and go. */
#include "control.h"

#include "base/auto.h"
#include "dev/net.h"
#include "proto/control.pb-c.h"
#include "tests/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#define DEVICE_ID 0x008

static struct guest guest;
static struct loop loop;
static struct machine machine;
static struct control control;
static struct chan client;
static uint8_t mac[] = { 6, 1, 2, 3, 4, 5 };

/* Slots of a machine that was never built: first one that stays, then two into
 * which something may come. */
static void add_slot(int fd)
{
	struct slot *s = &machine.slot[machine.nslots++];
	struct dev_conf conf = { .type = DEV_NET,
				 .net = { .name = "net0", .fd = fd } };
	struct err e;

	s->machine = &machine;
	s->kind = &dev_kinds[DEV_NET];
	s->v = net_create(&conf, &guest.mem, &loop, &e);
	assert_non_null(s->v);
	s->spare = fd < 0;
}

static int listener(struct sockaddr_un *a)
{
	socklen_t len = sizeof(*a);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_int_equal(bind(s, (struct sockaddr *)a, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(s, 4), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)a, &len), 0);
	return s;
}

static int fixed[2], plan[2];

static int set_up(void **state)
{
	struct sockaddr_un at;
	struct err e;
	int s;

	(void)state;
	log_init("test", LOG_ERR);
	guest_init(&guest);
	machine = (struct machine){ .nslots = 0 };
	control = (struct control){ .tied = false };
	assert_int_equal(loop_init(&loop, NULL, &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fixed), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, plan), 0);
	add_slot(fixed[0]);
	add_slot(-1);
	add_slot(-1);
	s = listener(&at);
	assert_int_equal(control_init(&control, &machine, &loop, s, plan[0],
				      false, &e),
			 0);
	chan_init(&client, socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	/* The name was given by the kernel: its length is five and the family */
	assert_int_equal(connect(client.fd, (struct sockaddr *)&at,
				 sizeof(sa_family_t) + 6),
			 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(client.fd);
	chan_fini(&client);
	control_fini(&control);
	close(control.listen.fd);
	for (unsigned i = 0; i < machine.nslots; i++)
		net_destroy(machine.slot[i].v);
	for (unsigned i = 0; i < 2; i++) {
		close(fixed[i]);
		close(plan[i]);
	}
	loop_fini(&loop);
	guest_fini(&guest);
	return 0;
}

static Vial__Control__Reply *await(void)
{
	ProtobufCMessage *m = NULL;
	int r = 0;

	for (unsigned i = 0; i < 100 && !m && r >= 0; i++) {
		loop_once(&loop, 0);
		if (chan_fill(&client) < 0)
			return NULL;
		m = chan_next(&client, &vial__control__reply__descriptor, &r);
	}
	return (Vial__Control__Reply *)m;
}

/* The slot, or what is wrong. */
static int answered(void)
{
	Vial__Control__Reply *reply = await();
	int r;

	assert_non_null(reply);
	r = reply->error   ? -(int)reply->error
	  : reply->plugged ? (int)reply->plugged->slot
			   : 0;
	if (reply->plugged)
		assert_int_equal(reply->plugged->address,
				 machine_slot_at((unsigned)r).v);
	vial__control__reply__free_unpacked(reply, NULL);
	return r;
}

static uint64_t rate;

static int plug(int fd, size_t len, uint32_t mtu)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	Vial__Control__Plug p = VIAL__CONTROL__PLUG__INIT;

	p.mac = (ProtobufCBinaryData){ len, mac };
	p.mtu = mtu;
	p.rx_bytes = p.tx_bytes = rate;
	call.op_case = VIAL__CONTROL__CALL__OP_PLUG;
	call.plug = &p;
	assert_int_equal(fd < 0 ? chan_send(&client, &call.base)
				: chan_send_fd(&client, &call.base, fd),
			 0);
	return answered();
}

static int unplug(uint32_t slot)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	Vial__Control__Unplug u = VIAL__CONTROL__UNPLUG__INIT;

	u.slot = slot;
	call.op_case = VIAL__CONTROL__CALL__OP_UNPLUG;
	call.unplug = &u;
	assert_int_equal(chan_send(&client, &call.base), 0);
	return answered();
}

static int kind_at(unsigned slot)
{
	return (int)guest_read32(machine.slot[slot].v, DEVICE_ID);
}

static void interfaces_come_and_go(void **state)
{
	int a[2], b[2], c[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, c), 0);
	assert_int_equal(plug(a[0], 6, 1500), 1);
	assert_int_equal(plug(b[0], 6, 0), 2);
	assert_int_equal(plug(c[0], 6, 0), -ENOSPC);
	assert_int_equal(kind_at(1), 1);
	assert_int_equal(kind_at(2), 1);
	/* The one that was there from the start does not go. */
	assert_int_equal(unplug(0), -ENODEV);
	assert_int_equal(unplug(3), -ENODEV);
	assert_int_equal(unplug(UINT32_MAX), -ENODEV);
	assert_int_equal(unplug(1), 0);
	assert_int_equal(unplug(1), -ENODEV);
	assert_int_equal(kind_at(0), 1);
	assert_int_equal(kind_at(1), 0);
	assert_int_equal(plug(c[0], 6, 0), 1);
	/* All that was handed over and is not in use was closed. */
	close(a[0]);
	assert_int_equal(read(a[1], &(char){ 0 }, 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		if (i)
			close(a[i]);
		close(b[i]);
		close(c[i]);
	}
}

static void one_that_a_driver_keeps_is_not_given_again(void **state)
{
	int a[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), 0);
	assert_int_equal(plug(a[0], 6, 0), 1);
	guest_start(machine.slot[1].v, 0);
	assert_int_equal(unplug(1), 0);
	assert_int_equal(plug(a[0], 6, 0), 2);
	assert_int_equal(plug(a[0], 6, 0), -ENOSPC);
	guest_reset(machine.slot[1].v);
	assert_int_equal(plug(a[0], 6, 0), 1);
	close(a[0]);
	close(a[1]);
}

static void nonsense_is_refused(void **state)
{
	int a[2], file = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), 0);
	assert_int_equal(plug(-1, 6, 0), -EBADF);
	assert_int_equal(plug(a[0], 5, 0), -EINVAL);
	/* The descriptor of a call that failed serves the next. */
	rate = (1ull << 40) + 1;
	assert_int_equal(plug(a[0], 6, 0), -EINVAL);
	rate = 0;
	assert_int_equal(plug(a[0], 6, 67), -EINVAL);
	assert_int_equal(plug(a[0], 6, 65536), -EINVAL);
	mac[0] |= 1;
	assert_int_equal(plug(a[0], 6, 0), -EINVAL);
	mac[0] &= 0xfe;
	/* Not to be watched. */
	assert_int_equal(plug(file, 6, 0), -EPERM);
	assert_int_equal(kind_at(1), 0);
	assert_int_equal(plug(a[0], 6, 0), 1);
	close(a[0]);
	close(a[1]);
	close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interfaces_come_and_go),
		TEST(one_that_a_driver_keeps_is_not_given_again),
		TEST(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

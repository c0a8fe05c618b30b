/* SPDX-License-Identifier: Apache-2.0 */
/* A tap that comes and goes, and a driver that does what it likes meanwhile. */
#include "tests/unit/monitor/dev/net_rig.h"

#include "virtio/view.h"

#include <errno.h>
#include <fcntl.h>

#define DEVICE_ID 0x008
#define STATUS 0x070
#define FEATURES 0x010
#define FEATURE_SEL 0x014
#define F_MTU (1u << 3)
#define ALL_OK                                                                 \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK |       \
	 VIRTIO_S_DRIVER_OK)

static int ours;

/* A placeholder: nothing was plugged in yet. */
static int empty(void **state)
{
	struct bench *b = &bench;
	struct dev_conf conf = { .type = DEV_NET,
				 .net = { .name = "net1", .fd = -1 } };
	struct err e = { 0 };

	*b = (struct bench){ .peer = -1 };
	guest_init(&b->g);
	assert_int_equal(loop_init(&b->loop, NULL, &e), 0);
	b->v = net_create(&conf, &b->g.mem, &b->loop, &e);
	assert_non_null(b->v);
	log_init("test", LOG_ERR);
	*state = b;
	return 0;
}

static int plug(struct bench *b, uint16_t mtu)
{
	struct dev_conf conf = { .type = DEV_NET, .net = { .mtu = mtu } };
	struct err e = { 0 };
	int fds[2], r;

	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_SEQPACKET | SOCK_NONBLOCK |
					    SOCK_CLOEXEC,
				    0, fds),
			 0);
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	conf.net.fd = fds[0];
	r = net_plug(b->v, &conf, &e);
	if (r < 0) {
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (b->peer >= 0)
		close(b->peer);
	ours = fds[0];
	b->peer = fds[1];
	return 0;
}

static void drive(struct bench *b)
{
	assert_true(guest_start(b->v, MRG));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	ring_init(&b->tx, &b->g, b->v, 1, 64);
	guest_go(b->v);
}

static void works(struct bench *b)
{
	uint8_t got[200], frame[HDR + 60] = { 0 };

	send_frame(b, 60, our_mac);
	assert_int_equal(read(b->peer, got, sizeof(got)), HDR + 60);
	offer(b, 2000);
	ring_kick(&b->rx);
	make_frame(frame + HDR, 60, our_mac);
	assert_int_equal(write(b->peer, frame, sizeof(frame)), sizeof(frame));
	turn(b);
	assert_true(ring_used(&b->rx, NULL, NULL));
}

static void a_placeholder_is_no_device(void **state)
{
	struct bench *b = *state;

	assert_int_equal(guest_read32(b->v, 0), 0x74726976);
	assert_int_equal(guest_read32(b->v, 4), 2);
	assert_int_equal(guest_read32(b->v, DEVICE_ID), 0);
	/* Whatever is written stays without effect. */
	guest_write32(b->v, STATUS, ALL_OK);
	assert_int_equal(guest_read32(b->v, STATUS), 0);
	assert_false(guest_start(b->v, 0));
	for (uint32_t off = 0; off < MMIO_SIZE; off += 4)
		guest_write32(b->v, off, off == STATUS ? 1 : 0xffffffff);
	assert_int_equal(guest_read32(b->v, STATUS), 0);
	assert_int_equal(link_status(b), 0);
	guest_write32(b->v, MMIO_QUEUE_NOTIFY, 1);
	turn(b);
	assert_int_equal(guest_irqs(b->v), 0);
	/* And nothing of it is left when a device is there. */
	assert_int_equal(plug(b, 0), 0);
	assert_int_equal(guest_read32(b->v, DEVICE_ID), 1);
	drive(b);
	works(b);
}

static void what_is_plugged_says_what_it_is(void **state)
{
	struct bench *b = *state;
	uint8_t mac[6];

	assert_int_equal(plug(b, 1400), 0);
	mmio_read(b->v, CONFIG, mac, sizeof(uint32_t));
	mmio_read(b->v, CONFIG + 4, mac + 4, sizeof(uint16_t));
	assert_memory_equal(mac, our_mac, sizeof(mac));
	assert_int_equal(link_status(b), LINK_UP);
	guest_write32(b->v, FEATURE_SEL, 0);
	assert_true(guest_read32(b->v, FEATURES) & F_MTU);
	assert_int_equal(plug(b, 1400), -EBUSY);
	net_unplug(b->v);
	assert_int_equal(plug(b, 0), 0);
	guest_write32(b->v, FEATURE_SEL, 0);
	assert_false(guest_read32(b->v, FEATURES) & F_MTU);
}

static void it_comes_and_goes(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(plug(b, 1500), 0);
		assert_int_equal(guest_read32(b->v, DEVICE_ID), 1);
		drive(b);
		works(b);
		/* as a driver that is unbound: the device is known */
		guest_reset(b->v);
		guest_write32(b->v, STATUS, VIRTIO_S_ACKNOWLEDGE);
		net_unplug(b->v);
		assert_int_equal(guest_read32(b->v, DEVICE_ID), 0);
		assert_int_equal(fcntl(ours, F_GETFD), -1);
	}
	assert_int_equal(stats(b).net_tx_bytes, 600);
}

static void who_holds_on_holds_nothing(void **state)
{
	struct bench *b = *state;
	uint8_t got[200];

	assert_int_equal(plug(b, 0), 0);
	drive(b);
	offer(b, 2000);
	ring_kick(&b->rx);
	guest_irqs(b->v);
	net_unplug(b->v);
	assert_int_equal(guest_irqs(b->v), 1);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(link_status(b), 0);
	assert_int_equal(guest_read32(b->v, DEVICE_ID), 0);
	/* Doorbells, old and new buffers, another DRIVER_OK. */
	send_frame(b, 60, our_mac);
	offer(b, 2000);
	ring_kick(&b->rx);
	guest_write32(b->v, STATUS, ALL_OK);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 0);
	assert_int_equal(ring_used_idx(&b->tx), 0);
	assert_true(read(b->peer, got, sizeof(got)) <= 0);
	/* Nothing comes where somebody still is. */
	assert_int_equal(plug(b, 0), -EBUSY);
	guest_reset(b->v);
	assert_int_equal(guest_status(b->v), 0);
	assert_false(guest_start(b->v, 0));
	assert_int_equal(plug(b, 0), 0);
	drive(b);
	works(b);
}

static void gone_while_a_driver_comes(void **state)
{
	struct bench *b = *state;

	assert_int_equal(plug(b, 0), 0);
	assert_true(guest_start(b->v, MRG));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	net_unplug(b->v);
	guest_go(b->v);
	assert_false(virtio_live(b->v));
	turn(b);
	assert_int_equal(plug(b, 0), -EBUSY);
	guest_reset(b->v);
	assert_int_equal(plug(b, 0), 0);
	drive(b);
	works(b);
	/* Between plug and driver, and twice. */
	guest_reset(b->v);
	net_unplug(b->v);
	net_unplug(b->v);
	assert_int_equal(plug(b, 0), 0);
}

static void frames_that_wait_are_lost(void **state)
{
	struct bench *b = *state;
	uint8_t frame[HDR + 3000] = { 0 };

	assert_int_equal(plug(b, 0), 0);
	drive(b);
	/* One that needs three buffers has two. */
	offer(b, 1200);
	offer(b, 1200);
	ring_kick(&b->rx);
	make_frame(frame + HDR, 3000, our_mac);
	assert_int_equal(write(b->peer, frame, sizeof(frame)), sizeof(frame));
	turn(b);
	net_unplug(b->v);
	turn(b);
	guest_reset(b->v);
	assert_int_equal(plug(b, 0), 0);
	drive(b);
	works(b);
}

/* Registers that the guest reads by itself follow (view.h). */
static void the_page_follows(void **state)
{
	static _Alignas(MMIO_SIZE) uint32_t page[MMIO_SIZE / 4];
	struct bench *b = *state;

	view_open(b->v, page);
	assert_int_equal(page[DEVICE_ID / 4], 0);
	assert_int_equal(plug(b, 0), 0);
	assert_int_equal(page[DEVICE_ID / 4], 1);
	assert_memory_equal(&page[CONFIG / 4], our_mac, sizeof(our_mac));
	drive(b);
	net_unplug(b->v);
	assert_int_equal(page[DEVICE_ID / 4], 0);
	assert_true(page[STATUS / 4] & VIRTIO_S_NEEDS_RESET);
	guest_reset(b->v);
	assert_int_equal(page[STATUS / 4], 0);
	assert_int_equal(plug(b, 0), 0);
	net_unplug(b->v);
	assert_int_equal(page[DEVICE_ID / 4], 0);
	assert_int_equal(page[CONFIG / 4], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_placeholder_is_no_device, empty),
		TEST(what_is_plugged_says_what_it_is, empty),
		TEST(it_comes_and_goes, empty),
		TEST(who_holds_on_holds_nothing, empty),
		TEST(gone_while_a_driver_comes, empty),
		TEST(the_page_follows, empty),
		TEST(frames_that_wait_are_lost, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains, commands and frames to a network device, over messages, over
 * several queues of them or over a stream, or one whose back end comes and goes.
 * The threads of pairs are not started: their loops are turned here, so that an
 * input means one thing.
 * Nothing comes out that is not a frame from the guest's own address, nothing
 * outside the guest's buffers is written, and afterwards a good driver finds
 * it working. */
#include "dev/net_priv.h"

#include "base/auto.h"
#include "tests/fuzz/bytes.h"
#include "tests/guest/guest.h"

#include <stdlib.h>
#include <sys/socket.h>

#define PAGE 4096u
#define RINGS 0x100000u
#define RING_BYTES 0x4000u
#define AREA 0x10000u /* 64 KiB, what the input plays with */
#define CANARY 0x200000u
#define SEGS 10u
#define HDR 12u
#define ETH 14u
#define FRAME_MAX (65535 + ETH + 4)
#define MRG NET_F_MRG_RXBUF
#define USUAL (MRG | NET_F_CTRL_VQ | NET_F_MQ)
#define PAIRS	   ((size_t)3)
#define CTRL (2 * PAIRS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum back { MESSAGES, STREAM, LATER, MANY };

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 7 };

static struct guest guest;
static struct loop loop;
static struct virtio *net;
static struct ring ring[CTRL + 1];
static int peer[PAIRS], ours[PAIRS];
static unsigned pairs;

static void need(bool ok)
{
	if (!ok)
		abort();
}

static struct net *inner(void)
{
	return container_of(net, struct net, virtio);
}

static void turn(void)
{
	loop_once(&loop, 0);
	for (unsigned i = 1; i < pairs; i++)
		loop_once(inner()->pair[i].loop, 0);
}

static void open_peer(unsigned i, bool stream)
{
	int fds[2];

	need(socketpair(AF_UNIX,
			(stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK,
			0, fds) == 0);
	ours[i] = fds[0];
	peer[i] = fds[1];
}

static void open_net(bool stream)
{
	struct dev_conf conf = { .type = DEV_NET };
	struct err e;

	for (unsigned i = 0; i < pairs; i++)
		open_peer(i, stream);
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = ours[0],
				      .more = { ours[1], ours[2] },
				      .nmore = pairs - 1,
				      .stream = stream };
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	net = net_create(&conf, &guest.mem, &loop, &e);
	need(net);
}

static void open_empty(void)
{
	struct dev_conf conf = { .type = DEV_NET,
				 .net = { .name = "net1", .fd = -1 } };
	struct err e;

	net = net_create(&conf, &guest.mem, &loop, &e);
	need(net);
	ours[0] = peer[0] = -1;
}

/* It comes where no driver is, and goes whatever one does. */
static void plug(void)
{
	struct dev_conf conf = { .type = DEV_NET };
	bool free_ = net->absent && net->status == 0;
	struct err e;

	if (!net->absent) {
		net_unplug(net);
		need(guest_read32(net, 8) == 0);
		return;
	}
	if (peer[0] >= 0)
		close(peer[0]);
	open_peer(0, false);
	conf.net.fd = ours[0];
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	need((net_plug(net, &conf, &e) == 0) == free_);
	if (!free_)
		close(ours[0]);
	need(guest_read32(net, 8) == free_);
}

static void start(uint64_t features)
{
	guest_start(net, features);
	memset(guest_at(&guest, GPA(RINGS), RING_BYTES), 0, RING_BYTES);
	guest.next = RINGS;
	for (unsigned i = 0; i < net->ops->queues; i++)
		ring_init(&ring[i], &guest, net, (uint16_t)i, 32);
	guest_go(net);
}

static void put_chain(struct bytes *b, uint8_t op)
{
	unsigned n = 1 + bytes_u8(b) % SEGS;
	bool in = op & 8;
	struct seg segs[SEGS] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		uint64_t at = AREA + bytes_u16(b);
		uint32_t len = bytes_u8(b) * (op & 16 ? 64u : 1u);

		if (op & 32 && bytes_u8(b) < 8)
			at = bytes_num(b, 5); /* anywhere */
		if (at <= CANARY && at + len > CANARY)
			at = AREA;
		segs[i] = (struct seg){ GPA(at), len, in };
	}
	if (pairs == 1)
		op &= 0x3f;
	/* Commands have room for their answer, mostly. */
	if (op & 64)
		segs[n - 1].in = segs[n - 1].in || n > 1;
	ring_add(&ring[op & 64 ? CTRL : 2u * (op >> 7) + !in], segs, n);
}

static void put_frame(struct bytes *b, uint8_t op)
{
	static uint8_t raw[HDR + FRAME_MAX + 100];
	size_t len = bytes_u16(b) % sizeof(raw), n = bytes_u8(b);

	if (op & 8)
		len = len * 37 % sizeof(raw);
	for (size_t i = 0; i < n && i < sizeof(raw); i++)
		raw[i] = bytes_u8(b);
	if (write(peer[(op >> 4) % pairs], raw, len) < 0)
		return;
}

/* All that came out is a frame of the guest's. */
static void look_at(int fd, bool stream)
{
	static uint8_t raw[HDR + FRAME_MAX + 100];
	ssize_t n;

	while ((n = read(fd, raw, sizeof(raw))) > 0) {
		if (stream)
			continue;
		need(n >= (ssize_t)(HDR + ETH));
		need(n <= (ssize_t)(HDR + FRAME_MAX));
		need(memcmp(raw + HDR + 6, our_mac, 6) == 0);
	}
}

static void look(bool stream)
{
	for (unsigned i = 0; i < pairs; i++)
		look_at(peer[i], stream);
}

/* A command as it should be, of a number of pairs that may not. */
static uint8_t command(uint8_t n)
{
	struct seg segs[] = { SEG_OUT(GPA(AREA), 4), SEG_IN(GPA(AREA + 4), 1) };
	uint8_t *at = guest_at(&guest, GPA(AREA), 5);

	memcpy(at, (uint8_t[]){ 4, 0, n, 0, 0xff }, 5);
	ring_add(&ring[CTRL], segs, 2);
	ring_kick(&ring[CTRL]);
	return at[4];
}

static void step(struct bytes *b, enum back back)
{
	uint8_t op = bytes_u8(b);
	bool stream = back == STREAM;

	switch (op & 7) {
	case 0:
	case 1:
		ring_kick(&ring[op % net->ops->queues]);
		turn();
		break;
	case 2:
		put_frame(b, op);
		turn();
		break;
	case 3:
		look(stream);
		if (pairs > 1 && op & 8)
			command(op >> 4);
		turn();
		break;
	case 4: /* a frame of the right source */
		memcpy(guest_at(&guest, GPA(AREA + bytes_u8(b)), 6), our_mac,
		       6);
		break;
	case 5:
		if (back == LATER && op & 32)
			plug();
		else if (op & 8)
			guest_write32(net, 0x100 + (op >> 4), bytes_u32(b));
		else
			start(op & 16 ? net->offered : bytes_u32(b));
		break;
	default:
		put_chain(b, op);
		break;
	}
}

static void still_works(enum back back)
{
	struct seg s = SEG_OUT(GPA(AREA), HDR + 60);
	uint8_t got[200];

	/* A stream may hold the half of a frame. */
	if (back == STREAM)
		return;
	guest_reset(net);
	if (net->absent)
		plug();
	look(false);
	start(net->offered & USUAL);
	look(false);
	memcpy(guest_at(&guest, GPA(AREA + HDR + 6), 6), our_mac, 6);
	ring_add(&ring[1], &s, 1);
	ring_kick(&ring[1]);
	need(read(peer[0], got, sizeof(got)) == HDR + 60);
	if (back != MANY)
		return;
	/* And of several pairs, the last. */
	need(command(PAIRS) == 0);
	memcpy(guest_at(&guest, GPA(AREA + HDR + 6), 6), our_mac, 6);
	ring_add(&ring[CTRL - 1], &s, 1);
	ring_kick(&ring[CTRL - 1]);
	turn();
	need(read(peer[PAIRS - 1], got, sizeof(got)) == HDR + 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	uint8_t which = bytes_u8(&b);
	enum back back = which & 1 ? STREAM
		       : which & 2 ? LATER
		       : which & 4 ? MANY
				   : MESSAGES;
	const uint8_t *canary;
	struct err e;

	if (!guest.mem.nregions) {
		log_init("fuzz", LOG_ERR);
		guest_init(&guest);
		memset(guest_at(&guest, GPA(CANARY), PAGE), 0x77, PAGE);
	}
	need(loop_init(&loop, NULL, &e) == 0);
	pairs = back == MANY ? PAIRS : 1;
	if (back == LATER)
		open_empty();
	else
		open_net(back == STREAM);
	start(net->offered & USUAL);
	for (unsigned i = 0; i < 100 && bytes_more(&b); i++)
		step(&b, back);
	for (unsigned i = 0; i < net->ops->queues; i++)
		ring_kick(&ring[i]);
	turn();
	canary = guest_at(&guest, GPA(CANARY), PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		need(canary[i] == 0x77);
	still_works(back);
	net_destroy(net);
	loop_fini(&loop);
	for (unsigned i = 0; i < pairs; i++) {
		if (back != LATER)
			close(ours[i]); /* else the device's own */
		close(peer[i]);
	}
	return 0;
}

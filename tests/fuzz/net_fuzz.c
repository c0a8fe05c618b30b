/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains and frames to a network device, over messages or a stream, or
 * one whose back end comes and goes.
 * Nothing comes out that is not a frame from the guest's own address, nothing
 * outside the guest's buffers is written, and afterwards a good driver finds
 * it working. */
#include "dev/net.h"

#include "base/auto.h"
#include "tests/fuzz/bytes.h"
#include "tests/guest/guest.h"

#include <stdlib.h>
#include <sys/socket.h>

#define PAGE	   4096u
#define RINGS	   0x100000u
#define RING_BYTES 0x4000u
#define AREA	   0x10000u /* 64 KiB, what the input plays with */
#define CANARY	   0x200000u
#define SEGS	   10u
#define HDR	   12u
#define ETH	   14u
#define FRAME_MAX  (65535 + ETH + 4)
#define MRG	   (1ull << 15)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum back { MESSAGES, STREAM, LATER };

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 7 };

static struct guest guest;
static struct loop loop;
static struct virtio *net;
static struct ring ring[2];
static int peer, ours;

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void open_peer(bool stream)
{
	int fds[2];

	need(socketpair(AF_UNIX,
			(stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK,
			0, fds) == 0);
	ours = fds[0];
	peer = fds[1];
}

static void open_net(bool stream)
{
	struct dev_conf conf = { .type = DEV_NET };
	struct err e;

	open_peer(stream);
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = ours,
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
	ours = peer = -1;
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
	if (peer >= 0)
		close(peer);
	open_peer(false);
	conf.net.fd = ours;
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	need((net_plug(net, &conf, &e) == 0) == free_);
	if (!free_)
		close(ours);
	need(guest_read32(net, 8) == free_);
}

static void start(uint64_t features)
{
	guest_start(net, features);
	memset(guest_at(&guest, GPA(RINGS), RING_BYTES), 0, RING_BYTES);
	guest.next = RINGS;
	for (unsigned i = 0; i < 2; i++)
		ring_init(&ring[i], &guest, net, (uint16_t)i, 32);
	guest_go(net);
}

static void put_chain(struct bytes *b, uint8_t op)
{
	unsigned n = 1 + bytes_u8(b) % SEGS;
	bool in = op & 8;
	struct seg segs[SEGS];

	for (unsigned i = 0; i < n; i++) {
		uint64_t at = AREA + bytes_u16(b);
		uint32_t len = bytes_u8(b) * (op & 16 ? 64u : 1u);

		if (op & 32 && bytes_u8(b) < 8)
			at = bytes_num(b, 5); /* anywhere */
		if (at <= CANARY && at + len > CANARY)
			at = AREA;
		segs[i] = (struct seg){ GPA(at), len, in };
	}
	ring_add(&ring[!in], segs, n);
}

static void put_frame(struct bytes *b, uint8_t op)
{
	static uint8_t raw[HDR + FRAME_MAX + 100];
	size_t len = bytes_u16(b) % sizeof(raw), n = bytes_u8(b);

	if (op & 8)
		len = len * 37 % sizeof(raw);
	for (size_t i = 0; i < n && i < sizeof(raw); i++)
		raw[i] = bytes_u8(b);
	if (write(peer, raw, len) < 0)
		return;
}

/* All that came out is a frame of the guest's. */
static void look(bool stream)
{
	static uint8_t raw[HDR + FRAME_MAX + 100];
	ssize_t n;

	while ((n = read(peer, raw, sizeof(raw))) > 0) {
		if (stream)
			continue;
		need(n >= (ssize_t)(HDR + ETH));
		need(n <= (ssize_t)(HDR + FRAME_MAX));
		need(memcmp(raw + HDR + 6, our_mac, 6) == 0);
	}
}

static void step(struct bytes *b, enum back back)
{
	uint8_t op = bytes_u8(b);
	bool stream = back == STREAM;

	switch (op & 7) {
	case 0:
	case 1:
		ring_kick(&ring[op & 1]);
		break;
	case 2:
		put_frame(b, op);
		loop_once(&loop, 0);
		break;
	case 3:
		look(stream);
		loop_once(&loop, 0);
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
	start(MRG);
	look(false);
	memcpy(guest_at(&guest, GPA(AREA + HDR + 6), 6), our_mac, 6);
	ring_add(&ring[1], &s, 1);
	ring_kick(&ring[1]);
	need(read(peer, got, sizeof(got)) == HDR + 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	uint8_t which = bytes_u8(&b);
	enum back back = which & 1 ? STREAM : which & 2 ? LATER : MESSAGES;
	const uint8_t *canary;
	struct err e;

	if (!guest.mem.nregions) {
		log_init("fuzz", LOG_ERR);
		guest_init(&guest);
		memset(guest_at(&guest, GPA(CANARY), PAGE), 0x77, PAGE);
	}
	need(loop_init(&loop, NULL, &e) == 0);
	if (back == LATER)
		open_empty();
	else
		open_net(back == STREAM);
	start(MRG);
	for (unsigned i = 0; i < 100 && bytes_more(&b); i++)
		step(&b, back);
	ring_kick(&ring[0]);
	ring_kick(&ring[1]);
	canary = guest_at(&guest, GPA(CANARY), PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		need(canary[i] == 0x77);
	still_works(back);
	net_destroy(net);
	loop_fini(&loop);
	if (back != LATER)
		close(ours); /* else the device's own */
	close(peer);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* net_rig.h - a network device, a guest that drives it, and its other end: a
 * socket that keeps the bounds of messages stands for the tap. */
#pragma once

#include "dev/net.h"

#include "base/auto.h"
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define HDR 12
#define ETH 14
#define MRG (1ull << 15)
#define CONFIG 0x100
#define LINK_UP 1
#define FRAME_MAX (65535 + ETH + 4)

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 7 };

struct bench {
	struct guest g;
	struct loop loop;
	struct virtio *v;
	struct ring rx, tx;
	int peer;
};

static struct bench bench;

static inline void set_up(bool stream, struct rate_conf tx_rate,
			  uint64_t features)
{
	struct bench *b = &bench;
	struct dev_conf conf = { .type = DEV_NET };
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX,
				    (stream ? SOCK_STREAM : SOCK_SEQPACKET) |
					    SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, fds),
			 0);
	guest_init(&b->g);
	assert_int_equal(loop_init(&b->loop, NULL, &e), 0);
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = fds[0],
				      .stream = stream,
				      .mtu = 1400,
				      .tx = tx_rate };
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	b->peer = fds[1];
	b->v = net_create(&conf, &b->g.mem, &b->loop, &e);
	assert_non_null(b->v);
	log_init("test", LOG_ERR);
	assert_true(guest_start(b->v, features));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	ring_init(&b->tx, &b->g, b->v, 1, 64);
	guest_go(b->v);
}

static inline int end(void **state)
{
	struct bench *b = *state;

	net_destroy(b->v);
	loop_fini(&b->loop);
	guest_fini(&b->g);
	if (b->peer >= 0)
		close(b->peer);
	return 0;
}

/* All that is ready, and nothing that is not. */
static inline void turn(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++) {
		loop_once(&b->loop, 0);
		mmio_kick(b->v);
	}
}

static inline struct dev_stats stats(struct bench *b)
{
	struct dev_stats s = { 0 };

	net_stats(b->v, &s);
	return s;
}

/* An Ethernet frame: to, from, type, and numbers that tell where they are. */
static inline void make_frame(uint8_t *at, size_t len, const uint8_t *from)
{
	memset(at, 0xff, 6);
	memcpy(at + 6, from, 6);
	for (size_t i = 12; i < len; i++)
		at[i] = (uint8_t)(i * 7 + i / 251);
}

/* In guest memory, behind an empty header. */
static inline gpa_t frame_out(struct bench *b, size_t len, const uint8_t *from)
{
	gpa_t at = guest_alloc(&b->g, HDR + len, 16);

	make_frame((uint8_t *)guest_at(&b->g, at, HDR + len) + HDR, len, from);
	return at;
}

static inline gpa_t plus(gpa_t at, uint64_t n)
{
	return GPA(at.v + n);
}

static inline void send_frame(struct bench *b, size_t len, const uint8_t *from)
{
	struct seg s = SEG_OUT(frame_out(b, len, from), (uint32_t)(HDR + len));

	ring_add(&b->tx, &s, 1);
	ring_kick(&b->tx);
}

static inline gpa_t offer(struct bench *b, uint32_t len)
{
	gpa_t at = guest_alloc(&b->g, len, 16);
	struct seg s = SEG_IN(at, len);

	ring_add(&b->rx, &s, 1);
	return at;
}

static inline uint16_t link_status(struct bench *b)
{
	uint16_t s;

	mmio_read(b->v, CONFIG + 6, &s, sizeof(s));
	return s;
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, end)

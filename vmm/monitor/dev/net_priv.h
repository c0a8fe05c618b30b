/* SPDX-License-Identifier: Apache-2.0 */
/* net_priv.h - inside of the network device; see net.h. */
#pragma once

#include "dev/net.h"

#include <sys/types.h>
#include <sys/uio.h>

enum net_queue { NET_RX, NET_TX, NET_NQUEUES };

/* virtio 1.2, 5.1.3 */
#define NET_F_CSUM	 (1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU	 (1ull << 3)
#define NET_F_MAC	 (1ull << 5)
#define NET_F_GUEST_TSO4 (1ull << 7)
#define NET_F_GUEST_TSO6 (1ull << 8)
#define NET_F_GUEST_UFO	 (1ull << 10)
#define NET_F_HOST_TSO4	 (1ull << 11)
#define NET_F_HOST_TSO6	 (1ull << 12)
#define NET_F_HOST_UFO	 (1ull << 14)
#define NET_F_MRG_RXBUF	 (1ull << 15)
#define NET_F_STATUS	 (1ull << 16)

/* What needs a back end that takes virtio headers. */
#define NET_F_OFFLOADS                                                         \
	(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | \
	 NET_F_GUEST_UFO | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_UFO)

/* The header in front of each frame (virtio 1.2, 5.1.6), little-endian: flags,
 * gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers. */
#define NET_HDR		12
#define NET_HDR_BUFFERS 10
#define NET_ETH		14
#define NET_ETH_SOURCE	6
#define NET_MAC		6
/* The longest frame: 64 KiB of IP with an Ethernet header and a VLAN tag. */
#define NET_FRAME_MAX (65535 + NET_ETH + 4)
#define NET_SEGMENTS  64

struct net;

struct net_back {
	const char *name;
	uint64_t features; /* offered because of it */
	/* Features were agreed on. */
	void (*agreed)(struct net *n);
	/* One frame with its header, iov[0] being header and Ethernet header.
	 * 0, -EAGAIN: EPOLLOUT will tell, or another -errno: it is lost. The
	 * entries may be changed. */
	int (*send)(struct net *n, struct iovec *iov, unsigned niov);
	/* EPOLLOUT came: what is left of a frame. */
	int (*flush)(struct net *n);
	/* One frame, its header in front. -EAGAIN: none; -EPIPE: never again. */
	ssize_t (*recv)(struct net *n, const struct iovec *iov, unsigned niov);
	/* Bytes that are here already, which epoll does not tell of. */
	bool (*buffered)(struct net *n);
	void (*reset)(struct net *n);
};

/* A frame on its way into the guest's buffers. One that lacks some waits: what
 * is in them already, what is not in the spill, and no other frame is read. */
struct net_spread {
	struct chain *chain[QUEUE_MAX_SIZE];
	uint32_t used[QUEUE_MAX_SIZE]; /* written to each */
	unsigned n;
	size_t len;  /* of the frame with its header */
	size_t done; /* of it, in buffers */
};

struct net_way {
	struct rate rate;
	struct timer timer; /* when rate lets it go on */
	bool waits;	    /* for the timer */
	uint64_t bytes, frames, dropped;
};

struct net {
	struct virtio virtio;
	const struct net_back *back;
	struct loop *loop;
	struct watch watch;
	int fd;	     /* borrowed, or plugged in; -1: none */
	bool plugged; /* the descriptor is ours */
	uint8_t mac[NET_MAC];
	uint16_t mtu;
	bool up;
	bool starved; /* no buffer of the guest's to receive into */
	bool full;    /* the back end takes nothing now */
	struct net_way way[NET_NQUEUES];
	struct log_limit limit;
	uint8_t *spill; /* NET_HDR + NET_FRAME_MAX */
	struct net_spread spread;
	struct net_stream *stream;
};

extern const struct net_back net_tap, net_stream;

int net_stream_init(struct net *n, struct err *e);
void net_stream_fini(struct net *n);

/* Frames to the guest, as many as one turn may take. */
void net_receive(struct net *n);
/* What the watch is to tell, after a change of up, starved, full or waits. */
void net_watch(struct net *n);
/* Watches fd, whose link is up from now on, with the features it brings. */
int net_attach(struct net *n, const struct net_conf *conf, struct err *e);
/* The back end has ended: the guest sees a link without carrier. */
void net_down(struct net *n);

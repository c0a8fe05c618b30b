/* SPDX-License-Identifier: Apache-2.0 */
/* net_priv.h - inside of the network device; see net.h. */
#pragma once

#include "dev/net.h"

#include <sys/types.h>
#include <sys/uio.h>

/* Of each pair; a control queue follows the last of them. */
enum net_queue { NET_RX, NET_TX, NET_NQUEUES };
#define NET_MAX_PAIRS (1 + NET_MORE)

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
#define NET_F_CTRL_VQ	 (1ull << 17)
#define NET_F_MQ	 (1ull << 22)

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
struct net_pair;

struct net_back {
	const char *name;
	uint64_t features; /* offered because of it */
	/* Features were agreed on. */
	void (*agreed)(struct net *n);
	/* One frame with its header, iov[0] being header and Ethernet header.
	 * 0, -EAGAIN: EPOLLOUT will tell, or another -errno: it is lost. The
	 * entries may be changed. */
	int (*send)(struct net_pair *p, struct iovec *iov, unsigned niov);
	/* EPOLLOUT came: what is left of a frame. */
	int (*flush)(struct net_pair *p);
	/* One frame, its header in front. -EAGAIN: none; -EPIPE: never again. */
	ssize_t (*recv)(struct net_pair *p, const struct iovec *iov,
			unsigned niov);
	/* Bytes that are here already, which epoll does not tell of. */
	bool (*buffered)(struct net_pair *p);
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
	/* one thread counts, and another may look */
	_Atomic uint64_t bytes, frames, dropped;
};

/* Two queues of the guest's and one of the back end. All of it belongs to the
 * thread of loop; while the pair is off, it does to the machine's. */
struct net_pair {
	struct net *net;
	struct queue *rx, *tx;
	struct loop *loop;
	struct watch watch;
	int fd; /* borrowed */
	bool up;
	/* What the guest has enabled, the first always. Frames of one that is
	 * off are the first one's to read, which stray tells it of. */
	bool on;
	struct watch stray;
	bool starved; /* no buffer of the guest's to receive into */
	bool full;    /* the back end takes nothing now */
	struct net_way way[NET_NQUEUES];
	uint8_t *spill; /* NET_HDR + NET_FRAME_MAX */
	struct net_spread spread;
	struct log_limit limit;
	struct net_more *more; /* a thread; NULL: the machine's loop */
};

struct net {
	struct virtio virtio;
	struct virtio_ops ops; /* with as many queues as there are */
	int kick_fds[VIRTIO_MAX_QUEUES];
	const struct net_back *back;
	struct loop *loop; /* the machine's */
	bool plugged;	   /* the descriptor is ours */
	uint8_t mac[NET_MAC];
	uint16_t mtu;
	_Atomic bool up; /* every pair is */
	struct net_pair pair[NET_MAX_PAIRS];
	unsigned npairs;
	struct net_stream *stream;
};

extern const struct net_back net_tap, net_stream;

int net_stream_init(struct net *n, struct err *e);
void net_stream_fini(struct net *n);

/* For who counts. */
static inline void net_count(_Atomic uint64_t *at, uint64_t add)
{
	uint64_t had = atomic_load_explicit(at, memory_order_relaxed);

	atomic_store_explicit(at, had + add, memory_order_relaxed);
}

/* Frames from the guest, and to it from the back end of pair from, which is
 * another's only where that is off; as many as one turn may take. */
void net_send(struct net_pair *p);
void net_receive(struct net_pair *p, struct net_pair *from);
/* A frame that waits for buffers is lost; they are the guest's again. */
void net_forget(struct net_pair *p);
/* What the watches are to tell, after a change of up, starved, full or waits. */
void net_watch(struct net_pair *p);
/* Watches what conf has, whose link is up from now on, with the features it
 * brings. */
int net_attach(struct net *n, const struct net_conf *conf, struct err *e);
/* The back end has ended: the guest sees a link without carrier. */
void net_down(struct net_pair *p);
/* Looks again in the next turn of the loop. */
void net_again(struct net_pair *p);

/* The doorbell of a live pair. */
void net_kick_pair(struct net_pair *p);

/* net_pairs.c: in the machine's loop. The first on of the pairs work, the
 * others do not. */
void net_set_pairs(struct net *n, unsigned on);
/* The doorbells and loops of all but the first; then their threads. */
int net_pairs_init(struct net *n, struct err *e);
int net_pairs_start(struct net *n, const struct dev_threads *t, struct err *e);
void net_pairs_fini(struct net *n);

/* net_ctrl.c: what the guest asks for. */
void net_control(struct net *n);

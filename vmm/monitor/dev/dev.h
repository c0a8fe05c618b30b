/* SPDX-License-Identifier: Apache-2.0 */
/* dev.h - how the machine makes a device, without knowing which.
 *
 * Each kind has one file (or a family of files with its prefix) with a create
 * function and an entry in table.c. A device is created from its small conf
 * struct, with descriptors already open; it opens nothing. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "dev/rate.h"
#include "mem/mem.h"
#include "virtio/virtio.h"

#include <stdint.h>

/* The order gives slots their address and interrupt, so a kind is only ever
 * added at the end. */
enum dev_type {
	DEV_BLK,
	DEV_VSOCK,
	DEV_RNG,
	DEV_FS,
	DEV_BALLOON,
	DEV_NET,
	DEV_NTYPES
};

#define BLK_MAX_LAYERS 16

struct blk_conf {
	const char *serial;
	const int *base_fds; /* lowest layer first; borrowed */
	unsigned nbase;
	int overlay_fd;	     /* -1: read-only */
	bool plain;	     /* it is the disk itself; no layers */
	uint64_t size_bytes; /* 0: the size of the topmost layer */
	struct rate_conf rate;
};

struct vsock_conf {
	int listen_fd; /* unix socket, listening; borrowed */
	uint32_t guest_cid;
};

struct fs_conf {
	const char *tag;
	int socket_fd; /* connected, vhost-user; borrowed */
};

#define NET_MORE 3

struct net_conf {
	const char *name;
	int fd;	     /* a tap, or a connected stream socket; borrowed; -1: a
		      * placeholder, into which a tap may be plugged */
	bool stream; /* the latter */
	/* Further queues of the tap: a pair of the guest's for each. None of
	 * them is used where a rate is set. */
	int more[NET_MORE];
	unsigned nmore;
	uint8_t mac[6];
	uint16_t mtu;		 /* 0: not told */
	struct rate_conf rx, tx; /* to the guest, and from it */
};

struct dev_conf {
	enum dev_type type;
	union {
		struct blk_conf blk;
		struct vsock_conf vsock;
		struct fs_conf fs;
		struct net_conf net;
	};
};

/* What devices count; each adds its part. */
struct dev_stats {
	uint64_t disk_read_bytes, disk_write_bytes;
	uint64_t returned_bytes;	     /* of guest RAM, to the host */
	uint64_t net_rx_bytes, net_tx_bytes; /* to the guest, and from it */
	uint64_t net_dropped;		     /* frames */
};

/* For threads of a device's own. */
struct dev_threads {
	int (*enter)(void *ctx, struct err *e); /* first in each */
	void *ctx;
};

struct dev_kind {
	const char *name;
	/* The device allocates itself and registers what it watches in loop.
	 * kick_fd is watched by the machine. */
	struct virtio *(*create)(const struct dev_conf *conf,
				 const struct mem *mem, struct loop *loop,
				 struct err *e);
	/* Called once, after the vCPUs have ended. Finishes or drops what is
	 * in flight, flushes disks. */
	void (*destroy)(struct virtio *v);
	/* Bytes of a guest that has ended still wait for the host's side to
	 * take them; the loop moves them. May be NULL. */
	bool (*pending)(struct virtio *v);
	/* May be NULL. */
	void (*stats)(struct virtio *v, struct dev_stats *s);
	/* Of those made as placeholders: what conf says appears, and goes.
	 * Its descriptor is the device's from then on, if it worked; it must
	 * not block. Loop thread, also after the system calls were closed.
	 * NULL: none is made so. */
	int (*plug)(struct virtio *v, const struct dev_conf *conf,
		    struct err *e);
	void (*unplug)(struct virtio *v);
	/* Called once, before the guest runs and before anything is closed to
	 * the loop: its threads, each of which has entered when this returns.
	 * May be NULL. */
	int (*start)(struct virtio *v, const struct dev_threads *t,
		     struct err *e);
};

extern const struct dev_kind dev_kinds[DEV_NTYPES];

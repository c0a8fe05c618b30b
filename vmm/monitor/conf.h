/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - what one monitor was told to run, checked, in plain C.
 *
 * Filled by recv_plan() and constant after. Strings are terminated, counts are
 * within their arrays, a descriptor that was not given is -1 and one that was
 * is open and of its kind. The descriptors belong to the process: nobody
 * closes them before it ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PLAN_GENERATION 1
#define CONF_MAX_VCPUS 32
#define CONF_MAX_DISKS 8
#define CONF_MAX_LAYERS 16
#define CONF_ID_MAX 64	   /* bytes, as CONF_SERIAL_MAX */
#define CONF_SERIAL_MAX 20 /* VIRTIO_BLK_ID_BYTES, virtio 1.2 5.2.6 */
#define CONF_MAX_SHARES 8
#define CONF_MAX_NETS 8
#define CONF_NET_MORE 3
#define CONF_MAC 6
#define CONF_MIN_MTU 68	   /* RFC 791 */
#define CONF_MAX_MTU 65535
#define CONF_TAG_MAX 36 /* bytes, virtio 1.2 5.11.4 */
#define CONF_CMDLINE_MAX 2048
#define CONF_MIN_RAM (32ull << 20)
#define CONF_MAX_RAM (1ull << 40)
#define CONF_MAX_DISK (1ull << 50) /* bytes; far from any wrap */
#define CONF_MAX_RATE (1ull << 40) /* a second */

struct conf_disk {
	char serial[CONF_SERIAL_MAX + 1];
	int base_fds[CONF_MAX_LAYERS]; /* lowest first; read-only use */
	unsigned nbase;
	int overlay_fd;	     /* -1: the disk is read-only */
	bool plain;	     /* overlay_fd is the disk itself; no layers */
	uint64_t size_bytes; /* 0: the size of the topmost layer */
	uint64_t rate_bytes, rate_ops; /* a second; 0: no limit */
};

struct conf_share {
	char tag[CONF_TAG_MAX + 1];
	int socket_fd; /* connected; a vhost-user back end's */
};

struct conf_rate {
	uint64_t bytes, ops; /* a second; 0: no limit */
};

struct conf_net {
	int fd;	     /* a tap with a virtio header, or a connected socket */
	bool stream; /* the latter */
	int more[CONF_NET_MORE]; /* further queues of the tap */
	unsigned nmore;
	uint8_t mac[CONF_MAC];
	uint16_t mtu; /* 0: not told */
	struct conf_rate rx, tx;
};

struct monitor_conf {
	char id[CONF_ID_MAX + 1]; /* letters, digits, '.', '_', '-' */
	unsigned vcpus;
	uint64_t ram_bytes; /* whole MiB */
	int kvm_fd;
	int kernel_fd;
	int initrd_fd;		    /* -1: none */
	int console_fd;		    /* -1: the console is not kept */
	int control_fd;		    /* -1: none */
	int vsock_fd;		    /* -1: no vsock device */
	int lock_fd;		    /* -1: none; held, never looked at */
	uint64_t console_max_bytes; /* 0: nothing is kept */
	uint64_t console_rate;	    /* bytes a second; 0: no limit */
	char cmdline[CONF_CMDLINE_MAX + 1];
	struct conf_disk disk[CONF_MAX_DISKS];
	unsigned ndisks;
	struct conf_share share[CONF_MAX_SHARES];
	unsigned nshares;
	struct conf_net net[CONF_MAX_NETS];
	unsigned nnets;
	unsigned spare_nets; /* with nnets at most CONF_MAX_NETS */
	bool tied;    /* end with the plan socket */
	bool verbose; /* info lines */
	bool balloon; /* free memory goes back to the host */
};

/* SPDX-License-Identifier: Apache-2.0 */
/* vsock.h - a vsock device, the guest in front of it and the clients behind.
 *
 *     struct vguest s;
 *     int fd;
 *
 *     vguest_init(&s, 0);               device up, 64 RX buffers posted
 *     vguest_ready(&s);                 the agent says that it listens
 *     fd = vguest_open(&s, &c);         a client, connected through
 *     vguest_send(&s, &c, VSOCK_OP_RW, "hello", 5);
 *     vguest_recv(&s, &p);              next packet, false: none
 *
 * vguest_pump() runs the loop until it would sleep, so a descriptor that keeps
 * waking it is found. Not for production code; asserts on its own misuse. */
#pragma once

#include "dev/vsock_priv.h"
#include "tests/guest/guest.h"

#include <sys/un.h>

#define VGUEST_CID 3
#define VGUEST_RX 64	     /* RX buffers there are */
#define VGUEST_RX_BYTES 4096 /* payload of each, as Linux has it */
#define VGUEST_TX 32	     /* TX packets on the way at once */
#define VGUEST_TX_BYTES (64u << 10)

struct vguest {
	struct guest g;
	struct loop loop;
	struct watch kick;
	struct virtio *v;
	struct ring rx, tx, event;
	int listen_fd;
	struct sockaddr_un addr;
	char dir[64];
	gpa_t rx_at[256]; /* buffer of each head */
	gpa_t rx_pool[VGUEST_RX], tx_pool[VGUEST_TX];
	unsigned rx_next, rx_posted, tx_next, tx_sent;
	bool keep_rx; /* do not give buffers back */
};

/* A connection as the guest sees it; the test may change all of it. */
struct vconn {
	uint32_t host_port, guest_port;
	uint32_t buf_alloc, fwd_cnt;
};

struct vpkt {
	struct vsock_hdr h;
	uint8_t data[VGUEST_RX_BYTES];
	uint32_t used; /* what the ring said was written */
};

/* The device with its queues live and RX buffers posted. */
void vguest_init(struct vguest *s, uint64_t features);
void vguest_fini(struct vguest *s);
/* What a driver does after a reset: queues, DRIVER_OK, no RX buffers. */
void vguest_start(struct vguest *s, uint64_t features);
void vguest_post(struct vguest *s, unsigned n);
/* Until the loop would sleep; how many turns that took. */
unsigned vguest_pump(struct vguest *s);

/* Puts a packet into the TX queue as it is, without ringing. Its bytes are
 * data[len]; h.len may say something else. segs: of 1..3 segments. */
void vguest_queue(struct vguest *s, const struct vsock_hdr *h, const void *data,
		  size_t len, unsigned segs);
/* The same with a header that is right, rung and pumped. */
void vguest_send(struct vguest *s, const struct vconn *c, enum vsock_op op,
		 const void *data, size_t len);
void vguest_shutdown(struct vguest *s, const struct vconn *c, uint32_t flags);
struct vsock_hdr vguest_hdr(const struct vconn *c, enum vsock_op op);
/* Next packet of the device; its buffer is posted again. */
bool vguest_recv(struct vguest *s, struct vpkt *p);
/* Connects to VSOCK_READY_PORT and takes the answer. */
void vguest_ready(struct vguest *s);

/* A client that is connected to the listening socket; nothing said. */
int vguest_client(struct vguest *s);
/* A connection all the way: the client has read its OK. */
int vguest_open(struct vguest *s, struct vconn *c);

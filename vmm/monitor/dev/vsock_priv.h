/* SPDX-License-Identifier: Apache-2.0 */
/* vsock_priv.h - what the files of the vsock device share. vsock.c has the
 * theory of operation. Everything here belongs to the loop thread. */
#pragma once

#include "base/buf.h"
#include "dev/vsock.h"

#include <sys/queue.h>

/* virtio 1.2, 5.10.6 */
#define VSOCK_HDR 44
#define VSOCK_TYPE_STREAM 1
#define VSOCK_SHUT_RCV	  1u
#define VSOCK_SHUT_SEND	  2u
#define VSOCK_SHUT_BOTH	  (VSOCK_SHUT_RCV | VSOCK_SHUT_SEND)

enum vsock_op {
	VSOCK_OP_INVALID,
	VSOCK_OP_REQUEST,
	VSOCK_OP_RESPONSE,
	VSOCK_OP_RST,
	VSOCK_OP_SHUTDOWN,
	VSOCK_OP_RW,
	VSOCK_OP_CREDIT_UPDATE,
	VSOCK_OP_CREDIT_REQUEST,
	VSOCK_NOPS
};

enum { VSOCK_RX, VSOCK_TX, VSOCK_EVENT, VSOCK_NQUEUES };

/* Segments one chain may have: a header, 64 KiB in pages, and some more. */
#define VSOCK_CHAIN_MAX 24

#define VSOCK_MAX_CONNS 1024	/* a power of two: host ports carry the slot */
#define VSOCK_MAX_LINES 64	/* clients that have not said CONNECT yet */
#define VSOCK_MAX_HELD	128	/* clients that wait for the agent */
#define VSOCK_MAX_STRAY 64	/* resets owed to nobody's connection */
#define VSOCK_LINE_MAX	24	/* "CONNECT 4294967295\n" has 19 */
#define VSOCK_BUF_ALLOC (256u << 10)	/* credit given to the guest */

/* The header of a packet, in the order and size of the standard. */
struct vsock_hdr {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len;
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
};

/*	state		fd	guest knows	leaves by
 *	LINE		yes	no		CONNECT line, hang-up
 *	HELD		yes	no		ready, hang-up
 *	ASKED		yes	REQUEST		RESPONSE, RST, hang-up
 *	OPEN		yes	yes		RST, both sides closed
 *	DRAIN		yes	no longer	tail delivered, hang-up
 *	GONE		no	no longer	owed RST sent
 */
enum conn_state {
	CONN_FREE,
	CONN_LINE,
	CONN_HELD,
	CONN_ASKED,
	CONN_OPEN,
	CONN_DRAIN,
	CONN_GONE,
	CONN_NSTATES
};

enum conn_event {
	EV_NONE,
	EV_CONNECT,		/* client: whole CONNECT line */
	EV_EOF,			/* client: half-closed, all of it read */
	EV_HUP,			/* client: gone */
	EV_READY,		/* the agent listens */
	EV_RESPONSE,		/* guest: each the packet of that name */
	EV_RST,
	EV_SHUTDOWN,		/* arg: VSOCK_SHUT_* */
	EV_CREDIT_UPDATE,
	EV_CREDIT_REQUEST,
	EV_DONE,		/* both directions have ended */
	EV_ABORT,		/* guest broke the rules, or no memory */
	EV_DRAINED,		/* nothing is left for the client */
	EV_SENT,		/* the guest was told the last thing */
	EV_RESET,		/* the guest forgot everything */
	EV_NEVENTS
};

/* Packets owed to the guest. Flags and not a queue: a guest that gives no
 * buffers makes nothing grow. */
#define OWE_REQUEST  1u
#define OWE_SHUTDOWN 2u
#define OWE_CREDIT   4u		/* CREDIT_UPDATE */
#define OWE_ASK	     8u		/* CREDIT_REQUEST */
#define OWE_RST	     16u

struct vsock;
struct conn_list;

struct conn {
	struct vsock *v;
	struct watch client;		/* fd owned; -1 in FREE and GONE */
	enum conn_state state;
	uint32_t host_port, guest_port;
	unsigned owe;

	/* client to guest */
	uint32_t peer_alloc, peer_fwd, sent;
	bool readable;		/* the socket may have bytes, as far as known */
	bool bulk;		/* the last read filled all it was given */
	bool eof;		/* client will send no more */
	unsigned shut_out;	/* VSOCK_SHUT_* told to the guest */

	/* guest to client */
	struct buf out;		/* what the socket did not take */
	uint32_t received, forwarded, told;
	unsigned shut_in;	/* VSOCK_SHUT_* the guest told */
	bool deaf;		/* client will read no more */
	bool half;		/* client was told end of file */
	bool hup;		/* client is gone */

	char line[VSOCK_LINE_MAX];
	uint8_t line_len;

	bool running;			/* on v->run */
	TAILQ_ENTRY(conn) run;
	struct conn_list *home;		/* list it waits on, or NULL */
	TAILQ_ENTRY(conn) wait;
};

TAILQ_HEAD(conn_head, conn);

struct conn_list {
	struct conn_head head;
	unsigned n;
};

struct stray {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio virtio;
	struct loop *loop;
	struct watch listen;
	bool deafened;			/* no descriptors: listen sleeps */
	uint64_t guest_cid;
	bool agent_ready;

	struct conn *conns;		/* VSOCK_MAX_CONNS */
	unsigned top;			/* slots ever used */
	struct conn_list free, lines, held;

	struct conn_head run;		/* have something for the guest */
	bool starved;			/* no RX buffers since the last kick */
	bool rx_armed;			/* asked for a kick on RX */
	struct stray stray[VSOCK_MAX_STRAY];
	unsigned stray_at, nstray;
};

/* ---- vsock.c ---- */

/* The guest has forgotten all connections; clients get their tail. */
void vsock_drop(struct vsock *v);

/* ---- vsock_conn.c: the table of connections and their states ---- */

void conns_init(struct vsock *v);
/* A fresh connection in CONN_LINE that owns fd, or NULL when all are used. */
struct conn *conn_new(struct vsock *v, int fd);
/* The connection these ports name, known to the guest, or NULL. */
struct conn *conn_find(struct vsock *v, uint32_t host_port,
		       uint32_t guest_port);
/* False, and nothing done, when the state has no such event. */
bool conn_event(struct conn *c, enum conn_event ev, uint32_t arg);
void conns_event(struct vsock *v, enum conn_event ev);
void conn_owe(struct conn *c, unsigned what);
void conn_run(struct conn *c);
void conn_unrun(struct conn *c);
/* Bytes the guest has room for. */
uint32_t conn_credit(const struct conn *c);
/* What every packet of the guest says about its buffer. */
void conn_credit_set(struct conn *c, uint32_t buf_alloc, uint32_t fwd_cnt);
/* Bytes may be read from the client now, if there is credit. */
bool conn_may_read(const struct conn *c);
/* Accounts for bytes that have reached the client or were dropped. */
void conn_forwarded(struct conn *c, size_t len);
/* VSOCK_SHUT_* the guest is to know. */
unsigned conn_shut(const struct conn *c);
/* One direction may have ended: tells the other side, or ends it all. */
void conn_check(struct conn *c);

/* ---- vsock_bridge.c: the unix sockets ---- */

void client_accept(struct watch *w, uint32_t events);
/* Accepts again after descriptors had run out. */
void client_resume(struct vsock *v);
void client_ready(struct watch *w, uint32_t events);
/* Sends, keeps what the socket does not take. May raise EV_ABORT. */
void client_write(struct conn *c, struct iovec *iov, unsigned n);
void client_flush(struct conn *c);
/* Reads the bytes into iov: a count, 0 at the end, -EAGAIN. */
ssize_t client_read(struct conn *c, struct iovec *iov, unsigned n);
void client_eof(struct conn *c);	/* the guest's end of file */
void client_mute(struct conn *c);	/* the guest reads no more */
void client_close(struct conn *c);
/* Tells the loop what the connection waits for. */
void client_sync(struct conn *c);

/* ---- vsock_rx.c: packets to the guest ---- */

/* Serves v->run as far as RX buffers and budget go. */
void vsock_rx(struct vsock *v);
/* A reset for ports without a connection. */
void stray_add(struct vsock *v, const struct vsock_hdr *h);
static inline bool stray_full(const struct vsock *v)
{
	return v->nstray == VSOCK_MAX_STRAY;
}

/* ---- vsock_pkt.c: bytes of a packet ---- */

void pkt_encode(uint8_t raw[VSOCK_HDR], const struct vsock_hdr *h);
void pkt_decode(struct vsock_hdr *h, const uint8_t raw[VSOCK_HDR]);
/* Bytes [off, off + len) of iov as at most max segments in out; returns how
 * many it took. */
unsigned pkt_slice(const struct iovec *iov, unsigned n, size_t off, size_t len,
		   struct iovec *out, unsigned max);
/* Copies between the first len bytes of iov and flat; what was there. */
size_t pkt_get(const struct iovec *iov, unsigned n, void *flat, size_t len);
size_t pkt_put(const struct iovec *iov, unsigned n, const void *flat,
	       size_t len);

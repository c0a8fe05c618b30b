/* SPDX-License-Identifier: Apache-2.0 */
/* blk_priv.h - what the files of blk share. */
#pragma once

#include "dev/blk.h"
#include "dev/blk_io.h"
#include "dev/blk_overlay.h"

#define SECTOR 512u

#define BLK_QUEUE_SIZE 256
#define BLK_SEGMENTS   130		/* header, data, status */
#define BLK_OPS	       8		/* of one request at a time */
#define BLK_RANGES     8		/* of one discard */
#define BLK_RANGE_MAX  (4u << 20)	/* sectors of one of them */

/* virtio 1.2, 5.2.3 */
#define BLK_F_SEG_MAX	   (1ull << 2)
#define BLK_F_RO	   (1ull << 5)
#define BLK_F_BLK_SIZE	   (1ull << 6)
#define BLK_F_FLUSH	   (1ull << 9)
#define BLK_F_TOPOLOGY	   (1ull << 10)
#define BLK_F_DISCARD	   (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

/* virtio 1.2, 5.2.6 */
enum blk_type {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11,
	BLK_T_WRITE_ZEROES = 13,
};

enum blk_status { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

#define BLK_ID_BYTES 20

/* One for each head. Data is described by iov from (seg, skip) on. */
struct blk_req {
	struct blk *b;
	struct chain *c;
	uint8_t *status;	/* in guest memory */
	uint32_t type;
	uint64_t sector;	/* of the header */
	struct iovec *iov;	/* data, inside the chain's own */
	unsigned niov;
	uint64_t data_len;
	unsigned seg;		/* how far the data is cut into ops */
	size_t skip;
	uint64_t pos, end;	/* of the disk: what is still to be started */
	unsigned pending;	/* ops started and not done */
	int error;		/* the first one, -errno */
	struct blk_req *next;	/* in a list of flushes */
	struct blk_op op[BLK_OPS];
	struct iovec cut[BLK_SEGMENTS + BLK_OPS];
	unsigned ncut;
};

struct blk {
	struct virtio virtio;
	char serial[BLK_ID_BYTES];
	struct loop *loop;	/* may be NULL */
	struct watch watch;	/* of the ring */
	uint64_t size;		/* bytes, a multiple of SECTOR */
	/* layers, lowest first; layer 0 is plain and has no map */
	unsigned nbase;
	uint64_t plain_size;	/* of layer 0; 0 without one */
	struct overlay base[BLK_MAX_LAYERS];
	struct overlay overlay;	/* fd -1: read-only */
	struct blk_io io;
	unsigned overlay_file;	/* its index there */
	unsigned writes;	/* in flight */
	bool hold;		/* the next request waits for those */
	bool running;
	struct rate rate;
	struct timer rate_timer; /* the next request may start */
	uint64_t read_bytes, write_bytes;
	/* flushes: waiting, and in the one that runs */
	struct blk_req *flush_waiting, *flush_running;
	struct blk_op flush_op;
	bool flush_map;		/* the map is still to be saved */
	struct log_limit limit;
	struct blk_req reqs[BLK_QUEUE_SIZE];
	uint8_t scratch[CLUSTER_BYTES];
};

/* blk.c: ends the request. */
void blk_finish(struct blk_req *r, enum blk_status s);
/* One limited line about a failed request. */
void blk_complain(struct blk *b, const char *what, uint64_t at, int error);

/* blk_req.c. False: a partial write has to wait until b->writes is 0; nothing
 * was started. */
bool blk_req_start(struct blk_req *r);
void blk_req_op_done(struct blk_req *r, struct blk_op *op);

/* blk_layer.c. Where [pos, end) of the disk begins: as many bytes as come from
 * one place. */
struct blk_place {
	bool zero;	/* nowhere: reads as zeroes */
	unsigned file;	/* index of b->io's files */
	uint64_t off;	/* in it */
	uint64_t len;
};
struct blk_place blk_find(const struct blk *b, uint64_t pos, uint64_t end);
/* [from, to) leaves out a part of this cluster of the disk. */
bool blk_is_partial(const struct blk *b, uint64_t from, uint64_t to,
		    uint64_t cluster);
/* The same, and the overlay does not have the rest. */
bool blk_needs_copy(const struct blk *b, uint64_t from, uint64_t to,
		    uint64_t cluster);
/* Writes a part of one cluster now; the overlay has the cluster afterwards.
 * The bytes are those of iov behind skip, or zeroes when iov is NULL. Only
 * while no write is in flight. 0 or -errno. */
int blk_write_part(struct blk *b, uint64_t from, uint64_t to,
		   const struct iovec *iov, unsigned niov, uint64_t skip);

/* blk_flush.c */
void blk_flush_add(struct blk_req *r);
void blk_flush_done(struct blk *b, int result);
void blk_flush_drop(struct blk *b);

/* SPDX-License-Identifier: Apache-2.0 */
/* blk_io.h - reading and writing disk files without waiting for them.
 *
 * An op is started, handed to the kernel with all others in one call, and
 * comes back through done(). Behind it is one io_uring for each disk, or plain
 * preadv() and pwritev() where the host gives none; the caller cannot tell.
 *
 * The kernel takes only reads, writes, fsync and fallocate on the files
 * registered at the start: a ring would otherwise be a way around the
 * system-call filter. After blk_io_init() the only call on it is
 * io_uring_enter(), by the thread that made it. */
#pragma once

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLK_IO_FILES 17		/* sixteen layers and an overlay */
#define BLK_IO_DEPTH 512	/* ops in flight */

enum blk_op_kind { BLK_OP_READ, BLK_OP_WRITE, BLK_OP_SYNC, BLK_OP_PUNCH };

/* Lives in its owner, who keeps it until done(). */
struct blk_op {
	enum blk_op_kind kind;
	unsigned file;		/* index of the registered files */
	uint64_t off, len;	/* what is left; a sync has neither */
	struct iovec *iov;	/* what is left; changed on the way */
	unsigned niov;
	int result;		/* of done(): 0 or -errno */
	void *owner;		/* the caller's */
	struct blk_op *next;	/* ours */
};

struct blk_io {
	int files[BLK_IO_FILES];	/* borrowed */
	unsigned nfiles;
	unsigned inflight;		/* started and not done */
	bool ring_up;
	bool dropping;
	struct io_uring ring;
	struct blk_op *ready;		/* finished without the ring */
	void (*done)(struct blk_io *io, struct blk_op *op);
};

/* No ring is not an error; plain asks for none. */
void blk_io_init(struct blk_io *io, const int *files, unsigned nfiles,
		 bool plain, void (*done)(struct blk_io *, struct blk_op *));
void blk_io_fini(struct blk_io *io);

/* Readable when something came back; -1 without a ring. */
int blk_io_fd(const struct blk_io *io);
/* How many more ops may be started. */
unsigned blk_io_room(const struct blk_io *io);

/* A read past the end of a file gives zeroes, as if the file were longer. A
 * short read or write is carried on. done() is never called from here. */
void blk_io_start(struct blk_io *io, struct blk_op *op);
/* Hands over what was started and calls done() for what is finished, which may
 * start more: until nothing new comes. Does not wait. */
void blk_io_poll(struct blk_io *io);
/* Until nothing is in flight. */
void blk_io_wait(struct blk_io *io);
/* The same in a hurry: what is in flight ends as it ends, what would have to be
 * carried on fails with ECANCELED, and done() must start nothing. */
void blk_io_drop(struct blk_io *io);

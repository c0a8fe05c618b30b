/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_io.h"

#include "base/auto.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#define SQ_ENTRIES 128
#define IO_WORKERS 4

#define PUNCH_MODE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* ---- the ring ------------------------------------------------------------ */

static const uint8_t allowed_ops[] = {
	IORING_OP_READV,
	IORING_OP_WRITEV,
	IORING_OP_FSYNC,
	IORING_OP_FALLOCATE,
};

/* Only these operations, only on registered files, nothing else registered
 * ever again. The ring is not running yet. */
static int ring_restrict(struct blk_io *io)
{
	struct io_uring_restriction r[ARRAY_LEN(allowed_ops) + 2];
	unsigned n = 0;

	memset(r, 0, sizeof(r));
	for (; n < ARRAY_LEN(allowed_ops); n++) {
		r[n].opcode = IORING_RESTRICTION_SQE_OP;
		r[n].sqe_op = allowed_ops[n];
	}
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	return io_uring_register((unsigned)io->ring.ring_fd,
				 IORING_REGISTER_RESTRICTIONS, r, n);
}

static int ring_setup(struct blk_io *io)
{
	const unsigned flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE;
	unsigned workers[2] = { IO_WORKERS, 1 };
	struct io_uring_params p = {
		.flags = flags | IORING_SETUP_SINGLE_ISSUER,
		.cq_entries = BLK_IO_DEPTH,
	};
	int r = io_uring_queue_init_params(SQ_ENTRIES, &io->ring, &p);

	if (r == -EINVAL) { /* before Linux 6.0 */
		p = (struct io_uring_params){
			.flags = flags,
			.cq_entries = BLK_IO_DEPTH,
		};
		r = io_uring_queue_init_params(SQ_ENTRIES, &io->ring, &p);
	}
	if (r < 0)
		return r;
	io->ring_up = true;
	r = io_uring_register_files(&io->ring, io->files, io->nfiles);
	if (r == 0)
		(void)io_uring_register_iowq_max_workers(&io->ring, workers);
	if (r == 0)
		r = ring_restrict(io);
	if (r == 0)
		r = io_uring_register((unsigned)io->ring.ring_fd,
				      IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return r;
}

static void ring_close(struct blk_io *io)
{
	if (io->ring_up)
		io_uring_queue_exit(&io->ring);
	io->ring_up = false;
}

void blk_io_init(struct blk_io *io, const int *files, unsigned nfiles,
		 bool plain, void (*done)(struct blk_io *, struct blk_op *))
{
	int r;

	assert(nfiles <= BLK_IO_FILES);
	*io = (struct blk_io){ .nfiles = nfiles, .done = done };
	memcpy(io->files, files, nfiles * sizeof(*files));
	r = plain ? -ENOSYS : ring_setup(io);
	if (r < 0) {
		log_debug("no io_uring (%s): plain reads and writes",
			  strerror(-r));
		ring_close(io);
	}
}

void blk_io_fini(struct blk_io *io)
{
	assert(!io->inflight);
	if (io->done)
		ring_close(io);
	io->done = NULL;
}

int blk_io_fd(const struct blk_io *io)
{
	return io->ring_up ? io->ring.ring_fd : -1;
}

unsigned blk_io_room(const struct blk_io *io)
{
	return BLK_IO_DEPTH - io->inflight;
}

/* ---- one op -------------------------------------------------------------- */

/* n bytes of it are done. */
static void op_advance(struct blk_op *op, uint64_t n)
{
	op->off += n;
	op->len -= n;
	if (op->kind != BLK_OP_READ && op->kind != BLK_OP_WRITE)
		return;
	while (n) {
		size_t step = MIN(n, op->iov->iov_len);

		op->iov->iov_base = (char *)op->iov->iov_base + step;
		op->iov->iov_len -= step;
		n -= step;
		if (!op->iov->iov_len) {
			op->iov++;
			op->niov--;
		}
	}
}

static void op_zero_rest(struct blk_op *op)
{
	for (unsigned i = 0; i < op->niov; i++)
		memset(op->iov[i].iov_base, 0, op->iov[i].iov_len);
	op->len = 0;
}

/* Digests what a call returned. True when the op is over. */
static bool op_took(struct blk_op *op, int64_t res)
{
	if (res < 0) {
		op->result = (int)res;
		return true;
	}
	switch (op->kind) {
	case BLK_OP_READ:
		if (res == 0)
			op_zero_rest(op);
		break;
	case BLK_OP_WRITE:
		if (res == 0 && op->len) {
			op->result = -EIO;
			return true;
		}
		break;
	default:
		return true;
	}
	op_advance(op, MIN((uint64_t)res, op->len));
	return op->len == 0;
}

static int64_t op_call(const struct blk_io *io, const struct blk_op *op)
{
	int fd = io->files[op->file];
	int64_t r = -1;

	switch (op->kind) {
	case BLK_OP_READ:
		r = preadv(fd, op->iov, (int)op->niov, (off_t)op->off);
		break;
	case BLK_OP_WRITE:
		r = pwritev(fd, op->iov, (int)op->niov, (off_t)op->off);
		break;
	case BLK_OP_SYNC:
		r = fdatasync(fd);
		break;
	case BLK_OP_PUNCH:
		r = fallocate(fd, PUNCH_MODE, (off_t)op->off, (off_t)op->len);
		break;
	}
	return r < 0 ? -errno : r;
}

/* Without the ring, to the end. */
static void op_run(const struct blk_io *io, struct blk_op *op)
{
	int64_t r;

	do {
		do {
			r = op_call(io, op);
		} while (r == -EINTR);
	} while (!op_took(op, r));
}

static void op_ready(struct blk_io *io, struct blk_op *op)
{
	op->next = io->ready;
	io->ready = op;
}

/* What the kernel did not take is run here and now. Without a polling thread
 * it looks at the queue only while io_uring_enter() runs, so the tail can be
 * moved back. */
static void ring_take_back(struct blk_io *io)
{
	struct io_uring_sq *sq = &io->ring.sq;
	unsigned head = *sq->khead;

	for (unsigned i = head; i != sq->sqe_tail; i++) {
		uint64_t data = sq->sqes[i & sq->ring_mask].user_data;
		struct blk_op *op = (struct blk_op *)(uintptr_t)data;

		if (io->dropping)
			op->result = -ECANCELED;
		else
			op_run(io, op);
		op_ready(io, op);
	}
	*sq->ktail = head;
	sq->sqe_head = sq->sqe_tail = head;
}

static void ring_submit(struct blk_io *io)
{
	while (io->ring_up && io_uring_sq_ready(&io->ring)) {
		int r = io_uring_submit(&io->ring);

		if (r <= 0 && r != -EINTR)
			ring_take_back(io);
	}
}

static void op_prep(const struct blk_op *op, struct io_uring_sqe *sqe)
{
	int file = (int)op->file;

	switch (op->kind) {
	case BLK_OP_READ:
		io_uring_prep_readv(sqe, file, op->iov, op->niov, op->off);
		break;
	case BLK_OP_WRITE:
		io_uring_prep_writev(sqe, file, op->iov, op->niov, op->off);
		break;
	case BLK_OP_SYNC:
		io_uring_prep_fsync(sqe, file, IORING_FSYNC_DATASYNC);
		break;
	case BLK_OP_PUNCH:
		io_uring_prep_fallocate(sqe, file, PUNCH_MODE, (off_t)op->off,
					(off_t)op->len);
		break;
	}
}

static void op_queue(struct blk_io *io, struct blk_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

	if (!sqe) {
		ring_submit(io);
		sqe = io_uring_get_sqe(&io->ring);
	}
	assert(sqe);
	op_prep(op, sqe);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = (uintptr_t)op;
}

void blk_io_start(struct blk_io *io, struct blk_op *op)
{
	assert(!io->dropping && op->file < io->nfiles);
	op->result = 0;
	io->inflight++;
	if (io->ring_up) {
		op_queue(io, op);
		return;
	}
	op_run(io, op);
	op_ready(io, op);
}

/* ---- completions --------------------------------------------------------- */

static void op_finish(struct blk_io *io, struct blk_op *op)
{
	io->inflight--;
	io->done(io, op);
}

static void op_completed(struct blk_io *io, struct blk_op *op, int res)
{
	bool again = res == -EINTR || res == -EAGAIN;

	if (!again && op_took(op, res)) {
		op_finish(io, op);
		return;
	}
	if (io->dropping) {
		op->result = -ECANCELED;
		op_finish(io, op);
	} else if (again) {
		/* The kernel could not take it in the background. */
		op_run(io, op);
		op_finish(io, op);
	} else {
		op_queue(io, op);
	}
}

/* Calls done() for what is there; only shared memory is looked at. */
static void blk_io_reap(struct blk_io *io)
{
	struct io_uring_cqe *cqe;
	struct blk_op *op;

	while (io->ready) {
		op = io->ready;
		io->ready = op->next;
		op_finish(io, op);
	}
	while (io->ring_up && io_uring_cq_ready(&io->ring)) {
		int res;

		cqe = &io->ring.cq.cqes[*io->ring.cq.khead &
					io->ring.cq.ring_mask];
		op = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&io->ring, cqe);
		op_completed(io, op, res);
	}
}

void blk_io_poll(struct blk_io *io)
{
	do {
		ring_submit(io);
		blk_io_reap(io);
	} while (io->ready || (io->ring_up && io_uring_sq_ready(&io->ring)));
}

void blk_io_wait(struct blk_io *io)
{
	for (;;) {
		int r;

		blk_io_poll(io);
		if (!io->inflight)
			return;
		r = io_uring_submit_and_wait(&io->ring, 1);
		if (r < 0 && r != -EINTR)
			log_err("blk: io_uring_enter: %s", strerror(-r));
	}
}

void blk_io_drop(struct blk_io *io)
{
	io->dropping = true;
	if (io->ring_up)
		ring_take_back(io);
	blk_io_wait(io);
	io->dropping = false;
}

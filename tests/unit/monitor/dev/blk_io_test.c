/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_io.h"

#include "tests/guest/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct blk_io io;
static unsigned ndone;

static void done(struct blk_io *x, struct blk_op *op)
{
	assert_ptr_equal(x, &io);
	*(bool *)op->owner = true;
	ndone++;
}

static int open_file(bool plain)
{
	int fd = file_new(0);

	ndone = 0;
	blk_io_init(&io, &fd, 1, plain, done);
	return fd;
}

static void close_file(int fd)
{
	blk_io_fini(&io);
	close(fd);
}

/* One op over three pieces of buf. */
static int run(enum blk_op_kind kind, uint64_t off, char *buf, size_t len)
{
	struct iovec iov[] = { { buf, len / 2 },
			       { buf + len / 2, 1 },
			       { buf + len / 2 + 1, len - len / 2 - 1 } };
	bool seen = false;
	struct blk_op op = { .kind = kind,
			     .off = off,
			     .len = len,
			     .iov = iov,
			     .niov = 3,
			     .owner = &seen };

	blk_io_start(&io, &op);
	blk_io_wait(&io);
	assert_true(seen);
	assert_int_equal(io.inflight, 0);
	return op.result;
}

static void moves_bytes(bool plain)
{
	char out[100], in[100], want[100];
	int fd = open_file(plain);

	memset(out, 'x', sizeof(out));
	assert_int_equal(run(BLK_OP_WRITE, 10, out, 100), 0);
	assert_int_equal(run(BLK_OP_SYNC, 0, NULL, 0), 0);
	assert_int_equal(run(BLK_OP_READ, 10, in, 100), 0);
	assert_memory_equal(in, out, 100);
	/* 30 bytes are there; behind the end zeroes */
	memset(in, 'y', sizeof(in));
	memset(want, 0, sizeof(want));
	memset(want, 'x', 30);
	assert_int_equal(run(BLK_OP_READ, 80, in, 100), 0);
	assert_memory_equal(in, want, 100);
	assert_int_equal(run(BLK_OP_PUNCH, 0, NULL, 110), 0);
	assert_int_equal(run(BLK_OP_READ, 10, in, 100), 0);
	memset(want, 0, sizeof(want));
	assert_memory_equal(in, want, 100);
	close_file(fd);
}

static void moves_bytes_plainly(void **state)
{
	(void)state;
	moves_bytes(true);
	assert_int_equal(blk_io_fd(&io), -1);
}

static void moves_bytes_by_ring(void **state)
{
	(void)state;
	moves_bytes(false);
}

/* A write that stops half-way is carried on behind what is there, not begun
 * again; what fails then is told. */
static void short_write_is_carried_on(bool plain)
{
	static char out[64], in[64];
	struct rlimit rl;
	int fd = open_file(plain);

	for (unsigned i = 0; i < 64; i++)
		out[i] = (char)(i + 1);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &rl);
	rl.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(run(BLK_OP_WRITE, 0, out, 64), -EFBIG);
	rl.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(pread(fd, in, 64, 0), 40);
	assert_memory_equal(in, out, 40);
	close_file(fd);
}

static void short_write_plainly(void **state)
{
	(void)state;
	short_write_is_carried_on(true);
}

static void short_write_by_ring(void **state)
{
	(void)state;
	short_write_is_carried_on(false);
}

static void errors_are_told(void **state)
{
	char buf[8] = "";
	int fd = file_new(0), ro = file_readonly(fd);

	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		blk_io_init(&io, &ro, 1, plain, done);
		assert_int_equal(run(BLK_OP_WRITE, 0, buf, 8), -EBADF);
		assert_int_equal(run(BLK_OP_PUNCH, 0, NULL, 8), -EBADF);
		blk_io_fini(&io);
	}
	close(fd);
	close(ro);
}

static void more_than_the_ring_holds(void **state)
{
	static struct blk_op ops[BLK_IO_DEPTH];
	static struct iovec iov[BLK_IO_DEPTH];
	static uint16_t in[BLK_IO_DEPTH], out[BLK_IO_DEPTH];
	bool seen = false;
	int fd = open_file(false);

	(void)state;
	for (unsigned i = 0; i < BLK_IO_DEPTH; i++)
		out[i] = (uint16_t)(i * 3 + 1);
	assert_int_equal(pwrite(fd, out, sizeof(out), 0), sizeof(out));
	assert_int_equal(blk_io_room(&io), BLK_IO_DEPTH);
	for (unsigned i = 0; i < BLK_IO_DEPTH; i++) {
		iov[i] = (struct iovec){ &in[i], 2 };
		ops[i] = (struct blk_op){ .kind = BLK_OP_READ,
					  .off = 2 * i,
					  .len = 2,
					  .iov = &iov[i],
					  .niov = 1,
					  .owner = &seen };
		blk_io_start(&io, &ops[i]);
	}
	assert_int_equal(blk_io_room(&io), 0);
	blk_io_wait(&io);
	assert_int_equal(ndone, BLK_IO_DEPTH);
	assert_memory_equal(in, out, sizeof(in));
	close_file(fd);
}

/* The kernel refuses a submission by another thread: done without the ring. */
static void *write_from_elsewhere(void *arg)
{
	static char out[16] = "from elsewhere";

	*(int *)arg = run(BLK_OP_WRITE, 0, out, sizeof(out));
	return NULL;
}

static void refused_submission_is_done_anyway(void **state)
{
	int fd = open_file(false), r = -1;
	char in[16];
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, write_from_elsewhere, &r), 0);
	pthread_join(t, NULL);
	assert_int_equal(r, 0);
	assert_int_equal(pread(fd, in, 16, 0), 16);
	assert_string_equal(in, "from elsewhere");
	/* and the ring is none the worse for it */
	assert_int_equal(run(BLK_OP_READ, 0, in, 16), 0);
	close_file(fd);
}

/* ---- what the ring must not do ------------------------------------------ */

static int raw_result(struct io_uring_sqe what)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io.ring);
	struct io_uring_cqe *cqe;
	int res;

	assert_non_null(sqe);
	*sqe = what;
	assert_int_equal(io_uring_submit_and_wait(&io.ring, 1), 1);
	assert_int_equal(io_uring_peek_cqe(&io.ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(&io.ring, cqe);
	return res;
}

static void ring_opens_no_files(void **state)
{
	static const uint8_t others[] = {
		IORING_OP_NOP,		IORING_OP_OPENAT,    IORING_OP_OPENAT2,
		IORING_OP_CLOSE,	IORING_OP_SOCKET,    IORING_OP_CONNECT,
		IORING_OP_ACCEPT,	IORING_OP_SENDMSG,   IORING_OP_RECVMSG,
		IORING_OP_SPLICE,	IORING_OP_STATX,     IORING_OP_UNLINKAT,
		IORING_OP_SYMLINKAT,	IORING_OP_RENAMEAT,  IORING_OP_SETXATTR,
		IORING_OP_FILES_UPDATE, IORING_OP_EPOLL_CTL,
	};
	int fd = open_file(false), one = fd;
	char buf[4];
	struct iovec iov = { buf, 4 };
	struct io_uring_sqe sqe;

	(void)state;
	if (!io.ring_up) { /* a host without: nothing to get around with */
		close_file(fd);
		return;
	}
	for (unsigned i = 0; i < sizeof(others); i++) {
		memset(&sqe, 0, sizeof(sqe));
		sqe.opcode = others[i];
		sqe.flags = IOSQE_FIXED_FILE;
		assert_int_equal(raw_result(sqe), -EACCES);
	}
	/* a read, but of a descriptor that was not registered */
	io_uring_prep_readv(&sqe, fd, &iov, 1, 0);
	assert_int_equal(raw_result(sqe), -EACCES);
	sqe.flags = IOSQE_FIXED_FILE;
	sqe.fd = 1;
	assert_int_equal(raw_result(sqe), -EBADF);
	sqe.fd = 0;
	sqe.flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	assert_int_equal(raw_result(sqe), -EACCES);
	/* and no other file comes in later */
	assert_int_equal(io_uring_register_files_update(&io.ring, 0, &one, 1),
			 -EACCES);
	close_file(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_bytes_plainly),
		cmocka_unit_test(moves_bytes_by_ring),
		cmocka_unit_test(short_write_plainly),
		cmocka_unit_test(short_write_by_ring),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(more_than_the_ring_holds),
		cmocka_unit_test(refused_submission_is_done_anyway),
		cmocka_unit_test(ring_opens_no_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "box/log.h"

#include "box/log_priv.h"

#include "base/auto.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

void boxlog_name(char *out, size_t size, unsigned nr)
{
	if (nr == 0)
		snprintf(out, size, "log");
	else
		snprintf(out, size, "log.%u", nr);
}

static int log_create(struct boxlog *l)
{
	struct stat st;

	l->fd = openat(l->dir, "log", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC,
		       0600);
	if (l->fd < 0)
		return -errno;
	l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

/* Where the last whole record ends. */
static uint64_t whole(int fd, uint64_t size)
{
	const uint8_t *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	struct boxlog_head h;
	uint64_t at = 0;

	if (p == MAP_FAILED)
		return size;
	while (size - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		if (h.stream < 1 || h.stream > 2 ||
		    le32toh(h.len) > size - at - sizeof(h))
			break;
		at += sizeof(h) + le32toh(h.len);
	}
	munmap((void *)(uintptr_t)p, size);
	return at;
}

int boxlog_open(struct boxlog *l, int boxdir, uint64_t max_bytes,
		unsigned files, struct err *e)
{
	int r;

	*l = (struct boxlog){
		.dir = boxdir,
		.fd = -1,
		.max_bytes = max_bytes,
		.files = MAX(files, 1u),
	};
	r = log_create(l);
	if (r < 0)
		return err_set(e, -r, "log of the box: %s", strerror(-r));
	/* A keeper that was killed may have left half a one. */
	if (l->size > 0)
		l->size = whole(l->fd, l->size);
	return ftruncate(l->fd, (off_t)l->size) < 0
		     ? err_sys(e, "log of the box")
		     : 0;
}

void boxlog_close(struct boxlog *l)
{
	if (l->fd >= 0)
		close(take_fd(&l->fd));
}

static void rotate(struct boxlog *l)
{
	char from[24], to[24];

	close(take_fd(&l->fd));
	for (unsigned i = l->files - 1; i > 0; i--) {
		boxlog_name(from, sizeof(from), i - 1);
		boxlog_name(to, sizeof(to), i);
		renameat(l->dir, from, l->dir, to);
	}
	if (l->files == 1)
		unlinkat(l->dir, "log", 0);
	l->error = l->error ? l->error : -log_create(l);
}

static void put_record(struct boxlog *l, unsigned stream, const void *bytes,
		       size_t len)
{
	struct boxlog_head h = { 0 };
	struct timespec now;
	struct iovec iov[2] = { { &h, sizeof(h) }, { NULL, len } };
	ssize_t n;

	if (l->fd < 0)
		return;
	if (l->size > 0 && l->size + sizeof(h) + len > l->max_bytes)
		rotate(l);
	if (l->fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	h.time_ns = htole64((uint64_t)now.tv_sec * 1000000000 +
			    (uint64_t)now.tv_nsec);
	h.len = htole32((uint32_t)len);
	h.stream = (uint8_t)stream;
	memcpy(&iov[1].iov_base, &bytes, sizeof(bytes));
	n = writev(l->fd, iov, 2);
	if (n == (ssize_t)(sizeof(h) + len)) {
		l->size += (uint64_t)n;
		return;
	}
	/* Half a record would hide all that follow it. */
	if (!l->error)
		l->error = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(l->fd, (off_t)l->size) < 0)
		boxlog_close(l);
}

void boxlog_write(struct boxlog *l, unsigned stream, const void *bytes,
		  size_t len)
{
	const char *at = bytes;
	size_t most = BOXLOG_RECORD_MAX;

	/* No file is larger than it may be for one large piece. */
	if (l->max_bytes > 2 * sizeof(struct boxlog_head))
		most = MIN(most, l->max_bytes - sizeof(struct boxlog_head));
	for (size_t n; len > 0; at += n, len -= n) {
		n = MIN(len, most);
		put_record(l, stream, at, n);
	}
}

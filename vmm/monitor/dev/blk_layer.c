/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_priv.h"

#include "base/auto.h"
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint64_t cluster_count(uint64_t size)
{
	return (size + CLUSTER_BYTES - 1) >> CLUSTER_BITS;
}

/* Asks one layer with a map about max clusters. True: it has them. Either way
 * *max becomes how many are alike. */
static bool layer_has(const struct overlay *o, uint64_t cluster, uint64_t *max)
{
	uint64_t count = cluster_count(o->size);

	if (cluster >= count)
		return false;
	*max = overlay_run(o, cluster, MIN(*max, count - cluster));
	return overlay_has(o, cluster);
}

struct blk_place blk_find(const struct blk *b, uint64_t pos, uint64_t end)
{
	uint64_t cluster = pos >> CLUSTER_BITS;
	uint64_t max = cluster_count(end) - cluster;
	const struct overlay *o = NULL;
	struct blk_place p = { .zero = true };

	if (b->overlay.fd >= 0 && layer_has(&b->overlay, cluster, &max)) {
		o = &b->overlay;
		p.file = b->overlay_file;
	}
	for (unsigned i = b->nbase; !o && i > 1; i--)
		if (layer_has(&b->base[i - 1], cluster, &max)) {
			o = &b->base[i - 1];
			p.file = i - 1;
		}
	p.len = MIN(end, (cluster + max) << CLUSTER_BITS) - pos;
	if (o) {
		p.zero = false;
		p.off = o->data_off + pos;
	} else if (pos < b->plain_size) {
		p.zero = false;
		p.off = pos;
		p.len = MIN(p.len, b->plain_size - pos);
	}
	return p;
}

bool blk_is_partial(const struct blk *b, uint64_t from, uint64_t to,
		    uint64_t cluster)
{
	uint64_t start = cluster << CLUSTER_BITS;

	return from > start || to < MIN(start + CLUSTER_BYTES, b->size);
}

bool blk_needs_copy(const struct blk *b, uint64_t from, uint64_t to,
		    uint64_t cluster)
{
	return blk_is_partial(b, from, to, cluster) &&
	       !overlay_has(&b->overlay, cluster);
}

static int read_now(struct blk *b, uint64_t pos, uint64_t end, uint8_t *dst)
{
	while (pos < end) {
		struct blk_place p = blk_find(b, pos, end);
		ssize_t n = 0;

		if (!p.zero)
			n = fd_pread_full(b->io.files[p.file], dst, p.len,
					  p.off);
		if (n < 0)
			return (int)n;
		memset(dst + n, 0, p.len - (size_t)n);
		dst += p.len;
		pos += p.len;
	}
	return 0;
}

static int write_now(struct blk *b, const uint8_t *src, size_t len,
		     uint64_t pos)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(b->overlay.fd, src + done, len - done,
				   (off_t)(b->overlay.data_off + pos + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void gather(uint8_t *dst, size_t len, const struct iovec *iov,
		   unsigned niov, uint64_t skip)
{
	for (unsigned i = 0; i < niov && len; i++) {
		size_t n;

		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		n = MIN(len, iov[i].iov_len - skip);
		memcpy(dst, (const char *)iov[i].iov_base + skip, n);
		dst += n;
		len -= n;
		skip = 0;
	}
}

int blk_write_part(struct blk *b, uint64_t from, uint64_t to,
		   const struct iovec *iov, unsigned niov, uint64_t skip)
{
	uint64_t cluster = from >> CLUSTER_BITS;
	uint64_t start = cluster << CLUSTER_BITS;
	uint64_t end = MIN(start + CLUSTER_BYTES, b->size);
	int r;

	assert(from < to && to <= end && !b->writes);
	r = read_now(b, start, end, b->scratch);
	if (r < 0)
		return r;
	if (iov)
		gather(b->scratch + (from - start), to - from, iov, niov, skip);
	else
		memset(b->scratch + (from - start), 0, to - from);
	r = write_now(b, b->scratch, end - start, start);
	if (r == 0)
		overlay_set(&b->overlay, cluster, 1);
	return r;
}

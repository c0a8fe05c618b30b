/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/vsock_priv.h"

#include "base/auto.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* virtio 1.2, 5.10.6: all fields little-endian. */
struct raw_hdr {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len;
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
} __attribute__((packed));
static_assert(sizeof(struct raw_hdr) == VSOCK_HDR, "packet header");

void pkt_encode(uint8_t raw[VSOCK_HDR], const struct vsock_hdr *h)
{
	struct raw_hdr r = {
		.src_cid = htole64(h->src_cid),
		.dst_cid = htole64(h->dst_cid),
		.src_port = htole32(h->src_port),
		.dst_port = htole32(h->dst_port),
		.len = htole32(h->len),
		.type = htole16(h->type),
		.op = htole16(h->op),
		.flags = htole32(h->flags),
		.buf_alloc = htole32(h->buf_alloc),
		.fwd_cnt = htole32(h->fwd_cnt),
	};

	memcpy(raw, &r, sizeof(r));
}

void pkt_decode(struct vsock_hdr *h, const uint8_t raw[VSOCK_HDR])
{
	struct raw_hdr r;

	memcpy(&r, raw, sizeof(r));
	*h = (struct vsock_hdr){
		.src_cid = le64toh(r.src_cid),
		.dst_cid = le64toh(r.dst_cid),
		.src_port = le32toh(r.src_port),
		.dst_port = le32toh(r.dst_port),
		.len = le32toh(r.len),
		.type = le16toh(r.type),
		.op = le16toh(r.op),
		.flags = le32toh(r.flags),
		.buf_alloc = le32toh(r.buf_alloc),
		.fwd_cnt = le32toh(r.fwd_cnt),
	};
}

unsigned pkt_slice(const struct iovec *iov, unsigned n, size_t off, size_t len,
		   struct iovec *out, unsigned max)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n && len > 0 && used < max; i++) {
		size_t have = iov[i].iov_len;

		if (off >= have) {
			off -= have;
			continue;
		}
		have = MIN(have - off, len);
		out[used++] = (struct iovec){
			.iov_base = (uint8_t *)iov[i].iov_base + off,
			.iov_len = have,
		};
		len -= have;
		off = 0;
	}
	return used;
}

size_t pkt_get(const struct iovec *iov, unsigned n, void *flat, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t take = MIN(iov[i].iov_len, len - done);

		memcpy((uint8_t *)flat + done, iov[i].iov_base, take);
		done += take;
	}
	return done;
}

size_t pkt_put(const struct iovec *iov, unsigned n, const void *flat,
	       size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t take = MIN(iov[i].iov_len, len - done);

		memcpy(iov[i].iov_base, (const uint8_t *)flat + done, take);
		done += take;
	}
	return done;
}

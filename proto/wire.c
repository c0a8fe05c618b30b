/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int wire_peek(const struct buf *in, const uint8_t **payload, size_t *len)
{
	uint32_t le;

	if (buf_len(in) < WIRE_HEADER)
		return 0;
	memcpy(&le, buf_head(in), sizeof(le));
	*len = le32toh(le);
	if (*len > WIRE_MAX)
		return -EMSGSIZE;
	if (buf_len(in) - WIRE_HEADER < *len)
		return 0;
	*payload = buf_head(in) + WIRE_HEADER;
	return 1;
}

void wire_skip(struct buf *in, size_t len)
{
	buf_take(in, WIRE_HEADER + len);
}

int wire_put(struct buf *out, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint32_t le = htole32((uint32_t)len);
	uint8_t *p;

	if (len > WIRE_MAX)
		return -EMSGSIZE;
	if (len + WIRE_HEADER > out->max - buf_len(out))
		return -ENOBUFS;
	p = buf_reserve(out, WIRE_HEADER + len);
	if (!p)
		return -ENOMEM;
	memcpy(p, &le, sizeof(le));
	protobuf_c_message_pack(m, p + WIRE_HEADER);
	buf_commit(out, WIRE_HEADER + len);
	return 0;
}

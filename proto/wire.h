/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - frames: a 32-bit little-endian length, then that many bytes of one
 * protobuf message.
 *
 * Decoding is incremental and bounded: bytes come in pieces of any size, a
 * length past WIRE_MAX ends the connection before anything is allocated for
 * it. The peer is not trusted. */
#pragma once

#include "base/buf.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER 4
#define WIRE_MAX    (1u << 20)	/* payload bytes of one frame */

/* Looks for a whole frame at the head of in. Returns 1 and the payload, which
 * stays valid until in changes; 0 when more bytes are needed; -EMSGSIZE when
 * the frame can never be accepted. wire_skip() then takes it off. */
int wire_peek(const struct buf *in, const uint8_t **payload, size_t *len);
void wire_skip(struct buf *in, size_t len);

/* Appends m as one frame. -EMSGSIZE, -ENOBUFS, -ENOMEM. */
int wire_put(struct buf *out, const ProtobufCMessage *m);

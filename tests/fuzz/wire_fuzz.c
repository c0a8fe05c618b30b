/* SPDX-License-Identifier: Apache-2.0 */
/* wire_fuzz - frames from any bytes, in pieces of any size.
 *
 * How the bytes were cut must not change what they say. A frame is never past
 * the bound. A message that was understood is the same after another trip. */
#include "base/auto.h"
#include "proto/agent.pb-c.h"
#include "proto/chan.h"
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "wire_fuzz: %s\n", what);
	abort();
}

/* The member a field describes. */
static void *member(ProtobufCMessage *m, unsigned offset)
{
	return (uint8_t *)m + offset;
}

/* Fields that no descriptor knows are dropped, at every depth: the library
 * takes an unknown field number 0 when it is spelled in two bytes, and then
 * refuses what it encodes for it. */
static void strip_unknown(ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		free(m->unknown_fields[i].data);
	free(m->unknown_fields);
	m->unknown_fields = NULL;
	m->n_unknown_fields = 0;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		uint32_t *which = member(m, f->quantifier_offset);
		ProtobufCMessage **one = member(m, f->offset);
		ProtobufCMessage ***many = member(m, f->offset);
		size_t *n = member(m, f->quantifier_offset);
		bool oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;

		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			for (size_t k = 0; k < *n; k++)
				strip_unknown((*many)[k]);
		} else if (oneof ? *which == f->id : *one != NULL) {
			strip_unknown(*one);
		}
	}
}

/* Encodes m and decodes it again: the same bytes the second time. */
static void round_trip(const ProtobufCMessage *m)
{
	const uint8_t *payload;
	ProtobufCMessage *copy;
	struct buf one, two;
	size_t len;
	int r;

	buf_init(&one, CHAN_MAX);
	buf_init(&two, CHAN_MAX);
	r = wire_put(&one, m);
	/* Whatever was spelled at length gets shorter, nothing grows. */
	must(r == 0, "encode");
	must(wire_peek(&one, &payload, &len) == 1 && len <= WIRE_MAX, "peek");
	must(len + WIRE_HEADER == buf_len(&one), "frame length");
	copy = protobuf_c_message_unpack(m->descriptor, NULL, len, payload);
	must(copy, "decode what was encoded");
	must(wire_put(&two, copy) == 0, "encode again");
	must(buf_len(&one) == buf_len(&two) &&
		     memcmp(buf_head(&one), buf_head(&two), buf_len(&one)) == 0,
	     "another message");
	protobuf_c_message_free_unpacked(copy, NULL);
	buf_fini(&one);
	buf_fini(&two);
}

static void understand(const ProtobufCMessageDescriptor *type,
		       const uint8_t *payload, size_t len)
{
	ProtobufCMessage *m =
		protobuf_c_message_unpack(type, NULL, len, payload);

	if (!m)
		return;
	strip_unknown(m);
	round_trip(m);
	protobuf_c_message_free_unpacked(m, NULL);
}

struct seen {
	unsigned frames;
	uint64_t sum;	/* of lengths and bytes, in order */
	int end;	/* 0, or the error */
};

/* Takes the frames that are whole. */
static void take(struct buf *in, struct seen *s, bool look)
{
	const uint8_t *payload;
	size_t len;

	while (s->end == 0 && (s->end = wire_peek(in, &payload, &len)) == 1) {
		s->end = 0;
		must(len <= WIRE_MAX, "frame past the bound");
		must(len + WIRE_HEADER <= buf_len(in), "frame past the bytes");
		s->frames++;
		s->sum = s->sum * 31 + len;
		for (size_t i = 0; i < len; i++)
			s->sum = s->sum * 31 + payload[i];
		if (look) {
			understand(&vial__agent__request__descriptor, payload,
				   len);
			understand(&vial__agent__event__descriptor, payload,
				   len);
		}
		wire_skip(in, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, cut = { 0 };
	uint32_t seed;
	struct buf in;

	if (size < 1)
		return 0;
	seed = *data++;
	size--;
	buf_init(&in, CHAN_MAX);
	must(buf_append(&in, data, size) == 0, "append");
	take(&in, &whole, true);
	buf_fini(&in);

	buf_init(&in, CHAN_MAX);
	for (size_t at = 0; at < size && cut.end == 0;) {
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = MIN((seed >> 16) % 37 + 1, size - at);
		must(buf_append(&in, data + at, n) == 0, "append a piece");
		take(&in, &cut, false);
		at += n;
	}
	buf_fini(&in);
	must(whole.frames == cut.frames && whole.sum == cut.sum &&
		     whole.end == cut.end,
	     "the cut changes what is said");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* back.h - the other end of a vhost-user socket, scripted, for tests.
 *
 * What the back end will answer is written before it is asked, and what it was
 * asked is read afterwards: no thread, and nothing to wait for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum back_request {
	BACK_GET_FEATURES = 1,
	BACK_SET_FEATURES = 2,
	BACK_SET_OWNER = 3,
	BACK_SET_MEM_TABLE = 5,
	BACK_SET_VRING_NUM = 8,
	BACK_SET_VRING_ADDR = 9,
	BACK_SET_VRING_BASE = 10,
	BACK_GET_VRING_BASE = 11,
	BACK_SET_VRING_KICK = 12,
	BACK_SET_VRING_CALL = 13,
	BACK_GET_PROTOCOL_FEATURES = 15,
	BACK_SET_PROTOCOL_FEATURES = 16,
	BACK_SET_VRING_ENABLE = 18,
};

#define BACK_FDS 8

struct back {
	int ours;  /* for the code under test */
	int other; /* the back end's; -1 when it has ended */
};

struct back_msg {
	uint32_t request, flags, size;
	uint64_t body[16];
	int fds[BACK_FDS];
	unsigned nfds;
};

void back_init(struct back *b);
void back_fini(struct back *b);
/* It ends, now; answers that are written stay to be read. */
void back_end(struct back *b);

/* Bytes as they are. */
void back_write(struct back *b, const void *bytes, size_t len);
/* A right answer of one number. */
void back_answer(struct back *b, enum back_request r, uint64_t num);
/* What a good one answers to the call of that name. */
void back_open(struct back *b);
void back_start(struct back *b, unsigned queues);
void back_stop(struct back *b, unsigned queues);

/* The next thing it was asked; false: nothing is left. Descriptors are to be
 * given back with back_done(). */
bool back_asked(struct back *b, struct back_msg *m);
void back_done(struct back_msg *m);
/* Reads and forgets all of it; how many that were. */
unsigned back_forget(struct back *b);

/* SPDX-License-Identifier: Apache-2.0 */
/* opened.h - addresses that names have led to: which classes of the policy each
 * is open for, until when, and what it is called in the log.
 *
 * An address may have been opened through several names; it is open for what
 * any of them still allows. Behind its time an entry is kept for its name as
 * long as there is room: connections outlive what opened them. */
#pragma once

#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENED_MAX     4096
#define OPENED_BUCKETS 1024

struct opened_entry {
	struct ip ip;
	char *name; /* NULL: free */
	uint64_t classes; /* 0 once it is shut */
	uint64_t until_ms;
	uint32_t next; /* in the bucket; 0: none, else the index and 1 */
};

struct opened {
	struct opened_entry *v; /* OPENED_MAX */
	uint32_t bucket[OPENED_BUCKETS];
	size_t used;
};

int opened_init(struct opened *o);
void opened_fini(struct opened *o);

/* name leads to ip until then. *fresh: the classes that are now open and were
 * not. -ENOSPC when every entry is in use. */
int opened_add(struct opened *o, const struct ip *ip, const char *name,
	       uint64_t classes, uint64_t until_ms, uint64_t *fresh);
/* What opened_add() called fresh could not be opened. */
void opened_undo(struct opened *o, const struct ip *ip, uint64_t fresh);
/* What any name holds open. */
uint64_t opened_classes(const struct opened *o, const struct ip *ip);
/* Some address whose time is over, and the classes to shut, which may be none.
 * False: none is left. */
bool opened_expire(struct opened *o, uint64_t now_ms, struct ip *ip,
		   uint64_t *shut);
/* One of the names that lead there; NULL: none does. */
const char *opened_name(const struct opened *o, const struct ip *ip);

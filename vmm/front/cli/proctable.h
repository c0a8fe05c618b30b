/* SPDX-License-Identifier: Apache-2.0 */
/* proctable.h - processes of a guest as ps(1) prints them.
 *
 * The guest of a box need not have a ps, so the columns are made here from the
 * agent's list, for the options people and programs give: -ef, -eo LIST, aux. */
#pragma once

#include "base/err.h"
#include "guest/ask.h"

#include <stdint.h>
#include <stdio.h>

#define PROCTABLE_MAX 32

struct proctable {
	struct proctable_column {
		const struct proctable_kind *kind;
		const char *heading;
	} column[PROCTABLE_MAX];
	size_t n;
	int64_t now_s;	    /* CLOCK_REALTIME; set by the caller */
	uint64_t ram_bytes; /* for %MEM; 0: not known */
};

/* Options of ps(1); none: -ef. Headings point into words. */
int proctable_parse(struct proctable *t, char **words, int n, struct err *e);
/* In docker's columns: twenty wide, or as wide as needed. */
void proctable_print(const struct proctable *t,
		     const Vial__Agent__ProcessList *all, FILE *out);

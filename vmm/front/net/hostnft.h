/* SPDX-License-Identifier: Apache-2.0 */
/* hostnft.h - the rules of one box on the host's side: a table of its own that
 * the kernel removes with the socket that made it (flags owner). No rule of
 * anybody else is looked at or changed. */
#pragma once

#include "base/err.h"
#include "net/addr.h"
#include "net/ports.h"

struct hostnft {
	struct nft_ctx *ctx; /* its socket holds the table */
};

/* name: of the table, and what the host's end of the pair is called. */
int hostnft_open(struct hostnft *h, const char *name, const char *link,
		 const struct addr_plan *a, const struct ports *p,
		 struct err *e);
void hostnft_close(struct hostnft *h);

/* For tests: the text of the table; the caller frees it. NULL: no memory. */
char *hostnft_text(const char *name, const char *link,
		   const struct addr_plan *a, const struct ports *p);

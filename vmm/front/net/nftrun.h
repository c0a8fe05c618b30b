/* SPDX-License-Identifier: Apache-2.0 */
/* nftrun.h - commands for libnftables, and what it says of them in one line. */
#pragma once

#include "base/err.h"

struct nft_ctx;

/* Of the network namespace of the caller; nft_ctx_free() ends it. */
struct nft_ctx *nftrun_open(struct err *e);
int nftrun(struct nft_ctx *ctx, const char *text, struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nftrun.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

struct nft_ctx *nftrun_open(struct err *e)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!ctx) {
		err_set(e, ENOMEM, "nftables: no socket or memory");
		return NULL;
	}
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	return ctx;
}

int nftrun(struct nft_ctx *ctx, const char *text, struct err *e)
{
	char line[160];
	const char *why;

	if (nft_run_cmd_from_buffer(ctx, text) == 0) {
		/* What there was to say is said, and goes. */
		nft_ctx_get_output_buffer(ctx);
		nft_ctx_get_error_buffer(ctx);
		return 0;
	}
	why = nft_ctx_get_error_buffer(ctx);
	snprintf(line, sizeof(line), "%.150s", why ? why : "");
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, "not supported"))
		return err_set(e, EOPNOTSUPP,
			       "nftables: the host's kernel has none, or not "
			       "all of it (%s)",
			       line);
	return err_set(e, EIO, "nftables: %s", line);
}

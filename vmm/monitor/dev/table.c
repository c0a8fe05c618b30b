/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "dev/balloon.h"
#include "dev/blk.h"
#include "dev/dev.h"
#include "dev/fs.h"
#include "dev/net.h"
#include "dev/rng.h"
#include "dev/vsock.h"

#include <assert.h>

const struct dev_kind dev_kinds[] = {
	[DEV_BLK] = { .name = "blk",
		      .create = blk_create,
		      .destroy = blk_destroy,
		      .stats = blk_stats },
	[DEV_VSOCK] = { .name = "vsock",
			.create = vsock_create,
			.destroy = vsock_destroy,
			.pending = vsock_pending },
	[DEV_RNG] = { .name = "rng",
		      .create = rng_create,
		      .destroy = rng_destroy },
	[DEV_FS] = { .name = "fs", .create = fs_create, .destroy = fs_destroy },
	[DEV_BALLOON] = { .name = "balloon",
			  .create = balloon_create,
			  .destroy = balloon_destroy,
			  .stats = balloon_stats },
	[DEV_NET] = { .name = "net",
		      .create = net_create,
		      .destroy = net_destroy,
		      .stats = net_stats,
		      .start = net_start,
		      .plug = net_plug,
		      .unplug = net_unplug },
};
static_assert(ARRAY_LEN(dev_kinds) == DEV_NTYPES, "a device kind has no entry");

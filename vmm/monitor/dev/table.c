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
	[DEV_BLK] = { "blk", blk_create, blk_destroy, NULL, blk_stats },
	[DEV_VSOCK] = { "vsock", vsock_create, vsock_destroy, vsock_pending,
			NULL },
	[DEV_RNG] = { "rng", rng_create, rng_destroy, NULL, NULL },
	[DEV_FS] = { "fs", fs_create, fs_destroy, NULL, NULL },
	[DEV_BALLOON] = { "balloon", balloon_create, balloon_destroy, NULL,
			  balloon_stats },
	[DEV_NET] = { "net", net_create, net_destroy, NULL, net_stats },
};
static_assert(ARRAY_LEN(dev_kinds) == DEV_NTYPES, "a device kind has no entry");

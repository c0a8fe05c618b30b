/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - entropy for the guest (virtio 1.2, 5.4).
 *
 * Fills buffers from getrandom(2). One buffer gets at most RNG_CHAIN_MAX bytes
 * and one doorbell at most RNG_TURN_MAX, so a greedy driver takes turns with
 * the other devices. conf is not used and may be NULL. */
#pragma once

#include "dev/dev.h"

#define RNG_CHAIN_MAX 65536u
#define RNG_TURN_MAX  (4 * RNG_CHAIN_MAX)

struct virtio *rng_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e);
void rng_destroy(struct virtio *v);

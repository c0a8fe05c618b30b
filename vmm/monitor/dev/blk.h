/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dev/dev.h"

struct virtio *blk_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e);
void blk_destroy(struct virtio *v);

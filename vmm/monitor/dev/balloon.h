/* SPDX-License-Identifier: Apache-2.0 */
/* balloon.h - free memory of the guest goes back to the host (virtio 1.2, 5.5).
 *
 * Only free page reporting is used: now and then the driver hands over blocks
 * of free pages, the host takes the pages away, and they come back as zeroes
 * when they are touched. The host never asks for pages, num_pages stays 0. A
 * driver that inflates all the same is served. conf is not used and may be
 * NULL.
 *
 * Where the reporting queue is, is not agreed on: the standard (5.5.2) numbers
 * it 4, Linux and QEMU leave no gap for queues that are not offered and mean
 * 2. Both are served; they cannot be mistaken for others, since no statistics
 * are offered. */
#pragma once

#include "dev/dev.h"

/* Pages that one chain may name for inflating or deflating, and chains that
 * are served in one turn of the loop. */
#define BALLOON_PFNS_MAX 4096u
#define BALLOON_TURN	 16u

struct virtio *balloon_create(const struct dev_conf *conf,
			      const struct mem *mem, struct loop *loop,
			      struct err *e);
void balloon_destroy(struct virtio *v);
void balloon_stats(struct virtio *v, struct dev_stats *s);

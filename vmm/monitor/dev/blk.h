/* SPDX-License-Identifier: Apache-2.0 */
/* blk.h - a disk: read-only layers below, one private overlay on top
 * (virtio 1.2, 5.2).
 *
 * THEORY OF OPERATION
 *
 * The disk is cut into clusters of 4 KiB. A cluster is read from the highest
 * layer that has it:
 *
 *     overlay        blk_overlay.h, writable        has what its map says
 *     base_fds[n-1]  blk_overlay.h, read-only       has what its map says
 *     ...
 *     base_fds[0]    a plain image, read-only       has everything; zeroes
 *                                                   behind its end
 *
 * What a file is, is told by its position and never guessed from its content:
 * a guest may write anything into a plain image. Without an overlay the disk
 * is read-only for us as well as for the guest. Without base_fds the overlay
 * stands on zeroes. A plain disk is one file that is written in place.
 *
 * Reads and writes of whole clusters go to the host in the background
 * (blk_io.h). A write makes its clusters the overlay's when it is complete:
 * until then a read gets the old content, which the guest may get anyway. A
 * write of a part of a cluster that the overlay does not have copies the rest
 * up; that is done in one go, with no other write in flight, so that nothing
 * between the two copies is lost. File systems with 4 KiB blocks never do it.
 *
 * With a rate, requests that come too early stay in the queue, in their order,
 * until a timer of the loop says that the next may start.
 *
 * FLUSH brings data to the host's disk first and then the map that speaks of
 * it. Destroying the device saves the map without waiting for the host's disk.
 *
 * Files: blk.c the device, blk_req.c one request, blk_flush.c flushing,
 * blk_io.c the host's side, blk_overlay.c the overlay's format. */
#pragma once

#include "dev/dev.h"

/* Names in messages: the serial. size_bytes 0 is the size of the topmost layer
 * that has one. Errors: EINVAL for files that are not what they should be,
 * ENOMEM, and what the host says. The caller ignores SIGXFSZ. */
struct virtio *blk_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e);
void blk_destroy(struct virtio *v);
void blk_stats(struct virtio *v, struct dev_stats *s);

/* SPDX-License-Identifier: Apache-2.0 */
/* fs.h - a shared folder of the host (virtio 1.2, 5.11).
 *
 * THEORY OF OPERATION
 *
 * A process of the host, virtiofsd, serves the queues; this device shakes
 * hands with it (vhost_user.h), tells the guest the tag and is out of the way.
 * Doorbells go from the guest's register through the kernel to the back end,
 * interrupts from the back end through the kernel to the guest: the loop sees
 * neither. Since nobody tells us that an interrupt was raised, InterruptStatus
 * always reads as "used buffers", which a driver answers by looking at its
 * queues; the line is the device's own, so nobody is misled.
 *
 * Bytes of the guest's files never come here, and a driver that breaks the
 * rules of its rings is the back end's to end; it has no more of the host than
 * what is shared. A back end that ends, or breaks the rules itself, is told
 * once, and the device needs a reset from then on, which does not help: what
 * is in the guest's queues stays there, and the guest goes on. */
#pragma once

#include "dev/dev.h"

#define FS_TAG_BYTES 36

/* conf->fs.tag is 1 to FS_TAG_BYTES bytes. Waits for the back end. */
struct virtio *fs_create(const struct dev_conf *conf, const struct mem *mem,
			 struct loop *loop, struct err *e);
void fs_destroy(struct virtio *v);

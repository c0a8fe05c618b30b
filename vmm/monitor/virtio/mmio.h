/* SPDX-License-Identifier: Apache-2.0 */
/* mmio.h - virtio over MMIO, version 2 (virtio 1.2, 4.2).
 *
 * One register window of MMIO_SIZE bytes for each device. Any width, any
 * offset, any order, in every state: registers that the state does not allow
 * to change keep their value; the device never sees an access beyond its
 * configuration space. DeviceID of one that is absent is 0. QueueNotify normally
 * never comes here (the machine ties it to the doorbells in the kernel); when
 * it does, it rings the same eventfd. */
#pragma once

#include "virtio/virtio.h"

#define MMIO_SIZE	  0x1000
#define MMIO_QUEUE_NOTIFY 0x050
#define MMIO_INTERRUPT_ACK 0x064
#define MMIO_STATUS 0x070

/* off < MMIO_SIZE; len is 1, 2, 4 or 8. Reads fill all len bytes. */
void mmio_read(struct virtio *v, uint32_t off, void *dst, uint32_t len);
void mmio_write(struct virtio *v, uint32_t off, const void *src, uint32_t len);

/* Called by the loop when kick_fd rings: hands to ops->kick when live. */
void mmio_kick(struct virtio *v);

/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - the registers of a device as a page that the guest reads by itself.
 *
 * A register that is read leaves the guest, wakes a vCPU thread and waits for
 * the machine lock, which the loop may hold for as long as a turn takes; and a
 * driver reads one at each interrupt. Where the machine maps a page read-only
 * over the window, a read finds the page and leaves nothing. Writes come to
 * mmio_write() as ever, and what changes a register brings the page up to date
 * before whoever asked for it goes on.
 *
 * InterruptStatus cannot be kept so: the bit for used buffers would have to be
 * clear before the driver's next look, and its acknowledgement is to leave
 * nothing either. So the bit reads as set at all times. All it asks of a driver
 * is to look at the queues at an interrupt, and there is one only when there is
 * something in them or the configuration has changed. */
#pragma once

#include "virtio/virtio.h"

/* page: MMIO_SIZE bytes, zero, of v's lifetime. */
void view_open(struct virtio *v, void *page);
/* After a change of what can be read. Nothing without a page. */
void view_refresh(struct virtio *v);

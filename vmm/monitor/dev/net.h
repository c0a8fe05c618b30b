/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - virtio-net (virtio 1.2, 5.1) over a tap, or over a stream of frames.
 *
 * THEORY OF OPERATION
 *
 *     net.c         configuration space, features, what the loops watch
 *     net_tx.c      what the guest sends
 *     net_rx.c      what the guest receives
 *     net_ctrl.c    what the guest asks for: how many pairs of queues
 *     net_pairs.c   pairs behind the first, each with a thread (net_worker.h)
 *     net_tap.c     a tap device: frames with a virtio header, so checksums
 *                   and segmentation are left to whoever needs them last
 *     net_plug.c    a tap that comes and goes while the guest runs
 *     net_stream.c  a stream socket: each frame behind its length, as passt
 *                   and QEMU's stream back end have it; no offloads
 *
 * A frame is one system call each way. What the guest sends goes out of its
 * own memory, but for the headers: 12 bytes of virtio and 14 of Ethernet are
 * copied first, since the source address is compared with the one this guest
 * was given, and what was compared is what goes out. Everything behind is for
 * the host's rules to judge. A frame that is malformed, or that the back end
 * refuses, is dropped and counted, as a wire does.
 *
 * What comes is read into the guest's first buffer, and only what does not fit
 * there goes through memory of ours into the next ones (VIRTIO_NET_F_MRG_RXBUF).
 * Without a buffer nothing is read: frames wait where they are bounded, in the
 * back end's queue. One that was read and needs more buffers than there are keeps
 * those it has and waits for the others; it is dropped only when a whole ring of
 * them would not do.
 *
 * A device that was given several queues of a tap has as many pairs of its own
 * (VIRTIO_NET_F_MQ). The first is the machine loop's; each other has a thread,
 * a loop and a doorbell, so pairs share no lock and no system call: what they
 * have in common is the tap, the interrupt (virtio-mmio has one for a device)
 * and a few words of struct virtio, all atomic. A pair works once the guest has
 * enabled it. Until then, and from the moment it is reset or disabled, its
 * thread keeps its hands off: the machine's loop holds the worker while it
 * changes hands. The tap spreads what comes over all of its queues at any time,
 * so frames of a pair that is off are read by the first one; nothing has to be
 * told to the tap, whose answer would take a lock of the whole host.
 *
 * Which queue of a tap a flow comes out of follows where the guest sent it from
 * (the tap remembers), so a connection stays on one pair both ways.
 *
 * One pair where the guest has one CPU, over a stream, which is one order of
 * bytes, and behind a rate, whose buckets are one thread's. */
#pragma once

#include "dev/dev.h"

struct virtio *net_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e);
int net_start(struct virtio *v, const struct dev_threads *t, struct err *e);
void net_destroy(struct virtio *v);
void net_stats(struct virtio *v, struct dev_stats *s);
int net_plug(struct virtio *v, const struct dev_conf *conf, struct err *e);
void net_unplug(struct virtio *v);

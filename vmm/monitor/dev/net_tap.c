/* SPDX-License-Identifier: Apache-2.0 */
/* net_tap.c - a tap device as back end; net.h. The front has made it with a
 * virtio header of NET_HDR bytes and without packet information. */
#include "dev/net_priv.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What the guest can take as it is; a setting of the tap, not of a queue. */
static void tap_agreed(struct net *n)
{
	uint64_t f = n->virtio.features;
	unsigned long offload = 0;

	if (f & NET_F_GUEST_CSUM) {
		offload = TUN_F_CSUM;
		if (f & NET_F_GUEST_TSO4)
			offload |= TUN_F_TSO4;
		if (f & NET_F_GUEST_TSO6)
			offload |= TUN_F_TSO6;
		if (f & NET_F_GUEST_UFO)
			offload |= TUN_F_UFO;
	}
	if (ioctl(n->pair[0].fd, TUNSETOFFLOAD, offload) < 0)
		log_limited(&n->pair[0].limit,
			    "net %s: offloads of the tap: %s", n->virtio.id,
			    strerror(errno));
}

static int tap_send(struct net_pair *p, struct iovec *iov, unsigned niov)
{
	ssize_t r;

	do
		r = writev(p->fd, iov, (int)niov);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static ssize_t tap_recv(struct net_pair *p, const struct iovec *iov,
			unsigned niov)
{
	ssize_t r;

	do
		r = readv(p->fd, iov, (int)niov);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	/* A device that was removed; one that is down has nothing to read. */
	return errno == EBADFD || errno == ENODEV ? -EPIPE : -errno;
}

const struct net_back net_tap = {
	.name = "tap",
	.features = NET_F_OFFLOADS,
	.agreed = tap_agreed,
	.send = tap_send,
	.recv = tap_recv,
};

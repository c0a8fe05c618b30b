/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tap.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TUN "/dev/net/tun"
#define FRAMES (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

static int open_queue(const char *name, short flags, struct err *e)
{
	autoclose int fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = { .ifr_flags = flags };
	int header = TAP_HEADER;

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, ENODEV,
			       TUN " is missing (run: modprobe tun)");
	if (fd < 0 && errno == EACCES)
		return err_set(e, EACCES,
			       TUN " is not for this user (run: chmod 666 " TUN
				   ")");
	if (fd < 0)
		return err_sys(e, TUN);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_sys(e, "tap %s", name);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return err_sys(e, "tap %s: virtio header", name);
	/* It goes with its namespace, when nobody is in that any more. Without
	 * this the last close would remove it, which waits until no CPU can
	 * look at it: 20 ms for who ends the box. */
	if (ioctl(fd, TUNSETPERSIST, 1ul) < 0)
		return err_sys(e, "tap %s: persist", name);
	return take_fd(&fd);
}

int tap_open(const char *name, struct err *e)
{
	return open_queue(name, FRAMES, e);
}

int tap_open_all(struct tap *t, const char *name, unsigned queues,
		 struct err *e)
{
	short flags = FRAMES;

	if (queues > 1)
		flags |= IFF_MULTI_QUEUE;
	for (t->n = 0; t->n < queues && t->n < TAP_MAX; t->n++) {
		t->fd[t->n] = open_queue(name, flags, e);
		if (t->fd[t->n] < 0) {
			tap_close(t);
			return -e->code;
		}
	}
	return 0;
}

void tap_close(struct tap *t)
{
	while (t->n > 0)
		close(t->fd[--t->n]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/recv.h"

#include "base/auto.h"
#include "base/fd.h"
#include "monitor/plan.h"
#include "proto/wire.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a descriptor must be. */
enum fd_kind {
	FD_DEVICE, /* character device, read-write */
	FD_READ,   /* regular file or block device, readable */
	FD_DISK,   /* the same, read-write, ours alone */
	FD_KEEP,   /* regular file, writable, ours alone */
	FD_LISTEN, /* unix stream socket that listens */
	FD_TALK,   /* unix stream socket that is connected */
	FD_TAP,
	FD_NKINDS
};

struct fd_want {
	char name[40];
	int fd;
	enum fd_kind kind;
	dev_t dev;
	ino_t ino;
};

/* struct virtio_net_hdr_mrg_rxbuf */
#define TAP_HEADER 12

/* Six of the machine, kvm, the plan, each disk's layers and overlay, each share
 * and each interface's queues. */
#define MAX_WANT                                                               \
	(8 + CONF_MAX_DISKS * (CONF_MAX_LAYERS + 1) + CONF_MAX_SHARES +        \
	 CONF_MAX_NETS * (1 + CONF_NET_MORE))

struct want_list {
	struct fd_want want[MAX_WANT];
	unsigned n;
};

static void list_add(struct want_list *l, int fd, enum fd_kind kind,
		     const char *name)
{
	struct fd_want *w = &l->want[l->n];

	if (fd < 0)
		return;
	assert(l->n < MAX_WANT);
	l->n++;
	w->fd = fd;
	w->kind = kind;
	snprintf(w->name, sizeof(w->name), "%s", name);
}

static void list_fill(struct want_list *l, const struct monitor_conf *c)
{
	char name[40];

	list_add(l, c->kvm_fd, FD_DEVICE, "kvm_fd");
	list_add(l, c->kernel_fd, FD_READ, "kernel_fd");
	list_add(l, c->initrd_fd, FD_READ, "initrd_fd");
	list_add(l, c->console_fd, FD_KEEP, "console_fd");
	list_add(l, c->control_fd, FD_LISTEN, "control_fd");
	list_add(l, c->vsock_fd, FD_LISTEN, "vsock_fd");
	list_add(l, c->lock_fd, FD_KEEP, "lock_fd");
	for (unsigned i = 0; i < c->ndisks; i++) {
		for (unsigned j = 0; j < c->disk[i].nbase; j++) {
			snprintf(name, sizeof(name), "disk %u layer %u", i, j);
			list_add(l, c->disk[i].base_fds[j], FD_READ, name);
		}
		snprintf(name, sizeof(name), "disk %u overlay", i);
		list_add(l, c->disk[i].overlay_fd, FD_DISK, name);
	}
	for (unsigned i = 0; i < c->nshares; i++) {
		snprintf(name, sizeof(name), "share %u", i);
		list_add(l, c->share[i].socket_fd, FD_TALK, name);
	}
	for (unsigned i = 0; i < c->nnets; i++) {
		snprintf(name, sizeof(name), "net %u", i);
		list_add(l, c->net[i].fd, c->net[i].stream ? FD_TALK : FD_TAP,
			 name);
		for (unsigned j = 0; j < c->net[i].nmore; j++)
			list_add(l, c->net[i].more[j], FD_TAP, name);
	}
}

static bool socket_is(int fd, int option, int value)
{
	int got = 0;
	socklen_t len = sizeof(got);

	return getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 &&
	       got == value;
}

static bool unix_stream(int fd, mode_t mode)
{
	return S_ISSOCK(mode) && socket_is(fd, SO_DOMAIN, AF_UNIX) &&
	       socket_is(fd, SO_TYPE, SOCK_STREAM);
}

static bool socket_has_peer(int fd)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	return getpeername(fd, (struct sockaddr *)&a, &len) == 0;
}

/* Frames as the device reads and writes them. */
static bool is_tap(int fd)
{
	const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	struct ifreq r = { 0 };
	int header = 0;

	return ioctl(fd, TUNGETIFF, &r) == 0 &&
	       (r.ifr_flags & (flags | IFF_TUN)) == flags &&
	       ioctl(fd, TUNGETVNETHDRSZ, &header) == 0 && header == TAP_HEADER;
}

static const struct {
	const char *what;
	bool read, write;
} fd_kinds[] = {
	[FD_DEVICE] = { "a character device", true, true },
	[FD_READ] = { "a regular file or block device", true, false },
	[FD_DISK] = { "a regular file or block device", true, true },
	[FD_KEEP] = { "a regular file", false, true },
	[FD_LISTEN] = { "a listening unix socket", true, true },
	[FD_TALK] = { "a connected unix socket", true, true },
	[FD_TAP] = { "a tap with a virtio header of 12 bytes", true, true },
};
static_assert(ARRAY_LEN(fd_kinds) == FD_NKINDS, "a kind has no entry");

static bool kind_fits(const struct fd_want *w, mode_t mode)
{
	switch (w->kind) {
	case FD_DEVICE:
		return S_ISCHR(mode);
	case FD_READ:
	case FD_DISK:
		return S_ISREG(mode) || S_ISBLK(mode);
	case FD_KEEP:
		return S_ISREG(mode);
	case FD_LISTEN:
		return unix_stream(w->fd, mode) &&
		       socket_is(w->fd, SO_ACCEPTCONN, 1);
	case FD_TALK:
		return unix_stream(w->fd, mode) && socket_has_peer(w->fd);
	case FD_TAP:
		return S_ISCHR(mode) && is_tap(w->fd);
	default:
		return false;
	}
}

static int probe(struct fd_want *w, struct err *e)
{
	int flags = fcntl(w->fd, F_GETFL);
	int mode = flags & O_ACCMODE;
	struct stat st;

	if (flags < 0 || fstat(w->fd, &st) < 0)
		return err_sys(e, "%s: descriptor %d", w->name, w->fd);
	if ((flags & O_PATH) || !kind_fits(w, st.st_mode))
		return err_set(e, EINVAL, "%s: descriptor %d is not %s",
			       w->name, w->fd, fd_kinds[w->kind].what);
	if (fd_kinds[w->kind].read && mode == O_WRONLY)
		return err_set(e, EINVAL, "%s: descriptor %d cannot be read",
			       w->name, w->fd);
	if (fd_kinds[w->kind].write && mode == O_RDONLY)
		return err_set(e, EINVAL, "%s: descriptor %d cannot be written",
			       w->name, w->fd);
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	return 0;
}

static bool alone(const struct fd_want *w)
{
	return w->kind == FD_DISK || w->kind == FD_KEEP;
}

/* Two users of one descriptor, or of one file that is written. */
static int check_pair(const struct fd_want *a, const struct fd_want *b,
		      struct err *e)
{
	if (a->fd == b->fd)
		return err_set(e, EINVAL, "%s and %s: both are descriptor %d",
			       a->name, b->name, a->fd);
	if ((alone(a) || alone(b)) && a->dev == b->dev && a->ino == b->ino)
		return err_set(e, EINVAL,
			       "%s and %s: the same file, and one is written",
			       a->name, b->name);
	return 0;
}

static int check_fds(const struct monitor_conf *conf, int plan_fd,
		     struct err *e)
{
	struct want_list l = { .n = 0 };
	int r;

	list_fill(&l, conf);
	for (unsigned i = 0; i < l.n; i++) {
		if (l.want[i].fd == plan_fd)
			return err_set(e, EINVAL,
				       "%s: descriptor %d is the plan's own",
				       l.want[i].name, plan_fd);
		r = probe(&l.want[i], e);
		if (r < 0)
			return r;
		for (unsigned j = 0; j < i; j++)
			if (check_pair(&l.want[j], &l.want[i], e) < 0)
				return -EINVAL;
	}
	return 0;
}

/* Exactly len bytes; the sender may close only before the first. */
static int read_all(int fd, void *buf, size_t len, bool first, struct err *e)
{
	ssize_t n = fd_read_full(fd, buf, len);

	if (n < 0)
		return err_set(e, (int)-n, "read: %s", strerror((int)-n));
	if (n == 0 && first)
		return err_set(e, EPIPE, "closed before a plan came");
	if ((size_t)n < len)
		return err_set(e, EPROTO, "ends inside the message");
	return 0;
}

static int read_plan(int fd, struct monitor_conf *conf, struct err *e)
{
	autofree uint8_t *bytes = NULL;
	uint32_t le, len;
	int r;

	r = read_all(fd, &le, sizeof(le), true, e);
	if (r < 0)
		return r;
	len = le32toh(le);
	if (len == 0 || len > WIRE_MAX)
		return err_set(e, EPROTO, "a message of %" PRIu32 " bytes",
			       len);
	bytes = malloc(len);
	if (!bytes)
		return err_set(e, ENOMEM, "no memory for %" PRIu32 " bytes",
			       len);
	r = read_all(fd, bytes, len, false, e);
	if (r < 0)
		return r;
	return plan_decode(bytes, len, conf, e);
}

int recv_plan(int fd, struct monitor_conf *conf, struct err *e)
{
	int r = read_plan(fd, conf, e);

	return r < 0 ? r : check_fds(conf, fd, e);
}

static int by_fd(const void *a, const void *b)
{
	int x = ((const struct fd_want *)a)->fd;
	int y = ((const struct fd_want *)b)->fd;

	return (x > y) - (x < y);
}

static int close_between(unsigned from, unsigned to, struct err *e)
{
	if (from > to || syscall(SYS_close_range, from, to, 0) == 0)
		return 0;
	return err_sys(e, "close descriptors %u to %u", from, to);
}

int recv_close_others(const struct monitor_conf *conf, int plan_fd,
		      struct err *e)
{
	struct want_list l = { .n = 0 };
	unsigned from = STDERR_FILENO + 1;

	list_add(&l, plan_fd, FD_LISTEN, "plan");
	list_fill(&l, conf);
	qsort(l.want, l.n, sizeof(l.want[0]), by_fd);
	for (unsigned i = 0; i < l.n; i++) {
		unsigned fd = (unsigned)l.want[i].fd;

		if (close_between(from, fd - 1, e) < 0)
			return -e->code;
		from = fd + 1;
	}
	return close_between(from, ~0u, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/fs.h"

#include "base/auto.h"
#include "virtio/vhost_user.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* virtio 1.2, 5.11.2: for urgent requests, and one for all others. */
enum fs_queue { FS_HIPRIO, FS_REQUEST, FS_NQUEUES };

/* A request has a descriptor for each page, so this is what one can move:
 * nearly 1 MiB, as much as virtiofsd takes. */
#define FS_QUEUE_SIZE 256

/* virtio 1.2, 5.11.4 */
struct fs_config {
	uint8_t tag[FS_TAG_BYTES]; /* zeroes behind it */
	uint32_t num_request_queues;
};

struct fs {
	struct virtio virtio;
	struct vhost_user back;
	struct watch watch; /* the back end's socket */
	struct loop *loop;
	int kick_fds[FS_NQUEUES]; /* eventfds, owned */
	struct fs_config config;
};

/* The back end is of no more use. */
static void fs_lose(struct fs *f, const char *why)
{
	loop_del(f->loop, &f->watch);
	vhost_user_drop(&f->back);
	virtio_lost(&f->virtio, why);
}

static void fs_heard(struct watch *w, uint32_t events)
{
	struct fs *f = container_of(w, struct fs, watch);
	const char *why = vhost_user_heard(&f->back);

	(void)events;
	if (why)
		fs_lose(f, why);
}

/* Only for doorbells that rang before there was anybody to hear them. */
static void fs_kick(struct virtio *v)
{
	struct fs *f = container_of(v, struct fs, virtio);
	uint64_t one = 1;

	for (unsigned i = 0; i < FS_NQUEUES; i++)
		if (write(f->kick_fds[i], &one, sizeof(one)) < 0)
			return; /* so many are pending: one will do */
}

static void fs_ready(struct virtio *v)
{
	struct fs *f = container_of(v, struct fs, virtio);
	struct err e = { 0 };

	if (f->back.fd < 0)
		virtio_lost(v, "the back end is gone");
	else if (vhost_user_start(&f->back, v->features, v->queue, FS_NQUEUES,
				  f->kick_fds, v->irq_fd, &e) < 0)
		fs_lose(f, e.msg);
}

static void fs_reset(struct virtio *v)
{
	struct fs *f = container_of(v, struct fs, virtio);
	struct err e = { 0 };

	if (f->back.fd >= 0 &&
	    vhost_user_stop(&f->back, v->queue, FS_NQUEUES, &e) < 0)
		fs_lose(f, e.msg);
}

static void fs_config_read(struct virtio *v, uint32_t off, void *dst,
			   uint32_t len)
{
	const struct fs *f = container_of(v, struct fs, virtio);

	memcpy(dst, (const char *)&f->config + off, len);
}

static const struct virtio_ops fs_ops = {
	.type = VIRTIO_ID_FS,
	.name = "fs",
	.queues = FS_NQUEUES,
	.queue_max = FS_QUEUE_SIZE,
	.chain_max = 1, /* we walk none */
	.kick = fs_kick,
	.ready = fs_ready,
	.reset = fs_reset,
	.config_size = sizeof(struct fs_config),
	.config_read = fs_config_read,
};

static int fs_attach(struct fs *f, int socket_fd, struct err *e)
{
	struct virtio *v = &f->virtio;

	for (unsigned i = 0; i < FS_NQUEUES; i++) {
		f->kick_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (f->kick_fds[i] < 0)
			return err_sys(e, "eventfd");
	}
	if (vhost_user_open(&f->back, socket_fd, v->mem, e) < 0)
		return -e->code;
	v->offered &= f->back.features;
	v->queue_kick_fds = f->kick_fds;
	v->irq_always = VIRTIO_IRQ_USED;
	f->watch = (struct watch){ .fd = socket_fd,
				   .name = "fs",
				   .ready = fs_heard };
	return loop_add(f->loop, &f->watch, EPOLLIN, e);
}

struct virtio *fs_create(const struct dev_conf *conf, const struct mem *mem,
			 struct loop *loop, struct err *e)
{
	const char *tag = conf->fs.tag;
	size_t len = strlen(tag);
	struct fs *f;

	if (len < 1 || len > FS_TAG_BYTES) {
		err_set(e, EINVAL, "the tag has %zu bytes", len);
		return NULL;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		err_set(e, ENOMEM, "no memory");
		return NULL;
	}
	f->loop = loop;
	f->back.fd = f->kick_fds[FS_HIPRIO] = f->kick_fds[FS_REQUEST] = -1;
	memcpy(f->config.tag, tag, len);
	f->config.num_request_queues = htole32(1);
	if (virtio_init(&f->virtio, &fs_ops, tag, mem, e) < 0) {
		free(f);
		return NULL;
	}
	if (fs_attach(f, conf->fs.socket_fd, e) < 0) {
		err_wrap(e, "%s", tag);
		fs_destroy(&f->virtio);
		return NULL;
	}
	return &f->virtio;
}

void fs_destroy(struct virtio *v)
{
	struct fs *f = container_of(v, struct fs, virtio);

	loop_del(f->loop, &f->watch);
	vhost_user_drop(&f->back);
	for (unsigned i = 0; i < FS_NQUEUES; i++)
		if (f->kick_fds[i] >= 0)
			close(f->kick_fds[i]);
	virtio_fini(v);
	free(f);
}

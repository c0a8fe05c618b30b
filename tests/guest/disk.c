/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/disk.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void kicked(struct disk *d)
{
	guest_write32(d->v, MMIO_QUEUE_NOTIFY, 0);
	mmio_kick(d->v);
}

void disk_start(struct disk *d, uint64_t features)
{
	bool ok = guest_start(d->v, features);

	ring_init(&d->r, &d->g, d->v, 0, 64);
	d->r.indirect = features & VIRTIO_F_INDIRECT_DESC;
	guest_go(d->v);
	d->used = 0;
	assert(ok && virtio_live(d->v));
	(void)ok;
}

int disk_open(struct disk *d, const struct blk_conf *conf, bool ring,
	      struct err *e)
{
	struct dev_conf dc = { .type = DEV_BLK, .blk = *conf };
	int r;

	memset(d, 0, sizeof(*d));
	if (ring) {
		r = loop_init(&d->loop, NULL, e);
		if (r < 0)
			return r;
		d->looped = true;
	}
	guest_init(&d->g);
	d->v = blk_create(&dc, &d->g.mem, ring ? &d->loop : NULL, e);
	if (!d->v) {
		disk_close(d);
		return e->code ? -e->code : -1;
	}
	for (unsigned i = 0; i < DISK_SLOTS; i++) {
		d->head[i] = guest_alloc(&d->g, 16, 16);
		d->status[i] = guest_alloc(&d->g, 1, 16);
		d->data[i] = guest_alloc(&d->g, DISK_BYTES, 4096);
	}
	disk_start(d, d->v->offered);
	return 0;
}

void disk_close(struct disk *d)
{
	if (d->v)
		blk_destroy(d->v);
	d->v = NULL;
	guest_fini(&d->g);
	if (d->looped)
		loop_fini(&d->loop);
	d->looped = false;
}

void *disk_data(struct disk *d, unsigned slot)
{
	return guest_at(&d->g, d->data[slot], DISK_BYTES);
}

uint8_t disk_status(struct disk *d, unsigned slot)
{
	return *(uint8_t *)guest_at(&d->g, d->status[slot], 1);
}

unsigned disk_put(struct disk *d, uint32_t type, uint64_t sector, uint32_t len)
{
	unsigned slot = d->used++, n = 0;
	bool in = type == DISK_IN || type == DISK_GET_ID;
	uint32_t first = len / 3;
	struct seg segs[4];
	uint8_t *h;

	assert(slot < DISK_SLOTS && len <= DISK_BYTES);
	h = guest_at(&d->g, d->head[slot], 16);
	memset(h, 0, 16);
	memcpy(h, &type, 4);
	memcpy(h + 8, &sector, 8);
	memset(guest_at(&d->g, d->status[slot], 1), DISK_UNSEEN, 1);
	segs[n++] = SEG_OUT(d->head[slot], 16);
	/* in two pieces that end nowhere in particular */
	if (first)
		segs[n++] = (struct seg){ d->data[slot], first, in };
	if (len)
		segs[n++] = (struct seg){ GPA(d->data[slot].v + first),
					  len - first, in };
	segs[n++] = SEG_IN(d->status[slot], 1);
	ring_add(&d->r, segs, n);
	return slot;
}

bool disk_run(struct disk *d)
{
	unsigned left = d->used;

	kicked(d);
	d->used = 0;
	while (left) {
		if (ring_used(&d->r, NULL, NULL)) {
			left--;
			continue;
		}
		if (!virtio_live(d->v))
			return false;
		if (d->looped)
			loop_once(&d->loop, 1000);
		/* what the device rang for itself */
		mmio_kick(d->v);
	}
	return true;
}

int disk_read(struct disk *d, uint64_t sector, void *dst, uint32_t len)
{
	unsigned slot = disk_put(d, DISK_IN, sector, len);

	if (!disk_run(d))
		return -1;
	memcpy(dst, disk_data(d, slot), len);
	return disk_status(d, slot);
}

int disk_write(struct disk *d, uint64_t sector, const void *src, uint32_t len)
{
	unsigned slot = disk_put(d, DISK_OUT, sector, len);

	memcpy(disk_data(d, slot), src, len);
	return disk_run(d) ? disk_status(d, slot) : -1;
}

int disk_flush(struct disk *d)
{
	unsigned slot = disk_put(d, DISK_FLUSH, 0, 0);

	return disk_run(d) ? disk_status(d, slot) : -1;
}

int disk_range(struct disk *d, uint32_t type, uint64_t sector, uint32_t n,
	       uint32_t flags)
{
	unsigned slot = disk_put(d, type, 0, 16);
	uint8_t *p = disk_data(d, slot);

	memcpy(p, &sector, 8);
	memcpy(p + 8, &n, 4);
	memcpy(p + 12, &flags, 4);
	return disk_run(d) ? disk_status(d, slot) : -1;
}

int file_new(uint64_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		perror("a temporary file");
		abort();
	}
	return fd;
}

int file_readonly(int fd)
{
	char path[64];
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (ro < 0) {
		perror(path);
		abort();
	}
	return ro;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_overlay.h"

#include "base/auto.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "VIALCOW1"
#define VERSION 1u
#define PAGE 4096u
#define PAGE_BITS (PAGE * 8ull) /* clusters one page of map speaks of */
#define DATA_ALIGN (1ull << 20)

/* Of a page of the map. A page that changes while it is saved is both. */
#define PAGE_DIRTY 1
#define PAGE_SAVING 2

struct head {
	char magic[8];
	uint32_t version;
	uint32_t cluster_bits;
	uint64_t size;
	uint64_t map_off;
	uint64_t map_bytes;
	uint64_t data_off;
	uint64_t sum; /* of all before it */
};

static uint64_t clusters(uint64_t size)
{
	return (size + CLUSTER_BYTES - 1) >> CLUSTER_BITS;
}

static uint64_t align_up(uint64_t x, uint64_t to)
{
	return (x + to - 1) / to * to;
}

/* FNV-1a: finds a torn or foreign header, not an attack. */
static uint64_t head_sum(const struct head *h)
{
	const uint8_t *p = (const uint8_t *)h;
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < offsetof(struct head, sum); i++)
		sum = (sum ^ p[i]) * 0x100000001b3;
	return sum;
}

static struct head head_make(const struct overlay *o)
{
	struct head h = {
		.magic = MAGIC,
		.version = htole32(VERSION),
		.cluster_bits = htole32(CLUSTER_BITS),
		.size = htole64(o->size),
		.map_off = htole64(OVERLAY_HEAD),
		.map_bytes = htole64((uint64_t)o->pages * PAGE),
		.data_off = htole64(o->data_off),
	};

	h.sum = htole64(head_sum(&h));
	return h;
}

/* Everything but the disk's size follows from it. */
static int overlay_shape(struct overlay *o, uint64_t size, struct err *e)
{
	if (!size || size % 512 || size > OVERLAY_MAX)
		return err_set(e, EINVAL,
			       "overlay: a disk of %" PRIu64
			       " bytes is not possible",
			       size);
	o->size = size;
	o->pages = (size_t)((clusters(size) + PAGE_BITS - 1) / PAGE_BITS);
	o->data_off =
		align_up(OVERLAY_HEAD + (uint64_t)o->pages * PAGE, DATA_ALIGN);
	return 0;
}

static void *map_pages(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int overlay_alloc(struct overlay *o, struct err *e)
{
	o->map = map_pages(o->pages);
	if (o->map && o->writable) {
		o->saved = map_pages(o->pages);
		o->dirty = calloc(o->pages, 1);
	}
	if (!o->map || (o->writable && (!o->saved || !o->dirty)))
		return err_set(e, ENOMEM, "overlay: no memory for its map");
	return 0;
}

static bool all_zero(const void *p, size_t len)
{
	const char *c = p;

	return len == 0 || (c[0] == 0 && memcmp(c, c + 1, len - 1) == 0);
}

/* Pages without a bit stay untouched, in memory too. */
static int overlay_load(struct overlay *o, struct err *e)
{
	uint8_t page[PAGE];

	for (size_t i = 0; i < o->pages; i++) {
		uint64_t off = OVERLAY_HEAD + (uint64_t)i * PAGE;
		ssize_t n = fd_pread_full(o->fd, page, PAGE, off);

		if (n < 0)
			return err_set(e, (int)-n, "overlay: map: %s",
				       strerror((int)-n));
		if (n < PAGE)
			return err_set(e, EINVAL, "overlay: map is cut off");
		if (!all_zero(page, PAGE))
			memcpy((uint8_t *)o->map + i * PAGE, page, PAGE);
	}
	return 0;
}

/* A file of holes: machine ended before its first save. */
static bool head_blank(const struct head *h)
{
	return all_zero(h, sizeof(*h));
}

static int head_check(struct overlay *o, const struct head *h,
		      uint64_t file_size, struct err *e)
{
	struct head want;
	int r;

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return err_set(e, EINVAL, "overlay: not an overlay file");
	if (le32toh(h->version) != VERSION)
		return err_set(e, EINVAL,
			       "overlay: version %u, this program knows %u",
			       le32toh(h->version), VERSION);
	if (le64toh(h->sum) != head_sum(h))
		return err_set(e, EINVAL, "overlay: header is damaged");
	r = overlay_shape(o, le64toh(h->size), e);
	if (r < 0)
		return r;
	want = head_make(o);
	if (memcmp(&want, h, sizeof(want)) != 0)
		return err_set(e, EINVAL, "overlay: header makes no sense");
	if (file_size < o->data_off + o->size)
		return err_set(e, EINVAL,
			       "overlay: file is cut off: %" PRIu64
			       " bytes, not %" PRIu64,
			       file_size, o->data_off + o->size);
	return 0;
}

static int overlay_fresh(struct overlay *o, uint64_t size, uint64_t file_size,
			 struct err *e)
{
	int r;

	if (!o->writable)
		return err_set(e, EINVAL, "overlay: file is empty");
	r = overlay_shape(o, size, e);
	if (r < 0)
		return r;
	if (file_size && file_size != o->data_off + o->size)
		return err_set(e, EINVAL, "overlay: not an overlay file");
	if (ftruncate(o->fd, (off_t)(o->data_off + o->size)) < 0)
		return err_sys(e, "overlay: a file of %" PRIu64 " bytes",
			       o->data_off + o->size);
	return overlay_alloc(o, e);
}

static int overlay_old(struct overlay *o, const struct head *h, uint64_t size,
		       uint64_t file_size, struct err *e)
{
	int r = head_check(o, h, file_size, e);

	if (r < 0)
		return r;
	if (size && size != o->size)
		return err_set(e, EINVAL,
			       "overlay: made for a disk of %" PRIu64
			       " bytes, not %" PRIu64,
			       o->size, size);
	o->head_saved = true;
	r = overlay_alloc(o, e);
	return r < 0 ? r : overlay_load(o, e);
}

static int overlay_read(struct overlay *o, uint64_t size, uint64_t fallback,
			struct err *e)
{
	struct head h = { .version = 0 };
	struct stat st;
	ssize_t n;

	if (fstat(o->fd, &st) < 0)
		return err_sys(e, "overlay: stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "overlay: not a regular file");
	n = fd_pread_full(o->fd, &h, sizeof(h), 0);
	if (n < 0)
		return err_set(e, (int)-n, "overlay: header: %s",
			       strerror((int)-n));
	if (n == 0 || (n == sizeof(h) && head_blank(&h)))
		return overlay_fresh(o, size ? size : fallback,
				     (uint64_t)st.st_size, e);
	if (n < (ssize_t)sizeof(h))
		return err_set(e, EINVAL, "overlay: not an overlay file");
	return overlay_old(o, &h, size, (uint64_t)st.st_size, e);
}

int overlay_open(struct overlay *o, int fd, bool writable, uint64_t size,
		 uint64_t fallback, struct err *e)
{
	int r;

	*o = (struct overlay){ .fd = fd, .writable = writable };
	r = overlay_read(o, size, fallback, e);
	if (r < 0)
		overlay_close(o);
	return r;
}

int overlay_open_plain(struct overlay *o, int fd, struct err *e)
{
	off_t end = lseek(fd, 0, SEEK_END);

	*o = (struct overlay){ .fd = fd, .writable = true, .head_saved = true };
	if (end < 0) {
		o->fd = -1;
		return err_sys(e, "plain disk");
	}
	o->size = (uint64_t)end;
	return 0;
}

void overlay_close(struct overlay *o)
{
	if (o->map)
		munmap(o->map, o->pages * PAGE);
	if (o->saved)
		munmap(o->saved, o->pages * PAGE);
	free(o->dirty);
	*o = (struct overlay){ .fd = -1 };
}

bool overlay_has(const struct overlay *o, uint64_t cluster)
{
	return !o->map || (o->map[cluster / 64] >> (cluster % 64) & 1);
}

uint64_t overlay_run(const struct overlay *o, uint64_t cluster, uint64_t max)
{
	uint64_t n = 0, flip = overlay_has(o, cluster) ? UINT64_MAX : 0;

	if (!o->map)
		return max;
	while (n < max) {
		unsigned bit = (cluster + n) % 64;
		uint64_t other = (o->map[(cluster + n) / 64] ^ flip) >> bit;

		if (other)
			return MIN(max, n + (unsigned)__builtin_ctzll(other));
		n += 64 - bit;
	}
	return max;
}

void overlay_set(struct overlay *o, uint64_t cluster, uint64_t n)
{
	while (n && o->map) {
		unsigned bit = cluster % 64;
		uint64_t step = MIN(n, 64 - bit), mask = UINT64_MAX;
		uint64_t *word = &o->map[cluster / 64];

		if (step < 64)
			mask = ((1ull << step) - 1) << bit;
		if ((*word & mask) != mask) {
			*word |= mask;
			o->dirty[cluster / PAGE_BITS] |= PAGE_DIRTY;
		}
		cluster += step;
		n -= step;
	}
}

bool overlay_save_begin(struct overlay *o)
{
	bool any = false;

	for (size_t i = 0; i < o->pages; i++) {
		if (!o->dirty[i])
			continue;
		memcpy((uint8_t *)o->saved + i * PAGE,
		       (uint8_t *)o->map + i * PAGE, PAGE);
		o->dirty[i] = PAGE_SAVING;
		any = true;
	}
	return any;
}

static int overlay_put(struct overlay *o, const void *src, size_t len,
		       uint64_t off, struct err *e)
{
	ssize_t n;

	do {
		n = pwrite(o->fd, src, len, (off_t)off);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "overlay: saving its map");
	if ((size_t)n < len)
		return err_set(e, ENOSPC, "overlay: saving its map: short");
	return 0;
}

int overlay_save_write(struct overlay *o, struct err *e)
{
	int r = 0;

	if (!o->head_saved) {
		struct head h = head_make(o);

		r = overlay_put(o, &h, sizeof(h), 0, e);
		o->head_saved = r == 0;
	}
	for (size_t i = 0; i < o->pages && r == 0; i++) {
		uint64_t off = OVERLAY_HEAD + (uint64_t)i * PAGE;

		if (!(o->dirty[i] & PAGE_SAVING))
			continue;
		r = overlay_put(o, (uint8_t *)o->saved + i * PAGE, PAGE, off,
				e);
		if (r == 0)
			o->dirty[i] &= (uint8_t)~PAGE_SAVING;
	}
	if (r < 0)
		overlay_save_abort(o);
	return r;
}

void overlay_save_abort(struct overlay *o)
{
	for (size_t i = 0; i < o->pages; i++)
		if (o->dirty[i] & PAGE_SAVING)
			o->dirty[i] = PAGE_DIRTY;
}

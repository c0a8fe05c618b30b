/* SPDX-License-Identifier: Apache-2.0 */
/* THEORY OF OPERATION
 *
 * Huge pages can back guest RAM only where host and guest address are equal
 * modulo 2 MiB. So each region reserves more address space than it needs,
 * places itself at the right spot and gives the rest back. One page without
 * access stays on either side: a device that runs past the end of RAM faults
 * instead of reading its neighbour.
 *
 *     guard | region: read, write, huge pages, not in dumps | guard
 *
 * A memory file begins at the same remainder of 2 MiB as its region, for the
 * same reason. Its size is sealed: whoever gets the descriptor cannot make us
 * fault by cutting it off.
 */
#include "mem/mem.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ull
#define HUGE_ (2ull << 20)

static bool mem_overlaps(const struct mem *m, uint64_t base, uint64_t size)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct mem_region *r = &m->region[i];

		if (base < r->base.v + r->size && r->base.v < base + size)
			return true;
	}
	return false;
}

/* Reserved address space with room for size bytes at the wanted remainder. */
static uint8_t *mem_reserve(uint64_t base, uint64_t size)
{
	uint64_t want = base % HUGE_, total = size + HUGE_ + 2 * PAGE, skip;
	uint8_t *all, *at;

	if (total < size)
		return NULL;
	all = mmap(NULL, total, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	skip = (want - (uint64_t)(uintptr_t)(all + PAGE)) % HUGE_;
	at = all + PAGE + skip;
	if (skip)
		munmap(all, skip);
	if (skip < HUGE_)
		munmap(at + size + PAGE, HUGE_ - skip);
	return at;
}

/* A file whose bytes from off on are the region, or -errno. */
static int mem_file(uint64_t off, uint64_t size)
{
	autoclose int fd =
		memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)(off + size)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		    0)
		return -errno;
	return take_fd(&fd);
}

/* Makes the reserved addresses of r usable. */
static int mem_back(struct mem_region *r, bool shared)
{
	r->fd = -1;
	if (!shared)
		return mprotect(r->host, r->size, PROT_READ | PROT_WRITE) < 0
			     ? -errno
			     : 0;
	r->fd_off = r->base.v % HUGE_;
	r->fd = mem_file(r->fd_off, r->size);
	if (r->fd < 0)
		return r->fd;
	if (mmap(r->host, r->size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, r->fd,
		 (off_t)r->fd_off) == MAP_FAILED) {
		int code = errno;

		close(take_fd(&r->fd));
		return -code;
	}
	return 0;
}

int mem_add(struct mem *m, gpa_t base, uint64_t size, struct err *e)
{
	struct mem_region new = { .base = base, .size = size };
	int r;

	if (m->nregions == MEM_MAX_REGIONS)
		return err_set(e, ENOSPC, "guest memory: more than %d regions",
			       MEM_MAX_REGIONS);
	if (!size || size % PAGE || base.v % PAGE ||
	    base.v + size - 1 < base.v || base.v + size == 0 ||
	    mem_overlaps(m, base.v, size))
		return err_set(e, EINVAL,
			       "guest memory: no region of %" PRIu64
			       " bytes fits at 0x%" PRIx64,
			       size, base.v);
	new.host = mem_reserve(base.v, size);
	if (!new.host)
		return err_set(e, ENOMEM,
			       "guest memory: the host has no room for %" PRIu64
			       " MiB",
			       size >> 20);
	r = mem_back(&new, m->shared);
	if (r < 0) {
		munmap(new.host - PAGE, size + 2 * PAGE);
		return err_set(e, -r, "guest memory: %" PRIu64 " MiB: %s",
			       size >> 20, strerror(-r));
	}
	/* Both are wishes: a kernel without them runs the guest all the same.
	 * Huge pages for shared RAM are subject to shmem_enabled as well. */
	(void)madvise(new.host, size, MADV_HUGEPAGE);
	(void)madvise(new.host, size, MADV_DONTDUMP);
	m->region[m->nregions++] = new;
	return 0;
}

void mem_fini(struct mem *m)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		munmap(m->region[i].host - PAGE, m->region[i].size + 2 * PAGE);
		if (m->region[i].fd >= 0)
			close(m->region[i].fd);
	}
	m->nregions = 0;
}

uint64_t mem_size(const struct mem *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->nregions; i++)
		sum += m->region[i].size;
	return sum;
}

void *mem_at(const struct mem *m, gpa_t at, size_t len)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct mem_region *r = &m->region[i];
		uint64_t off = at.v - r->base.v; /* huge when below base */

		if (off < r->size)
			return len <= r->size - off ? r->host + off : NULL;
	}
	return NULL;
}

int mem_read(const struct mem *m, gpa_t at, void *dst, size_t len)
{
	const void *src = mem_at(m, at, len);

	if (!src)
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int mem_write(const struct mem *m, gpa_t at, const void *src, size_t len)
{
	void *dst = mem_at(m, at, len);

	if (!dst)
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int64_t mem_release(const struct mem *m, void *at, size_t len)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct mem_region *r = &m->region[i];
		uint64_t off = (uintptr_t)at - (uintptr_t)r->host, from, to;
		/* A memory file keeps its pages until it gets a hole. */
		int how = r->fd >= 0 ? MADV_REMOVE : MADV_DONTNEED;

		if (off >= r->size || len > r->size - off)
			continue;
		from = (off + PAGE - 1) / PAGE * PAGE;
		to = (off + len) / PAGE * PAGE;
		if (from >= to)
			return 0;
		if (madvise(r->host + from, to - from, how) < 0)
			return -errno;
		return (int64_t)(to - from);
	}
	return -EFAULT;
}

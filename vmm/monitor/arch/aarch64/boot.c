/* SPDX-License-Identifier: Apache-2.0 */
/* boot.c - the Image format and hand-over (Linux, arm64/booting.rst). */
#include "arch/aarch64/layout.h"
#include "arch/arch.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGE_MAGIC 0x644d5241u /* "ARM\x64" */
#define HUGE_PAGE 0x200000ull

struct image_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t reserved2;
};

static int boot_read(int fd, uint64_t at, struct mem *m, uint64_t *size,
		     struct err *e)
{
	struct stat st;
	ssize_t n;
	void *to;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_size <= 0)
		return err_set(e, EINVAL, "empty");
	*size = (uint64_t)st.st_size;
	to = mem_at(m, GPA(at), *size);
	if (!to)
		return err_set(e, ENOMEM, "does not fit into memory");
	n = fd_pread_full(fd, to, *size, 0);
	if (n < 0)
		return err_set(e, (int)-n, "read: %s", strerror((int)-n));
	if ((uint64_t)n != *size)
		return err_set(e, EINVAL, "truncated");
	return 0;
}

static int boot_kernel(int fd, struct mem *m, struct boot *b, struct err *e)
{
	struct image_header h;
	uint64_t at, size;
	int r;

	if (fd_pread_full(fd, &h, sizeof(h), 0) != sizeof(h))
		return err_set(e, EINVAL, "truncated");
	if (le32toh(h.magic) != IMAGE_MAGIC || h.image_size == 0)
		return err_set(e, ENOEXEC, "not a kernel for this machine");
	at = le64toh(h.text_offset);
	if (at >= HUGE_PAGE)
		return err_set(e, ENOEXEC, "wants to be at %#llx",
			       (unsigned long long)at);
	at += RAM_AT + FDT_MAX;
	if (!mem_at(m, GPA(at), le64toh(h.image_size)))
		return err_set(e, ENOMEM, "does not fit into memory");
	r = boot_read(fd, at, m, &size, e);
	b->entry = at;
	b->kernel_end = at + le64toh(h.image_size);
	if (r == 0 && at + size > b->kernel_end)
		b->kernel_end = at + size;
	return r;
}

int arch_load(int kernel_fd, int initrd_fd, struct mem *m, struct boot *b,
	      struct err *e)
{
	if (boot_kernel(kernel_fd, m, b, e) < 0)
		return err_wrap(e, "kernel");
	b->initrd_size = 0;
	b->initrd = (b->kernel_end + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	if (initrd_fd >= 0 &&
	    boot_read(initrd_fd, b->initrd, m, &b->initrd_size, e) < 0)
		return err_wrap(e, "initramfs");
	b->arg = FDT_AT;
	return 0;
}

int arch_handover(struct mem *m, struct boot *b, const char *cmdline,
		  const void *fdt, size_t fdt_len, struct err *e)
{
	(void)b;
	(void)cmdline; /* in the device tree */
	if (fdt_len > FDT_MAX)
		return err_set(e, E2BIG, "device tree of %zu bytes", fdt_len);
	if (mem_write(m, GPA(FDT_AT), fdt, fdt_len) < 0)
		return err_set(e, ENOMEM, "too little memory");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/x86_64/image.h"

#include "arch/x86_64/layout.h"
#include "base/auto.h"
#include "base/fd.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define ELF_MAX_SEGMENTS 32
#define SECTOR 512
#define SETUP_AT 0x1f1
#define SETUP_MAGIC 0x53726448 /* "HdrS" */
#define ENTRY_64 0x200

int image_read(int fd, uint64_t off, uint64_t len, struct mem *m, uint64_t at,
	       struct err *e)
{
	void *to = mem_at(m, GPA(at), len);
	ssize_t n;

	if (!to)
		return err_set(
			e, ENOMEM,
			"needs %llu MiB of memory at %llu MiB: too little memory",
			(unsigned long long)(len >> 20) + 1,
			(unsigned long long)at >> 20);
	n = fd_pread_full(fd, to, len, off);
	if (n < 0)
		return err_set(e, (int)-n, "read: %s", strerror((int)-n));
	if ((uint64_t)n != len)
		return err_set(e, EINVAL, "truncated");
	return 0;
}

static int elf_segment(int fd, const Elf64_Phdr *p, uint64_t file_size,
		       struct mem *m, struct boot *b, struct err *e)
{
	if (p->p_filesz > p->p_memsz || p->p_offset > file_size ||
	    p->p_filesz > file_size - p->p_offset)
		return err_set(e, EINVAL, "truncated");
	if (p->p_paddr < HIGH_RAM_AT || p->p_memsz > UINT64_MAX - p->p_paddr)
		return err_set(e, EINVAL, "a segment lies at %#llx",
			       (unsigned long long)p->p_paddr);
	/* What is behind the file's part is zero: RAM is fresh. */
	if (!mem_at(m, GPA(p->p_paddr), p->p_memsz))
		return err_set(e, ENOMEM, "does not fit into memory");
	if (p->p_paddr + p->p_memsz > b->kernel_end)
		b->kernel_end = p->p_paddr + p->p_memsz;
	if (p->p_filesz == 0)
		return 0;
	return image_read(fd, p->p_offset, p->p_filesz, m, p->p_paddr, e);
}

int image_load_elf(int fd, uint64_t file_size, struct mem *m, struct boot *b,
		   struct err *e)
{
	Elf64_Phdr ph[ELF_MAX_SEGMENTS];
	Elf64_Ehdr eh;
	size_t bytes;
	int r;

	if (fd_pread_full(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		return err_set(e, EINVAL, "truncated");
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(ph[0]) || eh.e_phnum == 0 ||
	    eh.e_phnum > ELF_MAX_SEGMENTS)
		return err_set(e, ENOEXEC, "not a kernel for this machine");
	bytes = eh.e_phnum * sizeof(ph[0]);
	if (fd_pread_full(fd, ph, bytes, eh.e_phoff) != (ssize_t)bytes)
		return err_set(e, EINVAL, "truncated");
	b->entry = eh.e_entry;
	b->kernel_end = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		r = elf_segment(fd, &ph[i], file_size, m, b, e);
		if (r < 0)
			return r;
	}
	if (b->entry < HIGH_RAM_AT || b->entry >= b->kernel_end)
		return err_set(e, ENOEXEC, "entry point %#llx is outside of it",
			       (unsigned long long)b->entry);
	return 0;
}

int image_load_bzimage(int fd, uint64_t file_size, struct mem *m,
		       struct boot *b, struct setup_header *hdr, struct err *e)
{
	uint64_t setup, at, len;

	if (fd_pread_full(fd, hdr, sizeof(*hdr), SETUP_AT) != sizeof(*hdr) ||
	    hdr->header != SETUP_MAGIC)
		return err_set(e, ENOEXEC, "neither vmlinux nor bzImage");
	if (hdr->version < 0x020c || !(hdr->xloadflags & XLF_KERNEL_64))
		return err_set(e, ENOEXEC, "bzImage without a 64-bit entry");
	setup = ((uint64_t)(hdr->setup_sects ? hdr->setup_sects : 4) + 1) *
		SECTOR;
	if (setup >= file_size)
		return err_set(e, EINVAL, "truncated");
	len = file_size - setup;
	/* The header says how long it should be, in 16-byte units. */
	if ((uint64_t)hdr->syssize * 16 > len)
		return err_set(e, EINVAL, "truncated");
	at = hdr->pref_address;
	if (at < HIGH_RAM_AT || hdr->init_size > GAP_AT || at >= GAP_AT)
		return err_set(e, ENOEXEC, "wants to be at %#llx",
			       (unsigned long long)at);
	b->entry = at + ENTRY_64;
	b->kernel_end = at + MAX(len, (uint64_t)hdr->init_size);
	if (!mem_at(m, GPA(at), b->kernel_end - at))
		return err_set(e, ENOMEM, "does not fit into memory");
	return image_read(fd, setup, len, m, at, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - kernel files this CPU can start: ELF vmlinux and bzImage.
 *
 * The file is input: every offset, length and address is checked before it is
 * used, and nothing is read twice. */
#pragma once

#include "arch/arch.h"

#include <asm/bootparam.h>

/* Each reads the kernel into RAM at or above HIGH_RAM_AT, fills b->entry and
 * b->kernel_end, and for a bzImage the setup header that it brings. */
int image_load_elf(int fd, uint64_t file_size, struct mem *m, struct boot *b,
		   struct err *e);
int image_load_bzimage(int fd, uint64_t file_size, struct mem *m,
		       struct boot *b, struct setup_header *hdr, struct err *e);

/* Reads [off, off + len) of fd to guest address at. */
int image_read(int fd, uint64_t off, uint64_t len, struct mem *m, uint64_t at,
	       struct err *e);

/* SPDX-License-Identifier: Apache-2.0 */
/* boot.c - the 64-bit boot protocol (Linux, Documentation/x86/boot.rst).
 *
 * The first vCPU starts in long mode at the kernel's 64-bit entry, with
 * boot_params in RSI. The device tree and a random seed hang off it as
 * setup_data; memory, command line and initramfs are told by boot_params. */
#include "arch/arch.h"
#include "arch/x86_64/image.h"
#include "arch/x86_64/layout.h"
#include "base/auto.h"
#include "base/fd.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define PAGE 0x1000ull
#define HUGE_PAGE 0x200000ull
#define SEED_BYTES 64
#define LOADER_NONE 0xff /* a boot loader without a number */

static int boot_load_kernel(int fd, struct mem *m, struct boot *b,
			    struct setup_header *hdr, struct err *e)
{
	unsigned char magic[SELFMAG] = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (fd_pread_full(fd, magic, sizeof(magic), 0) != sizeof(magic))
		return err_set(e, EINVAL, "truncated");
	if (memcmp(magic, ELFMAG, SELFMAG) == 0)
		return image_load_elf(fd, (uint64_t)st.st_size, m, b, e);
	return image_load_bzimage(fd, (uint64_t)st.st_size, m, b, hdr, e);
}

/* Right behind the kernel: the huge page there is being touched anyway, and
 * zeroing one more costs as much as reading the whole initramfs. */
static int boot_load_initrd(int fd, struct mem *m, struct boot *b,
			    struct setup_header *hdr, struct err *e)
{
	uint64_t at = (b->kernel_end + PAGE - 1) & ~(PAGE - 1);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_size <= 0)
		return err_set(e, EINVAL, "empty");
	if ((uint64_t)st.st_size > GAP_AT || at + (uint64_t)st.st_size > GAP_AT)
		return err_set(e, EFBIG, "too large");
	b->initrd = at;
	b->initrd_size = (uint64_t)st.st_size;
	hdr->ramdisk_image = (uint32_t)at;
	hdr->ramdisk_size = (uint32_t)st.st_size;
	return image_read(fd, 0, (uint64_t)st.st_size, m, at, e);
}

static void boot_e820(struct boot_params *bp, const struct mem *m)
{
	struct boot_e820_entry *t = bp->e820_table;
	unsigned n = 0;

	t[n++] = (struct boot_e820_entry){ 0, LOW_RAM_END, 1 };
	t[n++] = (struct boot_e820_entry){ HIGH_RAM_AT,
					   m->region[0].size - HIGH_RAM_AT, 1 };
	if (m->nregions > 1)
		t[n++] = (struct boot_e820_entry){ m->region[1].base.v,
						   m->region[1].size, 1 };
	bp->e820_entries = (uint8_t)n;
}

int arch_load(int kernel_fd, int initrd_fd, struct mem *m, struct boot *b,
	      struct err *e)
{
	struct boot_params *bp = mem_at(m, GPA(BOOT_PARAMS_AT), sizeof(*bp));
	struct setup_header hdr = { 0 };

	*b = (struct boot){ .arg = BOOT_PARAMS_AT };
	if (!bp || m->region[0].size <= HIGH_RAM_AT)
		return err_set(e, ENOMEM, "too little memory");
	if (boot_load_kernel(kernel_fd, m, b, &hdr, e) < 0)
		return err_wrap(e, "kernel");
	if (initrd_fd >= 0 && boot_load_initrd(initrd_fd, m, b, &hdr, e) < 0)
		return err_wrap(e, "initramfs");
	memset(bp, 0, sizeof(*bp));
	hdr.boot_flag = 0xaa55;
	hdr.header = 0x53726448;
	hdr.type_of_loader = LOADER_NONE;
	hdr.loadflags |= LOADED_HIGH;
	bp->hdr = hdr;
	boot_e820(bp, m);
	return 0;
}

/* ---- hand-over ---- */

static void boot_tables(struct mem *m)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff,
					0x00cf93000000ffff };
	uint64_t entry[512];

	mem_write(m, GPA(GDT_AT), gdt, sizeof(gdt));
	memset(entry, 0, sizeof(entry));
	entry[0] = PDPT_AT | 3;
	mem_write(m, GPA(PML4_AT), entry, sizeof(entry));
	for (unsigned i = 0; i < 4; i++)
		entry[i] = (PD_AT + i * 0x1000) | 3;
	mem_write(m, GPA(PDPT_AT), entry, sizeof(entry));
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 512; k++)
			entry[k] = (uint64_t)(i * 512 + k) * HUGE_PAGE | 0x83;
		mem_write(m, GPA(PD_AT + i * 0x1000), entry, sizeof(entry));
	}
}

/* One link of the setup_data list; returns where the next may begin. */
static uint64_t boot_setup_data(struct mem *m, uint64_t at, uint32_t type,
				const void *data, uint32_t len, uint64_t next)
{
	struct setup_data head = { .next = next, .type = type, .len = len };

	mem_write(m, GPA(at), &head, sizeof(head));
	mem_write(m, GPA(at + sizeof(head)), data, len);
	return (at + sizeof(head) + len + 15) & ~15ull;
}

int arch_handover(struct mem *m, struct boot *b, const char *cmdline,
		  const void *fdt, size_t fdt_len, struct err *e)
{
	struct boot_params *bp = mem_at(m, GPA(b->arg), sizeof(*bp));
	size_t len = strlen(cmdline) + 1;
	uint8_t seed[SEED_BYTES];
	uint64_t next;

	if (len > CMDLINE_MAX)
		return err_set(e, E2BIG, "command line of %zu bytes", len);
	if (fdt_len > SETUP_DATA_MAX / 2)
		return err_set(e, E2BIG, "device tree of %zu bytes", fdt_len);
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_sys(e, "random seed");
	mem_write(m, GPA(CMDLINE_AT), cmdline, len);
	bp->hdr.cmd_line_ptr = CMDLINE_AT;
	next = boot_setup_data(m, SETUP_DATA_AT, SETUP_DTB, fdt,
			       (uint32_t)fdt_len, 0);
	boot_setup_data(m, next, SETUP_RNG_SEED, seed, sizeof(seed),
			SETUP_DATA_AT);
	bp->hdr.setup_data = next;
	explicit_bzero(seed, sizeof(seed));
	boot_tables(m);
	return 0;
}

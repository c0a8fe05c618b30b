/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/x86_64/image.h"
#include "arch/x86_64/layout.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define RAM (64ull << 20)
#define LOAD 0x1000000ull
#define BODY 0x2000
#define OFFSET 0x1000

struct elf_file {
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
};

static struct elf_file good_elf(void)
{
	struct elf_file f = {
		.eh = { .e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = 1,
			.e_entry = LOAD,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1 },
		.ph = { .p_type = PT_LOAD,
			.p_offset = OFFSET,
			.p_paddr = LOAD,
			.p_filesz = BODY,
			.p_memsz = 2 * BODY },
	};

	memcpy(f.eh.e_ident, ELFMAG, SELFMAG);
	f.eh.e_ident[EI_CLASS] = ELFCLASS64;
	return f;
}

static int file_of(const void *head, size_t len, off_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, head, len, 0), len);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static int load(const void *head, size_t len, off_t size, struct boot *b,
		struct err *e)
{
	struct mem m = { .nregions = 0 };
	int fd = file_of(head, len, size), r;

	assert_int_equal(mem_add(&m, GPA(0), RAM, e), 0);
	r = arch_load(fd, -1, &m, b, e);
	if (r == 0) {
		struct boot_params *bp = mem_at(&m, GPA(b->arg), sizeof(*bp));

		assert_int_equal(bp->e820_entries, 2);
		assert_int_equal(bp->hdr.boot_flag, 0xaa55);
	}
	mem_fini(&m);
	close(fd);
	return r;
}

static void elf_loads(void **state)
{
	struct elf_file f = good_elf();
	struct boot b;
	struct err e;

	(void)state;
	assert_int_equal(load(&f, sizeof(f), OFFSET + BODY, &b, &e), 0);
	assert_int_equal(b.entry, LOAD);
	assert_int_equal(b.kernel_end, LOAD + 2 * BODY);
}

static void elf_refuses(const struct elf_file *f, off_t size, const char *why)
{
	struct boot b;
	struct err e = { 0 };

	assert_true(load(f, sizeof(*f), size, &b, &e) < 0);
	if (!strstr(e.msg, why) || strncmp(e.msg, "kernel: ", 8) != 0)
		fail_msg("'%s' does not say '%s'", e.msg, why);
}

static void elf_refuses_nonsense(void **state)
{
	struct elf_file f = good_elf();

	(void)state;
	elf_refuses(&f, OFFSET + BODY - 1, "truncated");
	elf_refuses(&f, 100, "truncated");
	elf_refuses(&f, 2, "truncated");
	f.eh.e_machine = EM_AARCH64;
	elf_refuses(&f, OFFSET + BODY, "not a kernel for this machine");
	f = good_elf();
	f.eh.e_phnum = 0xffff;
	elf_refuses(&f, OFFSET + BODY, "not a kernel for this machine");
	f = good_elf();
	f.eh.e_phoff = UINT64_MAX - 8;
	elf_refuses(&f, OFFSET + BODY, "truncated");
	f = good_elf();
	f.ph.p_offset = UINT64_MAX - 16;
	elf_refuses(&f, OFFSET + BODY, "truncated");
	f = good_elf();
	f.ph.p_filesz = f.ph.p_memsz + 1;
	elf_refuses(&f, OFFSET + 4 * BODY, "truncated");
}

static void elf_refuses_addresses(void **state)
{
	struct elf_file f = good_elf();

	(void)state;
	f.ph.p_paddr = PML4_AT; /* over the page tables */
	elf_refuses(&f, OFFSET + BODY, "a segment lies at");
	f.ph.p_paddr = UINT64_MAX - 100;
	elf_refuses(&f, OFFSET + BODY, "a segment lies at");
	f.ph.p_paddr = RAM - BODY; /* the end is outside of RAM */
	elf_refuses(&f, OFFSET + BODY, "does not fit");
	f.ph.p_paddr = GAP_AT;
	elf_refuses(&f, OFFSET + BODY, "does not fit");
	f = good_elf();
	f.eh.e_entry = 0x7c00;
	elf_refuses(&f, OFFSET + BODY, "entry point");
	f.eh.e_entry = LOAD + 2 * BODY;
	elf_refuses(&f, OFFSET + BODY, "entry point");
	f = good_elf();
	f.ph.p_type = PT_NOTE; /* nothing to load at all */
	elf_refuses(&f, OFFSET + BODY, "entry point");
}

/* ---- bzImage ---- */

struct bz_file {
	uint8_t pad[0x1f1];
	struct setup_header hdr;
} __attribute__((packed));

static struct bz_file good_bz(void)
{
	struct bz_file f = { .hdr = { .setup_sects = 1,
				      .boot_flag = 0xaa55,
				      .header = 0x53726448,
				      .version = 0x020f,
				      .xloadflags = XLF_KERNEL_64,
				      .pref_address = LOAD,
				      .init_size = 4 * BODY,
				      .syssize = BODY / 16 } };
	return f;
}

static void bz_refuses(const struct bz_file *f, off_t size, const char *why)
{
	struct boot b;
	struct err e = { 0 };

	assert_true(load(f, sizeof(*f), size, &b, &e) < 0);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
}

static void bzimage_loads(void **state)
{
	struct bz_file f = good_bz();
	struct boot b;
	struct err e;

	(void)state;
	assert_int_equal(load(&f, sizeof(f), 1024 + BODY, &b, &e), 0);
	assert_int_equal(b.entry, LOAD + 0x200);
	assert_int_equal(b.kernel_end, LOAD + 4 * BODY);
}

static void bzimage_refuses_nonsense(void **state)
{
	struct bz_file f = good_bz();

	(void)state;
	bz_refuses(&f, 1024 + BODY - 16, "truncated");
	bz_refuses(&f, 1024, "truncated");
	f.hdr.header = 0;
	bz_refuses(&f, 1024 + BODY, "neither vmlinux nor bzImage");
	f = good_bz();
	f.hdr.xloadflags = 0;
	bz_refuses(&f, 1024 + BODY, "without a 64-bit entry");
	f = good_bz();
	f.hdr.pref_address = 0x1000;
	bz_refuses(&f, 1024 + BODY, "wants to be at");
	f.hdr.pref_address = UINT64_MAX;
	bz_refuses(&f, 1024 + BODY, "wants to be at");
	f = good_bz();
	f.hdr.init_size = 0xffffffff;
	bz_refuses(&f, 1024 + BODY, "wants to be at");
	f.hdr.init_size = RAM;
	bz_refuses(&f, 1024 + BODY, "does not fit");
}

/* ---- the initramfs ---- */

static void initrd_bounds(void **state)
{
	struct elf_file f = good_elf();
	struct mem m = { .nregions = 0 };
	int kernel = file_of(&f, sizeof(f), OFFSET + BODY);
	int empty = file_of("", 0, 0), large = file_of("x", 1, RAM);
	int one = file_of("x", 1, 1);
	struct boot b;
	struct err e;

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), RAM, &e), 0);
	assert_int_equal(arch_load(kernel, one, &m, &b, &e), 0);
	assert_int_equal(arch_load(kernel, empty, &m, &b, &e), -EINVAL);
	assert_string_equal(e.msg, "initramfs: empty");
	assert_int_equal(arch_load(kernel, large, &m, &b, &e), -ENOMEM);
	assert_non_null(strstr(e.msg, "too little memory"));
	mem_fini(&m);
	close(kernel);
	close(empty);
	close(large);
	close(one);
}

static void ram_has_a_gap(void **state)
{
	struct arch_range r[MEM_MAX_REGIONS];

	(void)state;
	assert_int_equal(arch_ram(GAP_AT, r), 1);
	assert_int_equal(arch_ram(5ull << 30, r), 2);
	assert_int_equal(r[0].size, GAP_AT);
	assert_int_equal(r[1].base.v, 1ull << 32);
	assert_int_equal(r[0].size + r[1].size, 5ull << 30);
}

static void handover_bounds(void **state)
{
	struct elf_file f = good_elf();
	struct mem m = { .nregions = 0 };
	int kernel = file_of(&f, sizeof(f), OFFSET + BODY);
	static char line[CMDLINE_MAX + 1], fdt[SETUP_DATA_MAX];
	struct boot b;
	struct err e;

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	assert_int_equal(mem_add(&m, GPA(0), RAM, &e), 0);
	assert_int_equal(arch_load(kernel, -1, &m, &b, &e), 0);
	assert_int_equal(arch_handover(&m, &b, "quiet", fdt, 100, &e), 0);
	assert_int_equal(arch_handover(&m, &b, line, fdt, 100, &e), -E2BIG);
	assert_int_equal(arch_handover(&m, &b, "", fdt, sizeof(fdt), &e),
			 -E2BIG);
	mem_fini(&m);
	close(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_loads),
		cmocka_unit_test(elf_refuses_nonsense),
		cmocka_unit_test(elf_refuses_addresses),
		cmocka_unit_test(bzimage_loads),
		cmocka_unit_test(bzimage_refuses_nonsense),
		cmocka_unit_test(initrd_bounds),
		cmocka_unit_test(ram_has_a_gap),
		cmocka_unit_test(handover_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mem/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB  (1ull << 20)
#define HIGH (4ull << 30)

static void two_regions(struct mem *m)
{
	struct err e = { 0 };

	memset(m, 0, sizeof(*m));
	assert_int_equal(mem_add(m, GPA(0), 4 * MIB, &e), 0);
	assert_int_equal(mem_add(m, GPA(HIGH), 2 * MIB, &e), 0);
}

static void mem_is_zeroed_and_sized(void **state)
{
	struct mem m;
	uint8_t *p;

	(void)state;
	two_regions(&m);
	assert_int_equal(mem_size(&m), 6 * MIB);
	p = mem_at(&m, GPA(4 * MIB - 1), 1);
	assert_non_null(p);
	assert_int_equal(*p, 0);
	mem_fini(&m);
	assert_int_equal(mem_size(&m), 0);
}

static void mem_at_knows_the_edges(void **state)
{
	struct mem m;

	(void)state;
	two_regions(&m);
	assert_non_null(mem_at(&m, GPA(0), 4 * MIB));
	assert_null(mem_at(&m, GPA(0), 4 * MIB + 1));
	assert_null(mem_at(&m, GPA(1), 4 * MIB));
	assert_null(mem_at(&m, GPA(4 * MIB), 0));
	assert_null(mem_at(&m, GPA(4 * MIB), 1));
	assert_null(mem_at(&m, GPA(4 * MIB - 4), 8)); /* into the gap */
	assert_null(mem_at(&m, GPA(HIGH - 1), 2));    /* out of the gap */
	assert_non_null(mem_at(&m, GPA(HIGH), 2 * MIB));
	assert_null(mem_at(&m, GPA(HIGH + 2 * MIB - 1), 2));
	assert_non_null(mem_at(&m, GPA(HIGH), 0));
	/* sums that wrap */
	assert_null(mem_at(&m, GPA(UINT64_MAX), 1));
	assert_null(mem_at(&m, GPA(UINT64_MAX - 3), 8));
	assert_null(mem_at(&m, GPA(8), SIZE_MAX));
	assert_null(mem_at(&m, GPA(HIGH + 8), SIZE_MAX - 7));
	mem_fini(&m);
}

static void mem_copies_both_ways(void **state)
{
	char got[4] = "";
	struct mem m;

	(void)state;
	two_regions(&m);
	assert_int_equal(mem_write(&m, GPA(HIGH + 16), "abc", 4), 0);
	assert_int_equal(mem_read(&m, GPA(HIGH + 16), got, 4), 0);
	assert_string_equal(got, "abc");
	assert_int_equal(mem_write(&m, GPA(4 * MIB - 3), "abc", 4), -EFAULT);
	assert_int_equal(mem_read(&m, GPA(4 * MIB - 3), got, 4), -EFAULT);
	mem_fini(&m);
}

static void mem_aligns_for_huge_pages(void **state)
{
	const uint64_t bases[] = { 0, 0x5000, 2 * MIB - 0x1000, 3 * MIB };
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct mem m = { 0 };

		assert_int_equal(mem_add(&m, GPA(bases[i]), 2 * MIB, &e), 0);
		assert_int_equal((uintptr_t)m.region[0].host % (2 * MIB),
				 bases[i] % (2 * MIB));
		/* every byte of it is there */
		memset(m.region[0].host, 1, m.region[0].size);
		mem_fini(&m);
	}
}

static void mem_gives_the_rest_back(void **state)
{
	unsigned char vec;
	struct mem m = { 0 };
	uint8_t *host;

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), 2 * MIB, NULL), 0);
	host = m.region[0].host;
	/* a guard page is mapped on either side */
	assert_int_equal(mincore(host - 4096, 4096, &vec), 0);
	assert_int_equal(mincore(host + 2 * MIB, 4096, &vec), 0);
	mem_fini(&m);
	assert_int_equal(mincore(host, 4096, &vec), -1);
	assert_int_equal(mincore(host - 4096, 4096, &vec), -1);
	assert_int_equal(mincore(host + 2 * MIB, 4096, &vec), -1);
}

static void mem_refuses_bad_regions(void **state)
{
	struct err e = { 0 };
	struct mem m = { 0 };

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), 0, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(0), 4097, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(7), 4096, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(UINT64_MAX - 4095), 8192, &e),
			 -EINVAL);
	assert_int_equal(mem_add(&m, GPA(UINT64_MAX - 4095), 4096, &e),
			 -EINVAL);
	assert_int_equal(mem_add(&m, GPA(MIB), MIB, &e), 0);
	assert_int_equal(mem_add(&m, GPA(MIB), MIB, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(0), 2 * MIB, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(2 * MIB - 4096), 4096, &e), -EINVAL);
	assert_int_equal(mem_add(&m, GPA(2 * MIB), 4096, &e), 0);
	assert_int_equal(mem_add(&m, GPA(8 * MIB), 4096, &e), -ENOSPC);
	mem_fini(&m);
}

static void mem_names_what_it_could_not_get(void **state)
{
	struct err e = { 0 };
	struct mem m = { 0 };

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), 1ull << 60, &e), -ENOMEM);
	assert_non_null(strstr(e.msg, "1099511627776 MiB"));
	assert_int_equal(m.nregions, 0);
	mem_fini(&m);
}

static void shared_memory_is_a_sealed_file(void **state)
{
	const uint64_t odd = HIGH + 4096;
	struct mem m = { .shared = true };
	struct err e = { 0 };
	char got[4] = "";
	uint8_t *p;

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), 4 * MIB, &e), 0);
	assert_int_equal(mem_add(&m, GPA(odd), 2 * MIB, &e), 0);
	p = mem_at(&m, GPA(odd), 2 * MIB);
	assert_non_null(p);
	/* huge pages: address and place in the file agree modulo 2 MiB */
	assert_int_equal((uintptr_t)p % (2 * MIB), odd % (2 * MIB));
	assert_int_equal(m.region[1].fd_off % (2 * MIB), odd % (2 * MIB));
	memcpy(p + 100, "abc", 4);
	assert_int_equal(pread(m.region[1].fd, got, 4,
			       (off_t)m.region[1].fd_off + 100),
			 4);
	assert_string_equal(got, "abc");
	assert_int_equal(ftruncate(m.region[0].fd, 0), -1);
	assert_int_equal(ftruncate(m.region[0].fd, 1 << 30), -1);
	mem_fini(&m);
}

static void private_memory_has_no_file(void **state)
{
	struct mem m;

	(void)state;
	two_regions(&m);
	assert_int_equal(m.region[0].fd, -1);
	assert_int_equal(m.region[1].fd, -1);
	mem_fini(&m);
}

static void release_gives_whole_pages_back(void **state)
{
	struct mem m;
	uint8_t *low, *high;

	(void)state;
	two_regions(&m);
	low = mem_at(&m, GPA(0), 4 * MIB);
	high = mem_at(&m, GPA(HIGH), 2 * MIB);
	memset(low, 1, 16384);
	memset(high, 1, 16384);
	assert_int_equal(mem_release(&m, low + 4096, 4096), 4096);
	assert_int_equal(low[4095], 1);
	assert_int_equal(low[4096], 0);
	assert_int_equal(low[8191], 0);
	assert_int_equal(low[8192], 1);
	assert_int_equal(mem_release(&m, high + 1, 8192), 4096);
	assert_int_equal(high[1], 1);
	assert_int_equal(high[4096], 0);
	assert_int_equal(high[8192], 1);
	assert_int_equal(mem_release(&m, low + 1, 8190), 0);
	assert_int_equal(mem_release(&m, low, 0), 0);
	assert_int_equal(low[1], 1);
	mem_fini(&m);
}

/* Whoever else has the file mapped loses the page as well. */
static void release_makes_a_hole_in_shared_memory(void **state)
{
	struct mem m = { .shared = true };
	struct err e = { 0 };
	struct stat before, after;
	uint8_t *p;

	(void)state;
	assert_int_equal(mem_add(&m, GPA(0), 4 * MIB, &e), 0);
	p = mem_at(&m, GPA(0), 4 * MIB);
	memset(p, 1, 3 * 4096);
	assert_int_equal(fstat(m.region[0].fd, &before), 0);
	assert_int_equal(mem_release(&m, p + 4096, 4096), 4096);
	assert_int_equal(fstat(m.region[0].fd, &after), 0);
	assert_int_equal(before.st_blocks - after.st_blocks, 8);
	assert_int_equal(p[4095], 1);
	assert_int_equal(p[4096], 0);
	assert_int_equal(p[8192], 1);
	mem_fini(&m);
}

static void release_knows_the_edges(void **state)
{
	struct mem m;
	uint8_t *low, own[8192];

	(void)state;
	two_regions(&m);
	low = mem_at(&m, GPA(0), 4 * MIB);
	assert_int_equal(mem_release(&m, low, 4 * MIB), 4 * MIB);
	assert_int_equal(mem_release(&m, low, 4 * MIB + 1), -EFAULT);
	assert_int_equal(mem_release(&m, low - 4096, 8192), -EFAULT);
	assert_int_equal(mem_release(&m, low + 4096, SIZE_MAX), -EFAULT);
	assert_int_equal(mem_release(&m, own, sizeof(own)), -EFAULT);
	mem_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mem_is_zeroed_and_sized),
		cmocka_unit_test(mem_at_knows_the_edges),
		cmocka_unit_test(mem_copies_both_ways),
		cmocka_unit_test(mem_aligns_for_huge_pages),
		cmocka_unit_test(mem_gives_the_rest_back),
		cmocka_unit_test(mem_refuses_bad_regions),
		cmocka_unit_test(mem_names_what_it_could_not_get),
		cmocka_unit_test(shared_memory_is_a_sealed_file),
		cmocka_unit_test(private_memory_has_no_file),
		cmocka_unit_test(release_gives_whole_pages_back),
		cmocka_unit_test(release_makes_a_hole_in_shared_memory),
		cmocka_unit_test(release_knows_the_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

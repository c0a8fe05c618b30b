/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/decode.h"

#include "tests/guest/layer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* sha256 of "hello\n", of a million "a" (FIPS 180-2, B.3), and of nothing. */
#define HELLO                                                                  \
	"sha256:"                                                              \
	"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define MILLION                                                                \
	"sha256:"                                                              \
	"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define NOTHING                                                                \
	"sha256:"                                                              \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct tape blob;
static char digest[150];
static bool sha512;
static uint64_t total;

static int stop(void **state)
{
	(void)state;
	tape_free(&blob);
	return 0;
}

/* All of the blob; 0, or what decode_read() said. */
static int run(enum decode_kind kind, uint64_t size, struct err *e)
{
	struct decode_conf c = { .size = size ? size : blob.len,
				 .kind = kind,
				 .sha512 = sha512,
				 .limit = 1u << 30 };
	autoclose int fd = memfd_create("blob", MFD_CLOEXEC);
	const void *block;
	struct decode *d;
	ssize_t n;

	assert_int_equal(fd_write_full(fd, blob.data, blob.len), 0);
	lseek(fd, 0, SEEK_SET);
	c.fd = fd;
	d = decode_new(&c, e);
	assert_non_null(d);
	total = 0;
	while ((n = decode_read(d, &block, e)) > 0)
		total += (uint64_t)n;
	/* It stays as it is. */
	assert_int_equal(decode_read(d, &block, e), n);
	if (n == 0)
		assert_int_equal(decode_taken(d), c.size);
	snprintf(digest, sizeof(digest), "%s", decode_digest(d));
	decode_free(d);
	return (int)n;
}

static void good(enum decode_kind kind, const char *want)
{
	struct err e = { 0 };

	if (run(kind, 0, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(digest, want);
}

static void bad(enum decode_kind kind, uint64_t size, const char *words)
{
	struct err e = { 0 };

	assert_true(run(kind, size, &e) < 0);
	if (!strstr(e.msg, words))
		fail_msg("'%s' is not in: %s", words, e.msg);
}

static void a_million(void)
{
	char a[1000];

	memset(a, 'a', sizeof(a));
	tape_free(&blob);
	for (int i = 0; i < 1000; i++)
		tape_bytes(&blob, a, sizeof(a));
}

static void test_kinds(void **state)
{
	static const enum decode_kind kinds[] = { DECODE_PLAIN, DECODE_GZIP,
						  DECODE_ZSTD };

	(void)state;
	for (int i = 0; i < 3; i++) {
		a_million();
		if (kinds[i] == DECODE_GZIP)
			tape_gzip(&blob);
		if (kinds[i] == DECODE_ZSTD)
			tape_zstd(&blob);
		good(kinds[i], MILLION);
		assert_int_equal(total, 1000000);
		good(DECODE_AUTO, MILLION);
	}
}

/* FIPS 180-2, C.3. */
static void test_sha512(void **state)
{
	(void)state;
	sha512 = true;
	a_million();
	good(DECODE_PLAIN,
	     "sha512:e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803af"
	     "a973ebde0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad"
	     "8cc09b");
	sha512 = false;
}

static void test_members(void **state)
{
	static const uint8_t zeros[1000];
	struct tape one = { 0 }, two = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		void (*pack)(struct tape *) = i ? tape_zstd : tape_gzip;

		tape_bytes(&one, "hel", 3);
		tape_bytes(&two, "lo\n", 3);
		pack(&one);
		pack(&two);
		tape_free(&blob);
		tape_bytes(&blob, one.data, one.len);
		tape_bytes(&blob, two.data, two.len);
		good(DECODE_AUTO, HELLO);
		tape_bytes(&blob, zeros, sizeof(zeros));
		if (i == 0)
			good(DECODE_GZIP, HELLO);
		tape_bytes(&blob, one.data, one.len);
		bad(DECODE_AUTO, 0, i ? "zstd: " : "gzip: data behind");
		tape_free(&one);
		tape_free(&two);
	}
}

/* A frame that is skipped comes first in layers of zstd:chunked. */
static void test_skippable(void **state)
{
	static const uint8_t skip[] = { 0x5e, 0x2a, 0x4d, 0x18, 3,  0,
					0,    0,    'a',  'b',	'c' };
	struct tape one = { 0 };

	(void)state;
	tape_bytes(&one, "hello\n", 6);
	tape_zstd(&one);
	tape_bytes(&blob, skip, sizeof(skip));
	tape_bytes(&blob, one.data, one.len);
	tape_bytes(&blob, skip, sizeof(skip));
	tape_free(&one);
	good(DECODE_AUTO, HELLO);
}

static void test_empty(void **state)
{
	(void)state;
	good(DECODE_PLAIN, NOTHING);
	good(DECODE_AUTO, NOTHING);
	bad(DECODE_GZIP, 0, "truncated");
	tape_gzip(&blob);
	good(DECODE_GZIP, NOTHING);
}

static void test_truncated(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		a_million();
		(i ? tape_zstd : tape_gzip)(&blob);
		blob.len -= 5;
		bad(DECODE_AUTO, 0, "truncated: ends in the middle");
		bad(DECODE_AUTO, blob.len + 7, "truncated: 7 of its");
	}
	tape_free(&blob);
	tape_bytes(&blob, "x", 1);
	bad(DECODE_AUTO, 0, "not a tar");
}

static void test_damaged(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		a_million();
		(i ? tape_zstd : tape_gzip)(&blob);
		for (size_t at = blob.len / 2; at < blob.len; at++)
			blob.data[at] ^= 0x55;
		bad(DECODE_AUTO, 0, i ? "zstd: " : "gzip: ");
	}
	a_million();
	bad(DECODE_GZIP, 0, "gzip: incorrect header check");
	bad(DECODE_ZSTD, 0, "zstd: ");
}

/* More than the ring holds, and nobody takes it. */
static void test_left(void **state)
{
	struct decode_conf c = { .limit = UINT64_MAX, .size = 64u << 20 };
	autoclose int fd = memfd_create("blob", MFD_CLOEXEC);
	const void *block;
	struct err e = { 0 };
	struct decode *d;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)c.size), 0);
	c.fd = fd;
	d = decode_new(&c, &e);
	assert_non_null(d);
	assert_true(decode_read(d, &block, &e) > 0);
	assert_true(decode_taken(d) < c.size);
	decode_free(d);
	decode_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
		T(test_kinds),	   T(test_sha512), T(test_members),
		T(test_skippable), T(test_empty),  T(test_truncated),
		T(test_damaged),   T(test_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ABC                                                                    \
	"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"      \
	"f20015ad"

static char top[64];

static int begin(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/store-test.XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static void open_it(struct store *s)
{
	struct err e = { 0 };

	if (store_open(s, top, &e) < 0)
		fail_msg("%s", e.msg);
}

static int files_in(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY), n = 0;
	DIR *d = fdopendir(fd);
	struct dirent *de;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += *de->d_name != '.';
	closedir(d);
	return n;
}

static struct digest put(struct store *s, const char *text)
{
	struct err e = { 0 };
	struct digest d;

	if (store_write(s, text, strlen(text), &d, &e) < 0)
		fail_msg("%s", e.msg);
	return d;
}

static void test_blob(void **state)
{
	autofree char *text = NULL;
	struct err e = { 0 };
	struct store s;
	struct digest d;
	uint64_t size;

	(void)state;
	open_it(&s);
	d = put(&s, "abc");
	assert_string_equal(d.text, ABC);
	put(&s, "abc");
	assert_true(store_has(&s, &d, &size));
	assert_int_equal(size, 3);
	assert_int_equal(store_read(&s, &d, 100, &text, &e), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(store_read(&s, &d, 2, &text, &e), -EFBIG);
	assert_int_equal(files_in(s.tmp), 0);
	assert_int_equal(store_remove(&s, &d), 0);
	assert_false(store_has(&s, &d, NULL));
	assert_int_equal(store_blob(&s, &d, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.msg, ABC));
	store_close(&s);
}

static void test_lying_blob(void **state)
{
	struct err e = { 0 };
	struct digest want;
	struct store s;
	struct blob b;

	(void)state;
	open_it(&s);
	digest_of("abd", 3, &want);
	assert_int_equal(blob_new(&b, &s, DIGEST_SHA256, 3, &e), 0);
	assert_int_equal(blob_write(&b, "abc", 3, &e), 0);
	assert_int_equal(blob_write(&b, "x", 1, &e), -EFBIG);
	assert_int_equal(blob_commit(&b, &want, NULL, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, ABC));
	assert_non_null(strstr(e.msg, want.text));
	blob_end(&b);
	assert_false(store_has(&s, &want, NULL));
	assert_int_equal(files_in(s.tmp), 0);
	assert_int_equal(files_in(s.blobs[DIGEST_SHA256]), 0);
	store_close(&s);
}

static void test_damaged_blob(void **state)
{
	autofree char *text = NULL;
	struct err e = { 0 };
	struct store s;
	struct digest d;
	int fd;

	(void)state;
	open_it(&s);
	d = put(&s, "abc");
	fchmodat(s.blobs[0], digest_hex(&d), 0600, 0);
	fd = openat(s.blobs[0], digest_hex(&d), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 1), 1);
	close(fd);
	assert_int_equal(store_read(&s, &d, 100, &text, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "damaged"));
	assert_null(text);
	store_close(&s);
}

static void test_sha512(void **state)
{
	struct err e = { 0 };
	struct digest d;
	struct store s;
	struct blob b;

	(void)state;
	open_it(&s);
	assert_int_equal(blob_new(&b, &s, DIGEST_SHA512, 3, &e), 0);
	assert_int_equal(blob_write(&b, "abc", 3, &e), 0);
	assert_int_equal(blob_commit(&b, NULL, &d, &e), 0);
	blob_end(&b);
	assert_memory_equal(d.text, "sha512:ddaf35a193617aba", 23);
	assert_int_equal(strlen(digest_hex(&d)), 128);
	assert_true(store_has(&s, &d, NULL));
	store_close(&s);
}

/* A writer is killed in the middle: the next store_open() cleans up, and
 * leaves alone what somebody still writes. */
static void test_killed_writer(void **state)
{
	struct err e = { 0 };
	char name[STORE_TMP_MAX], c;
	struct store s;
	int to[2], mine;
	pid_t pid;

	(void)state;
	open_it(&s);
	assert_int_equal(pipe(to), 0);
	mine = store_tmp(&s, name, &e);
	assert_true(mine >= 0);
	pid = fork();
	if (pid == 0) {
		struct store own;
		struct blob b;

		/* flock() is the open file's, which a fork shares. */
		close(mine);
		open_it(&own);
		if (blob_new(&b, &own, DIGEST_SHA256, 10, &e) == 0 &&
		    blob_write(&b, "half", 4, &e) == 0 &&
		    write(to[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(to[0], &c, 1), 1);
	assert_int_equal(files_in(s.tmp), 2);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	store_close(&s);
	open_it(&s);
	assert_int_equal(files_in(s.tmp), 1);
	assert_int_equal(faccessat(s.tmp, name, F_OK, 0), 0);
	close(mine);
	close(to[0]);
	close(to[1]);
	store_close(&s);
}

static void test_alone(void **state)
{
	struct err e = { 0 };
	struct store a, b;

	(void)state;
	open_it(&a);
	open_it(&b);
	assert_int_equal(store_alone(&a, &e), -EBUSY);
	store_close(&b);
	assert_int_equal(store_alone(&a, &e), 0);
	assert_int_equal(store_share(&a, &e), 0);
	open_it(&b);
	store_close(&b);
	store_close(&a);
}

/* ---- names ---- */

static struct catalog_entry entry(char *name, const char *manifest)
{
	struct catalog_entry en = { .name = name, .added = 42 };

	digest_of(manifest, strlen(manifest), &en.desc.digest);
	en.id = en.desc.digest;
	en.desc.size = 7;
	snprintf(en.desc.media, sizeof(en.desc.media), MEDIA_OCI_MANIFEST);
	return en;
}

static void name_it(struct store *s, char *name, const char *manifest)
{
	struct catalog_entry en = entry(name, manifest);
	struct err e = { 0 };
	struct catalog c;

	if (catalog_edit(s, &c, &e) < 0 || catalog_put(&c, &en, &e) < 0 ||
	    catalog_commit(&c, &e) < 0)
		fail_msg("%s", e.msg);
	catalog_fini(&c);
}

static char *const deb12 = (char[]){ "docker.io/library/debian:12" };
static char *const deb = (char[]){ "docker.io/library/debian:latest" };

static void test_names(void **state)
{
	struct err e = { 0 };
	struct catalog c;
	struct store s;

	(void)state;
	open_it(&s);
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 0);
	assert_int_equal(catalog_find(&c, "debian", &e), -ENOENT);
	assert_string_equal(e.msg, "No such image: debian");
	catalog_fini(&c);
	name_it(&s, deb12, "a");
	name_it(&s, deb, "a");
	name_it(&s, NULL, "a"); /* it has names */
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 2);
	assert_int_equal(catalog_find(&c, "debian:12", &e), 0);
	assert_int_equal(catalog_find(&c, "debian", &e), 1);
	assert_int_equal(c.v[0].added, 42);
	assert_int_equal(catalog_names(&c, 0), 2);
	catalog_fini(&c);
	/* One name moves, then the other: the image stays without. */
	name_it(&s, deb, "b");
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 2);
	catalog_fini(&c);
	name_it(&s, deb12, "b");
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 3);
	catalog_fini(&c);
	/* And gets one again. */
	name_it(&s, (char[]){ "docker.io/library/old:1" }, "a");
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 3);
	for (size_t i = 0; i < c.n; i++)
		assert_non_null(c.v[i].name);
	catalog_fini(&c);
	store_close(&s);
}

static void test_ids(void **state)
{
	struct err e = { 0 };
	struct catalog c;
	struct store s;
	char text[80];

	(void)state;
	open_it(&s);
	name_it(&s, deb12, "abc");
	name_it(&s, deb, "b");
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(catalog_find(&c, ABC, &e), 0);
	assert_int_equal(catalog_find(&c, "sha256:ba78", &e), 0);
	assert_int_equal(catalog_find(&c, "ba7816bf", &e), 0);
	assert_int_equal(catalog_find(&c, &ABC[7], &e), 0);
	assert_int_equal(catalog_find(&c, "ba7817", &e), -ENOENT);
	assert_int_equal(catalog_find(&c, "debian@" ABC, &e), 0);
	assert_int_equal(catalog_find(&c, "debian:9@" ABC, &e), 0);
	assert_int_equal(catalog_find(&c, "other@" ABC, &e), -ENOENT);
	snprintf(text, sizeof(text), "\033[2Jevil");
	assert_int_equal(catalog_find(&c, text, &e), -ENOENT);
	assert_null(strchr(e.msg, '\033'));
	/* The same first digit: sha256 of "b" is 3e23e8... */
	assert_int_equal(catalog_find(&c, "3e23", &e), 1);
	assert_int_equal(catalog_find(&c, "", &e), -ENOENT);
	catalog_fini(&c);
	store_close(&s);
}

/* Many processes name images at once, some of them killed: no name is lost
 * of those that said it was written. */
static void test_names_at_once(void **state)
{
	struct err e = { 0 };
	struct catalog c;
	struct store s;
	pid_t pid[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] > 0)
			continue;
		open_it(&s);
		for (int k = 0; k < 5; k++) {
			char name[64];

			snprintf(name, sizeof(name), "docker.io/p%d/n:%d", i,
				 k);
			name_it(&s, name, name);
		}
		if (i >= 6)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		int status;

		waitpid(pid[i], &status, 0);
		assert_true(i >= 6 ? WIFSIGNALED(status) : status == 0);
	}
	open_it(&s);
	assert_int_equal(catalog_load(&s, &c, &e), 0);
	assert_int_equal(c.n, 40);
	catalog_fini(&c);
	assert_int_equal(files_in(s.tmp), 0);
	store_close(&s);
}

static void test_damaged_names(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"manifests\":7}",
		"{\"manifests\":[{}]}",
		"{\"manifests\":[{\"digest\":\"sha256:1\",\"mediaType\":\"x\","
		"\"size\":1,\"annotations\":{\"vial.image.id\":\"x\"}}]}",
	};
	struct catalog c;
	struct store s;

	(void)state;
	open_it(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = openat(s.dir, "index.json",
				O_WRONLY | O_CREAT | O_TRUNC, 0600);
		struct err e = { 0 };

		assert_int_equal(fd_write_full(fd, bad[i], strlen(bad[i])), 0);
		close(fd);
		assert_true(catalog_load(&s, &c, &e) < 0);
		assert_non_null(strstr(e.msg, "index.json"));
	}
	store_close(&s);
}

/* ---- disks ---- */

static void test_disk(void **state)
{
	struct digest ids[2];
	struct image img = { .config = { .diff_ids = ids, .ndiff_ids = 2 } };
	struct image_disk d = { 0 };
	char key[IMAGE_KEY_MAX], other[IMAGE_KEY_MAX];
	struct err e = { 0 };
	struct store s;
	int fd;

	(void)state;
	image_disk_end(&d);
	open_it(&s);
	digest_of("a", 1, &ids[0]);
	digest_of("b", 1, &ids[1]);
	image_disk_key(&img, "size=1", key);
	assert_int_equal(strlen(key), 81);
	image_disk_key(&img, "size=2", other);
	assert_memory_equal(key, other, 65);
	assert_string_not_equal(key, other);
	img.config.ndiff_ids = 1;
	image_disk_key(&img, "size=1", other);
	assert_string_not_equal(key, other);
	assert_int_equal(image_disk_open(&s, key, &e), -ENOENT);
	/* Dropped, then made, then there. */
	assert_int_equal(image_disk_begin(&s, key, &d, &e), 0);
	assert_int_equal(write(d.fd, "x", 1), 1);
	image_disk_end(&d);
	assert_int_equal(files_in(s.tmp), 0);
	assert_int_equal(image_disk_open(&s, key, &e), -ENOENT);
	assert_int_equal(image_disk_begin(&s, key, &d, &e), 0);
	assert_int_equal(write(d.fd, "disk", 4), 4);
	assert_int_equal(image_disk_commit(&d, &e), 0);
	image_disk_end(&d);
	assert_int_equal(image_disk_begin(&s, key, &d, &e), -EEXIST);
	image_disk_end(&d);
	fd = image_disk_open(&s, key, &e);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	store_close(&s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_blob),	       T(test_lying_blob),
		T(test_damaged_blob),  T(test_sha512),
		T(test_killed_writer), T(test_alone),
		T(test_names),	       T(test_ids),
		T(test_names_at_once), T(test_damaged_names),
		T(test_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Images made of others: a layer more, or the same layers packed. */
#include "image/derive.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/load.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME(n) "docker.io/library/" n ":latest"

static char dir[64];
static struct store store;
static struct err e;

static void sh(const char *script)
{
	autofree char *text = NULL;

	assert_true(asprintf(&text, "cd %s && %s", dir, script) > 0);
	if (system(text) != 0)
		fail_msg("%s", script);
}

#define DO(call)                                                               \
	do {                                                                   \
		if ((call) < 0)                                                \
			fail_msg("%s", e.msg);                                 \
	} while (0)

static int start(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	snprintf(dir, sizeof(dir), "/tmp/vial-derive-XXXXXX");
	if (!mkdtemp(dir) || store_open(&store, dir, &e) < 0)
		return -1;
	setenv("SOURCE_DATE_EPOCH", "1577934245", 1);
	return 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	store_close(&store);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

/* An image with one plain layer, t.tar. */
static void import(const char *name, struct digest *id)
{
	struct import_how how = { .name = name };
	char path[80];

	sh("mkdir -p t && echo x >t/f && tar -C t -cf t.tar .");
	snprintf(path, sizeof(path), "%s/t.tar", dir);
	DO(platform_parse(NULL, &how.platform, &e));
	DO(load_rootfs(&store, path, &how, id, &e));
}

/* The file becomes a layer on the base. */
static void derive(const struct image *base, const char *file, const char *name,
		   struct digest *id)
{
	json_t *config = json_pack("{s:[s]}", "Cmd", "sh");
	const struct derive d = { .base = base,
				  .config = config,
				  .author = "me",
				  .comment = "why",
				  .created_by = "make",
				  .name = name };
	struct derive_layer l;
	char path[80], block[512];
	autoclose int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	DO(derive_layer_open(&l, &store, &e));
	while ((n = fd_read_full(fd, block, sizeof(block))) > 0)
		DO(derive_layer_write(&l, block, (size_t)n, &e));
	DO(derive_image(&store, &d, &l, id, &e));
	derive_layer_end(&l);
	json_decref(config);
}

static void test_layer(void **state)
{
	struct image base = { 0 }, img = { 0 };
	struct digest id;
	uint64_t size;

	(void)state;
	import("base", &id);
	DO(image_open(&store, "base", &base, &e));
	sh("echo y >t/g && tar -C t -cf u.tar g");
	derive(&base, "u.tar", NAME("new"), &id);
	DO(image_open(&store, "new", &img, &e));
	assert_true(digest_equal(&img.id, &id));
	assert_int_equal(img.manifest.nlayers, 2);
	assert_true(digest_equal(&img.manifest.layers[0].digest,
				 &base.manifest.layers[0].digest));
	assert_int_equal(img.manifest.layers[1].pack, PACK_GZIP);
	assert_true(store_has(&store, &img.manifest.layers[1].digest, &size));
	assert_int_equal(img.manifest.layers[1].size, size);
	assert_string_equal(img.config.author, "me");
	assert_string_equal(img.config.created, "2020-01-02T03:04:05Z");
	assert_string_equal(img.config.cmd[0], "sh");
	assert_int_equal(img.config.nhistory, 2);
	assert_string_equal(img.config.history[1].comment, "why");
	assert_false(img.config.history[1].empty);
	image_fini(&img);
	image_fini(&base);
}

static void test_nothing_new(void **state)
{
	struct image base = { 0 }, img = { 0 };
	struct digest id;

	(void)state;
	import("base", &id);
	DO(image_open(&store, "base", &base, &e));
	sh("tar -cf u.tar -T /dev/null");
	derive(&base, "u.tar", NULL, &id);
	DO(image_open(&store, id.text, &img, &e));
	assert_int_equal(img.manifest.nlayers, 1);
	assert_true(img.config.history[1].empty);
	image_fini(&img);
	image_fini(&base);
}

static void test_from_nothing(void **state)
{
	struct image img = { 0 };
	struct digest id;

	(void)state;
	sh("mkdir -p t && echo y >t/g && tar -C t -cf u.tar g");
	derive(NULL, "u.tar", NAME("new"), &id);
	DO(image_open(&store, "new", &img, &e));
	assert_int_equal(img.manifest.nlayers, 1);
	assert_string_equal(img.config.platform.os, "linux");
	image_fini(&img);
}

static void test_packed(void **state)
{
	const struct digest none = { "" };
	struct image plain = { 0 }, img = { 0 };
	struct manifest_desc m;
	struct digest id, again;

	(void)state;
	import("plain", &id);
	DO(image_open(&store, "plain", &plain, &e));
	assert_int_equal(plain.manifest.layers[0].pack, PACK_NONE);
	DO(derive_packed(&store, &plain, NULL, 0, &m, &e));
	DO(load_name(&store, &m, NAME("packed"), &none, &again, &e));
	assert_true(digest_equal(&id, &again));
	DO(image_open(&store, "packed", &img, &e));
	assert_int_equal(img.manifest.layers[0].pack, PACK_GZIP);
	image_fini(&plain);
	/* One that has it packed has it for others. */
	DO(image_open(&store, "plain", &plain, &e));
	DO(derive_packed(&store, &plain, &img, 1, &m, &e));
	assert_true(digest_equal(&m.digest, &img.digest));
	image_fini(&plain);
	image_fini(&img);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_layer),
		TEST(test_nothing_new),
		TEST(test_from_nothing),
		TEST(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/gc.h"
#include "image/image.h"
#include "image/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LAYER "this is not looked into"

static char top[64];
static struct store s;

static int begin(void **state)
{
	struct err e = { 0 };

	(void)state;
	snprintf(top, sizeof(top), "/tmp/load-test.XXXXXX");
	return mkdtemp(top) && store_open(&s, top, &e) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	store_close(&s);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

/* ---- archives ---- */

static int to_fd(void *ctx, const void *buf, size_t len, struct err *e)
{
	int r = fd_write_full(*(int *)ctx, buf, len);

	return r < 0 ? err_set(e, -r, "write") : 0;
}

static char *name_of(const char *file)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", top, file);
	return path;
}

static int create(const char *file)
{
	int fd = open(name_of(file), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void add(int fd, const char *name, const char *data)
{
	struct tar_out t = { .write = to_fd, .ctx = &fd };
	struct err e = { 0 };

	assert_int_equal(tar_head(&t, name, strlen(data), 0, &e), 0);
	assert_int_equal(to_fd(&fd, data, strlen(data), &e), 0);
	assert_int_equal(tar_pad(&t, strlen(data), &e), 0);
}

static void finish(int fd)
{
	struct tar_out t = { .write = to_fd, .ctx = &fd };
	struct err e = { 0 };

	assert_int_equal(tar_end(&t, &e), 0);
	close(fd);
}

/* A link, which the writer does not write: type, target and sum by hand. */
static void add_link(int fd, char type, const char *name, const char *target)
{
	unsigned char b[512] = { 0 };
	unsigned sum = 0;

	memcpy(b, name, strlen(name));
	memcpy(b + 157, target, strlen(target));
	memcpy(b + 257, "ustar\00000", 8);
	memset(b + 148, ' ', 8);
	b[156] = (unsigned char)type;
	for (size_t i = 0; i < sizeof(b); i++)
		sum += b[i];
	snprintf((char *)b + 148, 8, "%06o", sum);
	assert_int_equal(fd_write_full(fd, b, sizeof(b)), 0);
}

/* The configuration of an image of that layer; static. */
static const char *config_of(const char *layer)
{
	static char text[400];
	struct digest d;

	digest_of(layer, strlen(layer), &d);
	snprintf(text, sizeof(text),
		 "{\"os\":\"linux\",\"architecture\":\"" VIAL_OCI_ARCH "\","
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
		 d.text);
	return text;
}

/* ---- loading ---- */

static char names[4][300];
static size_t nnames;
static struct digest last_id;

static void loaded(void *ctx, const char *name, const struct digest *id)
{
	(void)ctx;
	assert_true(nnames < ARRAY_LEN(names));
	snprintf(names[nnames++], sizeof(names[0]), "%s", name ? name : "");
	last_id = *id;
}

static int load(const char *file, struct err *e)
{
	struct load_how how = { .loaded = loaded };

	nnames = 0;
	platform_parse(NULL, &how.platform, e);
	return load_archive(&s, name_of(file), &how, e);
}

static size_t blobs(void)
{
	int fd = openat(s.blobs[0], ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *de;
	size_t n = 0;

	while ((de = readdir(d)))
		n += *de->d_name != '.';
	closedir(d);
	return n;
}

/* Nothing of what failed stays. */
static void nothing_kept(void)
{
	struct gc_stats st;
	struct err e = { 0 };

	assert_int_equal(gc_run(&s, &st, NULL, NULL, &e), 0);
	assert_int_equal(blobs(), 0);
}

static void must_fail(const char *file, const char *why)
{
	struct err e = { 0 };

	if (load(file, &e) >= 0)
		fail_msg("loaded: %s", why);
	if (!strstr(e.msg, why))
		fail_msg("'%s' is not in '%s'", why, e.msg);
	assert_null(strchr(e.msg, '\n'));
	nothing_kept();
}

static void docker_archive(const char *file, const char *manifest,
			   const char *config)
{
	int fd = create(file);

	add(fd, "./l/layer.tar", LAYER);
	add_link(fd, '2', "again/layer.tar", "../l/layer.tar");
	add_link(fd, '1', "third/layer.tar", "l/layer.tar");
	add(fd, "c.json", config);
	add(fd, "manifest.json", manifest);
	finish(fd);
}

static void test_docker(void **state)
{
	struct gc_stats st;
	struct err e = { 0 };
	struct image img;
	int fd;

	(void)state;
	docker_archive("a",
		       "[{\"Config\":\"c.json\",\"RepoTags\":[\"you/x:1\","
		       "\"y\"],\"Layers\":[\"l/layer.tar\"]}]",
		       config_of(LAYER));
	if (load("a", &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(nnames, 2);
	assert_string_equal(names[0], "docker.io/you/x:1");
	assert_string_equal(names[1], "docker.io/library/y:latest");
	assert_int_equal(image_open(&s, "y", &img, &e), 0);
	assert_int_equal(img.manifest.nlayers, 1);
	assert_true(digest_equal(&img.id, &last_id));
	fd = image_layer_fd(&s, &img, 0, &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(image_layer_fd(&s, &img, 1, &e), -EINVAL);
	image_fini(&img);
	/* manifest.json goes, and nothing else. */
	assert_int_equal(gc_run(&s, &st, NULL, NULL, &e), 0);
	assert_int_equal(st.blobs, 1);
	assert_int_equal(blobs(), 3);
	/* Through links. */
	docker_archive("b",
		       "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":"
		       "[\"again/layer.tar\"]},{\"Config\":\"c.json\","
		       "\"RepoTags\":[],\"Layers\":[\"third/layer.tar\"]}]",
		       config_of(LAYER));
	if (load("b", &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(nnames, 2);
	assert_string_equal(names[0], "");
}

static void test_docker_refused(void **state)
{
	static const struct {
		const char *manifest, *why;
	} all[] = {
		{ "{}", "no list" },
		{ "[]", "no list" },
		{ "[7]", "image 1" },
		{ "[{}]", "no Config" },
		{ "[{\"Config\":\"none\",\"Layers\":[]}]", "missing" },
		{ "[{\"Config\":\"../c.json\",\"Layers\":[]}]", "named" },
		{ "[{\"Config\":\"/c.json\",\"Layers\":[]}]", "named" },
		{ "[{\"Config\":\"c.json\",\"Layers\":[\"x\"]}]", "layer 1" },
		{ "[{\"Config\":\"c.json\",\"Layers\":[]}]", "0 layers" },
		{ "[{\"Config\":\"c.json\",\"Layers\":[\"c.json\"]}]",
		  "the configuration says" },
		{ "[{\"Config\":\"l/layer.tar\",\"Layers\":"
		  "[\"l/layer.tar\"]}]",
		  "no JSON" },
		{ "[{\"Config\":\"c.json\",\"RepoTags\":[\"BAD\"],\"Layers\":"
		  "[\"l/layer.tar\"]}]",
		  "invalid reference" },
		{ "[{\"Config\":\"c.json\",\"RepoTags\":7,\"Layers\":[]}]",
		  "list" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		docker_archive("a", all[i].manifest, config_of(LAYER));
		must_fail("a", all[i].why);
	}
}

/* ---- OCI ---- */

static struct digest put_blob(int fd, const char *data)
{
	char name[200];
	struct digest d;

	digest_of(data, strlen(data), &d);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(&d));
	add(fd, name, data);
	return d;
}

static struct digest put_manifest(int fd, const char *layer, char *text,
				  size_t size)
{
	struct digest c = put_blob(fd, config_of(layer)), l;

	l = put_blob(fd, layer);
	snprintf(text, size,
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s\","
		 "\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		 "\"%s\",\"digest\":\"%s\",\"size\":%zu}]}",
		 MEDIA_OCI_CONFIG, c.text, strlen(config_of(layer)),
		 MEDIA_OCI_LAYER, l.text, strlen(layer));
	return put_blob(fd, text);
}

static void put_index(int fd, const struct digest *m, size_t size,
		      const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\","
		 "\"size\":%zu%s}]}",
		 m->text, size, more);
	add(fd, "index.json", text);
}

#define NOTE(name)                                                             \
	",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"

static void test_oci(void **state)
{
	struct err e = { 0 };
	struct digest m;
	char text[1000];
	int fd = create("a");

	(void)state;
	m = put_manifest(fd, LAYER, text, sizeof(text));
	put_index(fd, &m, strlen(text), NOTE("localhost/a:1"));
	finish(fd);
	if (load("a", &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(names[0], "localhost/a:1");
	/* A tag alone names nothing. */
	fd = create("a");
	m = put_manifest(fd, LAYER, text, sizeof(text));
	put_index(fd, &m, strlen(text), NOTE("latest"));
	finish(fd);
	assert_int_equal(load("a", &e), 0);
	assert_string_equal(names[0], "");
}

static void test_oci_refused(void **state)
{
	char text[1000], list[1000];
	struct digest m;
	int fd;

	(void)state;
	/* A blob under another's name. */
	fd = create("a");
	m = put_manifest(fd, LAYER, text, sizeof(text));
	add(fd,
	    "blobs/sha256/"
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "x");
	memset(m.text + 7, '0', 64);
	put_index(fd, &m, 1, "");
	finish(fd);
	must_fail("a", "the file named sha256:000");
	/* One that is not there. */
	fd = create("a");
	memset(m.text + 7, '1', 64);
	put_index(fd, &m, 1, "");
	finish(fd);
	must_fail("a", "missing");
	/* A manifest with another size. */
	fd = create("a");
	m = put_manifest(fd, LAYER, text, sizeof(text));
	put_index(fd, &m, 3, "");
	finish(fd);
	must_fail("a", "bytes, not 3");
	/* 100 MiB of manifest, announced. */
	fd = create("a");
	m = put_manifest(fd, LAYER, text, sizeof(text));
	put_index(fd, &m, 100u << 20, "");
	finish(fd);
	must_fail("a", "104857600");
	/* Lists in lists, deeper than allowed: each is found, by its digest. */
	fd = create("a");
	m = put_manifest(fd, LAYER, text, sizeof(text));
	snprintf(list, sizeof(list), "%s", text);
	for (int i = 0; i < MANIFEST_DEPTH_MAX; i++) {
		snprintf(text, sizeof(text),
			 "{\"schemaVersion\":2,\"manifests\":[{\"digest\":"
			 "\"%s\",\"size\":%zu}]}",
			 m.text, strlen(list));
		snprintf(list, sizeof(list), "%s", text);
		m = put_blob(fd, list);
	}
	put_index(fd, &m, strlen(list), "");
	finish(fd);
	must_fail("a", "lists of manifests in lists");
	/* Neither. */
	fd = create("a");
	add(fd, "etc/passwd", "root");
	finish(fd);
	must_fail("a", "vial import");
}

/* ---- archives that are none ---- */

static void test_tar_refused(void **state)
{
	static const struct {
		char type;
		const char *name, *target, *why;
	} all[] = {
		{ '0', "../x", "", "named" },
		{ '0', "/x", "", "named" },
		{ '0', "a/../../x", "", "named" },
		{ '0', "..", "", "named" },
		{ '0', "a\033[2Jb", "", "named 'a?[2Jb'" },
		{ '2', "a", "../x", "named" },
		{ '2', "a", "/etc/passwd", "named" },
		{ '1', "a", "../x", "named" },
		{ '3', "dev/sda", "", "neither" },
		{ '6', "fifo", "", "neither" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int fd = create("a");

		add_link(fd, all[i].type, all[i].name, all[i].target);
		finish(fd);
		must_fail("a", all[i].why);
	}
}

static void write_file(const char *file, const void *data, size_t len)
{
	int fd = create(file);

	assert_int_equal(fd_write_full(fd, data, len), 0);
	close(fd);
}

static void test_cut(void **state)
{
	char zeros[1024] = { 0 };
	int fd;

	(void)state;
	write_file("a", "", 0);
	must_fail("a", "empty");
	write_file("a", "hello", 5);
	must_fail("a", "ends in the middle");
	memset(zeros, 'x', sizeof(zeros));
	write_file("a", zeros, sizeof(zeros));
	must_fail("a", "no tar archive");
	docker_archive("a", "[]", config_of(LAYER));
	fd = open(name_of("a"), O_RDWR);
	assert_int_equal(ftruncate(fd, 700), 0);
	close(fd);
	must_fail("a", "ends in the middle");
	docker_archive("a", "[]", config_of(LAYER));
	fd = open(name_of("a"), O_RDWR);
	assert_int_equal(ftruncate(fd, 1024), 0);
	close(fd);
	must_fail("a", "ends in the middle");
	/* What it is packed with is damaged. */
	write_file("a", "\x1f\x8b\x08\x00 and nothing else", 20);
	must_fail("a", "compression is damaged");
	write_file("a", "\x28\xb5\x2f\xfd and nothing else", 20);
	must_fail("a", "compression is damaged");
}

static void test_links_round(void **state)
{
	int fd = create("a");

	(void)state;
	add_link(fd, '2', "manifest.json", "b");
	add_link(fd, '2', "b", "manifest.json");
	finish(fd);
	must_fail("a", "vial import");
}

/* Several that load the same at once, and one that is killed: in the end it is
 * there and whole. */
static void test_at_once(void **state)
{
	struct err e = { 0 };
	struct image img;
	pid_t pid[6];

	(void)state;
	docker_archive("a",
		       "[{\"Config\":\"c.json\",\"RepoTags\":[\"x\"],"
		       "\"Layers\":[\"l/layer.tar\"]}]",
		       config_of(LAYER));
	store_close(&s);
	for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
		pid[i] = fork();
		if (pid[i] > 0)
			continue;
		if (store_open(&s, top, &e) < 0)
			_exit(1);
		if (i == 0)
			kill(getpid(), SIGKILL);
		_exit(load("a", &e) == 0 ? 0 : 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
		int status;

		waitpid(pid[i], &status, 0);
		assert_true(i == 0 ? WIFSIGNALED(status) : status == 0);
	}
	assert_int_equal(store_open(&s, top, &e), 0);
	assert_int_equal(image_open(&s, "x", &img, &e), 0);
	image_fini(&img);
	struct gc_stats st;

	assert_int_equal(gc_run(&s, &st, NULL, NULL, &e), 0);
	assert_int_equal(blobs(), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_docker),	     T(test_docker_refused), T(test_oci),
		T(test_oci_refused), T(test_tar_refused),    T(test_cut),
		T(test_links_round), T(test_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

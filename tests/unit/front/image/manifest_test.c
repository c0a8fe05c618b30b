/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include "base/auto.h"
#include "image/config.h"
#include "image/doc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG "sha256:" HEX
#define CHAIN2                                                                 \
	"ccdf9b58ee7087c8f4415f1c3e98945bf64a4cd9920de109ec94d649"             \
	"47636830"
#define DESC(type)                                                             \
	"{\"mediaType\":\"" type "\",\"digest\":\"" DIG "\","                  \
	"\"size\":7}"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define CONFIG "\"config\":" DESC(MEDIA_OCI_CONFIG)
#define IMAGE(layers)                                                          \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST             \
	"\"," CONFIG ",\"layers\":[" layers "]}"
#define LIST(entries)                                                          \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\","          \
	"\"manifests\":[" entries "]}"
#define ENTRY(os, arch, variant)                                               \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIG "\","    \
	"\"size\":7,\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch  \
	"\",\"variant\":\"" variant "\"}}"

static int parse(const char *text, const char *media, struct manifest *m,
		 struct err *e)
{
	return manifest_parse(text, strlen(text), media, m, e);
}

static void test_image(void **state)
{
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	assert_int_equal(
		parse(IMAGE(DESC(MEDIA_OCI_LAYER) "," DESC(
			      MEDIA_OCI_LAYER
			      "+gzip") "," DESC(MEDIA_OCI_LAYER "+zstd")),
		      NULL, &m, &e),
		0);
	assert_int_equal(m.kind, MANIFEST_IMAGE);
	assert_int_equal(m.nlayers, 3);
	assert_int_equal(m.layers[0].pack, PACK_NONE);
	assert_int_equal(m.layers[1].pack, PACK_GZIP);
	assert_int_equal(m.layers[2].pack, PACK_ZSTD);
	assert_int_equal(m.layers[2].size, 7);
	assert_string_equal(m.config.digest.text, DIG);
	manifest_fini(&m);
	/* docker's. */
	assert_int_equal(
		parse("{\"schemaVersion\":2,\"mediaType\":"
		      "\"" MEDIA_DOCKER_MANIFEST
		      "\",\"config\":" DESC(MEDIA_DOCKER_CONFIG) ",\"layers\":[" DESC(
			      DOCKER_LAYER) "]}",
		      MEDIA_DOCKER_MANIFEST, &m, &e),
		0);
	assert_int_equal(m.layers[0].pack, PACK_GZIP);
	manifest_fini(&m);
	/* An OCI manifest need not say what it is. */
	assert_int_equal(parse("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}",
			       NULL, &m, &e),
			 0);
	assert_string_equal(m.media, MEDIA_OCI_MANIFEST);
	manifest_fini(&m);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *media, *why;
	} all[] = {
		{ "", NULL, "no JSON" },
		{ "[]", NULL, "no JSON object" },
		{ "{", NULL, "no JSON" },
		{ "{}", NULL, "schemaVersion" },
		{ "{\"schemaVersion\":3}", NULL, "schemaVersion" },
		{ "{\"schemaVersion\":\"2\"}", NULL, "number" },
		{ "{\"schemaVersion\":2,\"schemaVersion\":1}", NULL, "JSON" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL,
		  "schema version 1" },
		{ "{\"schemaVersion\":2}",
		  "application/vnd.docker.distribution.manifest.v1+prettyjws",
		  "schema version 1" },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", NULL,
		  "at once" },
		{ IMAGE(""), MEDIA_OCI_INDEX, "announced" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"text/html\"}", NULL,
		  "no kind of manifest" },
		{ "{\"schemaVersion\":2,\"layers\":[]}", NULL, "no config" },
		{ "{\"schemaVersion\":2," CONFIG "}", NULL, "no layers" },
		{ "{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", NULL,
		  "list" },
		{ "{\"schemaVersion\":2,\"layers\":[],\"config\":" DESC(
			  "application/vnd.cncf.helm.config.v1+json") "}",
		  NULL, "no image" },
		{ IMAGE("7"), NULL, "layer 1" },
		{ IMAGE(DESC("text/plain")), NULL, "no kind of layer" },
		{ IMAGE("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"size\":1}"),
		  NULL, "no digest" },
		{ IMAGE("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":"
			"\"" DIG "\"}"),
		  NULL, "no size" },
		{ IMAGE("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":"
			"\"" DIG "\",\"size\":-1}"),
		  NULL, "positive" },
		{ IMAGE("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":"
			"\"" DIG "\",\"size\":9223372036854775807}"),
		  NULL, "claims" },
		{ IMAGE("{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":"
			"\"sha256:../../x\",\"size\":1}"),
		  NULL, "invalid digest" },
		{ LIST("{}"), NULL, "manifest 1" },
		{ LIST("{\"digest\":\"" DIG "\",\"size\":1,\"platform\":7}"),
		  NULL, "object" },
		{ LIST("{\"digest\":\"" DIG "\",\"size\":1,\"platform\":"
		       "{\"os\":\"" HEX "\"}}"),
		  NULL, "too long" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = { 0 };
		struct manifest m;

		if (parse(all[i].text, all[i].media, &m, &e) >= 0)
			fail_msg("accepted: %s", all[i].text);
		if (!strstr(e.msg, all[i].why))
			fail_msg("'%s' is not in '%s'", all[i].why, e.msg);
		assert_null(m.layers);
		assert_null(m.entries);
	}
}

/* n times piece between head and tail, as a manifest. */
static int repeated(const char *head, const char *piece, size_t n,
		    const char *tail, struct err *e)
{
	size_t room = strlen(head) + n * (strlen(piece) + 1) + strlen(tail) + 1;
	autofree char *text = malloc(room);
	struct manifest m;
	char *p = text;
	int r;

	assert_non_null(text);
	p = stpcpy(p, head);
	for (size_t i = 0; i < n; i++) {
		if (i)
			*p++ = ',';
		p = stpcpy(p, piece);
	}
	p = stpcpy(p, tail);
	r = manifest_parse(text, (size_t)(p - text), NULL, &m, e);
	manifest_fini(&m);
	return r;
}

static void test_huge(void **state)
{
	const char *image = "{\"schemaVersion\":2," CONFIG ",\"layers\":[";
	const char *list = "{\"schemaVersion\":2,\"manifests\":[";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(repeated(image, DESC(MEDIA_OCI_LAYER), 512, "]}", &e),
			 0);
	assert_int_equal(repeated(image, DESC(MEDIA_OCI_LAYER), 513, "]}", &e),
			 -EFBIG);
	assert_int_equal(
		repeated(list, DESC(MEDIA_OCI_MANIFEST), 1024, "]}", &e), 0);
	assert_int_equal(repeated(list, DESC(MEDIA_OCI_MANIFEST), 1025, "]}",
				  &e),
			 -EFBIG);
	assert_int_equal(repeated(list, "[]", 70000, "]}", &e), -EFBIG);
	assert_non_null(strstr(e.msg, "values"));
	assert_int_equal(repeated("{\"x\":\"", "xxxxxxxxxxxxxxx", 300000, "\"}",
				  &e),
			 -EFBIG);
	assert_non_null(strstr(e.msg, "4 MiB"));
}

static void test_pick(void **state)
{
	static const struct {
		const char *want;
		int index; /* -1: none */
	} all[] = {
		{ "linux/amd64", 1 },	 { "amd64", 1 },
		{ "linux/x86_64", 1 },	 { "linux/amd64/v3", 2 },
		{ "linux/arm64", 3 },	 { "aarch64", 3 },
		{ "linux/arm64/v8", 3 }, { "linux/arm64/v9", -1 },
		{ "linux/arm/v7", 4 },	 { "linux/arm", 4 },
		{ "windows/amd64", 0 },	 { "linux/s390x", -1 },
	};
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	assert_int_equal(
		parse(LIST(ENTRY("windows", "amd64", "") "," ENTRY("linux", "amd64", "") "," ENTRY(
			      "linux", "amd64",
			      "v3") "," ENTRY("linux", "arm64",
					      "v8") "," ENTRY("linux", "arm",
							      "v7") "," ENTRY("unknown",
									      "unknown",
									      "")),
		      NULL, &m, &e),
		0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct manifest_entry *en = NULL;
		struct platform p;
		int r;

		assert_int_equal(platform_parse(all[i].want, &p, &e), 0);
		r = manifest_pick(&m, &p, &en, &e);
		if (all[i].index < 0) {
			assert_int_equal(r, -ENOENT);
			assert_non_null(strstr(e.msg, "linux/arm/v7"));
			assert_null(strstr(e.msg, "unknown"));
		} else {
			assert_int_equal(r, 0);
			assert_ptr_equal(en, &m.entries[all[i].index]);
		}
	}
	manifest_fini(&m);
}

static void test_platform_text(void **state)
{
	static const char *const bad[] = {
		"", "/", "a/b/c/d", "linux/a b", "/amd64", "linux/\033"
	};
	struct err e = { 0 };
	struct platform p;
	char out[PLATFORM_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(platform_parse(bad[i], &p, &e), -EINVAL);
	assert_int_equal(platform_parse("linux", &p, &e), 0);
	assert_string_equal(p.arch, VIAL_OCI_ARCH);
	assert_int_equal(platform_parse(NULL, &p, &e), 0);
	platform_print(&p, out, sizeof(out));
	assert_string_equal(out, "linux/" VIAL_OCI_ARCH);
}

/* ---- configurations ---- */

#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIG "\"]}"

static int config(const char *text, struct config *c, struct err *e)
{
	return config_parse(text, strlen(text), c, e);
}

static void test_config(void **state)
{
	struct digest chain;
	struct err e = { 0 };
	struct config c;

	(void)state;
	assert_int_equal(
		config("{\"os\":\"linux\",\"architecture\":\"amd64\","
		       "\"created\":\"2020-01-01T00:00:00Z\"," ROOTFS ","
		       "\"config\":{\"Entrypoint\":[\"/a\"],\"Cmd\":[],"
		       "\"Env\":null,\"User\":\"u:g\",\"WorkingDir\":\"/w\","
		       "\"StopSignal\":\"SIGINT\",\"Labels\":{\"k\":\"v\"},"
		       "\"Volumes\":{\"/v\":{}},\"ExposedPorts\":"
		       "{\"80/tcp\":{}},\"Healthcheck\":{\"Test\":[\"CMD\","
		       "\"x\"],\"Interval\":5,\"Retries\":2}},\"history\":"
		       "[{\"created_by\":\"x\",\"empty_layer\":true}]}",
		       &c, &e),
		0);
	assert_string_equal(c.entrypoint[0], "/a");
	assert_int_equal(c.nentrypoint, 1);
	/* An empty list differs from none. */
	assert_non_null(c.cmd);
	assert_int_equal(c.ncmd, 0);
	assert_null(c.env);
	assert_string_equal(c.user, "u:g");
	assert_string_equal(c.cwd, "/w");
	assert_string_equal(c.health.test[1], "x");
	assert_int_equal(c.health.interval_ns, 5);
	assert_true(c.history[0].empty);
	assert_string_equal(c.platform.arch, "amd64");
	config_chain(&c, 1, &chain);
	assert_string_equal(chain.text, DIG);
	config_fini(&c);
	/* "sha256:012... sha256:012...", hashed by another program. */
	assert_int_equal(config("{\"rootfs\":{\"type\":\"layers\","
				"\"diff_ids\":[\"" DIG "\",\"" DIG "\"]}}",
				&c, &e),
			 0);
	config_chain(&c, 2, &chain);
	assert_string_equal(chain.text, "sha256:" CHAIN2);
	config_fini(&c);
}

static void test_config_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} all[] = {
		{ "[]", "object" },
		{ "{}", "rootfs" },
		{ "{\"rootfs\":{\"type\":\"other\",\"diff_ids\":[]}}",
		  "layers" },
		{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
		  "strings" },
		{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}",
		  "diff_id 1" },
		{ "{" ROOTFS ",\"config\":[]}", "object" },
		{ "{" ROOTFS ",\"config\":{\"Cmd\":\"sh\"}}", "list" },
		{ "{" ROOTFS ",\"config\":{\"Env\":[7]}}", "strings" },
		{ "{" ROOTFS ",\"config\":{\"User\":0}}", "string" },
		{ "{" ROOTFS ",\"config\":{\"User\":\"a\\u0000b\"}}", "JSON" },
		{ "{" ROOTFS ",\"history\":[7]}", "history 1" },
		{ "{" ROOTFS ",\"os\":\"" HEX "\"}", "too long" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = { 0 };
		struct config c;

		if (config(all[i].text, &c, &e) >= 0)
			fail_msg("accepted: %s", all[i].text);
		if (!strstr(e.msg, all[i].why))
			fail_msg("'%s' is not in '%s'", all[i].why, e.msg);
		assert_null(c.json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_platform_text),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A spec, written down and read back. */
#include "spec/json.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Latin-1, and a byte that is nowhere legal. */
#define BAD "caf\xe9 \xff\x01\x80"

static struct spec s, back;
static struct err e;

static int start(void **state)
{
	(void)state;
	spec_init(&s);
	spec_init(&back);
	s.image = "image";
	return strv_add(&s.argv, "sh");
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&s);
	spec_fini(&back);
	return 0;
}

/* As it goes through the file. */
static int through(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	int r;

	assert_non_null(o);
	spec_fini(&back);
	r = spec_from_json(&back, o, &e);
	json_decref(o);
	return r;
}

static void round_trip(void)
{
	json_t *o = spec_to_json(&s);
	autofree char *text = NULL;

	assert_non_null(o);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	assert_non_null(text);
	assert_int_equal(through(text), 0);
}

/* Every field is another value, so that none stands for another. */
static const struct {
	const char **in, **out;
	const char *text;
} texts[] = {
	{ &s.image, &back.image, "an image" },
	{ &s.image_path, &back.image_path, "/an/image" },
	{ &s.cwd, &back.cwd, "/w" },
	{ &s.user, &back.user, "1:2" },
	{ &s.hostname, &back.hostname, "host" },
	{ &s.name, &back.name, "name" },
	{ &s.kernel, &back.kernel, "/kernel" },
	{ &s.entrypoint, &back.entrypoint, "/entry" },
	{ &s.stop_signal, &back.stop_signal, "INT" },
	{ &s.log.driver, &back.log.driver, "local" },
	{ &s.health.cmd, &back.health.cmd, "true" },
	{ &s.detach_keys, &back.detach_keys, "ctrl-x" },
};

static const struct {
	struct strv *in, *out;
	const char *text;
} lists[] = {
	{ &s.env, &back.env, "A=1" },
	{ &s.groups, &back.groups, "video" },
	{ &s.labels, &back.labels, "l=2" },
	{ &s.annotations, &back.annotations, "a=3" },
	{ &s.cap_add, &back.cap_add, "NET_ADMIN" },
	{ &s.cap_drop, &back.cap_drop, "ALL" },
	{ &s.hosts, &back.hosts, "h:1.2.3.4" },
	{ &s.sysctls, &back.sysctls, "x.y=z" },
};

static const struct {
	uint64_t *in, *out;
} numbers[] = {
	{ &s.ram_bytes, &back.ram_bytes },
	{ &s.shm_bytes, &back.shm_bytes },
	{ &s.timeout_ms, &back.timeout_ms },
	{ &s.grace_ms, &back.grace_ms },
	{ &s.pids_limit, &back.pids_limit },
	{ &s.stop_timeout_ms, &back.stop_timeout_ms },
	{ &s.log.max_bytes, &back.log.max_bytes },
	{ &s.health.interval_ms, &back.health.interval_ms },
	{ &s.health.timeout_ms, &back.health.timeout_ms },
	{ &s.health.start_period_ms, &back.health.start_period_ms },
};

static const struct {
	unsigned *in, *out;
} counts[] = {
	{ &s.cpus, &back.cpus },
	{ &s.log.files, &back.log.files },
	{ &s.health.retries, &back.health.retries },
};

static const struct {
	bool *in, *out;
} flags[] = {
	{ &s.interactive, &back.interactive },
	{ &s.tty, &back.tty },
	{ &s.rm, &back.rm },
	{ &s.debug, &back.debug },
	{ &s.privileged, &back.privileged },
	{ &s.no_new_privs, &back.no_new_privs },
	{ &s.read_only, &back.read_only },
	{ &s.init, &back.init },
	{ &s.health.none, &back.health.none },
	{ &s.detach, &back.detach },
};

static void every_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i].in = texts[i].text;
	round_trip();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_non_null(*texts[i].out);
		assert_string_equal(*texts[i].out, texts[i].text);
	}
}

static void what_is_not_given_stays_so(void **state)
{
	struct spec fresh;

	(void)state;
	spec_init(&fresh);
	round_trip();
	for (size_t i = 1; i < ARRAY_LEN(texts); i++)
		assert_null(*texts[i].out);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		assert_int_equal(lists[i].out->n, 0);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		assert_false(*flags[i].out);
	assert_int_equal(back.ram_bytes, fresh.ram_bytes);
	assert_int_equal(back.nrlimits, 0);
	assert_int_equal(back.in.n + back.out.n, 0);
}

static void every_list(void **state)
{
	(void)state;
	assert_int_equal(strv_add(&s.argv, ""), 0);
	assert_int_equal(strv_add(&s.argv, "a \"b\"\n\\"), 0);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(strv_add(lists[i].in, lists[i].text), 0);
		assert_int_equal(strv_add(lists[i].in, "second"), 0);
	}
	round_trip();
	assert_int_equal(back.argv.n, 3);
	assert_string_equal(back.argv.v[0], "sh");
	assert_string_equal(back.argv.v[1], "");
	assert_string_equal(back.argv.v[2], "a \"b\"\n\\");
	assert_null(back.argv.v[3]);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(lists[i].out->n, 2);
		assert_string_equal(lists[i].out->v[0], lists[i].text);
		assert_string_equal(lists[i].out->v[1], "second");
	}
}

static void every_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i].in = (1ull << 40) + i;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		*counts[i].in = 3000000000u + (unsigned)i;
	round_trip();
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_int_equal(*numbers[i].out, (1ull << 40) + i);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		assert_int_equal(*counts[i].out, 3000000000u + (unsigned)i);
}

static void every_flag(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		*flags[i].in = true;
		round_trip();
		for (size_t j = 0; j < ARRAY_LEN(flags); j++)
			assert_int_equal(*flags[j].out, j == i);
		*flags[i].in = false;
	}
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(spec_ulimit(&s, "nofile=5:6", &e), 0);
	assert_int_equal(spec_ulimit(&s, "core=unlimited", &e), 0);
	round_trip();
	assert_int_equal(back.nrlimits, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(back.rlimits[i].resource,
				 s.rlimits[i].resource);
		assert_int_equal(back.rlimits[i].soft, s.rlimits[i].soft);
		assert_int_equal(back.rlimits[i].hard, s.rlimits[i].hard);
	}
}

static void add_copy(struct spec_copies *c, const char *host, const char *guest)
{
	c->v = reallocarray(c->v, c->n + 1, sizeof(*c->v));
	assert_non_null(c->v);
	c->v[c->n].host = strdup(host);
	c->v[c->n++].guest = strdup(guest);
}

static void copies(void **state)
{
	(void)state;
	add_copy(&s.in, "src", "/dst");
	add_copy(&s.in, BAD, "/dst2");
	add_copy(&s.out, "out", "/" BAD);
	round_trip();
	assert_int_equal(back.in.n, 2);
	assert_string_equal(back.in.v[0].host, "src");
	assert_string_equal(back.in.v[0].guest, "/dst");
	assert_string_equal(back.in.v[1].host, BAD);
	assert_string_equal(back.in.v[1].guest, "/dst2");
	assert_int_equal(back.out.n, 1);
	assert_string_equal(back.out.v[0].host, "out");
	assert_string_equal(back.out.v[0].guest, "/" BAD);
}

/* Arguments and names of files are bytes. */
static void what_is_not_utf8(void **state)
{
	(void)state;
	assert_int_equal(strv_add(&s.argv, BAD), 0);
	assert_int_equal(strv_add(&s.argv, "gr\xc3\xbc\xc3\x9f"), 0);
	assert_int_equal(strv_add(&s.env, "X=" BAD), 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i].in = BAD;
	round_trip();
	assert_int_equal(back.argv.n, 3);
	assert_string_equal(back.argv.v[1], BAD);
	assert_string_equal(back.argv.v[2], "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(back.env.v[0], "X=" BAD);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_string_equal(*texts[i].out, BAD);
}

static void what_is_absent_is_as_in_a_fresh_one(void **state)
{
	struct spec fresh;

	(void)state;
	spec_init(&fresh);
	assert_int_equal(through("{\"image\":\"i\",\"argv\":[\"sh\"],"
				 "\"of a later one\":7}"),
			 0);
	assert_string_equal(back.image, "i");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		size_t at = (size_t)((char *)numbers[i].out - (char *)&back);

		assert_int_equal(*numbers[i].out,
				 *(uint64_t *)(void *)((char *)&fresh + at));
	}
	assert_int_equal(back.log.files, fresh.log.files);
	assert_int_equal(back.health.retries, fresh.health.retries);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"image\":\"i\"}",
		"{\"argv\":[\"sh\"]}",
		"{\"image\":\"i\",\"argv\":[]}",
		"{\"image\":\"i\",\"argv\":[1]}",
		"{\"image\":\"i\",\"argv\":[[0]]}",
		"{\"image\":\"i\",\"argv\":[[256]]}",
		"{\"image\":\"i\",\"argv\":[[97,-1]]}",
		"{\"image\":\"i\",\"argv\":[[97,\"b\"]]}",
		"{\"image\":7,\"argv\":[\"sh\"]}",
		"{\"image\":[0],\"argv\":[\"sh\"]}",
		"{\"image\":\"i\",\"argv\":[\"sh\"],\"copy_in\":[[\"a\"]]}",
		"{\"image\":\"i\",\"argv\":[\"sh\"],\"copy_out\":[7]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(through(bad[i]), -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(every_text),
		T(what_is_not_given_stays_so),
		T(every_list),
		T(every_number),
		T(every_flag),
		T(limits),
		T(copies),
		T(what_is_not_utf8),
		T(what_is_absent_is_as_in_a_fresh_one),
		T(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

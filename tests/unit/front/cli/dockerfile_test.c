/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dockerfile.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_good(void **state)
{
	static const struct {
		const char *first, *line, *want;
	} all[] = {
		{ NULL, "CMD [\"a\", \"b c\"]", "{\"Cmd\":[\"a\",\"b c\"]}" },
		{ NULL, "cmd a b", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]}" },
		{ NULL, "ENTRYPOINT []", "{\"Entrypoint\":[]}" },
		{ NULL, "CMD [ -f x ]",
		  "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[ -f x ]\"]}" },
		{ NULL, "ENV A=b", "{\"Env\":[\"A=b\"]}" },
		{ NULL, "ENV A=\"b c\" D='e f' G=h\\ i",
		  "{\"Env\":[\"A=b c\",\"D=e f\",\"G=h i\"]}" },
		{ NULL, "ENV A b  c", "{\"Env\":[\"A=b  c\"]}" },
		{ "ENV A=1 B=2", "ENV A=3", "{\"Env\":[\"A=3\",\"B=2\"]}" },
		{ NULL, "LABEL a=b=c", "{\"Labels\":{\"a\":\"b=c\"}}" },
		{ "LABEL a=1", "LABEL b=2",
		  "{\"Labels\":{\"a\":\"1\",\"b\":\"2\"}}" },
		{ NULL, "EXPOSE 80 53/udp",
		  "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}}}" },
		{ NULL, "VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}" },
		{ NULL, "VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}" },
		{ NULL, "  WORKDIR   /w", "{\"WorkingDir\":\"/w\"}" },
		{ NULL, "USER 1:2", "{\"User\":\"1:2\"}" },
		{ NULL, "STOPSIGNAL INT", "{\"StopSignal\":\"INT\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		autofree char *text = NULL;
		json_t *config = json_object();
		struct err e = { 0 };

		if (all[i].first)
			assert_int_equal(
				dockerfile_line(config, all[i].first, &e), 0);
		if (dockerfile_line(config, all[i].line, &e) < 0)
			fail_msg("%s", e.msg);
		text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(text, all[i].want);
		json_decref(config);
	}
}

static void test_bad(void **state)
{
	static const char *const all[] = {
		"",	  "RUN make",  "CMDX a",   "ENV",
		"ENV A",  "ENV A=b c", "LABEL",	   "USER",
		"EXPOSE", "VOLUME",    "WORKDIR ", "FROM x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		json_t *config = json_object();
		struct err e = { 0 };

		if (dockerfile_line(config, all[i], &e) != -EINVAL)
			fail_msg("accepted: %s", all[i]);
		assert_true(e.msg[0]);
		json_decref(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Lists as docker prints them. */
#include "cli/table.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = {
	{ "ID", "BOX ID" },
	{ "Names", "NAMES" },
	{ "Status", "STATUS" },
	{ NULL, NULL },
};
static const struct table_kind kind = {
	.columns = columns,
	.layout = "table {{.ID}}\\t{{.Status}}\t{{.Names}}",
};

static struct err e;

/* What a list of n rows prints; the caller frees. NULL: refused. */
static char *list(const char *format, int n)
{
	struct table *t = table_new(&kind, format, &e);
	char *text = NULL;
	size_t len;
	FILE *f;

	if (!t)
		return NULL;
	f = open_memstream(&text, &len);
	for (int i = 0; i < n; i++) {
		json_t *row = json_pack(
			"{ssssssss}", "ID", i ? "b1" : "0123456789ab", "Names",
			i ? "z\xc3\xa9" : "job", "Status",
			i ? "Exited (137) 2 minutes ago" : "Up 3 seconds",
			"Labels", "a.b=1");

		assert_int_equal(table_row(t, row, &e), 0);
		json_decref(row);
	}
	assert_int_equal(table_print(t, f, &e), 0);
	fclose(f);
	table_free(t);
	return text;
}

static void prints(const char *format, int n, const char *wanted)
{
	autofree char *got = list(format, n);

	assert_non_null(got);
	assert_string_equal(got, wanted);
}

static void own_layout(void **state)
{
	static const char two[] =
		"BOX ID         STATUS                       NAMES\n"
		"0123456789ab   Up 3 seconds                 job\n"
		"b1             Exited (137) 2 minutes ago   z\xc3\xa9\n";

	(void)state;
	prints(NULL, 0, "BOX ID    STATUS    NAMES\n");
	prints(NULL, 2, two);
	prints("table", 2, two);
	prints("", 2, two);
}

static void layouts_of_users(void **state)
{
	(void)state;
	prints("table {{.ID}}\\t{{.Names}}", 2,
	       "BOX ID         NAMES\n"
	       "0123456789ab   job\n"
	       "b1             z\xc3\xa9\n");
	prints("table {{.Names}}\t{{upper .ID}}", 2,
	       "NAMES     BOX ID\n"
	       "job       0123456789AB\n"
	       "z\xc3\xa9        B1\n");
	prints("table {{.ID}}\t{{.Label \"a.b\"}}", 1,
	       "BOX ID         b\n"
	       "0123456789ab   1\n");
	prints("{{.ID}} {{.Status}}", 2,
	       "0123456789ab Up 3 seconds\n"
	       "b1 Exited (137) 2 minutes ago\n");
	prints("{{.ID}}\\t{{.Names}}", 1, "0123456789ab\tjob\n");
	prints("tableau", 1, "tableau\n");
	prints("json", 1,
	       "{\"ID\":\"0123456789ab\",\"Labels\":\"a.b=1\",\"Names\":\"job\","
	       "\"Status\":\"Up 3 seconds\"}\n");
	prints("{{json .Names}}", 1, "\"job\"\n");
	prints("{{.ID}}", 0, "");
}

static void bad_formats(void **state)
{
	struct table *t;
	json_t *row = json_pack("{ss}", "ID", "x");

	(void)state;
	assert_null(list("{{.ID", 0));
	assert_non_null(strstr(e.msg, "template parsing error"));
	t = table_new(&kind, "table {{.Nope}}", &e);
	assert_non_null(t);
	assert_int_equal(table_row(t, row, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no entry for key \"Nope\""));
	table_free(t);
	json_decref(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_layout),
		cmocka_unit_test(layouts_of_users),
		cmocka_unit_test(bad_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a template over a box: it ends, within its bounds. */
#include "base/auto.h"
#include "cli/tmpl.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char box[] =
	"{\"Id\":\"0123456789ab\",\"N\":null,\"F\":0.5,\"S\":{\"Pid\":42},"
	"\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"a.b\":\"c\"}}";

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void run(const struct tmpl *t, json_t *v,
		int (*how)(const struct tmpl *, json_t *, char **,
			   struct err *))
{
	autofree char *out = NULL;
	struct err e = { 0 };
	int r = how(t, v, &out, &e);

	must(r == 0 ? out != NULL : !out && e.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = strndup((const char *)data, size);
	struct err e = { 0 };
	struct tmpl *t = tmpl_new(text, &e);
	json_t *v;

	must(t || e.msg[0]);
	if (!t)
		return 0;
	v = json_loads(box, 0, NULL);
	run(t, v, tmpl_text);
	run(t, v, tmpl_headings);
	json_decref(v);
	tmpl_free(t);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tmpl_print.c - values through a template, to a stream. */
#include "cli/tmpl.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

int tmpl_print(FILE *out, const char *text, json_t *value, struct err *e)
{
	struct tmpl *t = tmpl_new(text, e);
	autofree char *made = NULL;
	int r = t ? tmpl_text(t, value, &made, e) : -EINVAL;

	tmpl_free(t);
	if (r == 0 && fprintf(out, "%s\n", made) < 0)
		return err_sys(e, "write");
	return r;
}

static int print_each(const struct tmpl *t, const json_t *all, struct err *e)
{
	size_t i;
	json_t *o;

	json_array_foreach(all, i, o)
	{
		autofree char *made = NULL;

		if (tmpl_text(t, o, &made, e) < 0)
			return -e->code;
		if (printf("%s\n", made) < 0)
			return err_sys(e, "write");
	}
	return 0;
}

int tmpl_print_all(const char *format, const json_t *all, struct err *e)
{
	struct tmpl *t;
	int r;

	if (!format) {
		r = json_dumpf(all, stdout, JSON_INDENT(4));
		return r < 0 || putchar('\n') < 0 ? err_sys(e, "write") : 0;
	}
	t = tmpl_new(strcmp(format, "json") == 0 ? "{{json .}}" : format, e);
	r = t ? print_each(t, all, e) : -e->code;
	tmpl_free(t);
	return r;
}

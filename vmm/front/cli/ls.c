/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ls.h"

#include <errno.h>

int ls_parse(const struct cmd *c, int argc, char **argv, void *what,
	     int *status)
{
	int first = cmd_parse(c, argc, argv, what, status);
	struct err e = { 0 };

	if (first < 0)
		return -1;
	if (first == argc)
		return 0;
	err_set(&e, EINVAL, "'vial %s' takes no words (--filter name=%s)",
		c->name, argv[first]);
	*status = cmd_misused(c, &e);
	return -1;
}

int ls_run(const struct cmd *c, const struct table_kind *kind,
	   const char *format, ls_list *list, void *what)
{
	struct err e = { 0 };
	struct table *t = table_new(kind, format, &e);
	int r;

	if (!t)
		return cmd_misused(c, &e);
	r = list(what, t, &e);
	table_free(t);
	return r < 0 ? cmd_error(&e) : 0;
}

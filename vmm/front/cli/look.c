/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/look.h"

#include "cli/tmpl.h"

#include <errno.h>
#include <stdio.h>

int look_parse(const struct cmd *c, int argc, char **argv, const char *needs,
	       void *what, const char *const *format, int *status)
{
	int first = cmd_parse(c, argc, argv, what, status);
	struct err e = { 0 };

	if (first < 0)
		return -1;
	if (first == argc)
		err_set(&e, EINVAL, "'vial %s' needs %s", c->name, needs);
	else if (*format)
		tmpl_free(tmpl_new(*format, &e));
	if (e.code == 0)
		return first;
	*status = cmd_misused(c, &e);
	return -1;
}

int look_run(char **words, int n, const char *format, look_at *at, void *arg)
{
	json_t *all = json_array();
	struct err e = { 0 };
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct err why = { 0 };
		json_t *o = at(arg, words[i], &why);

		if (o)
			json_array_append_new(all, o);
		else
			status = cmd_no_such(&why);
	}
	if (tmpl_print_all(format, all, &e) < 0)
		status = cmd_error(&e);
	json_decref(all);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

int look_main(const struct cmd *c, int argc, char **argv, const char *needs,
	      look_at *at)
{
	struct look in = { NULL };
	int status, first = look_parse(c, argc, argv, needs, &in, &in.format,
				       &status);

	return first < 0 ? status
			 : look_run(argv + first, argc - first, in.format, at,
				    NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/each.h"

#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>

int each_box(char **words, int n, each_fn *fn, void *arg)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		int r = fn(arg, words[i], &e);

		if (r < 0)
			status = cmd_error(&e);
		else if (r == 0)
			printf("%s\n", words[i]);
		fflush(stdout);
	}
	return status;
}

int each_open(const char *what, struct box_info *info, struct box *b,
	      struct err *e)
{
	if (state_find(what, info, e) < 0)
		return -e->code;
	return state_open(b, info->id, e);
}

int each_running(const struct box_info *info, const char *doing, struct err *e)
{
	if (info->alive)
		return 0;
	return err_set(e, ESRCH, "Cannot %s box: %s: the box is not running",
		       doing, info->name);
}

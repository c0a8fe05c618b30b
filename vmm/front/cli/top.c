/* SPDX-License-Identifier: Apache-2.0 */
/* vial top: the processes of a box. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/proctable.h"
#include "guest/ask.h"
#include "box/create.h"

#include <errno.h>
#include <stdio.h>

#define PATIENCE_MS 10000

static const struct opt opts[] = { OPT_END };

static int ask_box(const char *what, struct proctable *t,
		   Vial__Agent__ProcessList **all, struct err *e)
{
	struct err ignored;
	struct box_info info;
	struct spec s;
	struct box b;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	if (box_load(&b, &s, &ignored) == 0)
		t->ram_bytes = s.ram_bytes;
	spec_fini(&s);
	if (state_is(&info, "paused"))
		r = err_set(e, EBUSY,
			    "box %s is paused: it can be asked after 'vial "
			    "unpause %s'",
			    info.name, info.name);
	else
		r = each_running(&info, "list the processes of", e);
	if (r == 0 && ask_processes(b.dir, PATIENCE_MS, all, e) < 0)
		r = err_wrap(e, "box %s", info.name);
	state_close(&b);
	return r;
}

static int top_main(const struct cmd *c, int argc, char **argv)
{
	struct proctable t = { .now_s = state_now() / 1000 };
	struct err e = { 0 };
	Vial__Agent__ProcessList *all = NULL;
	int status, first = cmd_parse(c, argc, argv, &t, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial top' needs a BOX");
		return cmd_misused(c, &e);
	}
	if (proctable_parse(&t, argv + first + 1, argc - first - 1, &e) < 0)
		return cmd_misused(c, &e);
	if (ask_box(argv[first], &t, &all, &e) < 0)
		return cmd_error(&e);
	proctable_print(&t, all, stdout);
	vial__agent__process_list__free_unpacked(all, NULL);
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_top = {
	.name = "top",
	.usage = "BOX [PS-OPTION...]",
	.summary = "List the processes of a box.",
	.opts = opts,
	.more = "Of ps(1)'s options, -ef (without any), aux and -eo COLUMN,... "
		"are known.\n",
	.example = "vial top job\nvial top job -eo pid,comm\n",
	.run = top_main,
};

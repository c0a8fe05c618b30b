/* SPDX-License-Identifier: Apache-2.0 */
/* vial cp: files and folders between a box and the host. */
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/progress.h"
#include "guest/cp.h"
#include "run/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOX_ROOM 128

struct cp {
	bool archive, follow, quiet;
	struct progress progress;
};

static const struct opt opts[] = {
	OPT_FLAG('a', "archive", struct cp, archive,
		 "Owners as they are at the source"),
	OPT_FLAG('L', "follow-link", struct cp, follow,
		 "What a link at SRC leads to"),
	OPT_FLAG('q', "quiet", struct cp, quiet,
		 "Do not show how far it is, nor what was left out"),
	OPT_END
};

/* Which of the two words is in a box. */
static int aim(struct transfer *t, char **argv, char box[BOX_ROOM],
	       struct err *e)
{
	char other[BOX_ROOM];
	const char *src = cp_split(argv[0], box, BOX_ROOM);
	const char *dst = cp_split(argv[1], other, sizeof(other));

	if (!src || !dst)
		return err_set(e, ENAMETOOLONG,
			       "the name of the box is too long");
	if (*box && *other)
		return err_set(e, EINVAL,
			       "copying between boxes is not supported");
	if (!*box && !*other)
		return err_set(e, EINVAL,
			       "must specify at least one box source "
			       "(BOX:PATH)");
	t->in = *other;
	if (t->in)
		snprintf(box, BOX_ROOM, "%s", other);
	t->host = t->in ? src : dst;
	t->guest = t->in ? dst : src;
	t->box = box;
	if (!*t->host)
		return err_set(e, EINVAL, "%s can not be empty",
			       t->in ? "source" : "destination");
	if (!t->in && strcmp(t->host, "-") == 0 && isatty(STDOUT_FILENO))
		return err_set(e, EINVAL,
			       "cowardly refusing to copy an archive to a "
			       "terminal (redirect it)");
	return 0;
}

static void moved(void *arg, uint64_t bytes, uint64_t total)
{
	struct progress *p = arg;

	p->total_bytes = total;
	progress_update(p, bytes);
}

static int copy(struct transfer *t, struct cp *o)
{
	struct err e = { 0 };
	struct box_info info;
	char what[192];
	struct box b;
	int r;

	if (each_open(t->box, &info, &b, &e) < 0)
		return cmd_error(&e);
	snprintf(what, sizeof(what), "Copying %s %s", t->in ? "to" : "from",
		 t->box);
	if (!o->quiet) {
		progress_init(&o->progress, what, 0);
		t->moved = moved;
		t->arg = &o->progress;
	}
	r = transfer_run(t, &b, &info, &e);
	if (!o->quiet)
		progress_end(&o->progress);
	state_close(&b);
	if (r < 0)
		return cmd_error(&e);
	if (t->left_out > 0 && !o->quiet)
		fprintf(stderr,
			"vial: %s:%s: left out %llu entries that are no files "
			"(first: %s)\n",
			t->box, t->guest, (unsigned long long)t->left_out,
			t->first_left_out);
	return 0;
}

static int cp_main(const struct cmd *c, int argc, char **argv)
{
	struct transfer t = { 0 };
	struct cp o = { 0 };
	struct err e = { 0 };
	char box[BOX_ROOM];
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first < 0)
		return status;
	if (argc - first != 2)
		err_set(&e, EINVAL,
			"'vial cp' needs a source and a destination");
	else
		aim(&t, argv + first, box, &e);
	if (e.code)
		return cmd_misused(c, &e);
	t.owners = o.archive;
	t.follow = o.follow;
	return copy(&t, &o);
}

const struct cmd cmd_cp = {
	.name = "cp",
	.usage = "[OPTIONS] BOX:SRC DEST|- | SRC|- BOX:DEST",
	.summary = "Copy files between a box and here.",
	.opts = opts,
	.mixed = true,
	.more = "SRC/. is what is in a folder; - is a tar stream. A box that "
		"does not run is\nbooted for it, without its command.\n",
	.example = "vial cp src/. job:/build\nvial cp job:/build/log .\n",
	.run = cp_main,
};

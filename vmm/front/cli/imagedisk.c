/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagedisk.h"

#include "cli/progress.h"
#include "run/rootdisk.h"

#include <stdio.h>

struct shown {
	struct progress line;
	char what[128];
};

static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct shown *s = arg;

	if (!s->line.what)
		progress_init(&s->line, s->what, total);
	progress_update(&s->line, done);
}

int imagedisk_find(struct spec *s, struct err *e)
{
	struct shown shown = { .what = "" };
	const struct rootdisk_how how = { .progress = s->quiet ? NULL
							       : progress,
					  .arg = &shown };
	int r;

	snprintf(shown.what, sizeof(shown.what), "Unpacking %.100s", s->image);
	r = rootdisk_find(s, &how, e);
	if (shown.line.what)
		progress_end(&shown.line);
	return r;
}

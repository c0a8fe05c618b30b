/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagedisk.h"

#include "cli/progress.h"
#include "builder/fetch.h"
#include "builder/rootdisk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static int find(struct spec *s, struct err *e)
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

static bool pulls(const struct spec *s, const char *when)
{
	return strcmp(s->pull ? s->pull : "missing", when) == 0;
}

int imagedisk_find(struct spec *s, struct err *e)
{
	const struct fetch_how how = { .quiet = s->quiet, .to_stderr = true };
	int r;

	if (*s->image && !rootdisk_is_file(s->image) && pulls(s, "always") &&
	    fetch_image(s->image, &how, e) < 0)
		return -e->code;
	r = find(s, e);
	if (r != -ENOENT || !pulls(s, "missing"))
		return r;
	/* As docker has it: said, and then something is done about it. */
	if (!s->quiet)
		fprintf(stderr, "%s\n", e->msg);
	if (fetch_image(s->image, &how, e) < 0)
		return -e->code;
	return find(s, e);
}

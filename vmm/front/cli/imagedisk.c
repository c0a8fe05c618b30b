/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagedisk.h"

#include "cli/imagelimit.h"
#include "cli/imagerow.h"
#include "cli/progress.h"
#include "builder/fetch.h"
#include "builder/rootdisk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct shown {
	struct progress line;
	char what[128];
	bool quiet, made; /* a disk, now */
};

static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct shown *s = arg;

	s->made = true;
	if (s->quiet)
		return;
	if (!s->line.what)
		progress_init(&s->line, s->what, total);
	progress_update(&s->line, done);
}

static int find(struct spec *s, struct err *e)
{
	struct shown shown = { .what = "", .quiet = s->quiet };
	const struct rootdisk_how how = { .progress = progress, .arg = &shown };
	int r;

	snprintf(shown.what, sizeof(shown.what), "Unpacking %.100s", s->image);
	r = rootdisk_find(s, &how, e);
	if (shown.line.what)
		progress_end(&shown.line);
	if (r == 0 && shown.made)
		imagelimit_apply();
	return r;
}

/* ---- the platform ---- */

static int host_runs(const struct platform *want, struct err *e)
{
	struct platform host;
	char asked[80], own[80];

	platform_parse(NULL, &host, e);
	if (strcmp(want->os, host.os) == 0 &&
	    strcmp(want->arch, host.arch) == 0)
		return 0;
	platform_print(want, asked, sizeof(asked));
	platform_print(&host, own, sizeof(own));
	return err_set(e, ENOTSUP,
		       "this host does not run %s: a guest is what the host "
		       "is, %s",
		       asked, own);
}

/* What the image here is for: 1; 0: there is none here. */
static int platform_here(const char *name, struct platform *out, struct err *e)
{
	struct image img;
	struct store s;
	int r = imagerow_store(&s, e);

	if (r < 0)
		return r;
	*out = (struct platform){ .os = "" };
	/* Whatever is wrong with it is for rootdisk_find() to say. */
	if (image_open(&s, name, &img, e) == 0) {
		*out = img.config.platform;
		image_fini(&img);
	}
	store_close(&s);
	return *out->os && *out->arch;
}

/* Whether the image here is another than the one that is wanted, so that it
 * is the same as none: docker gets the other one then. */
static int is_other(const struct spec *s, const struct platform *want,
		    struct err *e)
{
	struct platform here;
	char is[80], wanted[80];
	int r = platform_here(s->image, &here, e);

	if (r <= 0 || platform_fits(&here, want))
		return r < 0 ? r : 0;
	platform_print(&here, is, sizeof(is));
	platform_print(want, wanted, sizeof(wanted));
	err_set(e, ENOENT,
		"image %.80s is for %s, and what is wanted is for %s", s->image,
		is, wanted);
	return 1;
}

/* ---- pulling ---- */

static bool pulls(const struct spec *s, const char *when)
{
	return strcmp(s->pull ? s->pull : "missing", when) == 0;
}

static int pull(const struct spec *s, struct err *e)
{
	const struct fetch_how how = { .platform = s->platform,
				       .quiet = s->quiet,
				       .to_stderr = true };

	if (fetch_image(s->image, &how, e) < 0)
		return -e->code;
	imagelimit_apply();
	return 0;
}

/* As docker has it: what is missing is said, and then something is done about
 * it. */
static int pull_missing(const struct spec *s, struct err *e)
{
	if (!pulls(s, "missing"))
		return -e->code;
	if (!s->quiet)
		fprintf(stderr, "%s\n", e->msg);
	return pull(s, e);
}

static int find_named(struct spec *s, const struct platform *want,
		      struct err *e)
{
	int r = pulls(s, "always") ? pull(s, e) : is_other(s, want, e);

	if (r > 0)
		r = pull_missing(s, e);
	if (r < 0)
		return r;
	r = find(s, e);
	if (r == -ENOENT && pull_missing(s, e) < 0)
		return -e->code;
	if (r == -ENOENT)
		r = find(s, e);
	/* A registry may have one for another platform only. */
	if (r == 0 && is_other(s, want, e) > 0)
		return -e->code;
	return r;
}

int imagedisk_find(struct spec *s, struct err *e)
{
	struct platform want;

	if (platform_parse(s->platform, &want, e) < 0 ||
	    host_runs(&want, e) < 0)
		return s->platform ? err_wrap(e, "--platform") : -e->code;
	if (!*s->image || rootdisk_is_file(s->image))
		return find(s, e);
	return find_named(s, &want, e);
}

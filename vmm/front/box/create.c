/* SPDX-License-Identifier: Apache-2.0 */
#include "box/create.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/disk.h"
#include "spec/json.h"
#include "box/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CONFIG "config.json"
#define CONFIG_MAX (8u << 20)

void box_describe(struct box_info *info, const struct spec *s)
{
	size_t used = 0;

	*info = (struct box_info){ .brief = s->rm };
	state_new_id(info->id);
	info->created = state_now();
	if (s->name)
		snprintf(info->name, sizeof(info->name), "%s", s->name);
	snprintf(info->image, sizeof(info->image), "%s", s->image);
	for (size_t i = 0; i < s->argv.n && used < sizeof(info->command); i++)
		used += (size_t)snprintf(info->command + used,
					 sizeof(info->command) - used, "%s%s",
					 i ? " " : "", s->argv.v[i]);
}

/* BOX[:ro|:rw] */
static int mounts_of(struct spec *s, char *what, struct err *e)
{
	char *mode = strchr(what, ':');
	struct box b = BOX_INIT;
	struct box_info info;
	struct spec other;
	int r;

	if (mode)
		*mode++ = '\0';
	if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return err_set(e, EINVAL, "'%s' is not ro or rw", mode);
	if (state_find(what, &info, e) < 0 || state_open(&b, info.id, e) < 0)
		return -e->code;
	r = box_load(&b, &other, e);
	if (r == 0)
		r = spec_mounts_from(&s->mounts, &other.mounts,
				     mode && strcmp(mode, "ro") == 0, e);
	spec_fini(&other);
	state_close(&b);
	return r;
}

int box_volumes_from(struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->volumes_from.n; i++) {
		autofree char *what = strdup(s->volumes_from.v[i]);

		if (!what)
			return err_set(e, ENOMEM, "out of memory");
		if (mounts_of(s, what, e) < 0)
			return err_wrap(e, "--volumes-from");
	}
	return 0;
}

/* The disk of an image by a name of the box's own, so that the box outlives
 * the image. Where that cannot be (--rm: another file system), the image's. */
static bool link_base(const struct box *b, const struct spec *s,
		      char path[PATH_MAX + 8])
{
	char dir[32];
	ssize_t n;

	if (!s->image_id || !s->image_path ||
	    linkat(AT_FDCWD, s->image_path, b->dir, "base", 0) < 0)
		return false;
	snprintf(dir, sizeof(dir), "/proc/self/fd/%d", b->dir);
	n = readlink(dir, path, PATH_MAX);
	if (n <= 0 || n == PATH_MAX)
		return false;
	memcpy(path + n, "/base", sizeof("/base"));
	return true;
}

static int write_config(const struct box *b, const struct spec *s,
			struct err *e)
{
	autofree char *text = NULL;
	struct spec whole = *s;
	char path[PATH_MAX + 8];
	json_t *o;

	/* It may be started from elsewhere. */
	if (link_base(b, s, path) ||
	    (!s->image_path && realpath(s->image, path)))
		whole.image_path = path;
	if (spec_copies_absolute(&whole.in, &s->in, e) < 0)
		return -e->code;
	if (spec_copies_absolute(&whole.out, &s->out, e) < 0) {
		spec_copies_fini(&whole.in);
		return -e->code;
	}
	o = spec_to_json(&whole);
	spec_copies_fini(&whole.in);
	spec_copies_fini(&whole.out);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	return state_put(b, CONFIG, text, e);
}

/* O_EXCL: what is there may be another box's. */
static int write_cidfile(const struct spec *s, const char *id, struct err *e)
{
	autoclose int fd = -1;
	int r;

	if (!s->cidfile)
		return 0;
	fd = open(s->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_sys(e, "--cidfile: %s", s->cidfile);
	r = fd_write_full(fd, id, strlen(id));
	return r < 0 ? err_set(e, -r, "--cidfile: %s: %s", s->cidfile,
			       strerror(-r))
		     : 0;
}

/* Now, so that they are listed, and are this box's. */
static int make_volumes(const struct spec *s, struct err *e)
{
	char name[VOLUME_NAME_MAX + 1];

	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];
		struct volume_conf conf = { .name = m->source,
					    .anonymous = m->anonymous };

		/* One of a brief box that has no name never gets one. */
		if (m->kind != MOUNT_VOLUME || (m->anonymous && s->rm))
			continue;
		if (volume_create(&conf, name, e) < 0)
			return -e->code;
	}
	return 0;
}

int box_make(struct box *b, struct box_info *info, const struct spec *s,
	     struct err *e)
{
	if (state_create(b, info, e) < 0)
		return -e->code;
	if (write_config(b, s, e) < 0 || write_cidfile(s, info->id, e) < 0) {
		state_remove(b);
		return -e->code;
	}
	return 0;
}

int box_create(const struct spec *s, struct box_info *info, struct err *e)
{
	autoclose int image =
		disk_open_image(s->image_path ? s->image_path : s->image, e);
	struct box b;

	if (image < 0)
		return image;
	box_describe(info, s);
	if (box_make(&b, info, s, e) < 0)
		return -e->code;
	if (make_volumes(s, e) < 0) {
		state_remove(&b);
		return -e->code;
	}
	state_close(&b);
	return 0;
}

int box_load(const struct box *b, struct spec *s, struct err *e)
{
	autofree char *text = state_slurp(b, CONFIG, CONFIG_MAX);
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;
	int r;

	spec_init(s);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, EINVAL, "box %.12s: " CONFIG " is %s", b->id,
			       text ? "damaged" : "missing");
	}
	r = spec_from_json(s, o, e);
	json_decref(o);
	return r < 0 ? err_wrap(e, "box %.12s", b->id) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* vial inspect: all there is to know about boxes, images and volumes. */
#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/imagejson.h"
#include "cli/look.h"
#include "cli/portrow.h"
#include "cli/volume.h"
#include "box/create.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct inspect {
	const char *format, *type;
	bool size;
};

static int set_type(void *what, const char *value, struct err *e)
{
	static const char *const types[] = { "container", "image", "volume" };
	struct inspect *in = what;

	if (strcmp(value, "box") == 0)
		value = types[0];
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(value, types[i]) == 0)
			in->type = types[i];
	return !*value || in->type
		     ? 0
		     : err_set(e, EINVAL,
			       "'%s' is not container, image or volume", value);
}

static const struct opt opts[] = {
	OPT_STR('f', "format", struct inspect, format, "TEMPLATE",
		"A Go template, or 'json'"),
	OPT_FLAG('s', "size", struct inspect, size, "And what its disk takes"),
	OPT_SET(0, "type", set_type, "TYPE",
		"Only a container (a box), an image or a volume"),
	OPT_END
};

static const char *path_of(int dir, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return path;
}

static void add_size(json_t *o, const struct box *b, const struct spec *s)
{
	const char *image = s->image_path ? s->image_path : s->image;
	struct stat disk = { 0 }, root = { 0 };

	if (fstatat(b->dir, "disk", &disk, 0) < 0)
		disk.st_blocks = 0;
	if (!image || stat(image, &root) < 0)
		root.st_blocks = 0;
	json_object_set_new(o, "SizeRw", json_integer(disk.st_blocks * 512));
	json_object_set_new(
		o, "SizeRootFs",
		json_integer((disk.st_blocks + root.st_blocks) * 512));
}

static json_t *look_box(const struct inspect *in, const char *what,
			struct err *e)
{
	char path[PATH_MAX];
	struct box_info info;
	struct spec s;
	struct netinfo net;
	struct box b;
	json_t *o;

	if (each_open(what, &info, &b, e) < 0)
		return NULL;
	portrow_read(&net, &info, &b);
	o = box_load(&b, &s, e) < 0 ? NULL
				    : boxjson(&info, &s, path_of(b.dir, path));
	if (o)
		boxjson_network(o, &s, &net);
	netinfo_fini(&net);
	if (!o && !e->code)
		err_set(e, ENOMEM, "out of memory");
	if (o && in->size)
		add_size(o, &b, &s);
	spec_fini(&s);
	state_close(&b);
	return o;
}

static bool wanted(const struct inspect *in, const char *type)
{
	return !in->type || strcmp(in->type, type) == 0;
}

/* In docker's order. What is there and cannot be shown is an error. */
static json_t *look(void *arg, const char *what, struct err *e)
{
	const struct inspect *in = arg;
	json_t *o = NULL;

	err_set(e, ENOENT, "none");
	if (wanted(in, "container"))
		o = look_box(in, what, e);
	if (!o && e->code == ENOENT && wanted(in, "image"))
		o = imagejson_find(what, e);
	/* What cannot be an image's name may be a volume's. */
	if (!o && (e->code == ENOENT || e->code == EINVAL) &&
	    wanted(in, "volume"))
		o = volume_json(what, e);
	if (!o && e->code == ENOENT)
		err_set(e, ENOENT, "No such %s: %s",
			in->type ? in->type : "object", what);
	return o;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	struct inspect in = { 0 };
	int status, first = look_parse(c, argc, argv, "a BOX", &in, &in.format,
				       &status);

	return first < 0 ? status
			 : look_run(argv + first, argc - first, in.format, look,
				    &in);
}

const struct cmd cmd_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] BOX...",
	.summary = "Show all there is to know about boxes, as JSON.",
	.more = "Where no box has the name, an image or a volume that does.\n",
	.opts = opts,
	.mixed = true,
	.example = "vial inspect -f '{{.State.Status}}' job\n",
	.run = inspect_main,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* vial inspect: all there is to know about boxes. */
#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/portrow.h"
#include "cli/tmpl.h"
#include "box/create.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct inspect {
	const char *format;
	bool size;
};

static int set_type(void *what, const char *value, struct err *e)
{
	(void)what;
	if (!*value || strcmp(value, "container") == 0 ||
	    strcmp(value, "box") == 0)
		return 0;
	return err_set(e, EINVAL, "'%s': there are only boxes (container)",
		       value);
}

static const struct opt opts[] = {
	OPT_STR('f', "format", struct inspect, format, "TEMPLATE",
		"A Go template, or 'json'"),
	OPT_FLAG('s', "size", struct inspect, size, "And what its disk takes"),
	OPT_SET(0, "type", set_type, "TYPE", "container, and nothing else"),
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

static json_t *look(const struct inspect *in, const char *what, struct err *e)
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

/* The first that fails says so; those that are there are shown. */
static int collect(const struct inspect *in, char **words, int n, json_t *all)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		json_t *o = look(in, words[i], &e);

		if (o)
			json_array_append_new(all, o);
		else if (e.code == ENOENT)
			fprintf(stderr, "Error: No such object: %s\n",
				words[i]);
		else
			cmd_error(&e);
		if (!o)
			status = CMD_ERROR;
	}
	return status;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	struct inspect in = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &in, &status);
	json_t *all;

	if (first < 0)
		return status;
	if (first == argc)
		err_set(&e, EINVAL, "'vial inspect' needs a BOX");
	else if (in.format)
		tmpl_free(tmpl_new(in.format, &e));
	if (e.code)
		return cmd_misused(c, &e);
	all = json_array();
	status = collect(&in, argv + first, argc - first, all);
	if (tmpl_print_all(in.format, all, &e) < 0)
		status = cmd_error(&e);
	json_decref(all);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

const struct cmd cmd_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] BOX...",
	.summary = "Show all there is to know about boxes, as JSON.",
	.opts = opts,
	.mixed = true,
	.example = "vial inspect -f '{{.State.Status}}' job\n",
	.run = inspect_main,
};

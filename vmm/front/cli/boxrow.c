/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/boxrow.h"

#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/portrow.h"
#include "box/boxnet.h"
#include "box/create.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct table_column boxrow_columns[] = {
	{ "ID", "CONTAINER ID" },
	{ "Image", "IMAGE" },
	{ "Command", "COMMAND" },
	{ "CreatedAt", "CREATED AT" },
	{ "RunningFor", "CREATED" },
	{ "Status", "STATUS" },
	{ "State", "STATE" },
	{ "Ports", "PORTS" },
	{ "Names", "NAMES" },
	{ "Labels", "LABELS" },
	{ "Mounts", "MOUNTS" },
	{ "LocalVolumes", "LOCAL VOLUMES" },
	{ "Networks", "NETWORKS" },
	{ "Size", "SIZE" },
	{ NULL, NULL },
};

static void put(json_t *row, const char *field, const char *text)
{
	json_object_set_new(row, field, json_string(text));
}

static void put_status(json_t *row, const struct box_info *b, int64_t now)
{
	struct human_state s = {
		.status = b->status,
		.health = *b->health ? b->health : NULL,
		.exit_code = b->exit_status,
		.started_ago = (now - b->started) / 1000,
		.finished_ago = (now - b->finished) / 1000,
	};
	char buf[HUMAN_MAX];

	put(row, "Status", human_status(&s, buf));
	put(row, "State", b->status);
}

static void put_command(json_t *row, const struct box_info *b, bool whole)
{
	autofree char *quoted = whole ? human_quote(b->command) : NULL;
	char buf[HUMAN_MAX];

	put(row, "Command", quoted ? quoted : human_command(b->command, buf));
}

static void put_info(json_t *row, const struct box_info *b, unsigned need)
{
	const char *slash = need & BOXROW_SHORT_IMAGE ? strrchr(b->image, '/')
						      : NULL;
	int64_t now = state_now();
	char buf[HUMAN_MAX];

	put(row, "ID", need & BOXROW_WHOLE ? b->id : human_id(b->id, buf));
	put(row, "Image", slash ? slash + 1 : b->image);
	put_command(row, b, need & BOXROW_WHOLE);
	put(row, "CreatedAt", human_time(b->created / 1000, buf));
	put(row, "RunningFor", human_ago((now - b->created) / 1000, buf));
	put_status(row, b, now);
	put(row, "Ports", "");
	put(row, "Names", b->name);
	for (const struct table_column *c = boxrow_columns; c->field; c++)
		if (!json_object_get(row, c->field))
			put(row, c->field, "");
}

/* "a=b,c=d" */
static void put_labels(struct boxrow *r)
{
	autofree char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	const char *key, *sep = "";
	json_t *v;

	if (!f)
		return;
	json_object_foreach(r->labels, key, v)
	{
		fprintf(f, "%s%s=%s", sep, key, json_string_value(v));
		sep = ",";
	}
	if (fclose(f) == 0)
		put(r->cells, "Labels", text);
}

bool boxrow_network(const struct boxrow *r, const struct filter *f)
{
	const char *s =
		json_string_value(json_object_get(r->cells, "Networks"));

	return filter_is(f, "network", s ? s : "");
}

static const char *source(const json_t *mount)
{
	return json_string_value(json_object_get(mount, "Source"));
}

static void put_mounts(struct boxrow *r, bool whole)
{
	autofree char *text = NULL;
	char buf[HUMAN_MAX];
	int volumes = 0;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);
	json_t *m;

	if (!f)
		return;
	json_array_foreach(r->mounts, i, m)
	{
		const char *s = source(m);

		fprintf(f, "%s%s", i ? "," : "",
			whole ? s : human_cut(s, 15, buf));
		volumes += json_object_get(m, "Name") != NULL;
	}
	if (fclose(f) == 0)
		put(r->cells, "Mounts", text);
	snprintf(buf, sizeof(buf), "%d", volumes);
	put(r->cells, "LocalVolumes", buf);
}

/* What is exposed is in the spec; without a network nobody can tell. */
static void put_ports(struct boxrow *r, const struct box *b,
		      const struct box_info *info)
{
	autofree char *text = NULL;
	struct err ignored;
	struct netinfo n;
	struct spec s;

	portrow_read(&n, info, b);
	if (n.prefix > 0) {
		if (box_load(b, &s, &ignored) == 0) {
			text = portrow_text(&n, &s);
			r->ports = portrow_ports(&n.ports, &s);
		}
		spec_fini(&s);
	}
	if (text)
		put(r->cells, "Ports", text);
	netinfo_fini(&n);
}

static int read_spec(struct boxrow *r, const struct box *b, bool whole)
{
	struct err ignored;
	struct spec s;

	if (box_load(b, &s, &ignored) == 0) {
		r->labels = boxjson_labels(&s.labels);
		r->mounts = boxjson_mounts(&s);
		put_labels(r);
		put_mounts(r, whole);
		put(r->cells, "Networks", boxnet_mode(&s));
	}
	spec_fini(&s);
	return r->labels ? 0 : -ENOENT;
}

/* What was written, and all that is seen. */
static void put_size(struct boxrow *r, const struct box *b,
		     const struct box_info *info)
{
	char own[HUMAN_MAX], all[HUMAN_MAX], buf[2 * HUMAN_MAX + 16];
	struct stat disk, image;
	uint64_t bytes = 0, seen;

	if (fstatat(b->dir, "disk", &disk, 0) == 0)
		bytes = (uint64_t)disk.st_blocks * 512;
	seen = bytes;
	if (stat(info->image, &image) == 0)
		seen += (uint64_t)image.st_blocks * 512;
	snprintf(buf, sizeof(buf), "%s (virtual %s)", human_size(bytes, 3, own),
		 human_size(seen, 3, all));
	put(r->cells, "Size", buf);
}

int boxrow_init(struct boxrow *r, const struct box_info *info, unsigned need)
{
	struct err ignored;
	struct box b;
	int n = 0;

	*r = (struct boxrow){ .cells = json_object() };
	put_info(r->cells, info, need);
	if (!(need & (BOXROW_SPEC | BOXROW_SIZE | BOXROW_PORTS)))
		return 0;
	if (state_open(&b, info->id, &ignored) < 0) {
		boxrow_fini(r);
		return -ENOENT;
	}
	if (need & BOXROW_SPEC)
		n = read_spec(r, &b, need & BOXROW_WHOLE);
	if (need & BOXROW_PORTS)
		put_ports(r, &b, info);
	if (need & BOXROW_SIZE)
		put_size(r, &b, info);
	state_close(&b);
	if (n < 0)
		boxrow_fini(r);
	return n;
}

void boxrow_fini(struct boxrow *r)
{
	json_decref(r->cells);
	json_decref(r->labels);
	json_decref(r->mounts);
	json_decref(r->ports);
	*r = (struct boxrow){ 0 };
}

/* "80/tcp" against "80", "80/tcp" and "70-90". */
static bool fits(const char *key, const char *want)
{
	char *proto, *end;
	unsigned long port = strtoul(key, &proto, 10);
	unsigned long first = strtoul(want, &end, 10), last = first;

	if (*end == '-')
		last = strtoul(end + 1, &end, 10);
	if (strcmp(proto, *end == '/' ? end : "/tcp") != 0)
		return false;
	return first <= port && port <= last;
}

bool boxrow_ports(const struct boxrow *r, const struct filter *f)
{
	const char *publish = filter_get(f, "publish"), *key;
	const char *expose = filter_get(f, "expose");
	bool published = !publish, exposed = !expose;
	json_t *v;

	json_object_foreach(r->ports, key, v)
	{
		if (publish && json_is_array(v) && fits(key, publish))
			published = true;
		if (expose && fits(key, expose))
			exposed = true;
	}
	return published && exposed;
}

bool boxrow_mounts(const struct boxrow *r, const struct filter *f)
{
	size_t i;
	json_t *m;

	if (!filter_has(f, "volume"))
		return true;
	json_array_foreach(r->mounts, i, m)
	{
		const char *at =
			json_string_value(json_object_get(m, "Destination"));

		if (filter_is(f, "volume", source(m)) ||
		    filter_is(f, "volume", at))
			return true;
	}
	return false;
}

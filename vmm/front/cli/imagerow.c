/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagerow.h"

#include "base/auto.h"
#include "cli/human.h"
#include "cli/when.h"
#include "image/ref.h"
#include "box/where.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NONE "<none>"

const struct table_column imagerow_columns[] = {
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "Digest", "DIGEST" },
	{ "ID", "IMAGE ID" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "Size", "SIZE" },
	{ "Containers", "CONTAINERS" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ "VirtualSize", "VIRTUAL SIZE" },
	{ NULL, NULL },
};

int imagerow_store(struct store *s, struct err *e)
{
	char path[PATH_MAX];
	int fd = where_data(path, e);

	if (fd < 0)
		return fd;
	close(fd);
	return store_open(s, path, e);
}

int64_t imagerow_time(const char *text)
{
	struct err ignored;
	int64_t ms;

	if (!text || when_parse(text, &ms, &ignored) < 0)
		return 0;
	return ms / 1000;
}

uint64_t imagerow_size(const struct image *img)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < img->manifest.nlayers; i++)
		sum += img->manifest.layers[i].size;
	return sum;
}

void imagerow_familiar(const char *name, char *out, size_t size)
{
	char plain[REF_TEXT_MAX];
	struct err ignored;
	struct ref r;

	if (ref_parse(name, &r, &ignored) < 0) {
		snprintf(out, size, "%s", name);
		return;
	}
	ref_print_familiar(&r, plain);
	snprintf(out, size, "%s%s%s%s%s", plain, *r.tag ? ":" : "", r.tag,
		 *r.digest.text ? "@" : "", r.digest.text);
}

static void set_names(struct imagerow *row)
{
	char plain[REF_TEXT_MAX];
	struct err ignored;
	struct ref r;

	snprintf(row->repo, sizeof(row->repo), NONE);
	snprintf(row->tag, sizeof(row->tag), NONE);
	if (!row->entry->name || ref_parse(row->entry->name, &r, &ignored) < 0)
		return;
	ref_print_familiar(&r, plain);
	snprintf(row->repo, sizeof(row->repo), "%s", plain);
	if (*r.tag)
		snprintf(row->tag, sizeof(row->tag), "%s", r.tag);
}

void imagerow_init(struct imagerow *r, struct store *s,
		   const struct catalog_entry *entry)
{
	struct err ignored;

	*r = (struct imagerow){ .entry = entry, .digest = entry->pulled };
	if (image_open_digest(s, &entry->desc.digest, &r->img, &ignored) == 0) {
		r->created = imagerow_time(r->img.config.created);
		r->size = imagerow_size(&r->img);
	}
	set_names(r);
}

void imagerow_fini(struct imagerow *r)
{
	image_fini(&r->img);
}

static void put(json_t *o, const char *field, const char *text)
{
	json_object_set_new(o, field, json_string(text));
}

json_t *imagerow_cells(const struct imagerow *r, bool whole)
{
	const char *id = r->entry->id.text;
	char buf[HUMAN_MAX];
	json_t *o = json_object();

	put(o, "Repository", r->repo);
	put(o, "Tag", r->tag);
	put(o, "Digest", *r->digest.text ? r->digest.text : NONE);
	put(o, "ID", whole ? id : human_id(id, buf));
	put(o, "CreatedSince",
	    r->created ? human_ago(time(NULL) - r->created, buf) : "N/A");
	put(o, "CreatedAt", r->created ? human_time(r->created, buf) : "N/A");
	put(o, "Size", human_size(r->size, 3, buf));
	put(o, "VirtualSize", buf);
	put(o, "Containers", "N/A");
	put(o, "SharedSize", "N/A");
	put(o, "UniqueSize", "N/A");
	return o;
}

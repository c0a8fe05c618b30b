/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagejson.h"

#include "cli/human.h"
#include "cli/imagerow.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Once: an image that was pulled by tag and by digest has both names. */
static void append(json_t *list, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		if (strcmp(json_string_value(v), text) == 0)
			return;
	}
	json_array_append_new(list, json_string(text));
}

static void add_name(json_t *tags, json_t *digests,
		     const struct catalog_entry *en)
{
	char shown[REF_TEXT_MAX], text[2 * REF_TEXT_MAX];
	struct err ignored;
	struct ref r;

	if (!en->name || ref_parse(en->name, &r, &ignored) < 0)
		return;
	ref_print_familiar(&r, shown);
	if (*r.tag) {
		snprintf(text, sizeof(text), "%s:%s", shown, r.tag);
		append(tags, text);
	}
	if (*en->pulled.text) {
		snprintf(text, sizeof(text), "%s@%s", shown, en->pulled.text);
		append(digests, text);
	}
}

/* Of the image's own, with what docker always has. */
static json_t *config(const struct config *c)
{
	static const char *const texts[] = { "Hostname", "Domainname", "User",
					     "Image", "WorkingDir" };
	static const char *const flags[] = { "AttachStdin",  "AttachStdout",
					     "AttachStderr", "Tty",
					     "OpenStdin",    "StdinOnce" };
	static const char *const others[] = { "Env",	 "Cmd",
					      "Volumes", "Entrypoint",
					      "OnBuild", "Labels" };
	json_t *own = json_object_get(c->json, "config");
	json_t *o = json_is_object(own) ? json_copy(own) : json_object();

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!json_is_string(json_object_get(o, texts[i])))
			json_object_set_new(o, texts[i], json_string(""));
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (!json_is_boolean(json_object_get(o, flags[i])))
			json_object_set_new(o, flags[i], json_false());
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!json_object_get(o, others[i]))
			json_object_set_new(o, others[i], json_null());
	return o;
}

static json_t *layers(const struct config *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->ndiff_ids; i++)
		json_array_append_new(a, json_string(c->diff_ids[i].text));
	return json_pack("{s:s, s:o}", "Type", "layers", "Layers", a);
}

static void add_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, json_string(text ? text : ""));
}

json_t *imagejson(const struct image *img, const struct catalog *c)
{
	const struct config *conf = &img->config;
	json_t *tags = json_array(), *digests = json_array();
	json_t *o = json_object();
	json_int_t size = (json_int_t)imagerow_size(img);
	int64_t added = 0;
	char buf[HUMAN_MAX];

	for (size_t i = 0; i < c->n; i++)
		if (digest_equal(&c->v[i].id, &img->id)) {
			add_name(tags, digests, &c->v[i]);
			added = c->v[i].added;
		}
	add_text(o, "Id", img->id.text);
	json_object_set_new(o, "RepoTags", tags);
	json_object_set_new(o, "RepoDigests", digests);
	add_text(o, "Parent", "");
	add_text(o, "Comment",
		 conf->nhistory ? conf->history[conf->nhistory - 1].comment
				: "");
	add_text(o, "Created", conf->created);
	add_text(o, "DockerVersion", "");
	add_text(o, "Author", conf->author);
	json_object_set_new(o, "Config", config(conf));
	add_text(o, "Architecture", conf->platform.arch);
	if (*conf->platform.variant)
		add_text(o, "Variant", conf->platform.variant);
	add_text(o, "Os", conf->platform.os);
	json_object_set_new(o, "Size", json_integer(size));
	json_object_set_new(o, "VirtualSize", json_integer(size));
	json_object_set_new(o, "RootFS", layers(conf));
	json_object_set_new(o, "Metadata",
			    json_pack("{s:s}", "LastTagTime",
				      human_rfc3339(added, 0, buf)));
	return o;
}

json_t *imagejson_find(const char *what, struct err *e)
{
	struct catalog c;
	struct image img;
	struct store s;
	json_t *o = NULL;

	if (imagerow_store(&s, e) < 0)
		return NULL;
	if (catalog_load(&s, &c, e) == 0) {
		if (image_open(&s, what, &img, e) == 0) {
			o = imagejson(&img, &c);
			image_fini(&img);
			if (!o)
				err_set(e, ENOMEM, "out of memory");
		}
		catalog_fini(&c);
	}
	store_close(&s);
	return o;
}

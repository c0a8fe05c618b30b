/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/tags.h"

#include "base/auto.h"
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A registry that always has another page. */
#define PAGES_MAX 500

/* ---- an answer ---- */

static bool is_tag(const struct ref *name, const char *tag)
{
	char whole[REF_TEXT_MAX + REF_TAG_MAX + 2], base[REF_TEXT_MAX];
	struct err ignored;
	struct ref r;

	if (strlen(tag) > REF_TAG_MAX)
		return false;
	ref_print_name(name, base);
	snprintf(whole, sizeof(whole), "%s:%s", base, tag);
	return ref_parse(whole, &r, &ignored) == 0 && !*r.digest.text &&
	       strcmp(r.tag, tag) == 0;
}

static int add(json_t *all, const struct ref *name, const char *const *tags,
	       size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_tag(name, tags[i]))
			return err_set(e, EPROTO,
				       "the registry lists what is no tag");
		if (json_array_size(all) == TAGS_MAX)
			return err_set(e, E2BIG, "more than %d tags", TAGS_MAX);
		if (json_array_append_new(all, json_string(tags[i])) < 0)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}

int tags_add(json_t *all, const struct ref *name, const char *text, size_t len,
	     struct err *e)
{
	json_t *o = doc_text(text, len, "the list of tags", e);
	autofree const char **tags = NULL;
	size_t n = 0;
	int r = o ? doc_strs(o, "tags", &tags, &n, e) : -e->code;

	if (r >= 0)
		r = add(all, name, tags, n, e);
	json_decref(o);
	return r < 0 ? r : 0;
}

/* <ADDRESS>; rel="next" */
const char *tags_next(char *link)
{
	char *end = *link == '<' ? strchr(link, '>') : NULL;
	char *path = link + 1, *slash;

	if (!end || !strstr(end, "rel=\"next\""))
		return NULL;
	*end = '\0';
	/* "https://HOST/PATH" or "//HOST/PATH" */
	slash = strchr(path, '/');
	if (slash && slash[1] == '/' && (slash == path || slash[-1] == ':'))
		path = strchr(slash + 2, '/');
	return path && *path == '/' ? path : NULL;
}

/* ---- the pages ---- */

/* where: "tags/list", or what a page said. */
static int get(struct registry *r, const char *where, struct http_text *t,
	       struct http_res *res, struct err *e)
{
	for (unsigned tries = 0;; tries++) {
		struct http_req req = { .body = http_to_text, .ctx = t };
		int n;

		t->len = 0;
		n = registry_ask(r, where, NULL, &req, res, e);
		if (n != -EAGAIN || tries + 1 == r->tries)
			return n;
		registry_wait(r, tries, res);
	}
}

/* 1: there is a next page, and where. */
static int turn(struct http_res *res, char *where, size_t size, struct err *e)
{
	const char *next = tags_next(res->link);

	if (!next)
		return 0;
	if (strcmp(next, where) == 0)
		return err_set(e, EPROTO, "a list of tags without an end");
	snprintf(where, size, "%s", next);
	return 1;
}

json_t *tags_list(struct registry *r, struct err *e)
{
	struct http_text t = { .max = DOC_TEXT_MAX };
	char where[sizeof(((struct http_res *)0)->link)] = "tags/list";
	json_t *all = json_array();
	struct http_res res;
	int n = all ? 0 : err_set(e, ENOMEM, "out of memory");

	for (int pages = 0; n == 0; pages++) {
		size_t before = json_array_size(all);

		n = get(r, where, &t, &res, e);
		if (n == 0 && t.len > 0)
			n = tags_add(all, &r->ref, t.data, t.len, e);
		if (n < 0 || json_array_size(all) == before)
			break;
		n = turn(&res, where, sizeof(where), e);
		if (n == 0)
			break;
		if (n > 0)
			n = pages < PAGES_MAX ? 0
					      : err_set(e, EPROTO,
							"a list of tags "
							"without an end");
	}
	free(t.data);
	if (n == 0 && json_array_size(all) == 0)
		n = err_set(e, ENOENT, "the registry has no tags of it");
	if (n == 0)
		return all;
	json_decref(all);
	return NULL;
}

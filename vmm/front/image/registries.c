/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries.h"

#include "base/auto.h"
#include "base/toml.h"
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HUB "docker.io"

void registries_fini(struct registries *r)
{
	json_decref(r->list);
	json_decref(r->aliases);
	json_decref(r->search);
	*r = (struct registries){ 0 };
}

/* ---- what a file says ---- */

/* A location or prefix: no scheme, no "/" behind it. */
static int clean(json_t *o, const char *name, struct err *e)
{
	const char *text = NULL;
	size_t len;
	int r = doc_str(o, name, &text, e);

	if (r <= 0)
		return r;
	if (strstr(text, "://"))
		return err_set(e, EINVAL, "%s \"%.80s\": without https://",
			       name, text);
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	if (text[len])
		json_object_set_new(o, name, json_stringn(text, len));
	return 1;
}

static const char *text_of(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool is_true(json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

static int check_mirror(json_t *o, struct err *e)
{
	static const char key[] = "pull-from-mirror";
	const char *when = "all";
	bool b;

	if (!json_is_object(o))
		return err_set(e, EINVAL, "a mirror is no table");
	if (clean(o, "location", e) < 0 || doc_bool(o, "insecure", &b, e) < 0 ||
	    doc_str(o, key, &when, e) < 0)
		return -e->code;
	if (!*text_of(o, "location"))
		return err_set(e, EINVAL, "a mirror has no location");
	if (strcmp(when, "all") != 0 && strcmp(when, "digest-only") != 0 &&
	    strcmp(when, "tag-only") != 0)
		return err_set(e, EINVAL, "%s is \"%.40s\"", key, when);
	return 0;
}

static int check_registry(json_t *o, struct err *e)
{
	static const char *const bools[] = { "insecure", "blocked",
					     "mirror-by-digest-only" };
	json_t *mirrors = NULL, *m;
	size_t i;
	bool b;

	if (!json_is_object(o))
		return err_set(e, EINVAL, "a registry is no table");
	for (i = 0; i < ARRAY_LEN(bools); i++)
		if (doc_bool(o, bools[i], &b, e) < 0)
			return -e->code;
	if (clean(o, "location", e) < 0 || clean(o, "prefix", e) < 0 ||
	    doc_array(o, "mirror", &mirrors, e) < 0)
		return -e->code;
	if (!*text_of(o, "prefix")) {
		if (!*text_of(o, "location"))
			return err_set(e, EINVAL,
				       "a registry has neither prefix nor "
				       "location");
		json_object_set(o, "prefix", json_object_get(o, "location"));
	} else if (!*text_of(o, "location") &&
		   strncmp(text_of(o, "prefix"), "*.", 2) != 0) {
		json_object_set(o, "location", json_object_get(o, "prefix"));
	}
	json_array_foreach(mirrors, i, m)
	{
		if (check_mirror(m, e) < 0)
			return err_wrap(e, "registry %.80s",
					text_of(o, "prefix"));
	}
	return 0;
}

static int check_search(json_t *list, struct err *e)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v) || !*json_string_value(v))
			return err_set(e, EINVAL,
				       "unqualified-search-registries is no "
				       "list of names");
	}
	return 0;
}

static int check_aliases(json_t *aliases, struct err *e)
{
	struct ref ignored = { 0 };
	const char *name;
	json_t *v;

	json_object_foreach(aliases, name, v)
	{
		const char *to = json_string_value(v);

		if (!to || (*to && ref_set_name(&ignored, to, e) < 0))
			return err_set(e, EINVAL,
				       "the alias \"%.80s\" leads to no image "
				       "with its registry",
				       name);
	}
	return 0;
}

static int add(struct registries *r, json_t *root, struct err *e)
{
	json_t *list = NULL, *aliases = NULL, *search = NULL, *o;
	size_t i;

	if (doc_array(root, "registry", &list, e) < 0 ||
	    doc_object(root, "aliases", &aliases, e) < 0 ||
	    doc_array(root, "unqualified-search-registries", &search, e) < 0 ||
	    check_search(search, e) < 0 || check_aliases(aliases, e) < 0)
		return -e->code;
	json_array_foreach(list, i, o)
	{
		if (check_registry(o, e) < 0)
			return -e->code;
		json_object_set(r->list, text_of(o, "prefix"), o);
	}
	if (aliases)
		json_object_update(r->aliases, aliases);
	if (search) {
		json_decref(r->search);
		r->search = json_incref(search);
	}
	return 0;
}

int registries_add(struct registries *r, const char *text, size_t len,
		   struct err *e)
{
	json_t *root = toml_parse(text, len, e);
	int n;

	if (!root)
		return -e->code;
	if (!r->list)
		r->list = json_object();
	if (!r->aliases)
		r->aliases = json_object();
	n = r->list && r->aliases ? add(r, root, e)
				  : err_set(e, ENOMEM, "out of memory");
	json_decref(root);
	return n;
}

/* ---- the registry of a name ---- */

/* How much of name prefix is about, 0: it is not. What follows a prefix is not
 * a part of a word of it: a port is one, a tag is none. */
static size_t covers(const char *prefix, const char *name)
{
	size_t host = strcspn(name, "/"), len = strlen(prefix);

	if (strncmp(prefix, "*.", 2) == 0) {
		bool fits = len - 1 < host && strncmp(name + host - (len - 1),
						      prefix + 1, len - 1) == 0;

		return fits ? host : 0;
	}
	if (strncmp(prefix, name, len) != 0)
		return 0;
	if (!name[len] || name[len] == '/' || name[len] == '@')
		return len;
	return name[len] == ':' && len > host ? len : 0;
}

/* The longest prefix says what holds; NULL: none does. */
static json_t *registry_of(const struct registries *r, const char *name,
			   size_t *matched)
{
	json_t *best = NULL, *o;
	size_t longest = 0;
	const char *prefix;

	json_object_foreach(r->list, prefix, o)
	{
		size_t n = covers(prefix, name), len = strlen(prefix);

		if (n == 0 || (best && len < longest))
			continue;
		longest = len;
		*matched = n;
		best = o;
	}
	return best;
}

static int blocked(const char *name, struct err *e)
{
	return err_set(e, EPERM, "%.*s is blocked by registries.conf",
		       (int)MIN(strcspn(name, "/"), 100u), name);
}

int registries_host(const struct registries *r, const char *host, struct err *e)
{
	size_t matched;
	json_t *o = registry_of(r, host, &matched);

	if (o && is_true(o, "blocked"))
		return blocked(host, e);
	return o && is_true(o, "insecure");
}

/* name, with location instead of what prefix covers. */
static int rewrite(struct registries_place *p, const struct ref *ref,
		   json_t *at, size_t matched, struct err *e)
{
	const char *location = text_of(at, "location");
	char name[REF_TEXT_MAX], out[2 * REF_TEXT_MAX];

	p->ref = *ref;
	p->insecure = is_true(at, "insecure");
	if (!*location)
		return 0;
	ref_print_name(ref, name);
	snprintf(out, sizeof(out), "%s%s", location,
		 name + MIN(matched, strlen(name)));
	if (ref_set_name(&p->ref, out, e) < 0)
		return err_wrap(e, "registries.conf");
	return 0;
}

static bool is_asked(json_t *registry, json_t *mirror, const struct ref *ref)
{
	bool digest = *ref->digest.text;
	const char *when = text_of(mirror, "pull-from-mirror");

	if (is_true(registry, "mirror-by-digest-only"))
		return digest;
	return strcmp(when, "digest-only") == 0 ? digest
	     : strcmp(when, "tag-only") == 0	? !digest
						: true;
}

int registries_find(const struct registries *r, const struct ref *ref,
		    struct registries_place out[REGISTRIES_PLACES_MAX],
		    struct err *e)
{
	char name[REF_TEXT_MAX];
	size_t matched = 0, i;
	json_t *o, *m;
	int n = 0;

	ref_print(ref, name);
	o = registry_of(r, name, &matched);
	if (!o) {
		out[0] = (struct registries_place){ .ref = *ref };
		return 1;
	}
	if (is_true(o, "blocked"))
		return blocked(name, e);
	json_array_foreach(json_object_get(o, "mirror"), i, m)
	{
		if (!is_asked(o, m, ref) || n == REGISTRIES_PLACES_MAX - 1)
			continue;
		if (rewrite(&out[n], ref, m, matched, e) < 0)
			return -e->code;
		out[n++].mirror = true;
	}
	if (rewrite(&out[n], ref, o, matched, e) < 0)
		return -e->code;
	out[n++].mirror = false;
	return n;
}

/* ---- short names ---- */

/* "debian" of "debian:12@sha256:...". */
static size_t name_len(const char *text)
{
	return strcspn(text, ":@");
}

static int joined(const char *first, const char *between, const char *text,
		  struct ref *out, struct err *e)
{
	char whole[2 * REF_TEXT_MAX];

	snprintf(whole, sizeof(whole), "%s%s%s", first, between, text);
	return ref_parse(whole, out, e);
}

int registries_names(const struct registries *r, const char *text,
		     struct ref out[REGISTRIES_NAMES_MAX], struct err *e)
{
	char name[REF_NAME_MAX + 1];
	const char *alias;
	json_t *v;
	size_t i;
	int n = 0;

	/* Judged as it is written, whatever it leads to. */
	if (ref_parse(text, &out[0], e) < 0)
		return -e->code;
	if (!ref_is_short(text) || name_len(text) > REF_NAME_MAX)
		return 1;
	snprintf(name, sizeof(name), "%.*s", (int)name_len(text), text);
	alias = json_string_value(json_object_get(r->aliases, name));
	if (alias && *alias)
		return joined(alias, "", text + strlen(name), &out[0], e) < 0
			     ? -e->code
			     : 1;
	json_array_foreach(r->search, i, v)
	{
		if (n == REGISTRIES_NAMES_MAX)
			break;
		if (joined(json_string_value(v), "/", text, &out[n], e) < 0)
			return err_wrap(e, "unqualified-search-registries");
		n++;
	}
	return MAX(n, 1);
}

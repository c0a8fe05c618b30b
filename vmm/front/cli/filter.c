/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

static bool one_of(const char *value, const char *list)
{
	size_t len = strlen(value);

	for (; *list; list += *list == '|') {
		size_t n = strcspn(list, "|");

		if (n == len && memcmp(list, value, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* " Status" is "status", as docker reads it. */
static const struct filter_key *find_key(const struct filter_key *known,
					 const char *s, size_t len)
{
	for (; len && isspace((unsigned char)*s); s++)
		len--;
	for (; len && isspace((unsigned char)s[len - 1]);)
		len--;
	for (; known->name; known++)
		if (strlen(known->name) == len &&
		    strncasecmp(known->name, s, len) == 0)
			return known;
	return NULL;
}

static bool is_number(const char *s)
{
	char *end;

	strtoll(s, &end, 10);
	return *s && !*end;
}

int filter_add(struct filter *f, const struct filter_key *known,
	       const char *text, struct err *e)
{
	const char *value = strchr(text, '=');
	const struct filter_key *key;

	if (!value)
		return err_set(e, EINVAL,
			       "bad format of filter '%.80s' "
			       "(expected name=value)",
			       text);
	key = find_key(known, text, (size_t)(value - text));
	if (!key)
		return err_set(e, EINVAL, "invalid filter '%.*s'",
			       (int)MIN(value - text, 80), text);
	value += 1 + strspn(value + 1, " \t");
	if ((key->values && !one_of(value, key->values)) ||
	    (key->number && !is_number(value)))
		return err_set(e, EINVAL, "invalid filter '%s=%.80s'",
			       key->name, value);
	if (f->count == FILTERS_MAX)
		return err_set(e, EINVAL, "more than %d filters", FILTERS_MAX);
	f->all[f->count].key = key;
	f->all[f->count++].value = value;
	return 0;
}

const char *filter_get(const struct filter *f, const char *key)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->all[i].key->name, key) == 0)
			return f->all[i].value;
	return NULL;
}

bool filter_has(const struct filter *f, const char *key)
{
	return filter_get(f, key) != NULL;
}

/* Whether match() says so of any of the key's values, or there is none. */
static bool any(const struct filter *f, const char *key,
		bool (*match)(const char *value, const void *arg),
		const void *arg)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->all[i].key->name, key) == 0 &&
		    match(f->all[i].value, arg))
			return true;
	return !filter_has(f, key);
}

static bool match_text(const char *value, const void *arg)
{
	return strcmp(value, arg) == 0;
}

bool filter_is(const struct filter *f, const char *key, const char *text)
{
	return any(f, key, match_text, text);
}

static bool match_begin(const char *value, const void *arg)
{
	return strncmp(arg, value, strlen(value)) == 0;
}

bool filter_begins(const struct filter *f, const char *key, const char *text)
{
	return any(f, key, match_begin, text);
}

static bool match_number(const char *value, const void *arg)
{
	return strtoll(value, NULL, 10) == *(const int64_t *)arg;
}

bool filter_number(const struct filter *f, const char *key, int64_t n)
{
	return any(f, key, match_number, &n);
}

/* docker's names begin with a slash, and patterns may ask for it. */
static bool match_name(const char *value, const void *arg)
{
	const char *name = arg;
	char with_slash[256];
	regex_t re;
	bool found;

	snprintf(with_slash, sizeof(with_slash), "/%s", name);
	if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
		return strstr(with_slash, value) != NULL;
	found = regexec(&re, name, 0, NULL, 0) == 0 ||
		regexec(&re, with_slash, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

bool filter_name(const struct filter *f, const char *name)
{
	return any(f, "name", match_name, name);
}

static bool has_label(json_t *labels, const char *value)
{
	size_t len = strcspn(value, "=");
	json_t *v = json_object_getn(labels, value, len);

	if (!v)
		return false;
	return !value[len] ||
	       (json_is_string(v) &&
		strcmp(json_string_value(v), value + len + 1) == 0);
}

bool filter_label(const struct filter *f, json_t *labels)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *key = f->all[i].key->name;

		if (strcmp(key, "label") == 0 &&
		    !has_label(labels, f->all[i].value))
			return false;
		if (strcmp(key, "label!") == 0 &&
		    has_label(labels, f->all[i].value))
			return false;
	}
	return true;
}

static bool match_image(const char *value, const void *arg)
{
	const char *image = arg, *slash = strrchr(image, '/'), *colon;
	size_t len = strlen(value);

	if (strcmp(value, image) == 0)
		return true;
	if (slash && strcmp(value, slash + 1) == 0)
		return true;
	colon = strrchr(slash ? slash : image, ':');
	return colon && len == (size_t)(colon - image) &&
	       memcmp(value, image, len) == 0;
}

bool filter_image(const struct filter *f, const char *key, const char *image)
{
	return any(f, key, match_image, image);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dockerfile.h"

#include "base/auto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- words ---- */

/* The next word of *at: blanks part words, quotes and backslashes keep them.
 * NULL: there is none. The caller frees it. */
static char *word(const char **at)
{
	const char *p = *at + strspn(*at, " \t");
	char *out = *p ? malloc(strlen(p) + 1) : NULL;
	char quote = 0;
	size_t n = 0;

	if (!out)
		return NULL;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '\\' && quote != '\'' && p[1])
			out[n++] = *++p;
		else if (quote && *p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else
			out[n++] = *p;
	}
	out[n] = '\0';
	*at = p;
	return out;
}

/* ["a", "b"]; NULL: it is none of that. */
static json_t *list_of(const char *text)
{
	json_t *a = *text == '[' ? json_loads(text, 0, NULL) : NULL, *v;
	size_t i;

	if (!json_is_array(a)) {
		json_decref(a);
		return NULL;
	}
	json_array_foreach(a, i, v)
	{
		if (!json_is_string(v)) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* An object of the configuration, made when it is missing. Borrowed. */
static json_t *object_of(json_t *config, const char *key)
{
	json_t *o = json_object_get(config, key);

	if (json_is_object(o))
		return o;
	json_object_set_new(config, key, json_object());
	return json_object_get(config, key);
}

/* ---- instructions ---- */

static int set_command(json_t *config, const char *key, const char *text,
		       struct err *e)
{
	json_t *a = list_of(text);

	(void)e;
	if (!a)
		a = json_pack("[s, s, s]", "/bin/sh", "-c", text);
	json_object_set_new(config, key, a);
	return 0;
}

static int set_text(json_t *config, const char *key, const char *text,
		    struct err *e)
{
	if (!*text)
		return err_set(e, EINVAL, "it needs a value");
	json_object_set_new(config, key, json_string(text));
	return 0;
}

static void put_env(json_t *config, const char *pair)
{
	json_t *a = json_object_get(config, "Env"), *v;
	size_t i, len = strcspn(pair, "=") + 1;

	if (!a) {
		json_object_set_new(config, "Env", json_array());
		a = json_object_get(config, "Env");
	}
	json_array_foreach(a, i, v)
	{
		if (strncmp(json_string_value(v), pair, len) == 0) {
			json_array_set_new(a, i, json_string(pair));
			return;
		}
	}
	json_array_append_new(a, json_string(pair));
}

static void put_pair(json_t *config, const char *key, char *pair)
{
	char *eq = strchr(pair, '=');

	if (strcmp(key, "Env") == 0) {
		put_env(config, pair);
		return;
	}
	if (!eq)
		return;
	*eq = '\0';
	json_object_set_new(object_of(config, key), pair, json_string(eq + 1));
}

/* "A=b C=d", and the old "A all of the rest". */
static int set_pairs(json_t *config, const char *key, const char *text,
		     struct err *e)
{
	autofree char *first = NULL;
	const char *at = text;

	first = word(&at);
	if (!first)
		return err_set(e, EINVAL, "it needs NAME=VALUE");
	if (!strchr(first, '=')) {
		char *pair;

		at += strspn(at, " \t");
		if (!*at || asprintf(&pair, "%s=%s", first, at) < 0)
			return err_set(e, EINVAL, "it needs NAME=VALUE");
		put_pair(config, key, pair);
		free(pair);
		return 0;
	}
	put_pair(config, key, first);
	for (;;) {
		autofree char *next = word(&at);

		if (!next)
			return 0;
		if (!strchr(next, '='))
			return err_set(e, EINVAL, "'%.60s' is not NAME=VALUE",
				       next);
		put_pair(config, key, next);
	}
}

static void put_key(json_t *config, const char *key, const char *name)
{
	json_t *o = object_of(config, key);
	char port[64];

	if (strcmp(key, "ExposedPorts") == 0 && !strchr(name, '/')) {
		snprintf(port, sizeof(port), "%.55s/tcp", name);
		name = port;
	}
	json_object_set_new(o, name, json_object());
}

/* "80 443/udp", ["/data"]. */
static int set_keys(json_t *config, const char *key, const char *text,
		    struct err *e)
{
	json_t *a = list_of(text), *v;
	const char *at = text;
	size_t i;

	if (!*text)
		return err_set(e, EINVAL, "it needs a value");
	json_array_foreach(a, i, v)
	{
		put_key(config, key, json_string_value(v));
	}
	while (!a) {
		autofree char *next = word(&at);

		if (!next)
			return 0;
		put_key(config, key, next);
	}
	json_decref(a);
	return 0;
}

static const struct instruction {
	const char *name, *key;
	int (*set)(json_t *config, const char *key, const char *text,
		   struct err *e);
} instructions[] = {
	{ "CMD", "Cmd", set_command },
	{ "ENTRYPOINT", "Entrypoint", set_command },
	{ "ENV", "Env", set_pairs },
	{ "LABEL", "Labels", set_pairs },
	{ "EXPOSE", "ExposedPorts", set_keys },
	{ "VOLUME", "Volumes", set_keys },
	{ "STOPSIGNAL", "StopSignal", set_text },
	{ "USER", "User", set_text },
	{ "WORKDIR", "WorkingDir", set_text },
};

int dockerfile_line(json_t *config, const char *line, struct err *e)
{
	const char *text = line + strspn(line, " \t");
	size_t len = strcspn(text, " \t");

	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		const struct instruction *in = &instructions[i];
		const char *rest = text + len + strspn(text + len, " \t");

		if (strlen(in->name) != len ||
		    strncasecmp(text, in->name, len) != 0)
			continue;
		if (in->set(config, in->key, rest, e) < 0)
			return err_wrap(e, "%s", in->name);
		return 0;
	}
	return err_set(e, EINVAL,
		       "'%.*s' is none of CMD, ENTRYPOINT, ENV, "
		       "EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR",
		       (int)MIN(len, 40u), text);
}

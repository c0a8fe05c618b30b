/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/rootdisk.h"

#include "base/auto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000
#define WHO "the image's configuration"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* ---- the command ---- */

/* docker's rule: --entrypoint, even an empty one, takes the image's entrypoint
 * and command away; words of the user's stand for the command. */
static int put_command(struct spec *s, const struct config *c, struct err *e)
{
	struct strv argv = { 0 };
	int r = 0;

	if (s->entrypoint)
		return 0;
	for (size_t i = 0; r == 0 && i < c->nentrypoint; i++)
		r = strv_add(&argv, c->entrypoint[i]);
	for (size_t i = 0; r == 0 && i < s->argv.n; i++)
		r = strv_add(&argv, s->argv.v[i]);
	if (s->argv.n == 0)
		for (size_t i = 0; r == 0 && i < c->ncmd; i++)
			r = strv_add(&argv, c->cmd[i]);
	if (r < 0) {
		strv_fini(&argv);
		return no_memory(e);
	}
	strv_fini(&s->argv);
	s->argv = argv;
	s->nentrypoint = (unsigned)c->nentrypoint;
	return 0;
}

/* ---- lists of NAME=VALUE ---- */

/* The user's entries, in v, go over the image's, in base. */
static int put_over(struct strv *v, struct strv *base, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->n; i++)
		r = strv_put_env(base, v->v[i]);
	if (r < 0) {
		strv_fini(base);
		return no_memory(e);
	}
	strv_fini(v);
	*v = *base;
	return 0;
}

static int put_env(struct spec *s, const struct config *c, struct err *e)
{
	struct strv base = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->nenv; i++)
		if (*c->env[i] && *c->env[i] != '=')
			r = strv_put_env(&base, c->env[i]);
	if (r == 0)
		return put_over(&s->env, &base, e);
	strv_fini(&base);
	return no_memory(e);
}

static int put_labels(struct spec *s, const struct config *c, struct err *e)
{
	struct strv base = { 0 };
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach(c->labels, name, value)
	{
		autofree char *text = NULL;

		if (r < 0 || !json_is_string(value))
			continue;
		if (asprintf(&text, "%s=%s", name, json_string_value(value)) <
		    0)
			text = NULL;
		r = text ? strv_put_env(&base, text) : -ENOMEM;
	}
	if (r == 0)
		return put_over(&s->labels, &base, e);
	strv_fini(&base);
	return no_memory(e);
}

/* ---- ports ---- */

static int put_exposed(struct spec *s, const struct config *c, struct err *e)
{
	const char *port;
	json_t *ignored;

	json_object_foreach(c->ports, port, ignored)
	{
		if (spec_ports_expose(&s->expose, port, e) < 0)
			return err_wrap(e, WHO ": port");
	}
	return 0;
}

/* ---- volumes ---- */

static bool has_mount(const struct spec_mounts *m, const char *target)
{
	size_t len = strlen(target);

	while (len > 1 && target[len - 1] == '/')
		len--;
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->v[i].target) == len &&
		    strncmp(m->v[i].target, target, len) == 0)
			return true;
	return false;
}

static int put_volumes(struct spec *s, const struct config *c, struct err *e)
{
	const char *at;
	json_t *ignored;

	json_object_foreach(c->volumes, at, ignored)
	{
		if (*at != '/' || strchr(at, ':'))
			return err_set(e, EINVAL,
				       WHO ": volume '%.100s': not an absolute "
					   "path",
				       at);
		if (!has_mount(&s->mounts, at) &&
		    spec_mounts_volume(&s->mounts, at, e) < 0)
			return err_wrap(e, WHO ": volume '%.100s'", at);
	}
	return 0;
}

/* ---- health ---- */

static char *quote_one(char *at, const char *word)
{
	*at++ = '\'';
	for (; *word; word++) {
		/* Out, one that is escaped, and in again. */
		if (*word == '\'') {
			*at++ = '\'';
			*at++ = '\\';
			*at++ = '\'';
		}
		*at++ = *word;
	}
	*at++ = '\'';
	return at;
}

/* Words for the guest's sh, each as it is. */
static char *quote_words(const char **words, size_t n)
{
	size_t room = 1;
	char *out, *at;

	for (size_t i = 0; i < n; i++)
		room += 4 * strlen(words[i]) + 3;
	out = malloc(room);
	if (!out)
		return NULL;
	at = out;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			*at++ = ' ';
		at = quote_one(at, words[i]);
	}
	*at = '\0';
	return out;
}

static void put_health_times(struct spec_health *h,
			     const struct config_health *c)
{
	if (c->interval_ns)
		h->interval_ms = MAX(c->interval_ns / NS_PER_MS, 1u);
	if (c->timeout_ns)
		h->timeout_ms = MAX(c->timeout_ns / NS_PER_MS, 1u);
	if (c->start_period_ns)
		h->start_period_ms = c->start_period_ns / NS_PER_MS;
	if (c->retries)
		h->retries = (unsigned)MIN(c->retries, (uint64_t)UINT32_MAX);
}

/* A check of the user's own stands for all of the image's. */
static int put_health(struct spec *s, const struct config *c, json_t *keep,
		      struct err *e)
{
	const struct config_health *h = &c->health;
	autofree char *cmd = NULL;
	json_t *text;

	if (s->health.none || s->health.cmd || h->ntest < 2)
		return 0;
	if (strcmp(h->test[0], "CMD-SHELL") == 0)
		cmd = strdup(h->test[1]);
	else if (strcmp(h->test[0], "CMD") == 0)
		cmd = quote_words(h->test + 1, h->ntest - 1);
	else
		return 0;
	text = cmd ? json_string(cmd) : NULL;
	if (!text || json_array_append_new(keep, text) < 0)
		return no_memory(e);
	s->health.cmd = json_string_value(text);
	put_health_times(&s->health, h);
	return 0;
}

/* ---- all of it ---- */

int rootdisk_config(struct spec *s, const struct config *c, struct err *e)
{
	json_t *keep = json_pack("[O]", c->json);

	if (!keep)
		return no_memory(e);
	json_decref(s->held);
	s->held = keep;
	if (put_command(s, c, e) < 0 || put_env(s, c, e) < 0 ||
	    put_labels(s, c, e) < 0 || put_volumes(s, c, e) < 0 ||
	    put_exposed(s, c, e) < 0 || put_health(s, c, keep, e) < 0)
		return -e->code;
	if (!s->user && c->user && *c->user)
		s->user = c->user;
	if (!s->cwd && c->cwd && *c->cwd)
		s->cwd = c->cwd;
	if (!s->stop_signal && c->stop_signal && *c->stop_signal &&
	    spec_stop_signal(s, c->stop_signal, e) < 0)
		return err_wrap(e, WHO ": StopSignal");
	return 0;
}

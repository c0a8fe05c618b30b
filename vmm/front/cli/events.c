/* SPDX-License-Identifier: Apache-2.0 */
/* vial events: what happens to boxes. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/tmpl.h"
#include "cli/when.h"
#include "box/events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct events {
	int64_t since, until;
	const char *format;
	struct filter filter;
	struct tmpl *line;
};

static const struct filter_key keys[] = {
	{ .name = "event" }, { .name = "container" }, { .name = "image" },
	{ .name = "type" },  { .name = "scope" },     { .name = NULL },
};

static int set_since(void *what, const char *text, struct err *e)
{
	return when_parse(text, &((struct events *)what)->since, e);
}

static int set_until(void *what, const char *text, struct err *e)
{
	return when_parse(text, &((struct events *)what)->until, e);
}

static int set_filter(void *what, const char *text, struct err *e)
{
	return filter_add(&((struct events *)what)->filter, keys, text, e);
}

static const struct opt opts[] = {
	OPT_SET(0, "since", set_since, "WHEN",
		"Also what has happened: 2026-11-21T10:00:00, 10m (ago)"),
	OPT_SET(0, "until", set_until, "WHEN", "And no longer than that"),
	OPT_LIST('f', "filter", set_filter, "FILTER",
		 "Only some: event=die, container=BOX, image="),
	OPT_STR(0, "format", struct events, format, "TEMPLATE",
		"'json', or a Go template"),
	OPT_END
};

static const char *get(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "health_status: healthy" is also found as "health_status". */
static bool is_action(const struct filter *f, const char *action)
{
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(action, ":"), action);
	return filter_is(f, "event", action) || filter_is(f, "event", word);
}

static bool wanted(const struct filter *f, json_t *o)
{
	json_t *a = json_object_get(json_object_get(o, "Actor"), "Attributes");

	return is_action(f, get(o, "Action")) &&
	       filter_is(f, "type", get(o, "Type")) &&
	       filter_is(f, "scope", get(o, "scope")) &&
	       filter_image(f, "image", get(o, "from")) &&
	       (filter_is(f, "container", get(a, "name")) ||
		filter_begins(f, "container", get(o, "id")));
}

/* "2026-11-21T15:04:05.000000006Z container die ID (exitCode=0, ...)" */
static void print_line(json_t *o)
{
	json_t *a = json_object_get(json_object_get(o, "Actor"), "Attributes");
	json_int_t ns = json_integer_value(json_object_get(o, "timeNano"));
	const char *key, *sep = "";
	char when[HUMAN_MAX];
	json_t *v;

	human_rfc3339(ns / 1000000000, (uint32_t)(ns % 1000000000), when);
	printf("%s %s %s %s (", when, get(o, "Type"), get(o, "Action"),
	       get(o, "id"));
	json_object_foreach(a, key, v)
	{
		printf("%s%s=%s", sep, key, json_string_value(v));
		sep = ", ";
	}
	printf(")\n");
}

static int show(void *arg, json_t *o, const char *line, struct err *e)
{
	const struct events *ev = arg;
	autofree char *text = NULL;

	if (!wanted(&ev->filter, o))
		return 0;
	if (!ev->format)
		print_line(o);
	else if (!ev->line)
		printf("%s\n", line);
	else if (tmpl_text(ev->line, o, &text, e) < 0)
		return -e->code;
	else
		printf("%s\n", text);
	return fflush(stdout) == 0 ? 0 : err_sys(e, "write");
}

static int events_main(const struct cmd *c, int argc, char **argv)
{
	struct events ev = { 0 };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &ev, &status);

	if (first < 0)
		return status;
	if (first < argc)
		err_set(&e, EINVAL, "'vial events' takes no words");
	else if (ev.format && strcmp(ev.format, "json") != 0)
		ev.line = tmpl_new(ev.format, &e);
	if (e.code)
		return cmd_misused(c, &e);
	/* A window that ends must have begun. */
	if (ev.until && !ev.since)
		ev.since = ev.until <= state_now() ? 1 : state_now();
	r = boxevents_read(&(struct boxevents_read){ .since_ms = ev.since,
						     .until_ms = ev.until,
						     .each = show,
						     .arg = &ev },
			   &e);
	tmpl_free(ev.line);
	return r < 0 && e.code != EPIPE ? cmd_error(&e) : 0;
}

const struct cmd cmd_events = {
	.name = "events",
	.usage = "[OPTIONS]",
	.summary = "Follow what happens to boxes.",
	.opts = opts,
	.example = "vial events --since 1h --filter event=die\n",
	.run = events_main,
};

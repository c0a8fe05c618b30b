/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include "spec/parse.h"
#include "box/state.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX 1e12

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Seconds east of Greenwich: "Z" or "+01:00". */
static int offset(const char *zone, int *east)
{
	int hours, minutes;

	*east = 0;
	if (strcmp(zone, "Z") == 0)
		return 0;
	if ((*zone != '+' && *zone != '-') || !digit(zone[1]) ||
	    !digit(zone[2]) || zone[3] != ':' || !digit(zone[4]) ||
	    !digit(zone[5]) || zone[6])
		return -EINVAL;
	hours = (zone[1] - '0') * 10 + zone[2] - '0';
	minutes = (zone[4] - '0') * 10 + zone[5] - '0';
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*east = (hours * 60 + minutes) * (*zone == '-' ? -60 : 60);
	return 0;
}

/* No zone: local time. */
static int to_ms(struct tm *tm, const char *zone, int fraction, int64_t *ms)
{
	int east = 0;
	time_t t;

	if (*zone && offset(zone, &east) < 0)
		return -EINVAL;
	tm->tm_isdst = -1;
	t = *zone ? timegm(tm) - east : mktime(tm);
	*ms = (int64_t)t * 1000 + fraction;
	return 0;
}

/* ".5" in milliseconds; returns what is behind it. */
static const char *fraction_of(const char *text, int *ms)
{
	int unit = 100;

	*ms = 0;
	if (*text != '.' || !digit(text[1]))
		return text;
	for (text++; digit(*text); text++, unit /= 10)
		*ms += unit * (*text - '0');
	return text;
}

static int date(const char *text, int64_t *ms)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
					     "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(text, forms[i], &tm);
		int fraction;

		if (!rest)
			continue;
		rest = fraction_of(rest, &fraction);
		if (to_ms(&tm, rest, fraction, ms) == 0)
			return 0;
	}
	return -EINVAL;
}

int when_parse(const char *text, int64_t *ms, struct err *e)
{
	uint64_t ago;
	char *end;
	double n = strtod(text, &end);

	if (date(text, ms) == 0)
		return 0;
	/* strtod() takes "inf" and others for numbers, too. */
	if (digit(*text) && !text[strspn(text, "0123456789.")] && !*end &&
	    n < SECONDS_MAX) {
		*ms = (int64_t)(n * 1000);
		return 0;
	}
	if (parse_duration(text, &ago, e) == 0) {
		*ms = state_now() - (int64_t)ago;
		return 0;
	}
	return err_set(e, EINVAL,
		       "'%s' is neither a time (2026-11-21T10:00:00) nor a "
		       "duration (10m)",
		       text);
}

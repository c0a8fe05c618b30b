/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include "run/parse.h"
#include "run/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "Z", "+01:00" or nothing, which is local time. */
static int to_ms(struct tm *tm, const char *zone, double fraction, int64_t *ms)
{
	int hours, minutes = 0;
	time_t t;

	if (!*zone) {
		tm->tm_isdst = -1;
		t = mktime(tm);
	} else {
		t = timegm(tm);
		if (strcmp(zone, "Z") != 0) {
			char *end;

			if (*zone != '+' && *zone != '-')
				return -EINVAL;
			hours = (int)strtol(zone + 1, &end, 10);
			if (*end == ':')
				minutes = (int)strtol(end + 1, &end, 10);
			if (*end)
				return -EINVAL;
			t += (*zone == '-' ? 1 : -1) *
			     (hours * 3600 + minutes * 60);
		}
	}
	*ms = (int64_t)t * 1000 + (int64_t)(fraction * 1000);
	return 0;
}

static int date(const char *text, int64_t *ms)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H",
					     "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(text, forms[i], &tm);
		double fraction = 0;
		char *end;

		if (!rest)
			continue;
		if (*rest == '.') {
			fraction = strtod(rest, &end);
			rest = end;
		}
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
	if (*text && !*end && n >= 0) {
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

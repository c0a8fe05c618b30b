/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/parse.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A decimal number without sign, exponent or hexadecimal. */
static const char *number(const char *s, double *out)
{
	char *end;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return NULL;
	if (strspn(s, "0123456789.") == 0)
		return NULL;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return NULL;
	*out = strtod(s, &end);
	/* "1e3" would have been read whole. */
	if (end == s || end != s + strspn(s, "0123456789."))
		return NULL;
	return end;
}

int parse_size(const char *s, uint64_t *bytes, struct err *e)
{
	static const char *const units = "bkmgt";
	const char *rest, *unit;
	double n;

	rest = number(s, &n);
	if (!rest)
		return err_set(e, EINVAL, "'%s' is not a size like 512m or 2g",
			       s);
	unit = *rest ? strchr(units, tolower((unsigned char)*rest)) : units;
	if (*rest)
		rest++;
	if (!unit || (*rest && strcasecmp(rest, "b") != 0 &&
		      strcasecmp(rest, "ib") != 0))
		return err_set(e, EINVAL,
			       "'%s': the unit must be b, k, m, g or t", s);
	n *= (double)(1ull << (10 * (unit - units)));
	if (n >= 0x1p62)
		return err_set(e, ERANGE, "'%s' is too large", s);
	*bytes = (uint64_t)n;
	return 0;
}

static const char *duration_unit(const char *s, double *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {
		/* "ms" before "m" */
		{ "ms", 1 },	 { "s", 1000 },	   { "m", 60e3 },
		{ "h", 3600e3 }, { "d", 86400e3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(s, units[i].name, len) == 0) {
			*ms = units[i].ms;
			return s + len;
		}
	}
	return NULL;
}

int parse_duration(const char *s, uint64_t *ms, struct err *e)
{
	const char *at = s;
	double sum = 0;

	do {
		double n, unit = 1000;
		const char *rest = number(at, &n);

		/* Only a lone number may go without a unit. */
		if (rest && (*rest || at != s))
			rest = duration_unit(rest, &unit);
		if (!rest)
			return err_set(e, EINVAL,
				       "'%s' is not a time like 90, 10s or "
				       "1h30m",
				       s);
		sum += n * unit;
		at = rest;
	} while (*at);
	if (sum > 0x1p50)
		return err_set(e, ERANGE, "'%s' is too long", s);
	*ms = (uint64_t)ceil(sum);
	return 0;
}

int parse_cpus(const char *s, unsigned *cpus, struct err *e)
{
	const char *rest;
	double n;

	rest = number(s, &n);
	if (!rest || *rest)
		return err_set(e, EINVAL, "'%s' is not a number of CPUs", s);
	if (n <= 0 || n > 32)
		return err_set(e, ERANGE,
			       "%s CPUs: must be more than 0 and at most 32",
			       s);
	*cpus = (unsigned)ceil(n);
	return 0;
}

static const char *const rlimit_names[] = {
	[0] = "cpu",	   [1] = "fsize", [2] = "data",	   [3] = "stack",
	[4] = "core",	   [5] = "rss",	  [6] = "nproc",   [7] = "nofile",
	[8] = "memlock",   [9] = "as",	  [10] = "locks",  [11] = "sigpending",
	[12] = "msgqueue", [13] = "nice", [14] = "rtprio", [15] = "rttime",
};

static const char *limit_value(const char *s, uint64_t *out)
{
	char *end;

	if (strncmp(s, "-1", 2) == 0) {
		*out = UINT64_MAX;
		return s + 2;
	}
	if (strncmp(s, "unlimited", 9) == 0) {
		*out = UINT64_MAX;
		return s + 9;
	}
	if (!isdigit((unsigned char)*s))
		return NULL;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return errno ? NULL : end;
}

int parse_ulimit(const char *s, struct rlimit_arg *out, struct err *e)
{
	size_t name = strcspn(s, "="), i;
	struct rlimit_arg r;
	const char *at;

	for (i = 0; i < ARRAY_LEN(rlimit_names); i++)
		if (strlen(rlimit_names[i]) == name &&
		    strncmp(rlimit_names[i], s, name) == 0)
			break;
	if (i == ARRAY_LEN(rlimit_names))
		return err_set(e, EINVAL,
			       "'%.*s' is no limit's name (nofile, "
			       "nproc, core, stack, ...)",
			       (int)name, s);
	r.resource = (uint32_t)i;
	at = s[name] == '=' ? limit_value(s + name + 1, &r.soft) : NULL;
	r.hard = at ? r.soft : 0;
	if (at && *at == ':')
		at = limit_value(at + 1, &r.hard);
	if (!at || *at)
		return err_set(e, EINVAL, "'%s' is not NAME=SOFT[:HARD]", s);
	if (r.soft > r.hard)
		return err_set(e, EINVAL,
			       "'%s': the soft limit is above the hard one", s);
	*out = r;
	return 0;
}

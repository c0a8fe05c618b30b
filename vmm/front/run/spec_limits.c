/* SPDX-License-Identifier: Apache-2.0 */
/* spec_limits.c - options that say what a box may take of the host. */
#include "run/cpuset.h"
#include "run/parse.h"
#include "run/spec.h"

#include <errno.h>
#include <stdlib.h>

#define RATE_MAX (1ull << 40)
#define MILLI_MIN 10

/* The guest has whole CPUs; a part of one is kept by the host. */
int spec_cpus(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	uint64_t milli;

	if (parse_cpus(text, &s->cpus, e) < 0)
		return -e->code;
	milli = (uint64_t)(strtod(text, NULL) * 1000 + 0.5);
	if (milli < MILLI_MIN)
		return err_set(e, ERANGE, "%s CPUs: must be at least 0.01",
			       text);
	s->limits.cpu_milli = milli < s->cpus * 1000ull ? milli : 0;
	return 0;
}

int spec_cpuset(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	cpu_set_t set;

	if (!*text) {
		s->limits.cpuset = NULL;
		return 0;
	}
	s->limits.cpuset = text;
	return cpuset_parse(text, &set, e);
}

static int rate(const char *text, uint64_t *out, struct err *e)
{
	uint64_t n;

	if (parse_size(text, &n, e) < 0)
		return -e->code;
	if (n > RATE_MAX)
		return err_set(e, ERANGE, "%s a second: more than 1t", text);
	*out = n;
	return 0;
}

int spec_disk_bps(void *spec, const char *text, struct err *e)
{
	return rate(text, &((struct spec *)spec)->limits.disk_bps, e);
}

int spec_console_bps(void *spec, const char *text, struct err *e)
{
	return rate(text, &((struct spec *)spec)->limits.console_bps, e);
}

int spec_disk_iops(void *spec, const char *text, struct err *e)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > RATE_MAX)
		return err_set(e, EINVAL, "'%s' is not a number of operations",
			       text);
	((struct spec *)spec)->limits.disk_iops = n;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - options that say what a box may take of the host. */
#include "spec/cpuset.h"
#include "spec/parse.h"
#include "spec/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX (1ull << 40)
#define MILLI_MIN 10
/* Microseconds, as the kernel has them. */
#define CPU_PERIOD_MIN 1000
#define CPU_PERIOD_MAX 1000000
#define CPU_PERIOD_DEFAULT 100000
#define DISK_MIN (1ull << 20)
#define DISK_MAX (16ull << 40)

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

static int microseconds(const char *text, uint64_t *out, struct err *e)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > CPU_PERIOD_MAX * 1000ull)
		return err_set(e, EINVAL,
			       "'%.32s' is not a number of microseconds", text);
	*out = n;
	return 0;
}

int spec_cpu_quota(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	/* docker's word for no limit. */
	if (strcmp(text, "-1") == 0)
		text = "0";
	if (microseconds(text, &s->cpu_quota_us, e) < 0)
		return -e->code;
	if (s->cpu_quota_us && s->cpu_quota_us < CPU_PERIOD_MIN)
		return err_set(e, ERANGE,
			       "CPU cfs quota can not be less than 1ms (1000)");
	return 0;
}

int spec_cpu_period(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (microseconds(text, &s->cpu_period_us, e) < 0)
		return -e->code;
	if (s->cpu_period_us && (s->cpu_period_us < CPU_PERIOD_MIN ||
				 s->cpu_period_us > CPU_PERIOD_MAX))
		return err_set(e, ERANGE,
			       "CPU cfs period can not be less than 1ms (1000) "
			       "or larger than 1s (1000000)");
	return 0;
}

int spec_cpu_share(struct spec *s, struct err *e)
{
	uint64_t period = s->cpu_period_us ? s->cpu_period_us
					   : CPU_PERIOD_DEFAULT;
	char text[32];

	if (s->cpus && (s->cpu_quota_us || s->cpu_period_us))
		return err_set(e, EINVAL,
			       "conflicting options: cannot specify both "
			       "--cpus and --cpu-%s",
			       s->cpu_quota_us ? "quota" : "period");
	if (!s->cpu_quota_us)
		return 0;
	snprintf(text, sizeof(text), "%.3f",
		 (double)s->cpu_quota_us / (double)period);
	return spec_cpus(s, text, e) < 0 ? err_wrap(e, "--cpu-quota") : 0;
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

int spec_net_rx_bps(void *spec, const char *text, struct err *e)
{
	return rate(text, &((struct spec *)spec)->limits.net_rx_bps, e);
}

int spec_net_tx_bps(void *spec, const char *text, struct err *e)
{
	return rate(text, &((struct spec *)spec)->limits.net_tx_bps, e);
}

/* "size=20g", in whole sectors. */
int spec_storage_opt(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	uint64_t size;

	if (strncmp(text, "size=", 5) != 0)
		return err_set(e, EINVAL, "'%.80s' is not size=SIZE", text);
	if (parse_size(text + 5, &size, e) < 0)
		return -e->code;
	if (size < DISK_MIN || size > DISK_MAX || size % 512)
		return err_set(e, ERANGE,
			       "%s: a disk has 1m to 16t, in whole sectors",
			       text + 5);
	s->limits.disk_bytes = size;
	return 0;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/cpuset.h"

#include <errno.h>
#include <stdio.h>

static const char *number(const char *s, unsigned *n)
{
	*n = 0;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		*n = *n * 10 + (unsigned)(*s - '0');
		if (*n >= CPU_SETSIZE)
			return NULL;
	}
	return s;
}

/* "3" or "3-5"; what is behind it, or NULL. */
static const char *range(const char *s, cpu_set_t *set)
{
	unsigned from, to;

	s = number(s, &from);
	to = from;
	if (s && *s == '-')
		s = number(s + 1, &to);
	if (!s || to < from)
		return NULL;
	for (unsigned i = from; i <= to; i++)
		CPU_SET(i, set);
	return s;
}

int cpuset_parse(const char *text, cpu_set_t *set, struct err *e)
{
	const char *s = text;

	CPU_ZERO(set);
	do {
		s = range(s, set);
	} while (s && *s == ',' && *++s);
	if (!s || *s || s == text || s[-1] == ',')
		return err_set(e, EINVAL,
			       "'%.60s' is not a list of CPUs like 0-3,6",
			       text);
	return 0;
}

char *cpuset_text(const cpu_set_t *set, char buf[CPUSET_TEXT_MAX])
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < CPU_SETSIZE && used < CPUSET_TEXT_MAX; i++) {
		int last = i;

		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		used += (size_t)snprintf(buf + used, CPUSET_TEXT_MAX - used,
					 last > i ? "%s%d-%d" : "%s%d",
					 used ? "," : "", i, last);
		i = last;
	}
	return buf;
}

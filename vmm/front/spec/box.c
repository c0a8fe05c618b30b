/* SPDX-License-Identifier: Apache-2.0 */
/* box.c - what a box is beyond its command: marks, rights, its end. */
#include "spec/spec.h"

#include "base/auto.h"
#include "base/fd.h"
#include "spec/signals.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_FILE_MAX (1u << 20)

static int add(struct strv *v, const char *text, struct err *e)
{
	return strv_add(v, text) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* NAME[=VALUE], the last one counts. */
static int put(struct strv *v, const char *text, struct err *e)
{
	autofree char *full = NULL;
	size_t name = strcspn(text, "=");

	if (name == 0)
		return err_set(e, EINVAL, "'%s' has no name before the '='",
			       text);
	if (asprintf(&full, "%s%s", text, text[name] ? "" : "=") < 0)
		full = NULL;
	if (!full || strv_put_env(v, full) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_label(void *spec, const char *text, struct err *e)
{
	return put(&((struct spec *)spec)->labels, text, e);
}

int spec_label_file(void *spec, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	char *next, *line;
	ssize_t len;

	if (fd < 0)
		return err_sys(e, "%s", path);
	len = fd_slurp(fd, &text, LABEL_FILE_MAX);
	if (len < 0)
		return err_set(e, (int)-len, "%s: %s", path,
			       strerror((int)-len));
	for (next = text; (line = strsep(&next, "\n")) != NULL;) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && spec_label(spec, line, e) < 0)
			return err_wrap(e, "%s", path);
	}
	return 0;
}

int spec_annotation(void *spec, const char *text, struct err *e)
{
	return put(&((struct spec *)spec)->annotations, text, e);
}

int spec_cap_add(void *spec, const char *text, struct err *e)
{
	return add(&((struct spec *)spec)->cap_add, text, e);
}

int spec_cap_drop(void *spec, const char *text, struct err *e)
{
	return add(&((struct spec *)spec)->cap_drop, text, e);
}

/* NAME:ADDRESS or NAME=ADDRESS; an IPv6 address may stand in brackets. */
int spec_host(void *spec, const char *text, struct err *e)
{
	size_t name = strcspn(text, ":="), len;
	const char *at = text + name + (text[name] != '\0');
	char address[INET6_ADDRSTRLEN] = "";
	unsigned char raw[sizeof(struct in6_addr)];
	char full[256];

	if (name == 0 || !text[name])
		return err_set(e, EINVAL, "'%s' is not NAME:ADDRESS", text);
	len = strlen(at);
	if (len > 1 && at[0] == '[' && at[len - 1] == ']') {
		at++;
		len -= 2;
	}
	if (len < sizeof(address))
		memcpy(address, at, len);
	if (inet_pton(AF_INET, address, raw) != 1 &&
	    inet_pton(AF_INET6, address, raw) != 1)
		return err_set(e, EINVAL, "'%s': '%s' is not an IP address",
			       text, at);
	if (snprintf(full, sizeof(full), "%.*s:%s", (int)name, text, address) >=
	    (int)sizeof(full))
		return err_set(e, ENAMETOOLONG, "'%.64s...': too long", text);
	return add(&((struct spec *)spec)->hosts, full, e);
}

int spec_sysctl(void *spec, const char *text, struct err *e)
{
	if (!strchr(text, '='))
		return err_set(e, EINVAL, "'%s' is not NAME=VALUE", text);
	return put(&((struct spec *)spec)->sysctls, text, e);
}

int spec_domainname(void *spec, const char *text, struct err *e)
{
	autofree char *full = NULL;

	if (asprintf(&full, "kernel.domainname=%s", text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return put(&((struct spec *)spec)->sysctls, full, e);
}

/* Profiles confine a process that shares a kernel with others; ours has one
 * of its own, so they change nothing. */
int spec_security(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (strcmp(text, "no-new-privileges") == 0 ||
	    strcmp(text, "no-new-privileges:true") == 0 ||
	    strcmp(text, "no-new-privileges=true") == 0)
		s->no_new_privs = true;
	else if (strcmp(text, "no-new-privileges:false") == 0 ||
		 strcmp(text, "no-new-privileges=false") == 0)
		s->no_new_privs = false;
	else if (strncmp(text, "seccomp", 7) != 0 &&
		 strncmp(text, "apparmor", 8) != 0 &&
		 strncmp(text, "label", 5) != 0 &&
		 strncmp(text, "systempaths", 11) != 0)
		return err_set(e, EINVAL, "'%s' is not known", text);
	return 0;
}

static int number(const char *text, uint64_t max, uint64_t *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (!*text || *end || errno || text[0] == '-' || *out > max)
		return err_set(e, EINVAL, "'%s' is not a number up to %llu",
			       text, (unsigned long long)max);
	return 0;
}

int spec_pids(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	s->pids_limit = 0;
	if (strcmp(text, "-1") == 0)
		return 0;
	return number(text, 1u << 22, &s->pids_limit, e);
}

int spec_platform(void *spec, const char *text, struct err *e)
{
	if (!*text)
		return err_set(e, EINVAL, "it is empty");
	((struct spec *)spec)->platform = text;
	return 0;
}

int spec_pull(void *spec, const char *text, struct err *e)
{
	if (strcmp(text, "always") != 0 && strcmp(text, "never") != 0 &&
	    strcmp(text, "missing") != 0)
		return err_set(e, EINVAL,
			       "'%.80s' is not always, missing or never", text);
	((struct spec *)spec)->pull = text;
	return 0;
}

int spec_stop_signal(void *spec, const char *text, struct err *e)
{
	if (signals_parse(text, e) < 0)
		return -e->code;
	((struct spec *)spec)->stop_signal = text;
	return 0;
}

/* "on-failure:3" says how often at most. */
int spec_restart(void *spec, const char *text, struct err *e)
{
	static const char *const known[] = { "", "no", "always",
					     "unless-stopped", "on-failure" };
	size_t len = strcspn(text, ":"), i = 0;
	const char *count = text[len] ? text + len + 1 : NULL;

	while (i < ARRAY_LEN(known) &&
	       (strlen(known[i]) != len || strncmp(text, known[i], len) != 0))
		i++;
	if (i == ARRAY_LEN(known))
		return err_set(e, EINVAL, "invalid restart policy '%.64s'",
			       text);
	if (count && (i != ARRAY_LEN(known) - 1 || !*count ||
		      count[strspn(count, "0123456789")] != '\0'))
		return err_set(e, EINVAL,
			       "invalid restart policy '%.64s': a number of "
			       "times is only for on-failure",
			       text);
	((struct spec *)spec)->restart = i < 2 ? NULL : text;
	return 0;
}

/* Also how long a time-out leaves between TERM and KILL. */
int spec_stop_timeout(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (parse_duration(text, &s->stop_timeout_ms, e) < 0)
		return -e->code;
	s->grace_ms = s->stop_timeout_ms;
	return 0;
}

int spec_attach(void *spec, const char *text, struct err *e)
{
	if (strcasecmp(text, "stdin") != 0 && strcasecmp(text, "stdout") != 0 &&
	    strcasecmp(text, "stderr") != 0)
		return err_set(e, EINVAL,
			       "'%s': valid streams are STDIN, STDOUT and "
			       "STDERR",
			       text);
	return add(&((struct spec *)spec)->attach, text, e);
}

int spec_log_driver(void *spec, const char *text, struct err *e)
{
	static const char *const names[] = { "local", "json-file", "journald",
					     "syslog" };
	const char *driver = strcmp(text, "none") == 0 ? "none" : NULL;

	/* Whatever it is called elsewhere, `vial logs` reads it here. */
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0)
			driver = "local";
	if (!driver)
		return err_set(e, EINVAL, "'%s' is not none or local", text);
	((struct spec *)spec)->log.driver = driver;
	return 0;
}

int spec_log_opt(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	uint64_t n;

	if (strncmp(text, "max-size=", 9) == 0) {
		if (parse_size(text + 9, &n, e) < 0)
			return -EINVAL;
		if (n < 4096)
			return err_set(e, ERANGE, "'%s': at least 4k", text);
		s->log.max_bytes = n;
		return 0;
	}
	if (strncmp(text, "max-file=", 9) == 0) {
		if (number(text + 9, 100, &n, e) < 0)
			return -EINVAL;
		if (n == 0)
			return err_set(e, ERANGE, "'%s': at least 1", text);
		s->log.files = (unsigned)n;
		return 0;
	}
	/* Others tune drivers that are not here. */
	return 0;
}

int spec_health_cmd(void *spec, const char *text, struct err *e)
{
	(void)e;
	((struct spec *)spec)->health.cmd = text;
	return 0;
}

int spec_health_interval(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (parse_duration(text, &s->health.interval_ms, e) < 0)
		return -e->code;
	if (s->health.interval_ms == 0)
		s->health.interval_ms = SPEC_HEALTH_MS;
	return 0;
}

int spec_health_timeout(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (parse_duration(text, &s->health.timeout_ms, e) < 0)
		return -e->code;
	if (s->health.timeout_ms == 0)
		s->health.timeout_ms = SPEC_HEALTH_MS;
	return 0;
}

int spec_health_start(void *spec, const char *text, struct err *e)
{
	return parse_duration(
		text, &((struct spec *)spec)->health.start_period_ms, e);
}

int spec_health_retries(void *spec, const char *text, struct err *e)
{
	uint64_t n;

	if (number(text, 1000, &n, e) < 0)
		return -e->code;
	((struct spec *)spec)->health.retries = n ? (unsigned)n : 3;
	return 0;
}

int spec_no_proxy(void *spec, const char *text, struct err *e)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(e, EINVAL, "'%s' is not true or false", text);
	((struct spec *)spec)->no_sig_proxy = strcmp(text, "false") == 0;
	return 0;
}

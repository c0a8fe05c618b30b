/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/forward.h"

#include "base/auto.h"
#include "spec/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SSH_VARIABLE "SSH_AUTH_SOCK="

static int take_path(char *out, const char *path, struct err *e)
{
	size_t len = strlen(path);

	if (len > SPEC_SOCKET_MAX)
		return err_set(e, ENAMETOOLONG,
			       "'%.40s...': the path of a socket has at most "
			       "%d bytes",
			       path, SPEC_SOCKET_MAX);
	memcpy(out, path, len + 1);
	return 0;
}

static int take_guest(struct spec_forward *f, const char *path, struct err *e)
{
	size_t len = strlen(path);

	if (path[0] != '/' || path[len - 1] == '/')
		return err_set(e, EINVAL,
			       "'%.120s' is not the absolute path of a socket "
			       "in the guest",
			       path);
	return take_path(f->guest, path, e);
}

static int take_host(struct spec_forward *f, const char *path, struct err *e)
{
	autofree char *whole = NULL;
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '.') || path[len - 1] == '/')
		return err_set(e, EINVAL,
			       "'%.120s': a socket of the host begins with "
			       "'/' or './'",
			       path);
	if (path[0] == '.' && path[1] == '/')
		path += 2;
	whole = spec_mounts_host_path(path);
	if (!whole)
		return err_set(e, ENOMEM, "out of memory");
	return take_path(f->host, whole, e);
}

int spec_forward_parse(const char *text, struct spec_forward *f, struct err *e)
{
	autofree char *copy = strdup(text);
	char *second, *third;

	*f = (struct spec_forward){ .ssh = false };
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	second = strchr(copy, ':');
	if (second)
		*second++ = '\0';
	third = second ? strchr(second, ':') : NULL;
	if (third)
		*third++ = '\0';
	if (strcmp(copy, "ssh") == 0 && !third) {
		f->ssh = true;
		return take_guest(f, second ? second : SPEC_FORWARD_SSH, e);
	}
	if (!third && second && strcmp(copy, "guest") != 0)
		return take_host(f, copy, e) < 0 ? -e->code
						 : take_guest(f, second, e);
	f->to_guest = third && strcmp(copy, "guest") == 0 &&
		      !strchr(third, ':');
	if (!f->to_guest)
		return err_set(e, EINVAL,
			       "'%.120s' is none of HOST:GUEST, "
			       "guest:GUEST:HOST and ssh[:GUEST]",
			       text);
	return take_guest(f, second, e) < 0 ? -e->code : take_host(f, third, e);
}

char *spec_forward_text(const struct spec_forward *f, char *text)
{
	if (f->to_guest)
		snprintf(text, SPEC_FORWARD_TEXT, "guest:%s:%s", f->guest,
			 f->host);
	else
		snprintf(text, SPEC_FORWARD_TEXT, "%s:%s",
			 f->ssh ? "ssh" : f->host, f->guest);
	return text;
}

bool spec_forward_same(const struct spec_forward *a,
		       const struct spec_forward *b)
{
	if (a->to_guest != b->to_guest)
		return false;
	return strcmp(a->to_guest ? a->host : a->guest,
		      a->to_guest ? b->host : b->guest) == 0;
}

/* Whoever has said where his agent is meant it. */
static int put_variable(struct spec *s, const char *path, struct err *e)
{
	char pair[sizeof(SSH_VARIABLE) + SPEC_SOCKET_MAX];

	for (size_t i = 0; i < s->env.n; i++)
		if (strncmp(s->env.v[i], SSH_VARIABLE,
			    sizeof(SSH_VARIABLE) - 1) == 0)
			return 0;
	snprintf(pair, sizeof(pair), SSH_VARIABLE "%s", path);
	if (strv_put_env(&s->env, pair) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_forward(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	struct spec_forward f, other;
	char whole[SPEC_FORWARD_TEXT];

	if (spec_forward_parse(text, &f, e) < 0)
		return -e->code;
	for (size_t i = 0; i < s->forwards.n; i++)
		if (spec_forward_parse(s->forwards.v[i], &other, e) < 0 ||
		    spec_forward_same(&f, &other))
			return err_set(e, EINVAL,
				       "'%.120s': %s is the target of another",
				       text, f.to_guest ? f.host : f.guest);
	if (s->forwards.n >= SPEC_FORWARDS_MAX)
		return err_set(e, E2BIG, "more than %d sockets",
			       SPEC_FORWARDS_MAX);
	if (f.ssh && put_variable(s, f.guest, e) < 0)
		return -e->code;
	if (strv_add(&s->forwards, spec_forward_text(&f, whole)) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

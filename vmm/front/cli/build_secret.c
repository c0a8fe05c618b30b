/* SPDX-License-Identifier: Apache-2.0 */
/* --secret: what RUN --mount=type=secret shows to one command and no image
 * keeps. It lies on the desk for the length of the build. */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As docker has it. */
#define SECRET_MAX (500u << 10)

struct secret {
	const char *id, *src, *env, *type;
};

/* id=NAME[,src=FILE][,env=NAME][,type=file|env]; points into text. */
static int parse(char *text, struct secret *s, struct err *e)
{
	const char **const at[] = { &s->id, &s->src, &s->src, &s->env,
				    &s->type };
	static const char *const keys[] = { "id", "src", "source", "env",
					    "type" };
	char *rest, *word = strtok_r(text, ",", &rest);

	*s = (struct secret){ .id = NULL };
	for (; word; word = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(word, '=');
		size_t i = 0;

		if (value)
			*value++ = '\0';
		while (i < ARRAY_LEN(keys) && strcmp(word, keys[i]) != 0)
			i++;
		if (!value || !*value || i == ARRAY_LEN(keys))
			return err_set(e, EINVAL,
				       "'%.60s' is not id=, src=, env= or "
				       "type=, with a value",
				       word);
		*at[i] = value;
	}
	if (!s->id)
		return err_set(e, EINVAL, "id= is missing");
	if (s->type && strcmp(s->type, "file") != 0 &&
	    strcmp(s->type, "env") != 0)
		return err_set(e, EINVAL, "type is file or env");
	return 0;
}

/* Where nothing is said the environment is looked into, then a file. */
static const char *value_of(const struct secret *s)
{
	if (s->type && strcmp(s->type, "file") == 0)
		return NULL;
	if (s->env || (s->type && s->src))
		return getenv(s->env ? s->env : s->src);
	return s->src ? NULL : getenv(s->id);
}

static ssize_t read_value(const struct secret *s, char **out, struct err *e)
{
	const char *path = s->src ? s->src : s->id, *value = value_of(s);
	autoclose int fd = -1;
	ssize_t n;

	if (value) {
		*out = strdup(value);
		return *out ? (ssize_t)strlen(value)
			    : err_set(e, ENOMEM, "out of memory");
	}
	if (s->env || (s->type && strcmp(s->type, "env") == 0))
		return err_set(e, ENOENT, "%.60s is not in the environment",
			       s->env ? s->env : path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = fd < 0 ? -errno : fd_slurp(fd, out, SECRET_MAX);
	return n < 0 ? err_set(e, (int)-n, "%.100s: %s", path,
			       n == -EFBIG ? "more than 500 kB"
					   : strerror((int)-n))
		     : n;
}

static int add_word(struct build_args *a, const char *id, const char *file,
		    struct err *e)
{
	char *word;
	int r;

	if (asprintf(&word, "--secret=id=%s,src=/in/%s", id, file) < 0)
		return err_set(e, ENOMEM, "out of memory");
	r = strv_add(&a->secret_words, word);
	free(word);
	return r < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* Its value, in a file of the desk. */
static int store(struct build_args *a, const struct secret *s, const char *name,
		 struct err *e)
{
	autofree char *bytes = NULL;
	autoclose int fd = -1;
	ssize_t n = read_value(s, &bytes, e);
	int r;

	if (n < 0)
		return (int)n;
	fd = openat(a->desk.dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	r = fd < 0 ? -errno : fd_write_full(fd, bytes, (size_t)n);
	if (bytes)
		explicit_bzero(bytes, (size_t)n);
	return r < 0 ? err_set(e, -r, "%s", strerror(-r)) : 0;
}

static int put_one(struct build_args *a, size_t i, struct err *e)
{
	autofree char *text = strdup(a->secrets.v[i]);
	struct secret s;
	char name[32];

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(name, sizeof(name), "secret-%zu", i);
	if (parse(text, &s, e) < 0 || store(a, &s, name, e) < 0)
		return -e->code;
	return add_word(a, s.id, name, e);
}

int build_secrets(struct build_args *a, struct err *e)
{
	for (size_t i = 0; i < a->secrets.n; i++)
		if (put_one(a, i, e) < 0)
			return err_wrap(e, "--secret");
	return 0;
}

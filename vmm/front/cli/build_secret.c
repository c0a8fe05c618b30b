/* SPDX-License-Identifier: Apache-2.0 */
/* --secret: what RUN --mount=type=secret shows to one command and no image
 * keeps. It goes to the box as an archive on its standard input, out of memory
 * that ends with us: a build that is killed leaves no file of it. */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

	if (asprintf(&word, "--secret=id=%s,src=" BUILD_SECRETS "/%s", id,
		     file) < 0)
		return err_set(e, ENOMEM, "out of memory");
	r = strv_add(&a->secret_words, word);
	free(word);
	return r < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int failed(struct archive *out, struct err *e)
{
	const char *why = archive_error_string(out);

	return err_set(e, EIO, "archive: %s", why ? why : "out of memory");
}

static int pack(struct archive *out, const char *name, const char *bytes,
		size_t n, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	if (!entry)
		return err_set(e, ENOMEM, "out of memory");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)n);
	if (archive_write_header(out, entry) < ARCHIVE_WARN ||
	    (n > 0 && archive_write_data(out, bytes, n) != (la_ssize_t)n))
		r = failed(out, e);
	archive_entry_free(entry);
	return r;
}

/* Its value, in a file of the archive. */
static int store(struct archive *out, const struct secret *s, const char *name,
		 struct err *e)
{
	autofree char *bytes = NULL;
	ssize_t n = read_value(s, &bytes, e);
	int r;

	if (n < 0)
		return (int)n;
	r = pack(out, name, bytes, (size_t)n, e);
	if (bytes)
		explicit_bzero(bytes, (size_t)n);
	return r;
}

static int put_one(struct build_args *a, struct archive *out, size_t i,
		   struct err *e)
{
	autofree char *text = strdup(a->secrets.v[i]);
	struct secret s;
	char name[32];

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(name, sizeof(name), "secret-%zu", i);
	if (parse(text, &s, e) < 0 || store(out, &s, name, e) < 0)
		return -e->code;
	return add_word(a, s.id, name, e);
}

static int put_all(struct build_args *a, struct archive *out, struct err *e)
{
	if (archive_write_set_format_ustar(out) < ARCHIVE_WARN ||
	    archive_write_open_fd(out, a->secrets_fd) < ARCHIVE_WARN)
		return failed(out, e);
	for (size_t i = 0; i < a->secrets.n; i++)
		if (put_one(a, out, i, e) < 0)
			return -e->code;
	if (archive_write_close(out) < ARCHIVE_WARN)
		return failed(out, e);
	return lseek(a->secrets_fd, 0, SEEK_SET) < 0 ? err_sys(e, "memory") : 0;
}

int build_secrets(struct build_args *a, struct err *e)
{
	struct archive *out;
	int r;

	if (a->secrets.n == 0)
		return 0;
	a->secrets_fd = memfd_create("secrets", MFD_CLOEXEC);
	if (a->secrets_fd < 0)
		return err_sys(e, "--secret: memory");
	out = archive_write_new();
	r = out ? put_all(a, out, e) : err_set(e, ENOMEM, "out of memory");
	archive_write_free(out);
	return r < 0 ? err_wrap(e, "--secret") : 0;
}

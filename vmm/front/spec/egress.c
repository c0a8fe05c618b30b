/* SPDX-License-Identifier: Apache-2.0 */
/* egress.c - options about what a guest may reach. */
#include "spec/spec.h"

#include "base/auto.h"
#include "base/fd.h"
#include "net/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX (1u << 20)
#define RECORD	 "egress.list"

/* Each word for itself; the whole is spec_egress_check()'s. */
static int take_words(struct spec *s, const char *text, struct err *e)
{
	char word[POLICY_NAME * 2];
	struct policy p;
	int r = 0;

	policy_init(&p);
	while (r == 0 && policy_word(&text, word)) {
		r = policy_add(&p, word, e);
		if (r == 0 && strv_add(&s->egress, word) < 0)
			r = err_set(e, ENOMEM, "out of memory");
	}
	policy_fini(&p);
	return r;
}

static int take_file(struct spec *s, const char *path, struct err *e)
{
	autofree char *text = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return err_sys(e, "'%s'", path);
	len = fd_slurp(fd, &text, LIST_MAX);
	if (len < 0)
		return err_set(e, (int)-len, "'%s': %s", path,
			       strerror((int)-len));
	if (take_words(s, text, e) < 0)
		return err_wrap(e, "'%s'", path);
	/* An empty file is a list without words, not the default. */
	if (s->egress.n == 0 && strv_add(&s->egress, "none") < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

/* The box may be started from elsewhere. */
static int take_path(struct strv *v, const char *path, struct err *e)
{
	char here[PATH_MAX], whole[2 * PATH_MAX];

	if (!*path || strlen(path) >= PATH_MAX)
		return err_set(e, EINVAL, "needs a file name");
	if (*path == '/')
		snprintf(whole, sizeof(whole), "%s", path);
	else if (getcwd(here, sizeof(here)))
		snprintf(whole, sizeof(whole), "%s/%s", here, path);
	else
		return err_sys(e, "the working directory");
	strv_fini(v);
	if (strv_add(v, whole) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_egress(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (strcmp(text, "record") == 0)
		return take_path(&s->egress_record, RECORD, e);
	if (strncmp(text, "record=", 7) == 0)
		return take_path(&s->egress_record, text + 7, e);
	if (*text == '@')
		return take_file(s, text + 1, e);
	if (!text[strspn(text, ", \t\r\n")])
		return err_set(e, EINVAL, "an empty list ('none' is nothing)");
	return take_words(s, text, e);
}

int spec_egress_log(void *spec, const char *path, struct err *e)
{
	return take_path(&((struct spec *)spec)->egress_log, path, e);
}

int spec_egress_check(const struct spec *s, struct err *e)
{
	bool wanted = s->egress.n || s->egress_log.n || s->egress_record.n;
	struct policy p;
	int r = 0;

	if (wanted && s->network && strcmp(s->network, "none") == 0)
		return err_set(e, EINVAL,
			       "there is nothing to allow or to log with "
			       "--network none");
	policy_init(&p);
	for (size_t i = 0; i < s->egress.n && r == 0; i++)
		r = policy_add(&p, s->egress.v[i], e);
	if (r == 0 && s->egress.n > 0)
		r = policy_end(&p, e);
	policy_fini(&p);
	return r;
}

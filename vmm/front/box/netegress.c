/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netegress.h"

#include "base/auto.h"
#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

bool netegress_wanted(const struct spec *s)
{
	return s->egress.n || s->egress_log.n || s->egress_record.n;
}

static int open_file(const struct strv *path, struct err *e)
{
	int fd;

	if (path->n == 0)
		return -1;
	fd = open(path->v[0],
		  O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC |
			  O_NOCTTY,
		  0666);
	return fd < 0 ? err_sys(e, "%s", path->v[0]) : fd;
}

static int open_files(struct netegress *n, const struct spec *s, struct err *e)
{
	n->log = open_file(&s->egress_log, e);
	if (s->egress_log.n && n->log < 0)
		return err_wrap(e, "--egress-log");
	n->record = open_file(&s->egress_record, e);
	if (s->egress_record.n && n->record < 0)
		return err_wrap(e, "--egress record");
	return 0;
}

/* A word, or several of them; what they say is judged by vial-netd. */
static int take_words(struct netegress *n, const json_t *v, struct err *e)
{
	size_t count = json_is_array(v) ? json_array_size(v) : 1;

	n->words = calloc(count + 1, sizeof(*n->words));
	if (!n->words)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const char *word = json_string_value(
			json_is_array(v) ? json_array_get(v, i) : v);

		if (!word)
			return err_set(e, EINVAL,
				       "vial.conf: [network] egress is not a "
				       "string or a list of them");
		n->words[n->nwords++] = (char *)(uintptr_t)word;
	}
	if (count == 0)
		n->words[n->nwords++] = (char *)(uintptr_t) "none";
	return 0;
}

int netegress_open(struct netegress *n, const struct spec *s, struct err *e)
{
	const json_t *v;

	*n = (struct netegress){ .log = -1, .record = -1 };
	if (open_files(n, s, e) < 0)
		return -e->code;
	/* What is recorded would otherwise be what is allowed already. */
	if (s->egress.n || s->egress_record.n)
		return 0;
	n->conf = settings_load(e);
	if (!n->conf)
		return -e->code;
	v = json_object_get(json_object_get(n->conf, "network"), "egress");
	return v ? take_words(n, v, e) : 0;
}

void netegress_close(struct netegress *n)
{
	if (n->log >= 0)
		close(take_fd(&n->log));
	if (n->record >= 0)
		close(take_fd(&n->record));
	free(n->words);
	n->words = NULL;
	json_decref(n->conf);
	n->conf = NULL;
}

void netegress_put(const struct netegress *n, const struct spec *s,
		   uint32_t log_fd, uint32_t record_fd, Vial__Net__Egress *m)
{
	vial__net__egress__init(m);
	m->rules = s->egress.n ? s->egress.v : n->words;
	m->n_rules = s->egress.n ? s->egress.n : n->nwords;
	m->log_fd = n->log >= 0 ? log_fd : 0;
	m->record_fd = n->record >= 0 ? record_fd : 0;
}

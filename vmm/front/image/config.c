/* SPDX-License-Identifier: Apache-2.0 */
#include "image/config.h"

#include "base/auto.h"
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HISTORY_MAX 4096

static int get_diff_ids(struct config *c, struct err *e)
{
	autofree const char **list = NULL;
	json_t *rootfs = NULL;
	const char *type = "";
	size_t n = 0;

	if (doc_object(c->json, "rootfs", &rootfs, e) < 0)
		return -e->code;
	if (!rootfs)
		return err_set(e, EBADMSG, "it has no rootfs");
	if (doc_str(rootfs, "type", &type, e) < 0 ||
	    doc_strs(rootfs, "diff_ids", &list, &n, e) < 0)
		return -e->code;
	if (strcmp(type, "layers") != 0)
		return err_set(e, EBADMSG,
			       "rootfs.type is '%.40s', not "
			       "'layers'",
			       type);
	if (n > MANIFEST_LAYERS_MAX)
		return err_set(e, EFBIG, "more than %d layers",
			       MANIFEST_LAYERS_MAX);
	c->diff_ids = calloc(n + 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (digest_parse(list[i], &c->diff_ids[i], e) < 0)
			return err_wrap(e, "diff_id %zu", i + 1);
	c->ndiff_ids = n;
	return 0;
}

static int get_history(struct config *c, struct err *e)
{
	json_t *list = NULL, *v;
	size_t i;
	int r = doc_array(c->json, "history", &list, e);

	if (r <= 0)
		return r;
	if (json_array_size(list) > HISTORY_MAX)
		return err_set(e, EFBIG, "more than %d lines of history",
			       HISTORY_MAX);
	c->history = calloc(json_array_size(list) + 1, sizeof(*c->history));
	if (!c->history)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach(list, i, v)
	{
		struct config_history *h = &c->history[i];

		if (!json_is_object(v))
			return err_set(e, EBADMSG, "history %zu: no object",
				       i + 1);
		if (doc_str(v, "created", &h->created, e) < 0 ||
		    doc_str(v, "created_by", &h->created_by, e) < 0 ||
		    doc_str(v, "comment", &h->comment, e) < 0 ||
		    doc_bool(v, "empty_layer", &h->empty, e) < 0)
			return err_wrap(e, "history %zu", i + 1);
		c->nhistory++;
	}
	return 0;
}

static int get_health(json_t *o, struct config_health *h, struct err *e)
{
	json_t *v = NULL;
	int r = doc_object(o, "Healthcheck", &v, e);

	if (r <= 0)
		return r;
	if (doc_strs(v, "Test", &h->test, &h->ntest, e) < 0 ||
	    doc_u64(v, "Interval", &h->interval_ns, e) < 0 ||
	    doc_u64(v, "Timeout", &h->timeout_ns, e) < 0 ||
	    doc_u64(v, "StartPeriod", &h->start_period_ns, e) < 0 ||
	    doc_u64(v, "Retries", &h->retries, e) < 0)
		return err_wrap(e, "Healthcheck");
	return 0;
}

static int get_run(struct config *c, struct err *e)
{
	json_t *o = NULL;
	int r = doc_object(c->json, "config", &o, e);

	if (r <= 0)
		return r;
	if (doc_str(o, "User", &c->user, e) < 0 ||
	    doc_str(o, "WorkingDir", &c->cwd, e) < 0 ||
	    doc_str(o, "StopSignal", &c->stop_signal, e) < 0 ||
	    doc_strs(o, "Entrypoint", &c->entrypoint, &c->nentrypoint, e) < 0 ||
	    doc_strs(o, "Cmd", &c->cmd, &c->ncmd, e) < 0 ||
	    doc_strs(o, "Env", &c->env, &c->nenv, e) < 0 ||
	    doc_object(o, "Labels", &c->labels, e) < 0 ||
	    doc_object(o, "Volumes", &c->volumes, e) < 0 ||
	    doc_object(o, "ExposedPorts", &c->ports, e) < 0 ||
	    get_health(o, &c->health, e) < 0)
		return err_wrap(e, "config");
	return 0;
}

static int get_all(struct config *c, struct err *e)
{
	struct platform *p = &c->platform;

	if (doc_copy(c->json, "os", p->os, sizeof(p->os), e) < 0 ||
	    doc_copy(c->json, "architecture", p->arch, sizeof(p->arch), e) <
		    0 ||
	    doc_copy(c->json, "variant", p->variant, sizeof(p->variant), e) <
		    0 ||
	    doc_str(c->json, "created", &c->created, e) < 0 ||
	    doc_str(c->json, "author", &c->author, e) < 0 ||
	    get_run(c, e) < 0 || get_diff_ids(c, e) < 0)
		return -e->code;
	return get_history(c, e);
}

int config_parse(const char *text, size_t len, struct config *c, struct err *e)
{
	int r;

	*c = (struct config){ 0 };
	c->json = doc_text(text, len, "the image's configuration", e);
	if (!c->json)
		return -e->code;
	r = get_all(c, e);
	if (r < 0) {
		config_fini(c);
		return err_wrap(e, "the image's configuration");
	}
	return 0;
}

void config_fini(struct config *c)
{
	free(c->entrypoint);
	free(c->cmd);
	free(c->env);
	free(c->health.test);
	free(c->diff_ids);
	free(c->history);
	json_decref(c->json);
	*c = (struct config){ 0 };
}

/* OCI image-spec config.md, "Layer ChainID". */
void config_chain(const struct config *c, size_t n, struct digest *out)
{
	char text[2 * DIGEST_MAX + 2];

	*out = (struct digest){ "" };
	for (size_t i = 0; i < n && i < c->ndiff_ids; i++) {
		if (i == 0) {
			*out = c->diff_ids[0];
			continue;
		}
		snprintf(text, sizeof(text), "%s %s", out->text,
			 c->diff_ids[i].text);
		digest_of(text, strlen(text), out);
	}
}

void config_now(char out[CONFIG_TIME])
{
	const char *env = getenv("SOURCE_DATE_EPOCH");
	time_t t = env && *env ? (time_t)strtoll(env, NULL, 10) : time(NULL);
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    strftime(out, CONFIG_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, CONFIG_TIME, "1970-01-01T00:00:00Z");
}

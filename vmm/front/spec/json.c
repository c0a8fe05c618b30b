/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/json.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

enum kind { STR, STRV, BOOL, UINT, U64, COPIES, RLIMITS, MOUNTS, PORTS };

struct field {
	const char *key;
	enum kind kind;
	size_t at;
};

#define F(key, kind, member)                                                   \
	{                                                                      \
		key, kind, offsetof(struct spec, member)                       \
	}

static const struct field fields[] = {
	F("image", STR, image),
	F("image_path", STR, image_path),
	F("image_id", STR, image_id),
	F("argv", STRV, argv),
	F("env", STRV, env),
	F("groups", STRV, groups),
	F("cwd", STR, cwd),
	F("user", STR, user),
	F("hostname", STR, hostname),
	F("name", STR, name),
	F("kernel", STR, kernel),
	F("entrypoint", STR, entrypoint),
	F("nentrypoint", UINT, nentrypoint),
	F("rlimits", RLIMITS, rlimits),
	F("copy_in", COPIES, in),
	F("copy_out", COPIES, out),
	F("mounts", MOUNTS, mounts),
	F("cpus", UINT, cpus),
	F("cpu_milli", U64, limits.cpu_milli),
	F("cpuset", STR, limits.cpuset),
	F("disk_bytes", U64, limits.disk_bytes),
	F("disk_bps", U64, limits.disk_bps),
	F("disk_iops", U64, limits.disk_iops),
	F("console_bps", U64, limits.console_bps),
	F("net_rx_bps", U64, limits.net_rx_bps),
	F("net_tx_bps", U64, limits.net_tx_bps),
	F("ram_bytes", U64, ram_bytes),
	F("shm_bytes", U64, shm_bytes),
	F("timeout_ms", U64, timeout_ms),
	F("grace_ms", U64, grace_ms),
	F("interactive", BOOL, interactive),
	F("tty", BOOL, tty),
	F("rm", BOOL, rm),
	F("debug", BOOL, debug),
	F("labels", STRV, labels),
	F("annotations", STRV, annotations),
	F("cap_add", STRV, cap_add),
	F("cap_drop", STRV, cap_drop),
	F("hosts", STRV, hosts),
	F("network", STR, network),
	F("ip", STR, ip),
	F("aliases", STRV, aliases),
	F("publish", PORTS, publish),
	F("expose", PORTS, expose),
	F("publish_all", BOOL, publish_all),
	F("egress", STRV, egress),
	F("egress_log", STRV, egress_log),
	F("egress_record", STRV, egress_record),
	F("forwards", STRV, forwards),
	F("dns", STRV, dns),
	F("dns_search", STRV, dns_search),
	F("dns_options", STRV, dns_options),
	F("sysctls", STRV, sysctls),
	F("privileged", BOOL, privileged),
	F("no_new_privs", BOOL, no_new_privs),
	F("read_only", BOOL, read_only),
	F("init", BOOL, init),
	F("pids_limit", U64, pids_limit),
	F("stop_signal", STR, stop_signal),
	F("stop_timeout_ms", U64, stop_timeout_ms),
	F("log_driver", STR, log.driver),
	F("log_max_bytes", U64, log.max_bytes),
	F("log_files", UINT, log.files),
	F("health_cmd", STR, health.cmd),
	F("health_interval_ms", U64, health.interval_ms),
	F("health_timeout_ms", U64, health.timeout_ms),
	F("health_start_period_ms", U64, health.start_period_ms),
	F("health_retries", UINT, health.retries),
	F("health_none", BOOL, health.none),
	F("detach_keys", STR, detach_keys),
	F("detach", BOOL, detach),
};

/* ---- text ---- */

json_t *spec_json_put(const char *text)
{
	json_t *v = json_string(text);

	if (v)
		return v;
	v = json_array();
	for (const char *p = text; *p; p++)
		if (json_array_append_new(v, json_integer((uint8_t)*p)) < 0) {
			json_decref(v);
			return NULL;
		}
	return v;
}

json_t *spec_json_get(const json_t *v)
{
	size_t n = json_array_size(v);
	autofree char *text = NULL;

	/* It does not change; only how many hold it. */
	if (json_is_string(v))
		return json_incref((json_t *)(uintptr_t)v);
	text = json_is_array(v) ? malloc(n + 1) : NULL;
	for (size_t i = 0; text && i < n; i++) {
		json_int_t c = json_integer_value(json_array_get(v, i));

		if (c < 1 || c > UINT8_MAX)
			return NULL;
		text[i] = (char)c;
	}
	return text ? json_stringn_nocheck(text, n) : NULL;
}

/* ---- out ---- */

static json_t *put_strv(const struct strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		if (json_array_append_new(a, spec_json_put(v->v[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static json_t *put_copies(const struct spec_copies *c)
{
	json_t *a = json_array();

	for (size_t i = 0; i < c->n; i++)
		if (json_array_append_new(
			    a, json_pack("[oo]", spec_json_put(c->v[i].host),
					 spec_json_put(c->v[i].guest))) < 0) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static json_t *put_rlimits(const struct spec *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->nrlimits; i++)
		json_array_append_new(
			a, json_pack("[iII]", (int)s->rlimits[i].resource,
				     (json_int_t)s->rlimits[i].soft,
				     (json_int_t)s->rlimits[i].hard));
	return a;
}

json_t *spec_json_ports(const struct spec_ports *p)
{
	json_t *a = json_array();
	char text[SPEC_PORT_TEXT];

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(
			a, json_string(spec_port_text(&p->v[i], text)));
	return a;
}

static json_t *put_field(const struct spec *s, const struct field *f)
{
	const void *at = (const char *)s + f->at;

	switch (f->kind) {
	case STR:
		return *(char *const *)at ? spec_json_put(*(char *const *)at)
					  : json_null();
	case STRV:
		return put_strv(at);
	case BOOL:
		return json_boolean(*(const bool *)at);
	case UINT:
		return json_integer(*(const unsigned *)at);
	case U64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case COPIES:
		return put_copies(at);
	case RLIMITS:
		return put_rlimits(s);
	case MOUNTS:
		return spec_mounts_to_json(at);
	case PORTS:
		return spec_json_ports(at);
	}
	return NULL;
}

json_t *spec_to_json(const struct spec *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (json_object_set_new(o, fields[i].key,
					put_field(s, &fields[i])) < 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}

/* ---- in ---- */

static int get_strv(struct strv *v, const json_t *a)
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(a) && r == 0; i++) {
		json_t *s = spec_json_get(json_array_get(a, i));

		r = s ? strv_add(v, json_string_value(s)) : -EINVAL;
		json_decref(s);
	}
	return r;
}

/* The text lives as long as what the spec holds. */
static int get_str(struct spec *s, const char *key, const char **out,
		   const json_t *v)
{
	json_t *text;

	*out = NULL;
	if (json_is_null(v))
		return 0;
	text = spec_json_get(v);
	*out = json_string_value(text);
	return text ? json_object_set_new(s->held, key, text) : -EINVAL;
}

static char *get_copy(const json_t *v)
{
	json_t *s = spec_json_get(v);
	char *copy = s ? strdup(json_string_value(s)) : NULL;

	json_decref(s);
	return copy;
}

static int get_copies(struct spec_copies *c, const json_t *a)
{
	size_t n = json_array_size(a);

	c->v = calloc(n + 1, sizeof(*c->v));
	for (size_t i = 0; c->v && i < n; i++) {
		const json_t *pair = json_array_get(a, i);

		c->v[i].host = get_copy(json_array_get(pair, 0));
		c->v[i].guest = get_copy(json_array_get(pair, 1));
		c->n = i + 1;
		if (!c->v[i].host || !c->v[i].guest)
			return -EINVAL;
	}
	return c->v ? 0 : -ENOMEM;
}

static int get_rlimits(struct spec *s, const json_t *a)
{
	size_t n = json_array_size(a);

	s->rlimits = calloc(n + 1, sizeof(*s->rlimits));
	for (size_t i = 0; s->rlimits && i < n; i++) {
		const json_t *r = json_array_get(a, i);

		s->rlimits[i].resource =
			(uint32_t)json_integer_value(json_array_get(r, 0));
		s->rlimits[i].soft =
			(uint64_t)json_integer_value(json_array_get(r, 1));
		s->rlimits[i].hard =
			(uint64_t)json_integer_value(json_array_get(r, 2));
		s->nrlimits = i + 1;
	}
	return s->rlimits ? 0 : -ENOMEM;
}

static int get_ports(struct spec_ports *p, const json_t *a)
{
	struct err ignored;
	json_t *v;
	size_t i;

	json_array_foreach(a, i, v)
	{
		if (!json_is_string(v) ||
		    spec_ports_add(p, json_string_value(v), &ignored) < 0)
			return -EINVAL;
	}
	return 0;
}

static int get_field(struct spec *s, const struct field *f, const json_t *v)
{
	void *at = (char *)s + f->at;

	switch (f->kind) {
	case STR:
		return get_str(s, f->key, at, v);
	case STRV:
		return get_strv(at, v);
	case BOOL:
		*(bool *)at = json_is_true(v);
		return 0;
	case UINT:
		*(unsigned *)at = (unsigned)json_integer_value(v);
		return 0;
	case U64:
		*(uint64_t *)at = (uint64_t)json_integer_value(v);
		return 0;
	case COPIES:
		return get_copies(at, v);
	case RLIMITS:
		return get_rlimits(s, v);
	case MOUNTS:
		return spec_mounts_from_json(at, v);
	case PORTS:
		return get_ports(at, v);
	}
	return -EINVAL;
}

int spec_from_json(struct spec *s, json_t *o, struct err *e)
{
	spec_init(s);
	s->held = json_incref(o);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const json_t *v = json_object_get(o, fields[i].key);

		if (v && get_field(s, &fields[i], v) < 0)
			return err_set(e, EINVAL, "%s makes no sense",
				       fields[i].key);
	}
	if (!s->image || s->argv.n == 0)
		return err_set(e, EINVAL, "image or argv is missing");
	return 0;
}

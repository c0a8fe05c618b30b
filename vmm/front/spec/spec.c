/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/spec.h"

#include "base/auto.h"
#include "base/fd.h"
#include "spec/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENV_FILE_MAX (1u << 20)
#define GRACE_DEFAULT_MS 10000

void spec_init(struct spec *s)
{
	*s = (struct spec){
		.ram_bytes = SPEC_RAM_DEFAULT,
		.grace_ms = GRACE_DEFAULT_MS,
		.stop_timeout_ms = GRACE_DEFAULT_MS,
		.log = { .max_bytes = SPEC_LOG_BYTES, .files = SPEC_LOG_FILES },
		.health = { .interval_ms = SPEC_HEALTH_MS,
			    .timeout_ms = SPEC_HEALTH_MS,
			    .retries = 3 },
	};
}

void spec_copies_fini(struct spec_copies *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].host);
		free(c->v[i].guest);
	}
	free(c->v);
	*c = (struct spec_copies){ 0 };
}

void spec_fini(struct spec *s)
{
	strv_fini(&s->argv);
	strv_fini(&s->env);
	strv_fini(&s->groups);
	strv_fini(&s->labels);
	strv_fini(&s->annotations);
	strv_fini(&s->cap_add);
	strv_fini(&s->cap_drop);
	strv_fini(&s->hosts);
	strv_fini(&s->dns);
	strv_fini(&s->aliases);
	strv_fini(&s->services);
	strv_fini(&s->egress);
	strv_fini(&s->egress_log);
	strv_fini(&s->egress_record);
	strv_fini(&s->forwards);
	spec_ports_fini(&s->publish);
	spec_ports_fini(&s->expose);
	strv_fini(&s->dns_search);
	strv_fini(&s->dns_options);
	strv_fini(&s->sysctls);
	strv_fini(&s->attach);
	json_decref(s->held);
	s->held = NULL;
	free(s->rlimits);
	spec_copies_fini(&s->in);
	spec_copies_fini(&s->out);
	spec_mounts_fini(&s->mounts);
	strv_fini(&s->volumes_from);
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* NAME=value as it is, NAME with the value it has here; one that is not set
 * here is left out. */
static int env_add(struct spec *s, const char *text, struct err *e)
{
	size_t name = strcspn(text, "=");
	autofree char *full = NULL;
	const char *value;

	if (name == 0)
		return err_set(e, EINVAL, "'%s' has no name before the '='",
			       text);
	if (text[name] == '=')
		return strv_put_env(&s->env, text) < 0 ? no_memory(e) : 0;
	value = getenv(text);
	if (!value)
		return 0;
	if (asprintf(&full, "%s=%s", text, value) < 0)
		full = NULL;
	if (!full || strv_put_env(&s->env, full) < 0)
		return no_memory(e);
	return 0;
}

int spec_env(void *spec, const char *text, struct err *e)
{
	return env_add(spec, text, e);
}

/* One NAME=value or NAME a line; empty lines and those that begin with '#'
 * do not count. Quotes are part of the value, as docker has it. */
int spec_env_file(void *spec, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	unsigned number = 0;
	char *next, *line;
	ssize_t len;

	if (fd < 0)
		return err_sys(e, "%s", path);
	len = fd_slurp(fd, &text, ENV_FILE_MAX);
	if (len < 0)
		return err_set(e, (int)-len, "%s: %s", path,
			       strerror((int)-len));
	if (strlen(text) != (size_t)len)
		return err_set(e, EINVAL, "%s: not a text file", path);
	for (next = text; (line = strsep(&next, "\n")) != NULL;) {
		size_t end = strlen(line);

		number++;
		if (end > 0 && line[end - 1] == '\r')
			line[end - 1] = '\0';
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		if (strcspn(line, " \t") < strcspn(line, "="))
			return err_set(e, EINVAL,
				       "%s:%u: a name cannot contain spaces",
				       path, number);
		if (env_add(spec, line, e) < 0)
			return err_wrap(e, "%s:%u", path, number);
	}
	return 0;
}

int spec_cwd(void *spec, const char *text, struct err *e)
{
	if (text[0] != '/')
		return err_set(e, EINVAL,
			       "the working directory '%s' is not an absolute "
			       "path",
			       text);
	((struct spec *)spec)->cwd = text;
	return 0;
}

int spec_user(void *spec, const char *text, struct err *e)
{
	if (!*text || text[0] == ':')
		return err_set(e, EINVAL, "'%s' is not USER[:GROUP]", text);
	((struct spec *)spec)->user = text;
	return 0;
}

int spec_group(void *spec, const char *text, struct err *e)
{
	if (!*text)
		return err_set(e, EINVAL, "the group has no name");
	if (strv_add(&((struct spec *)spec)->groups, text) < 0)
		return no_memory(e);
	return 0;
}

bool spec_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len < 2 || len > SPEC_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

int spec_name(void *spec, const char *text, struct err *e)
{
	if (!spec_name_valid(text))
		return err_set(e, EINVAL,
			       "Invalid box name (%s), only "
			       "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, 2 to %d "
			       "of them",
			       text, SPEC_NAME_MAX);
	((struct spec *)spec)->name = text;
	return 0;
}

int spec_hostname(void *spec, const char *text, struct err *e)
{
	size_t len = strlen(text);

	if (len == 0 || len > 63)
		return err_set(e, EINVAL,
			       "'%s': a host name has 1 to 63 characters",
			       text);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
			return err_set(e, EINVAL, "'%s' is not a host name",
				       text);
	((struct spec *)spec)->hostname = text;
	return 0;
}

int spec_memory(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	uint64_t bytes;

	if (parse_size(text, &bytes, e) < 0)
		return -EINVAL;
	if (bytes < SPEC_RAM_MIN || bytes > SPEC_RAM_MAX)
		return err_set(e, ERANGE, "%s: must be from 64m to 1t", text);
	/* Whole MiB, never less than asked for. */
	s->ram_bytes = (bytes + (1u << 20) - 1) & ~((1ull << 20) - 1);
	return 0;
}

int spec_shm(void *spec, const char *text, struct err *e)
{
	uint64_t bytes;

	if (parse_size(text, &bytes, e) < 0)
		return -EINVAL;
	if (bytes < 4096)
		return err_set(e, ERANGE, "%s: must be at least 4k", text);
	((struct spec *)spec)->shm_bytes = bytes;
	return 0;
}

int spec_timeout(void *spec, const char *text, struct err *e)
{
	return parse_duration(text, &((struct spec *)spec)->timeout_ms, e);
}

int spec_ulimit(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;
	struct rlimit_arg r, *v;

	if (parse_ulimit(text, &r, e) < 0)
		return -EINVAL;
	v = reallocarray(s->rlimits, s->nrlimits + 1, sizeof(*v));
	if (!v)
		return no_memory(e);
	s->rlimits = v;
	v[s->nrlimits++] = r;
	return 0;
}

static int copies_add(struct spec_copies *c, const char *host,
		      const char *guest, struct err *e)
{
	struct spec_copy *v = reallocarray(c->v, c->n + 1, sizeof(*v));
	size_t len = strlen(guest);

	if (!v)
		return no_memory(e);
	c->v = v;
	/* "/out/" and "/out" are the same place. */
	while (len > 1 && guest[len - 1] == '/')
		len--;
	v[c->n].host = strdup(host);
	v[c->n].guest = strndup(guest, len);
	c->n++;
	if (!v[c->n - 1].host || !v[c->n - 1].guest)
		return no_memory(e);
	return 0;
}

int spec_copies_absolute(struct spec_copies *out, const struct spec_copies *c,
			 struct err *e)
{
	*out = (struct spec_copies){ 0 };
	for (size_t i = 0; i < c->n; i++) {
		autofree char *host = spec_mounts_host_path(c->v[i].host);

		if (!host || copies_add(out, host, c->v[i].guest, e) < 0) {
			spec_copies_fini(out);
			return no_memory(e);
		}
	}
	return 0;
}

int spec_volume(void *spec, const char *text, struct err *e)
{
	return spec_mounts_volume(&((struct spec *)spec)->mounts, text, e);
}

int spec_mount(void *spec, const char *text, struct err *e)
{
	return spec_mounts_mount(&((struct spec *)spec)->mounts, text, e);
}

int spec_tmpfs(void *spec, const char *text, struct err *e)
{
	return spec_mounts_tmpfs(&((struct spec *)spec)->mounts, text, e);
}

int spec_volumes_from(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	return strv_add(&s->volumes_from, text) < 0 ? no_memory(e) : 0;
}

/* HOST:GUEST; a host's name has no colon, as with -v. */
int spec_copy_in(void *spec, const char *text, struct err *e)
{
	autofree char *copy = strdup(text);
	char *guest;

	if (!copy)
		return no_memory(e);
	guest = strchr(copy, ':');
	if (!guest || guest == copy)
		return err_set(e, EINVAL, "'%s' is not HOSTPATH:GUESTPATH",
			       text);
	*guest++ = '\0';
	if (guest[0] != '/')
		return err_set(e, EINVAL, "'%s': '%s' is not an absolute path",
			       text, guest);
	return copies_add(&((struct spec *)spec)->in, copy, guest, e);
}

int spec_artifact(void *spec, const char *text, struct err *e)
{
	autofree char *copy = strdup(text);
	char *host;

	if (!copy)
		return no_memory(e);
	host = strchr(copy, ':');
	if (host)
		*host++ = '\0';
	if (copy[0] != '/' || copy[strspn(copy, "/")] == '\0')
		return err_set(e, EINVAL,
			       "'%s': name a path of the guest, absolute and "
			       "not '/' itself",
			       text);
	if (host && !*host)
		return err_set(e, EINVAL, "'%s': no directory after the ':'",
			       text);
	return copies_add(&((struct spec *)spec)->out, host ? host : ".", copy,
			  e);
}

int spec_log_level(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	if (strcmp(text, "debug") == 0 || strcmp(text, "info") == 0)
		s->debug = true;
	else if (strcmp(text, "warn") == 0 || strcmp(text, "error") == 0)
		s->debug = false;
	else
		return err_set(e, EINVAL,
			       "'%s' is not error, warn, info or debug", text);
	return 0;
}

/* Two options of which one would have to be forgotten. */
static int contradiction(const struct spec *s, struct err *e)
{
	if (s->quiet && s->debug)
		return err_set(e, EINVAL,
			       "--quiet and --debug contradict each other");
	if (s->detach && s->attach.n > 0)
		return err_set(e, EINVAL,
			       "conflicting options: cannot specify both "
			       "--attach and --detach");
	if (s->detach && s->json)
		return err_set(e, EINVAL,
			       "conflicting options: --detach does not wait "
			       "for the result that --json writes");
	if (s->rm && s->restart)
		return err_set(e, EINVAL,
			       "conflicting options: cannot specify both "
			       "--restart and --rm");
	if (s->health.none && s->health.cmd)
		return err_set(e, EINVAL,
			       "--no-healthcheck conflicts with --health-* "
			       "options");
	return 0;
}

int spec_command(struct spec *s, int argc, char **argv, struct err *e)
{
	if (argc < 1)
		return err_set(e, EINVAL, "'vial run' needs an IMAGE");
	s->image = argv[0];
	/* `vial run IMAGE -- make test`: no program is called "--". */
	if (argc > 1 && strcmp(argv[1], "--") == 0) {
		argc--;
		argv++;
	}
	if (s->entrypoint && *s->entrypoint &&
	    strv_add(&s->argv, s->entrypoint) < 0)
		return no_memory(e);
	for (int i = 1; i < argc; i++)
		if (strv_add(&s->argv, argv[i]) < 0)
			return no_memory(e);
	/* Before anything is looked for, let alone pulled. */
	return spec_cpu_share(s, e) < 0 ? -e->code : contradiction(s, e);
}

int spec_check(const struct spec *s, struct err *e)
{
	struct keys keys;

	if (!*s->image)
		return err_set(e, EINVAL, "IMAGE is empty");
	if (s->argv.n == 0)
		return err_set(e, EINVAL, "no command specified");
	if (!*s->argv.v[0])
		return err_set(e, EINVAL, "the command's name is empty");
	if (keys_parse(&keys, s->detach_keys, e) < 0)
		return err_wrap(e, "--detach-keys");
	if (s->json && !*s->json)
		return err_set(e, EINVAL, "--json needs a file name");
	if (spec_egress_check(s, e) < 0)
		return err_wrap(e, "--egress");
	return contradiction(s, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/creds.h"

#include "base/auto.h"
#include "base/fd.h"
#include "fetch/creds_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define HUB "docker.io"
#define HUB_KEY "https://index.docker.io/v1/"
#define ANSWER_MAX (64u << 10)

void creds_fini(struct creds *c)
{
	free(c->user);
	if (c->password)
		explicit_bzero(c->password, strlen(c->password));
	free(c->password);
	free(c->refresh);
	*c = (struct creds){ 0 };
}

/* ---- base64, RFC 4648 ---- */

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *creds_basic(const struct creds *c)
{
	autofree char *text = NULL;
	const unsigned char *in;
	char *out, *p;
	int len = asprintf(&text, "%s:%s", c->user, c->password);

	if (len < 0)
		return NULL;
	in = (const unsigned char *)text;
	out = p = calloc(1, (size_t)len * 4 / 3 + 5);
	for (int i = 0; out && i < len; i += 3) {
		unsigned v = (unsigned)in[i] << 16;

		v |= i + 1 < len ? (unsigned)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? in[i + 2] : 0;
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*p++ = i + 2 < len ? digits[v & 63] : '=';
	}
	if (out)
		*p = '\0';
	return out;
}

/* Of text in base64; NULL: it is none. The caller frees it. */
static char *decode(const char *text)
{
	char *out = malloc(strlen(text) + 1), *p = out;
	unsigned v = 0, bits = 0;

	for (; out && *text && *text != '='; text++) {
		const char *d = strchr(digits, *text);

		if (!d) {
			free(out);
			return NULL;
		}
		v = v << 6 | (unsigned)(d - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*p++ = (char)(v >> bits & 255);
		}
	}
	if (out)
		*p = '\0';
	return out;
}

/* ---- helpers ---- */

static bool helper_ok(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	return *name && strlen(name) < 100;
}

static pid_t start_helper(const char *helper, const char *what, int in, int out)
{
	char program[130];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(program, sizeof(program), "docker-credential-%s", helper);
	dup2(in, 0);
	dup2(out, 1);
	execlp(program, program, what, (char *)NULL);
	_exit(127);
}

/* A helper that knows none fails, and that is no error. */
int creds_helper(const char *helper, const char *what, const char *input,
		 json_t **out)
{
	char answer[ANSWER_MAX] = "";
	int in[2] = { -1, -1 }, from[2] = { -1, -1 }, status = 1;
	ssize_t n = 0;
	pid_t pid = -1;

	if (!helper_ok(helper) || pipe2(in, O_CLOEXEC) < 0)
		return -EINVAL;
	if (pipe2(from, O_CLOEXEC) == 0)
		pid = start_helper(helper, what, in[0], from[1]);
	close(in[0]);
	auto_close_(&from[1]);
	/* One that ends without reading tells so by its status. */
	if (pid > 0)
		(void)fd_write_full(in[1], input, strlen(input));
	close(in[1]);
	if (pid > 0) {
		n = fd_read_full(from[0], answer, sizeof(answer) - 1);
		waitpid(pid, &status, 0);
	}
	auto_close_(&from[0]);
	if (status != 0)
		return -EIO;
	if (n > 0)
		*out = json_loadb(answer, (size_t)n, 0, NULL);
	explicit_bzero(answer, sizeof(answer));
	return 0;
}

const char *creds_server(const char *host)
{
	return strcmp(host, HUB) == 0 ? HUB_KEY : host;
}

const char *creds_helper_of(json_t *root, const char *host)
{
	json_t *all = json_object_get(root, "credHelpers");
	const char *helper = json_string_value(json_object_get(all, host));

	if (!helper)
		helper = json_string_value(
			json_object_get(all, creds_server(host)));
	if (!helper)
		helper = json_string_value(json_object_get(root, "credsStore"));
	return helper && *helper ? helper : NULL;
}

static char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && *s ? strdup(s) : NULL;
}

static bool from_helper(json_t *root, const char *host, struct creds *c)
{
	const char *helper = creds_helper_of(root, host);
	json_t *o = NULL;

	if (!helper || creds_helper(helper, "get", creds_server(host), &o) < 0)
		return false;
	c->user = text_of(o, "Username");
	c->password = text_of(o, "Secret");
	json_decref(o);
	if (c->user && strcmp(c->user, "<token>") == 0)
		c->refresh = take_ptr(&c->password);
	if (c->refresh || (c->user && c->password))
		return true;
	creds_fini(c);
	return false;
}

/* ---- files ---- */

static bool from_entry(json_t *o, struct creds *c)
{
	const char *auth = json_string_value(json_object_get(o, "auth"));
	autofree char *both = auth ? decode(auth) : NULL;
	char *colon = both ? strchr(both, ':') : NULL;

	c->refresh = text_of(o, "identitytoken");
	if (colon) {
		*colon = '\0';
		c->user = strdup(both);
		c->password = strdup(colon + 1);
	} else {
		c->user = text_of(o, "username");
		c->password = text_of(o, "password");
	}
	if (c->refresh || (c->user && c->password))
		return true;
	creds_fini(c);
	return false;
}

static json_t *entry_of(json_t *auths, const char *key)
{
	static const char *const forms[] = { "%s", "https://%s", "http://%s",
					     "https://%s/v1/",
					     "https://%s/v2/" };
	char text[600];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		json_t *o;

		snprintf(text, sizeof(text), forms[i], key);
		o = json_object_get(auths, text);
		if (json_is_object(o))
			return o;
	}
	return NULL;
}

bool creds_said(json_t *root, const char *name, struct creds *c)
{
	json_t *auths = json_object_get(root, "auths"), *o;
	autofree char *key = strdup(name);

	while (key && *key) {
		char *slash = strrchr(key, '/');

		o = entry_of(auths, key);
		if (o && from_entry(o, c))
			return true;
		if (!slash)
			break;
		*slash = '\0';
	}
	o = key && strcmp(key, HUB) == 0 ? json_object_get(auths, HUB_KEY)
					 : NULL;
	return o && from_entry(o, c);
}

int creds_load(const char *path, json_t **root, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			     ? 0
			     : err_sys(e, "open %s", path);
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n <= 0)
		return n < 0 ? err_set(e, (int)-n, "read %s", path) : 0;
	*root = json_loadb(text, (size_t)n, 0, NULL);
	explicit_bzero(text, (size_t)n);
	if (json_is_object(*root))
		return 1;
	json_decref(*root);
	*root = NULL;
	return err_set(e, EBADMSG, "%s is no JSON object", path);
}

/* 1: found. One that is not there is empty; one that is broken is said. */
static int from_file(const char *path, const char *name, struct creds *c,
		     struct err *e)
{
	char host[300];
	json_t *root = NULL;
	int r = creds_load(path, &root, e);
	bool found;

	if (r <= 0)
		return r;
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(name, "/"), name);
	found = from_helper(root, host, c) || creds_said(root, name, c);
	json_decref(root);
	return found;
}

int creds_find(const char *name, struct creds *c, struct err *e)
{
	static const struct {
		const char *variable, *below, *file;
	} places[] = {
		{ "REGISTRY_AUTH_FILE", "", "" },
		{ "XDG_RUNTIME_DIR", "", "/containers/auth.json" },
		{ "XDG_CONFIG_HOME", "", "/containers/auth.json" },
		{ "HOME", "/.config", "/containers/auth.json" },
		{ "DOCKER_CONFIG", "", "/config.json" },
		{ "HOME", "/.docker", "/config.json" },
	};

	*c = (struct creds){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *dir = getenv(places[i].variable);
		char path[PATH_MAX];
		int r;

		if (!dir || !*dir)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", dir, places[i].below,
			 places[i].file);
		r = from_file(path, name, c, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

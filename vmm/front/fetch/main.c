/* SPDX-License-Identifier: Apache-2.0 */
/* vial-fetch - talks to registries, for vial.
 *
 *     vial-fetch pull DATADIR PLATFORM all|name one|tags NAME
 *     vial-fetch push DATADIR all|none one|tags IMAGE
 *     vial-fetch login HOST USER        the password is on stdin
 *     vial-fetch logout HOST
 *
 * What people read goes to stdout; the reason of a failure to descriptor 3,
 * which vial reads, or to stderr when there is none. */
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/settings.h"
#include "fetch/login.h"
#include "fetch/pull.h"
#include "fetch/push.h"
#include "fetch/registry.h"
#include "image/doc.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REASON_FD 3

static int fail(const struct err *e, bool asked)
{
	if (!asked || fd_write_full(REASON_FD, e->msg, strlen(e->msg)) < 0)
		log_err("%s", e->msg);
	return 1;
}

static unsigned tries = REGISTRY_TRIES;

static int set_number(json_t *table, const char *key, unsigned max,
		      unsigned *out, struct err *e)
{
	uint64_t n = 0;
	int r = doc_u64(table, key, &n, e);

	if (r > 0 && (n == 0 || n > max))
		return err_set(e, EINVAL, "%s is %llu, not 1 to %u", key,
			       (unsigned long long)n, max);
	if (r > 0)
		*out = (unsigned)n;
	return r;
}

/* [registry] of vial.conf. */
static int set_up(struct err *e)
{
	json_t *all = settings_load(e), *mine = NULL;
	unsigned patience = 0;
	int r = all ? doc_object(all, "registry", &mine, e) : -e->code;

	if (r > 0 && (set_number(mine, "timeout", 3600, &patience, e) < 0 ||
		      set_number(mine, "tries", 100, &tries, e) < 0))
		r = err_wrap(e, "vial.conf: registry");
	if (patience)
		http_set_patience(patience);
	json_decref(all);
	return r < 0 ? r : 0;
}

static int pull(char **argv, struct err *e)
{
	struct pull p = { .datadir = argv[2],
			  .name = argv[6],
			  .tries = tries,
			  .all_tags = strcmp(argv[5], "tags") == 0,
			  .quiet = strcmp(argv[4], "name") == 0 };

	if (platform_parse(*argv[3] ? argv[3] : NULL, &p.platform, e) < 0)
		return -e->code;
	return pull_image(&p, e);
}

static int push(char **argv, struct err *e)
{
	const struct push p = { .datadir = argv[2],
				.quiet = strcmp(argv[3], "none") == 0,
				.all_tags = strcmp(argv[4], "tags") == 0,
				.tries = tries,
				.name = argv[5] };

	return push_image(&p, e);
}

/* As it is, but for one newline behind it. */
static int login(char **argv, struct err *e)
{
	char text[16 << 10];
	ssize_t n = fd_read_full(STDIN_FILENO, text, sizeof(text) - 1);
	int r;

	if (n < 0)
		return err_set(e, (int)-n, "read the password");
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	r = *text ? login_store(argv[2], argv[3], text, e)
		  : err_set(e, EINVAL, "the password is empty");
	explicit_bzero(text, sizeof(text));
	return r;
}

static int logout(char **argv, struct err *e)
{
	return login_erase(argv[2], e);
}

static const struct verb {
	const char *name;
	int argc;
	int (*run)(char **argv, struct err *e);
} verbs[] = {
	{ "pull", 7, pull },
	{ "push", 6, push },
	{ "login", 4, login },
	{ "logout", 3, logout },
};

static const struct verb *verb_of(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (argc == verbs[i].argc &&
		    strcmp(argv[1], verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct verb *v = verb_of(argc, argv);
	/* Before another file gets that number. */
	bool asked = fd_set_cloexec(REASON_FD, true) == 0;
	struct err e = { 0 };

	log_init("vial", LOG_WARN);
	/* Helpers for credentials may be gone before they have read. */
	signal(SIGPIPE, SIG_IGN);
	if (!v) {
		fprintf(stderr, "vial-fetch is started by vial: vial pull\n");
		return 125;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		err_set(&e, ENOMEM, "libcurl does not start");
	else if (set_up(&e) == 0 && v->run(argv, &e) == 0)
		return fflush(stdout) == 0 ? 0 : 1;
	return fail(&e, asked);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* vial login, logout: who the user is at a registry. */
#include "base/auto.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "image/ref.h"
#include "builder/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define HUB "docker.io"
#define PASSWORD_MAX 8192

struct login {
	const char *user, *password;
	bool from_stdin;
};

static const struct opt opts[] = {
	OPT_STR('p', "password", struct login, password, "TEXT",
		"Others see it in the list of processes"),
	OPT_FLAG(0, "password-stdin", struct login, from_stdin,
		 "Read the password from standard input"),
	OPT_STR('u', "username", struct login, user, "NAME", "The user"),
	OPT_END
};

/* "https://index.docker.io/v1/", "reg.example:5000": the host of it. */
static int host_of(const char *word, char *out, size_t size, struct err *e)
{
	char text[REF_NAME_MAX + 8];
	struct ref r;
	size_t len;

	if (!word || strstr(word, "index.docker.io")) {
		snprintf(out, size, HUB);
		return 0;
	}
	if (strncmp(word, "https://", 8) == 0)
		word += 8;
	else if (strncmp(word, "http://", 7) == 0)
		word += 7;
	len = strcspn(word, "/");
	snprintf(text, sizeof(text), "%.*s/x", (int)MIN(len, 250u), word);
	if (len > 250 || ref_parse(text, &r, e) < 0 || strcmp(r.path, "x") != 0)
		return err_set(e, EINVAL, "'%.60s' is no registry", word);
	snprintf(out, size, "%s", r.domain);
	return 0;
}

static bool read_line(char *out, size_t size)
{
	if (!fgets(out, (int)size, stdin))
		return false;
	out[strcspn(out, "\r\n")] = '\0';
	return *out != '\0';
}

static bool ask_password(char *out, size_t size)
{
	struct termios old, quiet;
	bool term = tcgetattr(STDIN_FILENO, &old) == 0, yes;

	fprintf(stderr, "Password: ");
	if (term) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	yes = read_line(out, size);
	if (term) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fprintf(stderr, "\n");
	}
	return yes;
}

static int from_stdin(char *out, size_t size, struct err *e)
{
	ssize_t n = fd_read_full(STDIN_FILENO, out, size - 1);

	if (n < 0)
		return err_set(e, (int)-n, "read the password");
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return *out ? 0 : err_set(e, EINVAL, "the password is empty");
}

/* Whatever was not said on the command line. */
static int complete(struct login *l, char *user, char *password, size_t size,
		    struct err *e)
{
	if (l->from_stdin) {
		l->password = password;
		return from_stdin(password, size, e);
	}
	if (!l->password && !isatty(STDIN_FILENO))
		return err_set(e, EINVAL,
			       "standard input is no terminal to ask at: "
			       "--password-stdin");
	if (!l->user) {
		fprintf(stderr, "Username: ");
		if (!read_line(user, size))
			return err_set(e, EINVAL, "the user name is missing");
		l->user = user;
	}
	if (!l->password) {
		if (!ask_password(password, size))
			return err_set(e, EINVAL, "the password is missing");
		l->password = password;
	}
	return 0;
}

static int check(const struct login *l, int words, struct err *e)
{
	if (words > 1)
		return err_set(e, EINVAL, "'vial login' takes one REGISTRY");
	if (l->from_stdin && l->password)
		return err_set(e, EINVAL,
			       "--password and --password-stdin "
			       "are mutually exclusive");
	if (l->from_stdin && !l->user)
		return err_set(e, EINVAL,
			       "Must provide --username with "
			       "--password-stdin");
	return 0;
}

static int login_main(const struct cmd *c, int argc, char **argv)
{
	char user[256], password[PASSWORD_MAX], host[REF_NAME_MAX + 1];
	struct login l = { 0 };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &l, &status);

	if (first < 0)
		return status;
	if (check(&l, argc - first, &e) < 0 ||
	    host_of(argv[first], host, sizeof(host), &e) < 0)
		return cmd_misused(c, &e);
	if (l.password)
		fprintf(stderr, "WARNING! Using --password via the CLI is "
				"insecure. Use --password-stdin.\n");
	r = complete(&l, user, password, sizeof(password), &e);
	if (r == 0)
		r = fetch_login(host, l.user, l.password, &e);
	explicit_bzero(password, sizeof(password));
	if (r < 0)
		return cmd_error(&e);
	printf("Login Succeeded\n");
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_login = {
	.name = "login",
	.usage = "[OPTIONS] [REGISTRY]",
	.summary = "Log in to a registry.",
	.opts = opts,
	.mixed = true,
	.example = "vial login -u me --password-stdin registry.example "
		   "<token\n",
	.run = login_main,
};

static const struct opt no_opts[] = { OPT_END };

static int logout_main(const struct cmd *c, int argc, char **argv)
{
	char host[REF_NAME_MAX + 1];
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first > 1)
		err_set(&e, EINVAL, "'vial logout' takes one REGISTRY");
	else
		host_of(argv[first], host, sizeof(host), &e);
	if (e.code)
		return cmd_misused(c, &e);
	printf("Removing login credentials for %s\n", host);
	return fetch_logout(host, &e) < 0 ? cmd_error(&e) : 0;
}

const struct cmd cmd_logout = {
	.name = "logout",
	.usage = "[REGISTRY]",
	.summary = "Forget who the user is at a registry.",
	.opts = no_opts,
	.example = "vial logout registry.example\n",
	.run = logout_main,
};

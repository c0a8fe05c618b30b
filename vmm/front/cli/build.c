/* SPDX-License-Identifier: Apache-2.0 */
/* vial build: a Dockerfile becomes an image, inside a VM.
 *
 * THEORY OF OPERATION
 *
 * The Dockerfile is handed to buildah, in a box of the image vial/buildah that
 * lives for this one build:
 *
 *     context      a share, read-only          /context
 *     desk         a share, read-only          /in: Dockerfile, images/
 *     secrets      by standard input           /secrets, in memory
 *     stdout       an archive of the result    a file of ours without a name
 *     stderr       what buildah says           the user's
 *
 * Images that the Dockerfile begins with come out of the store, which pulls
 * them first when they are missing; the box sees these and no others, and has
 * no network unless one is asked for. What comes out is loaded as any archive
 * of a stranger's is. buildah's storage is a volume, where the next build of
 * the folder finds the steps that have not changed (build_cache.c). */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/disk.h"
#include "cli/cmd.h"
#include "image/platform.h"
#include "image/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(struct strv *v, const char *value, struct err *e)
{
	return strv_add(v, value) < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int set_tag(void *what, const char *value, struct err *e)
{
	struct ref ref;

	if (ref_parse(value, &ref, e) < 0)
		return -e->code;
	if (*ref.digest.text)
		return err_set(e, EINVAL, "a digest cannot be given");
	return add(&((struct build_args *)what)->tags, value, e);
}

/* Without a value it is the environment's. */
static int set_arg(void *what, const char *value, struct err *e)
{
	struct build_args *a = what;
	const char *env = strchr(value, '=') ? NULL : getenv(value);
	autofree char *pair = NULL;

	if (strchr(value, '='))
		return add(&a->args, value, e);
	if (!env)
		return 0;
	if (asprintf(&pair, "%s=%s", value, env) < 0)
		pair = NULL;
	return pair ? add(&a->args, pair, e)
		    : err_set(e, ENOMEM, "out of memory");
}

static int set_label(void *what, const char *value, struct err *e)
{
	return add(&((struct build_args *)what)->labels, value, e);
}

static int set_secret(void *what, const char *value, struct err *e)
{
	return add(&((struct build_args *)what)->secrets, value, e);
}

static const struct opt opts[] = {
	OPT_LIST(0, "build-arg", set_arg, "NAME[=VALUE]",
		 "A value for ARG; without one the environment's"),
	OPT_STR(0, "egress", struct build_args, egress, "LIST",
		"What RUN may reach, as 'vial run --egress' has it"),
	OPT_STR('f', "file", struct build_args, file, "FILE",
		"The Dockerfile; else PATH/Dockerfile. '-': standard input"),
	OPT_STR(0, "iidfile", struct build_args, iidfile, "FILE",
		"Write the image's ID there"),
	OPT_LIST(0, "label", set_label, "NAME=VALUE", "Something to say of it"),
	OPT_STR('m', "memory", struct build_args, memory, "BYTES",
		"Of the machine that builds (2g)"),
	OPT_STR(0, "network", struct build_args, network, "MODE",
		"What RUN can reach, as 'vial run --network' has it (none)"),
	OPT_FLAG(0, "no-cache", struct build_args, no_cache,
		 "Begin anew, and leave nothing for the next one"),
	OPT_STR(0, "platform", struct build_args, platform, "OS/ARCH",
		"This host's, or nothing"),
	OPT_FLAG(0, "pull", struct build_args, pull,
		 "Ask registries for newer ones of the images it begins with"),
	OPT_FLAG('q', "quiet", struct build_args, quiet,
		 "Print the image's ID and nothing else"),
	OPT_LIST(0, "secret", set_secret, "id=NAME[,src=FILE|,env=NAME]",
		 "For RUN --mount=type=secret; no image keeps it"),
	OPT_LIST('t', "tag", set_tag, "NAME[:TAG]", "What to call it"),
	OPT_STR(0, "target", struct build_args, target, "STAGE",
		"Build this stage and no further"),
	OPT_IGNORED(0, "rm", NULL, "true", "nothing stays of a build"),
	OPT_IGNORED(0, "force-rm", NULL, "true", "nothing stays of a build"),
	OPT_IGNORED(0, "progress", "MODE", "auto|plain|tty",
		    "the lines are buildah's"),
	OPT_IGNORED(0, "cache-from", "IMAGE", "",
		    "steps come from builds of the same folder"),
	OPT_IGNORED(0, "load", NULL, "true", "the store is where it goes"),
	OPT_END
};

/* ---- the order ---- */

static int check_platform(const char *text, struct err *e)
{
	struct platform want, host;

	if (platform_parse(text, &want, e) < 0 ||
	    platform_parse(NULL, &host, e) < 0)
		return -e->code;
	if (strcmp(want.os, host.os) == 0 && strcmp(want.arch, host.arch) == 0)
		return 0;
	return err_set(
		e, ENOTSUP,
		"--platform %.40s: only this host's, %s/%s, can be built", text,
		host.os, host.arch);
}

static int write_iid(const char *path, const struct digest *id, struct err *e)
{
	autoclose int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_full(fd, id->text, strlen(id->text));

	return r < 0 ? err_set(e, -r, "--iidfile %.100s: %s", path,
			       strerror(-r))
		     : 0;
}

static void say(const struct build_args *a, const struct digest *id)
{
	if (a->quiet) {
		printf("%s\n", id->text);
		return;
	}
	printf("Successfully built %.12s\n", digest_hex(id));
	for (size_t i = 0; i < a->tags.n; i++) {
		bool tag = strrchr(a->tags.v[i], ':') >
			   strrchr(a->tags.v[i], '/');

		printf("Successfully tagged %s%s\n", a->tags.v[i],
		       tag && strchr(a->tags.v[i], ':') ? "" : ":latest");
	}
}

/* Returns 1 for a build that failed and has said so. */
static int build(struct build_args *a, const char *path, struct err *e)
{
	autoclose int out = -1;
	struct digest id;
	int r;

	if (check_platform(a->platform, e) < 0 || desk_open(&a->desk, e) < 0 ||
	    build_input(a, path, e) < 0 || build_secrets(a, e) < 0 ||
	    build_images(a, e) < 0 || build_cache_open(a, e) < 0)
		return -e->code;
	out = disk_open_overlay(e);
	if (out < 0)
		return out;
	r = build_in_vm(a, out, e);
	build_cache_close(a);
	if (r != 0)
		return r;
	if (build_result(a, out, &id, e) < 0 ||
	    (a->iidfile && write_iid(a->iidfile, &id, e) < 0))
		return -e->code;
	say(a, &id);
	return 0;
}

static int build_main(const struct cmd *c, int argc, char **argv)
{
	struct build_args a = { .desk = DESK_INIT,
				.secrets_fd = -1,
				.cache_lock = -1 };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &a, &status);

	if (first >= 0 && argc - first != 1) {
		err_set(&e, EINVAL,
			"'vial build' needs a PATH, or - for standard input");
		status = cmd_misused(c, &e);
	} else if (first >= 0) {
		r = build(&a, argv[first], &e);
		status = r < 0 ? cmd_error(&e) : r;
	}
	auto_close_(&a.cache_lock);
	auto_close_(&a.secrets_fd);
	desk_close(&a.desk);
	strv_fini(&a.tags);
	strv_fini(&a.secrets);
	strv_fini(&a.secret_words);
	strv_fini(&a.args);
	strv_fini(&a.labels);
	strv_fini(&a.images);
	free(a.text);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

#define BUILD                                                                  \
	.usage = "[OPTIONS] DIR|-",                                            \
	.summary = "Make an image as a Dockerfile says, inside a VM.",         \
	.opts = opts, .mixed = true,                                           \
	.example = "vial build -t my/tool:1 .\n"                               \
		   "vial build --network user -t ci -f ci/Dockerfile .\n",     \
	.run = build_main

const struct cmd cmd_build = { .name = "build", BUILD };
const struct cmd cmd_image_build = { .name = "image build", BUILD };

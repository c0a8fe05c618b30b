/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build.h"

#include "base/auto.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "run/plan.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE "vial/buildah"
#define MEMORY_MIB 2048u

/* In the box, by busybox. What buildah says is standard error, for standard
 * output is the archive; quietly, only what a failure says. docker's format
 * has all that a Dockerfile can say. */
static const char script[] =
	"set -e -o pipefail\n"
	"exec 3>&1 1>&2\n"
	"[ ! -d " BUILD_SECRETS " ] || tar -C " BUILD_SECRETS " -xf -\n"
	"export TMPDIR=/var/lib/containers/tmp HOME=/root\n"
	"mkdir -p $TMPDIR /var/tmp\n"
	/* What a build left that was killed. */
	"for f in $TMPDIR/*; do\n"
	"	case $f in */buildah-cache*) ;; *) rm -rf \"$f\" ;; esac\n"
	"done\n"
	"left=$(buildah containers -q 2>/var/tmp/log) || {\n"
	"	cat /var/tmp/log\n"
	"	echo 'the cache is damaged: this build begins anew'\n"
	"	rm -rf /var/lib/containers/*\n"
	"	mkdir -p $TMPDIR\n"
	"}\n"
	"[ -z \"$left\" ] || buildah rm $left >/var/tmp/log\n"
	"while read -r n; do\n"
	"	id=$(buildah pull -q \"oci:/in/images:$n\")\n"
	"	buildah tag \"$id\" \"$n\"\n"
	"done </in/images/names\n"
	"if [ -e /in/context.tar ]; then\n"
	"	mkdir -p /context\n"
	"	tar -C /context -xf /in/context.tar\n"
	"fi\n"
	"mkdir -p /context\n"
	"build() {\n"
	"	buildah build --isolation chroot --pull-never --format docker \\\n"
	"		--layers \\\n"
	"		-t vial:result -f /in/Dockerfile \"$@\" /context\n"
	"}\n"
	"if [ \"$1\" = quiet ]; then\n"
	"	shift\n"
	"	build \"$@\" >/var/tmp/log 2>&1 || { cat /var/tmp/log; exit 1; }\n"
	"else\n"
	"	shift\n"
	"	build \"$@\" || exit 1\n"
	"fi\n"
	"buildah push -q vial:result docker-archive:/dev/stdout | cat >&3\n";

static void put(struct strv *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct strv *v, const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	/* Nothing has been started that would have to be ended. */
	if (!text || strv_add(v, text) < 0)
		abort();
}

static int put_share(struct strv *v, const char *path, const char *at,
		     struct err *e)
{
	char whole[PATH_MAX];

	if (!realpath(path, whole))
		return err_sys(e, "%.150s", path);
	if (strchr(whole, ','))
		return err_set(e, EINVAL,
			       "%.150s: a comma cannot be in its name", whole);
	put(v, "--mount");
	put(v, "type=bind,source=%s,target=%s,readonly", whole, at);
	return 0;
}

/* Of a small host half of what it has. */
static void put_memory(struct strv *v, const char *asked)
{
	uint64_t total, available;

	plan_host_memory(&total, &available);
	total >>= 21;
	if (asked)
		put(v, "--memory=%s", asked);
	else
		put(v, "--memory=%um",
		    total ? (unsigned)MIN(total, (uint64_t)MEMORY_MIB)
			  : MEMORY_MIB);
}

/* `vial run ...`, as anybody could type it. */
static int words(const struct build_args *a, struct strv *v, struct err *e)
{
	const char *image = getenv("VIAL_BUILD_IMAGE");

	put(v, "run");
	put(v, "--rm");
	put(v, "--privileged");
	put(v, "--network=%s", a->network ? a->network : "none");
	if (a->egress)
		put(v, "--egress=%s", a->egress);
	put_memory(v, a->memory);
	if (a->quiet)
		put(v, "-q");
	if (*a->cache) {
		put(v, "-v");
		put(v, "%s:/var/lib/containers", a->cache);
	}
	if (a->secrets_fd >= 0) {
		put(v, "-i");
		put(v, "--tmpfs=" BUILD_SECRETS ":mode=0700");
	}
	if (put_share(v, a->desk.path, "/in", e) < 0 ||
	    (a->context && put_share(v, a->context, "/context", e) < 0))
		return -e->code;
	put(v, "%s", image && *image ? image : IMAGE);
	put(v, "sh");
	put(v, "-c");
	put(v, "%s", script);
	put(v, "build");
	put(v, "%s", a->quiet ? "quiet" : "loud");
	for (size_t i = 0; i < a->args.n; i++)
		put(v, "--build-arg=%s", a->args.v[i]);
	for (size_t i = 0; i < a->labels.n; i++)
		put(v, "--label=%s", a->labels.v[i]);
	for (size_t i = 0; i < a->secret_words.n; i++)
		put(v, "%s", a->secret_words.v[i]);
	if (a->no_cache)
		put(v, "--no-cache");
	if (a->target)
		put(v, "--target=%s", a->target);
	return 0;
}

static void child(struct strv *v, int in, int out, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0 ||
	    (in >= 0 && dup2(in, STDIN_FILENO) < 0))
		_exit(CMD_FAILED);
	exit(cmd_run.run(&cmd_run, (int)v->n, v->v));
}

int build_in_vm(struct build_args *a, int out, struct err *e)
{
	pid_t pid, self = getpid();
	struct strv v = { 0 };
	int status = 0;

	if (words(a, &v, e) < 0) {
		strv_fini(&v);
		return -e->code;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(&v, a->secrets_fd, out, self);
	strv_fini(&v);
	if (pid < 0)
		return err_sys(e, "fork");
	/* Of a terminal the child has them as well, and ends by them. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	/* buildah has run, and has failed. */
	if (status && !a->network && WIFEXITED(status) &&
	    WEXITSTATUS(status) < CMD_FAILED)
		log_warn("the build had no network (--network default gives "
			 "it one)");
	return status == 0 ? 0 : CMD_ERROR;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "box/create.h"
#include "box/log.h"
#include "cli/boxspec.h"
#include "run/keep.h"
#include "run/run.h"
#include "run/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 120000
#define POLL_NS 100000000
#define WORDS_MAX 64

struct service {
	struct spec spec;
	char *text, *words[WORDS_MAX + 1]; /* what the spec's strings are of */
	char alias[64], id[BOX_ID_LEN + 1];
	pid_t pid; /* its keeper; 0: none */
};

/* ---- what is asked for ---- */

static const struct key {
	const char *name;
	int (*set)(void *spec, const char *text, struct err *e);
} keys[] = {
	{ "env", spec_env },
	{ "user", spec_user },
	{ "memory", spec_memory },
	{ "cpus", spec_cpus },
	{ "volume", spec_volume },
	{ "tmpfs", spec_tmpfs },
	{ "expose", spec_expose },
	{ "health-cmd", spec_health_cmd },
	{ "health-interval", spec_health_interval },
	{ "health-retries", spec_health_retries },
	{ "pull", spec_pull },
};

/* "registry/name/postgres:16" is postgres. */
static void alias_of(const char *image, char alias[64])
{
	const char *slash = strrchr(image, '/');

	snprintf(alias, 64, "%s", slash ? slash + 1 : image);
	alias[strcspn(alias, ":@.")] = '\0';
}

static int set_key(struct service *v, char *word, int *argc, struct err *e)
{
	char *value = strchr(word, '='), *part;

	if (!value)
		return err_set(e, EINVAL, "'%s' is not KEY=VALUE", word);
	*value++ = '\0';
	if (strcmp(word, "alias") == 0) {
		snprintf(v->alias, sizeof(v->alias), "%s", value);
		return 0;
	}
	if (strcmp(word, "command") == 0) {
		while ((part = strsep(&value, " ")) != NULL)
			if (*part && *argc < WORDS_MAX)
				v->words[(*argc)++] = part;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(word, keys[i].name) == 0)
			return keys[i].set(&v->spec, value, e) < 0
				     ? err_wrap(e, "%s", word)
				     : 0;
	return err_set(e, EINVAL,
		       "'%s' is none of alias, command, env, user, memory, "
		       "cpus, volume, tmpfs, expose, health-cmd, "
		       "health-interval, health-retries, pull",
		       word);
}

static int parse(struct service *v, const char *text, const char *network,
		 struct err *e)
{
	char *rest, *word;
	bool misused;
	int argc = 1;

	spec_init(&v->spec);
	v->text = strdup(text);
	if (!v->text)
		return err_set(e, ENOMEM, "out of memory");
	rest = v->text;
	v->words[0] = strsep(&rest, ",");
	alias_of(v->words[0], v->alias);
	while ((word = strsep(&rest, ",")) != NULL)
		if (set_key(v, word, &argc, e) < 0)
			return -e->code;
	v->spec.rm = v->spec.detach = v->spec.quiet = true;
	v->spec.network = network;
	if (spec_alias(&v->spec, v->alias, e) < 0 ||
	    spec_label(&v->spec, "vial.service=true", e) < 0)
		return -e->code;
	return boxspec_take(&v->spec, argc, v->words, &misused, e);
}

/* ---- one of them ---- */

struct word {
	int status; /* -1: it runs */
	char id[BOX_ID_LEN + 1], message[300];
};

struct teller {
	int fd;
	const struct box_info *info;
};

static void say(void *arg, int status, const char *message)
{
	struct teller *t = arg;
	struct word w = { .status = status };

	snprintf(w.id, sizeof(w.id), "%s", t->info->id);
	snprintf(w.message, sizeof(w.message), "%s", message);
	fd_write_full(t->fd, &w, sizeof(w));
	close(take_fd(&t->fd));
}

/* Away from our terminal and its signals; our end is its own. */
static void keeper(const struct spec *s, int fd, pid_t parent)
{
	struct box_info info;
	struct teller t = { .fd = fd, .info = &info };
	struct box b = BOX_INIT;
	struct run_how how = { .box = &b,
			       .info = &info,
			       .detached = true,
			       .started = say,
			       .arg = &t };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct report r;
	struct err e = { 0 };

	setsid();
	prctl(PR_SET_NAME, "vial-keeper");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			_exit(1);
	box_describe(&info, s);
	if (box_make(&b, &info, s, &e) < 0 || report_init(&r, s, &e) < 0)
		say(&t, STATUS_VIAL, e.msg);
	else
		run_box(s, &r, &how);
	_exit(0);
}

static int start(struct service *v, struct err *e)
{
	pid_t self = getpid();
	struct word w;
	int p[2];
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	fflush(stdout);
	v->pid = fork();
	if (v->pid == 0) {
		close(p[0]);
		keeper(&v->spec, p[1], self);
	}
	close(p[1]);
	n = v->pid > 0 ? fd_read_full(p[0], &w, sizeof(w)) : 0;
	close(p[0]);
	if (v->pid < 0) {
		v->pid = 0;
		return err_sys(e, "start its keeper");
	}
	if (n != sizeof(w))
		return err_set(e, EPIPE, "its keeper died");
	if (w.status >= 0)
		return err_set(e, EIO, "%.250s",
			       *w.message ? w.message : "it has ended");
	memcpy(v->id, w.id, sizeof(v->id));
	return 0;
}

/* ---- ready ---- */

static int first_port(const struct spec *s)
{
	for (size_t i = 0; i < s->expose.n; i++)
		if (!s->expose.v[i].udp)
			return s->expose.v[i].guest;
	return 0;
}

/* It is asked from where the box's network is: the host may have no way. */
static bool answers(const struct box *b, int port)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	struct err ignored;

	m.op_case = VIAL__KEEP__CALL__OP_PROBE;
	m.probe = (uint32_t)port;
	return keep_ask(b->dir, &m, &ignored) == 0;
}

/* 1: it is; 0: not yet. */
static int is_ready(const struct service *v, struct err *e)
{
	int port = first_port(&v->spec), r = 1;
	struct box_info info;
	struct box b;

	if (state_find(v->id, &info, e) < 0 || state_open(&b, v->id, e) < 0)
		return err_set(e, EPIPE, "it has ended");
	if (!info.alive)
		r = err_set(e, EPIPE, "it has ended: status %d",
			    info.exit_status);
	else if (strcmp(info.health, "unhealthy") == 0)
		r = err_set(e, EPIPE, "its health check fails");
	else if (*info.health)
		r = strcmp(info.health, "healthy") == 0;
	else if (port)
		r = answers(&b, port);
	state_close(&b);
	return r;
}

static int await_ready(const struct service *v, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t end = now_us() + READY_MS * 1000ull;
	int r;

	while ((r = is_ready(v, e)) == 0) {
		if (now_us() > end)
			return err_set(e, ETIMEDOUT,
				       "not ready after %d seconds",
				       READY_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return MIN(r, 0);
}

/* ---- the end ---- */

/* Its output, into LOGS/ALIAS.log. */
static void keep_log(const struct services *all, const struct service *v,
		     const struct box *b)
{
	struct boxlog_read how = { .tail = -1 };
	char path[PATH_MAX];
	struct err e = { 0 };
	int fd;

	if (!all->logs)
		return;
	snprintf(path, sizeof(path), "%s/%s.log", all->logs, v->alias);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	how.out = how.err = fd;
	if (fd < 0)
		err_sys(&e, "%s", path);
	else
		boxlog_print(b->dir, &how, &e);
	if (e.code)
		log_warn("--service-logs: %s", e.msg);
	if (fd >= 0)
		close(fd);
}

static void stop(const struct services *all, struct service *v)
{
	struct err ignored;
	struct box b;

	if (*v->id && state_open(&b, v->id, &ignored) == 0) {
		keep_log(all, v, &b);
		state_close(&b);
		stop_box(v->id, &ignored);
	}
	while (v->pid > 0 && waitpid(v->pid, NULL, 0) < 0 && errno == EINTR)
		;
	spec_fini(&v->spec);
	free(v->text);
}

void services_stop(struct services *all)
{
	struct err e;

	for (size_t i = all->n; i > 0; i--)
		stop(all, &all->v[i - 1]);
	free(take_ptr(&all->v));
	all->n = 0;
	if (*all->net.name && network_remove(&all->net, &e) < 0)
		log_warn("%s", e.msg);
	network_fini(&all->net);
	*all->net.name = '\0';
}

/* ---- all of them ---- */

static int make_network(struct services *all, struct spec *job, struct err *e)
{
	uint32_t number;

	if (job->network && strcmp(job->network, "nat") != 0) {
		if (strcmp(job->network, "none") == 0 ||
		    strcmp(job->network, "user") == 0)
			return err_set(e, EINVAL,
				       "--service: a job with the network '%s' "
				       "does not reach it",
				       job->network);
		return 0;
	}
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(e, "random numbers");
	snprintf(all->net.name, sizeof(all->net.name), "service-%08x", number);
	if (network_create(&all->net, NULL, e) < 0) {
		*all->net.name = '\0';
		return -e->code;
	}
	job->network = all->net.name;
	return 0;
}

static int start_all(struct services *all, struct spec *job, struct err *e)
{
	all->v = calloc(job->services.n, sizeof(*all->v));
	if (!all->v)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < job->services.n; i++) {
		struct service *v = &all->v[all->n++];

		if (parse(v, job->services.v[i], job->network, e) < 0 ||
		    start(v, e) < 0)
			return err_wrap(e, "--service %.60s",
					job->services.v[i]);
	}
	for (size_t i = 0; i < all->n; i++)
		if (await_ready(&all->v[i], e) < 0)
			return err_wrap(e, "--service %s", all->v[i].alias);
	return 0;
}

int services_start(struct services *all, struct spec *job, struct err *e)
{
	*all = (struct services){ .logs = job->service_logs };
	if (job->services.n == 0)
		return 0;
	if (job->services.n > SERVICES_MAX)
		return err_set(e, E2BIG, "more than %d services", SERVICES_MAX);
	if (job->detach)
		return err_set(e, EINVAL,
			       "--service: who starts it waits for it (not "
			       "with --detach)");
	if (make_network(all, job, e) == 0 && start_all(all, job, e) == 0)
		return 0;
	services_stop(all);
	return -e->code;
}

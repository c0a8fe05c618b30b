/* SPDX-License-Identifier: Apache-2.0 */
/* setup.c - what the guest is told about itself before anything runs in it. */
#include "guest/guest.h"

#include "base/auto.h"
#include "run/boxmounts.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define ENTROPY_BYTES 64

/* "NAME?VALUE" entries in two: pointers into a copy of each, all in one piece
 * of memory that goes with one free(). */
static char **split(const struct strv *v, char sep, struct err *e)
{
	size_t bytes = (2 * v->n + 1) * sizeof(char *);
	char **out, *at;

	for (size_t i = 0; i < v->n; i++)
		bytes += strlen(v->v[i]) + 1;
	out = calloc(1, bytes);
	if (!out) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	at = (char *)(out + 2 * v->n + 1);
	for (size_t i = 0; i < v->n; i++) {
		size_t len = strlen(v->v[i]) + 1;
		char *value;

		memcpy(at, v->v[i], len);
		value = strchr(at, sep);
		out[2 * i] = at;
		out[2 * i + 1] = value ? value + 1 : guest_text("");
		at += len;
		if (value)
			*value = '\0';
	}
	return out;
}

struct lists {
	char **sysctl_text, **host_text;
	Vial__Agent__Sysctl *sysctl, **sysctls;
	Vial__Agent__Host *host, **hosts;
};

static void lists_fini(struct lists *l)
{
	free(l->sysctl_text);
	free(l->host_text);
	free(l->sysctl);
	free(l->sysctls);
	free(l->host);
	free(l->hosts);
}

static int lists_init(struct lists *l, const struct spec *s, struct err *e)
{
	*l = (struct lists){
		.sysctl_text = split(&s->sysctls, '=', e),
		.host_text = split(&s->hosts, ':', e),
		.sysctl = calloc(s->sysctls.n + 1, sizeof(*l->sysctl)),
		.sysctls = calloc(s->sysctls.n + 1, sizeof(void *)),
		.host = calloc(s->hosts.n + 1, sizeof(*l->host)),
		.hosts = calloc(s->hosts.n + 1, sizeof(void *)),
	};
	if (!l->sysctl_text || !l->host_text || !l->sysctl || !l->sysctls ||
	    !l->host || !l->hosts)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < s->sysctls.n; i++) {
		vial__agent__sysctl__init(&l->sysctl[i]);
		l->sysctl[i].name = l->sysctl_text[2 * i];
		l->sysctl[i].value = l->sysctl_text[2 * i + 1];
		l->sysctls[i] = &l->sysctl[i];
	}
	for (size_t i = 0; i < s->hosts.n; i++) {
		vial__agent__host__init(&l->host[i]);
		l->host[i].name = l->host_text[2 * i];
		l->host[i].address = l->host_text[2 * i + 1];
		l->hosts[i] = &l->host[i];
	}
	return 0;
}

static int setup_send(struct guest *g, const struct spec *s,
		      Vial__Agent__Setup *m, const struct lists *l)
{
	m->root_serial = guest_text("root");
	m->root_fstype = guest_text("ext4");
	m->root_readonly = s->read_only;
	m->shm_bytes = s->shm_bytes;
	m->pids_max = s->pids_limit;
	m->sysctls = l->sysctls;
	m->n_sysctls = s->sysctls.n;
	m->hosts = l->hosts;
	m->n_hosts = s->hosts.n;
	return guest_send(g, &m->base);
}

int guest_setup(struct guest *g, const struct spec *s, const struct boxnet *net,
		const char *hostname, struct err *e)
{
	Vial__Agent__Setup m = VIAL__AGENT__SETUP__INIT;
	uint8_t entropy[ENTROPY_BYTES];
	struct timespec now;
	autofree void *mounts = NULL;
	struct boxnet_setup network;
	struct lists l;
	int r;

	if (getrandom(entropy, sizeof(entropy), 0) != sizeof(entropy))
		return err_sys(e, "random numbers");
	clock_gettime(CLOCK_REALTIME, &now);
	m.hostname = guest_text(hostname);
	m.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	m.entropy.data = entropy;
	m.entropy.len = sizeof(entropy);
	r = lists_init(&l, s, e);
	if (r == 0)
		r = boxmounts_setup(&s->mounts, &m, &mounts, e);
	if (r == 0) {
		boxnet_setup(net, s, &network, &m);
		r = setup_send(g, s, &m, &l);
		if (r < 0)
			err_set(e, -r, "set-up: %s", strerror(-r));
	}
	lists_fini(&l);
	explicit_bzero(entropy, sizeof(entropy));
	return r;
}

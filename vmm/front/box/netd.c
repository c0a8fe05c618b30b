/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netd.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "box/netegress.h"
#include "box/where.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_SOCK 3
#define FD_LOG 4
#define FD_RECORD 5
#define FD_END 6

#define PATIENCE_S 60

/* ---- the child ---- */

static void child(const char *program, const char *how, int sock, int log,
		  const struct netegress *g, pid_t parent)
{
	const char *const argv[] = { "vial-netd", how, NULL };
	char *const env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from[FD_END] = { null, null, log, sock, g->log, g->record };
	sigset_t none;

	/* Undone when it changes its user; the socket's end is what counts. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(125);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < FD_END; i++) {
		from[i] = fcntl(from[i] < 0 ? null : from[i], F_DUPFD_CLOEXEC,
				FD_END);
		if (from[i] < 0)
			_exit(125);
	}
	for (int i = 0; i < FD_END; i++)
		if (dup2(from[i], i) < 0)
			_exit(125);
	syscall(SYS_close_range, FD_END, ~0u, 0);
	execve(program, (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

int netd_spawn(const char *how, int log, const struct netegress *g, pid_t *pid,
	       int *sock, struct err *e)
{
	char program[PATH_MAX];
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	pid_t self = getpid();
	int s[2];

	if (where_part(WHERE_NETD, program, e) < 0)
		return -e->code;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(e, "socketpair");
	*sock = s[0];
	setsockopt(*sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*pid = fork();
	if (*pid == 0)
		child(program, how, s[1], log, g, self);
	close(s[1]);
	if (*pid > 0)
		return 0;
	*pid = 0;
	return err_sys(e, "start vial-netd");
}

/* ---- the request ---- */

struct request {
	Vial__Net__Request m;
	Vial__Net__Port *port, **ports;
	Vial__Net__Network lan;
	char **names, short_id[BOX_SHORT_LEN + 1], folder[PATH_MAX];
	uint8_t ip[4];
};

static int put_ports(struct request *r, const struct spec_ports *p,
		     struct err *e)
{
	r->port = calloc(p->n + 1, sizeof(*r->port));
	r->ports = calloc(p->n + 1, sizeof(void *));
	if (!r->port || !r->ports)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < p->n; i++) {
		vial__net__port__init(&r->port[i]);
		r->port[i].address = p->v[i].address;
		r->port[i].host = p->v[i].host;
		r->port[i].guest = p->v[i].guest;
		r->port[i].udp = p->v[i].udp;
		r->ports[i] = &r->port[i];
	}
	r->m.ports = r->ports;
	r->m.n_ports = p->n;
	return 0;
}

/* One with no way out is one from where nothing may be reached. */
static int put_lan(struct request *r, Vial__Net__Egress *g,
		   const struct spec *s, const struct netd_lan *lan,
		   const char *id, struct err *e)
{
	static char word[] = "none", *none[] = { word };
	const struct network *n = lan->net;
	size_t count = 0;

	vial__net__network__init(&r->lan);
	r->names = calloc(s->aliases.n + 3, sizeof(*r->names));
	if (!r->names)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(r->short_id, sizeof(r->short_id), "%.*s", BOX_SHORT_LEN, id);
	r->names[count++] = r->short_id;
	if (*lan->name)
		r->names[count++] = (char *)(uintptr_t)lan->name;
	for (size_t i = 0; i < s->aliases.n; i++)
		r->names[count++] = s->aliases.v[i];
	r->lan.names = r->names;
	r->lan.n_names = count;
	r->lan.id = (char *)(uintptr_t)n->id;
	r->lan.subnet.data = (uint8_t *)(uintptr_t)n->subnet;
	r->lan.subnet.len = sizeof(n->subnet);
	r->lan.prefix = n->prefix;
	if (s->ip && inet_pton(AF_INET, s->ip, r->ip) == 1)
		r->lan.address = (ProtobufCBinaryData){ sizeof(r->ip), r->ip };
	if (n->internal && s->egress.n == 0) {
		g->rules = none;
		g->n_rules = 1;
	}
	r->m.network = &r->lan;
	return 0;
}

static int ask(const struct boxnet *n, struct chan *c, const struct spec *s,
	       const struct netd_lan *lan, const struct netegress *g,
	       const char *id, struct err *e)
{
	struct request r = { .m = VIAL__NET__REQUEST__INIT };
	Vial__Net__Egress egress;
	int done;

	r.m.generation = 1;
	r.m.id = (char *)(uintptr_t)id;
	where_net(r.folder);
	r.m.folder = r.folder;
	r.m.mode = strcmp(n->info.mode, "nat") == 0 ? VIAL__NET__MODE__NAT
						    : VIAL__NET__MODE__USER;
	r.m.mac.data = (uint8_t *)(uintptr_t)n->info.mac;
	r.m.mac.len = sizeof(n->info.mac);
	r.m.queues = n->queues;
	netegress_put(g, s, FD_LOG, FD_RECORD, &egress);
	r.m.egress = &egress;
	r.m.servers = s->dns.v;
	r.m.n_servers = s->dns.n;
	if (lan->net && put_lan(&r, &egress, s, lan, id, e) < 0)
		return -e->code;
	done = put_ports(&r, &s->publish, e);
	if (done == 0) {
		done = chan_send(c, &r.m.base);
		if (done < 0)
			err_set(e, -done, "vial-netd: %s", strerror(-done));
	}
	free(r.port);
	free(r.ports);
	free(r.names);
	return done;
}

/* ---- the answer ---- */

static int silent(int code, struct err *e)
{
	if (code == EAGAIN)
		return err_set(e, ETIMEDOUT, "vial-netd does not answer");
	return err_set(e, EPIPE, "vial-netd ended");
}

int netd_hear(int sock, struct chan *c, int *fd, size_t n,
	      Vial__Net__Answer **said, struct err *e)
{
	ssize_t r = 1;
	char byte;

	if (n > 0)
		r = passfd_recv(sock, &byte, 1, fd, n);
	if (r != 1)
		return silent((int)-r, e);
	*said = (Vial__Net__Answer *)chan_recv(
		c, &vial__net__answer__descriptor, e);
	if (!*said)
		return silent(e->code, e);
	if ((*said)->error)
		return err_set(e, (int)(*said)->error, "%s", (*said)->message);
	return 0;
}

int netd_change(int sock, const Vial__Net__Change *m, int fd, int *fds,
		size_t nfds, struct err *e)
{
	Vial__Net__Answer *said = NULL;
	struct chan c;
	int r;

	chan_init(&c, sock);
	r = (int)passfd_send(sock, "", 1, &fd, fd >= 0);
	r = r == 1 ? chan_send(&c, &m->base) : r;
	if (r < 0)
		err_set(e, -r, "vial-netd: %s", strerror(-r));
	else
		r = netd_hear(sock, &c, fds, nfds, &said, e);
	if (said)
		vial__net__answer__free_unpacked(said, NULL);
	chan_fini(&c);
	return r;
}

static bool copy4(uint8_t to[4], const ProtobufCBinaryData *from)
{
	if (from->len == 4)
		memcpy(to, from->data, 4);
	return from->len == 4;
}

static void take_six(struct netinfo *i, const Vial__Net__Family *f)
{
	if (f->guest.len != sizeof(i->guest6) ||
	    f->gateway.len != sizeof(i->gateway6))
		return;
	memcpy(i->guest6, f->guest.data, sizeof(i->guest6));
	memcpy(i->gateway6, f->gateway.data, sizeof(i->gateway6));
	i->prefix6 = f->prefix;
}

static int take_ports(struct spec_ports *p, const Vial__Net__Answer *a,
		      struct err *e)
{
	p->v = calloc(a->n_ports + 1, sizeof(*p->v));
	if (!p->v)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < a->n_ports; i++) {
		struct spec_port *one = &p->v[p->n++];

		snprintf(one->address, sizeof(one->address), "%s",
			 a->ports[i]->address);
		one->host = (uint16_t)a->ports[i]->host;
		one->guest = (uint16_t)a->ports[i]->guest;
		one->udp = a->ports[i]->udp;
	}
	return 0;
}

static int take_answer(struct boxnet *n, const Vial__Net__Answer *a,
		       struct err *e)
{
	struct netinfo *i = &n->info;
	const Vial__Net__Family *f = a->n_families ? a->families[0] : NULL;

	if (n->tap[0] < 0 || !f || !copy4(i->guest, &f->guest) ||
	    !copy4(i->gateway, &f->gateway) ||
	    !copy4(i->resolver, &f->resolver))
		return err_set(e, EPROTO, "vial-netd gave half an answer");
	i->prefix = f->prefix;
	if (a->n_families > 1)
		take_six(i, a->families[1]);
	i->mtu = a->mtu;
	snprintf(n->warning, sizeof(n->warning), "%s", a->warning);
	return take_ports(&i->ports, a, e);
}

static int hear(struct boxnet *n, struct chan *c, struct err *e)
{
	Vial__Net__Answer *said = NULL;
	int r = netd_hear(n->sock, c, n->tap, BOXNET_TAPS, &said, e);

	if (!said)
		return r;
	if (r == 0)
		r = take_answer(n, said, e);
	vial__net__answer__free_unpacked(said, NULL);
	return r;
}

static int start(struct boxnet *n, const struct spec *s,
		 const struct netd_lan *lan, const char *id, int log,
		 const struct netegress *g, struct err *e)
{
	struct chan c;
	int r;

	if (netd_spawn(NULL, log, g, &n->pid, &n->sock, e) < 0)
		return -e->code;
	chan_init(&c, n->sock);
	r = ask(n, &c, s, lan, g, id, e);
	if (r == 0)
		r = hear(n, &c, e);
	chan_fini(&c);
	return r;
}

int netd_start(struct boxnet *n, const struct spec *s,
	       const struct netd_lan *lan, const char *id, int log,
	       struct err *e)
{
	struct netegress g;
	int r = netegress_open(&g, s, e);

	if (r == 0)
		r = start(n, s, lan, id, log, &g, e);
	netegress_close(&g);
	if (r < 0)
		boxnet_close(n);
	return r;
}

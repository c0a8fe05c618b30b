/* SPDX-License-Identifier: Apache-2.0 */
#include "net/host.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "net/lan.h"
#include "net/link.h"
#include "net/netns.h"
#include "net/six.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- the child ---- */

static int make_pair(const struct host_job *j, pid_t box, struct err *e)
{
	const struct addr_plan *a = j->addr;
	struct nl_sock *sk = link_open(e);
	char name[64];
	int r;

	if (!sk)
		return -e->code;
	r = link_veth(sk, j->link, HOST_UP, box, e);
	/* A setting of the pair's own: what the host's loopback asks of a
	 * published port comes back over it. */
	snprintf(name, sizeof(name), "ipv4/conf/%s/route_localnet", j->link);
	if (r == 0)
		r = netns_set(name, "1", e);
	if (r == 0)
		r = link_address(sk, j->link, a->host, a->up_prefix, e);
	if (r == 0)
		r = link_up(sk, j->link, j->mtu, e);
	if (r == 0)
		r = link_route(sk, j->link,
			       a->prefix == 32 ? a->guest : a->guest & ~1u,
			       a->prefix, a->up, e);
	if (r == 0 && a->six)
		r = link_address6(sk, j->link, &a->host6, SIX_BITS, e);
	if (r == 0 && a->six)
		r = link_route6(sk, j->link, &a->gateway6, SIX_BITS, &a->up6,
				e);
	link_close(sk);
	return r;
}

/* A pair between the box and its network; the routes to it are there. */
int host_lan(int lan, in_addr_t address, const char *link, unsigned mtu,
	     pid_t box, struct err *e)
{
	struct nl_sock *sk;
	char name[16];
	int r;

	if (setns(lan, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the network of several boxes");
	sk = link_open(e);
	if (!sk)
		return -e->code;
	snprintf(name, sizeof(name), "m%08x", address);
	r = link_veth(sk, name, link, box, e);
	/* Of who had the address before, was killed, and is not all gone. */
	if (r == -EEXIST) {
		*e = (struct err){ 0 };
		r = link_remove(sk, name, e);
		if (r == 0)
			r = link_veth(sk, name, link, box, e);
	}
	if (r == 0)
		r = link_address(sk, name, LAN_THERE, 32, e);
	if (r == 0)
		r = link_up(sk, name, mtu, e);
	if (r == 0)
		r = link_route(sk, name, address, 32, LAN_HERE, e);
	link_close(sk);
	return r;
}

static int open_tap(struct tap *tap, unsigned queues, pid_t box, struct err *e)
{
	char path[64];
	autoclose int ns = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", box);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return err_sys(e, "enter the box's network");
	return tap_open_all(tap, HOST_TAP, queues, e);
}

static void child(int sock, const struct host_job *j, pid_t box)
{
	struct err e = { 0 };
	struct tap tap = { .n = 0 };
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != box)
		_exit(1);
	if (recv(sock, &byte, 1, 0) != 1)
		_exit(0);
	if ((!j->veth || make_pair(j, box, &e) == 0) &&
	    (j->lan < 0 ||
	     host_lan(j->lan, j->addr->guest, LAN_LINK, j->mtu, box, &e) == 0))
		open_tap(&tap, j->queues, box, &e);
	passfd_send(sock, &e, sizeof(e), tap.fd, tap.n);
	_exit(0);
}

/* ---- the parent ---- */

int host_fork(struct host *h, const struct host_job *j, struct err *e)
{
	pid_t self = getpid();
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(e, "socketpair");
	h->sock = s[0];
	h->pid = fork();
	if (h->pid == 0) {
		close(s[0]);
		child(s[1], j, self);
	}
	close(s[1]);
	if (h->pid > 0)
		return 0;
	h->pid = 0;
	return err_sys(e, "fork");
}

static int hear(int sock, struct tap *tap, struct err *e)
{
	struct err said;

	if (passfd_recv(sock, &said, sizeof(said), tap->fd, TAP_MAX) !=
	    sizeof(said))
		return err_set(e, EPIPE, "what sets up links died");
	tap->n = 0;
	while (tap->n < TAP_MAX && tap->fd[tap->n] >= 0)
		tap->n++;
	if (said.code == 0)
		return 0;
	*e = said;
	return -e->code;
}

int host_go(struct host *h, struct tap *tap, struct err *e)
{
	int r;

	if (send(h->sock, "", 1, MSG_NOSIGNAL) < 0)
		return err_sys(e, "what sets up links");
	r = hear(h->sock, tap, e);
	host_fini(h);
	return r;
}

void host_fini(struct host *h)
{
	if (h->sock >= 0)
		close(take_fd(&h->sock));
	while (h->pid > 0 && waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}

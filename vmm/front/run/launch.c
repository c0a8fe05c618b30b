/* SPDX-License-Identifier: Apache-2.0 */
#include "run/launch.h"

#include "base/auto.h"
#include "box/limits.h"
#include "proto/chan.h"
#include "proto/plan.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define CONSOLE_MAX (1u << 20)
/* How long a monitor without a shim is waited for: ten seconds. */
#define ORPHAN_POLL_NS 5000000
#define ORPHAN_POLLS 2000

/* The share and the volumes, in messages that live as long as the plan's. */
struct plan_mounts {
	Vial__Plan__Share share, *shares[1];
	Vial__Plan__Disk disk[1 + BOXMOUNTS_DISKS], *disks[1 + BOXMOUNTS_DISKS];
	unsigned nvolumes;
	char serial[BOXMOUNTS_DISKS][16];
	uint32_t base[BOXMOUNTS_DISKS][2];
};

static void put_volume(struct plan_mounts *pm, const struct boxmounts *m,
		       unsigned i)
{
	Vial__Plan__Disk *d = &pm->disk[1 + i];

	vial__plan__disk__init(d);
	snprintf(pm->serial[i], sizeof(pm->serial[i]), "v%u", i);
	d->serial = pm->serial[i];
	pm->base[i][0] = SHIM_FD_VOLUME + i;
	pm->base[i][1] = SHIM_FD_VOLUME + i + 1;
	if (m->readonly[i]) {
		d->base_fds = pm->base[i];
		d->n_base_fds = i + 1 < m->ndisks && m->above[i + 1] ? 2 : 1;
		d->overlay_fd = SHIM_FD_SCRATCH + i;
	} else {
		d->overlay_fd = SHIM_FD_VOLUME + i;
		d->plain = true;
	}
	pm->disks[1 + pm->nvolumes++] = d;
}

/* Which may be missing: the disks begin with the first volume then. */
static void put_root(Vial__Plan__Plan *plan, struct plan_mounts *pm,
		     const struct plan *p)
{
	static char serial[] = "root";
	static uint32_t base[] = { SHIM_FD_IMAGE };
	Vial__Plan__Disk *d = &pm->disk[0];

	vial__plan__disk__init(d);
	d->serial = serial;
	d->n_base_fds = 1;
	d->base_fds = base;
	d->overlay_fd = SHIM_FD_OVERLAY;
	pm->disks[0] = d;
	plan->n_disks = p->image >= 0;
	plan->disks = pm->disks + (p->image < 0);
}

/* Behind the root's. */
static void put_mounts(Vial__Plan__Plan *plan, struct plan_mounts *pm,
		       const struct boxmounts *m)
{
	static char tag[] = BOXMOUNTS_TAG;

	pm->nvolumes = 0;
	for (unsigned i = 0; m && i < m->ndisks; i++)
		if (!m->above[i])
			put_volume(pm, m, i);
	plan->n_disks += pm->nvolumes;
	if (!m || m->share.fd < 0)
		return;
	vial__plan__share__init(&pm->share);
	pm->share.tag = tag;
	pm->share.socket_fd = SHIM_FD_SHARE;
	pm->shares[0] = &pm->share;
	plan->n_shares = 1;
	plan->shares = pm->shares;
}

static int send_plan(int fd, const struct plan *p, const char *id,
		     struct err *e)
{
	Vial__Plan__Plan plan = VIAL__PLAN__PLAN__INIT;
	struct plan_mounts pm;
	struct boxnet_plan net;
	Vial__Plan__Rate rate = VIAL__PLAN__RATE__INIT;
	Vial__Plan__Rate console = VIAL__PLAN__RATE__INIT;
	char box[BOX_SHORT_LEN + 1];
	autofree char *cmdline = strdup(p->cmdline);
	struct chan c;
	int r;

	if (!cmdline)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(box, sizeof(box), "%.*s", BOX_SHORT_LEN, id);
	rate.bytes = p->limits.disk_bps;
	rate.ops = p->limits.disk_iops;
	console.bytes = p->limits.console_bps;
	plan.console_rate = &console;
	plan.generation = 1;
	plan.id = box;
	plan.vcpus = p->vcpus;
	plan.ram_bytes = p->ram_bytes;
	plan.kvm_fd = SHIM_FD_KVM;
	plan.kernel_fd = SHIM_FD_KERNEL;
	plan.initrd_fd = SHIM_FD_INITRAMFS;
	plan.cmdline = cmdline;
	plan.console_fd = SHIM_FD_CONSOLE;
	plan.console_max_bytes = CONSOLE_MAX;
	plan.control_fd = SHIM_FD_CONTROL;
	plan.vsock_fd = SHIM_FD_VSOCK;
	plan.lock_fd = SHIM_FD_LOCK;
	put_root(&plan, &pm, p);
	put_mounts(&plan, &pm, p->mounts);
	if (p->net && boxnet_plan(p->net, &net, SHIM_FD_NET)) {
		plan.nets = net.nets;
		plan.n_nets = 1;
		plan.spare_nets = NETINFO_LATE;
	}
	for (size_t i = 0; i < plan.n_disks; i++) /* each, by itself */
		plan.disks[i]->rate = &rate;
	pm.disk[0].size_bytes = p->limits.disk_bytes;
	plan.tied = true;
	plan.balloon = true;
	plan.verbose = p->verbose;
	chan_init(&c, fd);
	r = chan_send(&c, &plan.base);
	chan_fini(&c);
	return r < 0 ? err_set(e, -r, "send the plan: %s", strerror(-r)) : 0;
}

static void let_go(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

static int await_ready(struct launch *l, struct err *e)
{
	struct shim_msg m;
	ssize_t n;

	do
		n = recv(l->leash, &m, sizeof(m), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(m))
		return err_set(e, EPIPE, "the shim died while it made the box");
	if (m.kind == SHIM_FAILED) {
		*e = m.err;
		return -e->code;
	}
	l->info.pid = m.monitor;
	return 0;
}

static int fork_shim(struct launch *l, struct shim_conf *c, struct err *e)
{
	l->shim = fork();
	if (l->shim < 0) {
		l->shim = 0;
		return err_sys(e, "start the shim");
	}
	if (l->shim == 0) {
		close(l->plan);
		close(l->leash);
		shim_main(c);
	}
	return 0;
}

int launch_start(struct launch *l, const struct plan *p, struct box *b,
		 const struct box_info *info, struct err *e)
{
	struct shim_conf c = { .plan = p, .brief = info->brief };
	int plan[2], leash[2], r;

	*l = (struct launch)LAUNCH_INIT;
	l->info = *info;
	l->box = c.box = *b;
	*b = (struct box)BOX_INIT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plan) < 0)
		return err_sys(e, "socketpair");
	l->plan = plan[0];
	c.plan_fd = plan[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, leash) < 0) {
		close(plan[1]);
		return err_sys(e, "socketpair");
	}
	l->leash = leash[0];
	c.leash = leash[1];
	/* The socket keeps it until the monitor is there to read it. */
	r = send_plan(l->plan, p, info->id, e);
	if (r == 0)
		r = fork_shim(l, &c, e);
	close(c.plan_fd);
	close(c.leash);
	/* The box is as alive as its shim and its monitor. */
	let_go(&l->box.lock);
	if (r == 0)
		r = await_ready(l, e);
	return r;
}

/* The shim did not come to its own end: do its work. The plan socket is closed
 * by now, and the monitor, which the shim's death has killed as well, holds
 * the lock to its end. Where there never was a shim, the lock is still ours. */
static void clean_up(struct launch *l)
{
	const struct timespec pause = { .tv_nsec = ORPHAN_POLL_NS };
	bool ours = l->box.lock >= 0;

	for (int i = 0; !ours && i < ORPHAN_POLLS && state_alive(&l->box); i++)
		nanosleep(&pause, NULL);
	if (l->info.brief)
		state_remove(&l->box);
	else
		limits_clean(&l->box);
}

void launch_end(struct launch *l, struct shim_msg *last)
{
	struct shim_msg m;
	int status = -1;
	ssize_t n;

	if (l->leash >= 0)
		shutdown(l->leash, SHUT_WR);
	while (l->shim > 0) {
		n = recv(l->leash, &m, sizeof(m), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(m))
			break;
		if (last && m.kind == SHIM_ENDED)
			*last = m;
	}
	let_go(&l->plan);
	while (l->shim > 0 && waitpid(l->shim, &status, 0) < 0 &&
	       errno == EINTR)
		;
	if (l->box.dir >= 0 && status != 0)
		clean_up(l);
	l->shim = 0;
	let_go(&l->leash);
	state_close(&l->box);
}

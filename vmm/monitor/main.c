/* SPDX-License-Identifier: Apache-2.0 */
/* vial-vmm - one virtual machine, one process.
 *
 * THEORY OF OPERATION
 *
 * The launcher starts this program with every descriptor it will ever need
 * and a socket at PLAN_FD; the one message on it says what they are. The order
 * in main() is the design: read the plan, leave the host behind, build the
 * machine, let the host call, close the system calls, run. After jail_seal()
 * nothing can be opened, connected or started any more, and only then does the
 * first instruction of the guest run.
 *
 * Exit status: how the guest ended, see exits[]; JAIL_EXIT when the monitor
 * itself stepped outside of its system calls. */
#include "base/auto.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "control.h"
#include "jail/jail.h"
#include "machine/machine.h"
#include "monitor/conf.h"
#include "monitor/recv.h"
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define PLAN_FD 3
#define GUEST_CID 3
#define DRAIN_MS 2000 /* for clients that read slowly */

static const int exits[] = {
	[END_NONE] = 6,	 [END_POWEROFF] = 0, [END_REBOOT] = 2,
	[END_PANIC] = 3, [END_CRASH] = 4,    [END_STOPPED] = 5,
};
#define EXIT_REFUSED 1

static const char *const end_names[] = {
	[END_NONE] = "the monitor could not go on",
	[END_POWEROFF] = "the guest powered off",
	[END_REBOOT] = "the guest rebooted",
	[END_PANIC] = "the guest's kernel panicked",
	[END_CRASH] = "the guest crashed",
	[END_STOPPED] = "the guest was stopped",
};
static_assert(ARRAY_LEN(end_names) == ARRAY_LEN(exits), "an end has no name");

struct monitor {
	struct monitor_conf conf;
	struct dev_conf dev[MACHINE_MAX_DEVS];
	struct machine_conf machine_conf;
	struct machine machine;
	struct loop loop;
	struct control ctl;
	bool running;
};

/* Too large for a stack, and there is one of it. */
static struct monitor monitor;

static void monitor_ended(void *ctx)
{
	struct monitor *m = ctx;

	loop_stop(&m->loop);
}

static int monitor_enter_vcpu(void *ctx, struct err *e)
{
	(void)ctx;
	return jail_seal(JAIL_VCPU, e);
}

static int monitor_enter_dev(void *ctx, struct err *e)
{
	(void)ctx;
	return jail_seal(JAIL_NET, e);
}

static int monitor_recv(struct monitor *m, struct err *e)
{
	char name[80];

	if (recv_plan(PLAN_FD, &m->conf, e) < 0 ||
	    recv_close_others(&m->conf, PLAN_FD, e) < 0)
		return err_wrap(e, "plan");
	snprintf(name, sizeof(name), "vial-vmm %.12s", m->conf.id);
	log_init(name, m->conf.verbose ? LOG_INFO : LOG_WARN);
	return 0;
}

static unsigned monitor_nets(struct monitor *m, unsigned n)
{
	static const char *const names[CONF_MAX_NETS] = {
		"net0", "net1", "net2", "net3", "net4", "net5", "net6", "net7"
	};

	for (unsigned i = 0; i < m->conf.nnets; i++) {
		const struct conf_net *c = &m->conf.net[i];
		struct net_conf *net = &m->dev[n].net;

		m->dev[n++].type = DEV_NET;
		*net = (struct net_conf){
			.name = names[i],
			.fd = c->fd,
			.stream = c->stream,
			.mtu = c->mtu,
			.rx = { c->rx.bytes, c->rx.ops },
			.tx = { c->tx.bytes, c->tx.ops },
		};
		memcpy(net->mac, c->mac, sizeof(net->mac));
		memcpy(net->more, c->more, sizeof(net->more));
		net->nmore = c->nmore;
	}
	for (unsigned i = 0; i < m->conf.spare_nets; i++) {
		m->dev[n].type = DEV_NET;
		m->dev[n++].net =
			(struct net_conf){ .name = names[m->conf.nnets + i],
					   .fd = -1 };
	}
	return n;
}

/* The order gives the guest its device addresses: disks first. */
static void monitor_devices(struct monitor *m)
{
	struct machine_conf *mc = &m->machine_conf;
	unsigned n = 0;

	for (unsigned i = 0; i < m->conf.ndisks; i++) {
		struct conf_disk *d = &m->conf.disk[i];

		m->dev[n].type = DEV_BLK;
		m->dev[n++].blk = (struct blk_conf){
			.serial = d->serial,
			.base_fds = d->base_fds,
			.nbase = d->nbase,
			.overlay_fd = d->overlay_fd,
			.plain = d->plain,
			.size_bytes = d->size_bytes,
			.rate = { d->rate_bytes, d->rate_ops },
		};
	}
	if (m->conf.vsock_fd >= 0) {
		m->dev[n].type = DEV_VSOCK;
		m->dev[n++].vsock = (struct vsock_conf){
			.listen_fd = m->conf.vsock_fd,
			.guest_cid = GUEST_CID,
		};
	}
	m->dev[n++].type = DEV_RNG;
	for (unsigned i = 0; i < m->conf.nshares; i++) {
		m->dev[n].type = DEV_FS;
		m->dev[n++].fs = (struct fs_conf){
			.tag = m->conf.share[i].tag,
			.socket_fd = m->conf.share[i].socket_fd,
		};
	}
	if (m->conf.balloon)
		m->dev[n++].type = DEV_BALLOON;
	n = monitor_nets(m, n);
	mc->devs = m->dev;
	mc->ndevs = n;
}

static int monitor_build(struct monitor *m, struct err *e)
{
	m->machine_conf = (struct machine_conf){
		.vcpus = m->conf.vcpus,
		.ram_bytes = m->conf.ram_bytes,
		.shared_ram = m->conf.nshares > 0,
		.kvm_fd = m->conf.kvm_fd,
		.kernel_fd = m->conf.kernel_fd,
		.initrd_fd = m->conf.initrd_fd,
		.cmdline = m->conf.cmdline,
		.console_fd = m->conf.console_fd,
		.console_max_bytes = m->conf.console_max_bytes,
		.console_rate = m->conf.console_rate,
		.enter = monitor_enter_vcpu,
		.enter_dev = monitor_enter_dev,
		.ended = monitor_ended,
		.ctx = m,
	};
	monitor_devices(m);
	machine_init(&m->machine);
	if (loop_init(&m->loop, &m->machine.lock, e) < 0)
		return -e->code;
	return machine_build(&m->machine, &m->machine_conf, &m->loop, e);
}

static int monitor_seal(struct monitor *m, struct err *e)
{
	int r = jail_watch(m->conf.id, e);

	if (r == 0)
		r = machine_start(&m->machine, e); /* each seals itself */
	if (r == 0)
		r = jail_seal(JAIL_LOOP, e);
	return r;
}

static int monitor_run(struct monitor *m, struct err *e)
{
	int r;

	m->running = true;
	control_tell_running(&m->ctl);
	machine_go(&m->machine);
	r = loop_run(&m->loop);
	machine_stop(&m->machine);
	machine_drain(&m->machine, DRAIN_MS);
	if (r < 0)
		return err_set(e, -r, "loop: %s", strerror(-r));
	log_info("%s%s%s", end_names[m->machine.end],
		 *m->machine.end_why ? ": " : "", m->machine.end_why);
	return 0;
}

static int monitor_fini(struct monitor *m, const struct err *e)
{
	int status = exits[m->machine.end];

	if (e->code)
		log_err("%s", e->msg);
	if (!m->running) {
		control_tell_refused(PLAN_FD, e);
		return EXIT_REFUSED;
	}
	/* Disks are complete before anybody hears that the guest ended. */
	machine_fini(&m->machine);
	control_tell_ended(&m->ctl);
	control_fini(&m->ctl);
	loop_fini(&m->loop);
	return status;
}

int main(int argc, char **argv)
{
	struct monitor *m = &monitor;
	struct err e = { 0 };

	if (argc > 1 && strcmp(argv[1], "--probe") == 0)
		return probe_main();
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return printf("vial-vmm %s\n", VIAL_VERSION) < 0;
	log_init("vial-vmm", LOG_WARN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full overlay is an I/O error */
	m->ctl.started_us = now_us();

	if (monitor_recv(m, &e) < 0 ||	/* plan and fds in   */
	    jail_enter(&e) < 0 ||	/* no new files      */
	    monitor_build(m, &e) < 0 || /* guest ready       */
	    control_init(&m->ctl, &m->machine, &m->loop, m->conf.control_fd,
			 PLAN_FD, m->conf.tied, &e) < 0 ||
	    monitor_seal(m, &e) < 0 || /* syscalls closed   */
	    monitor_run(m, &e) < 0)    /* until guest ends  */
		log_debug("the guest did not run to its end");
	return monitor_fini(m, &e);
}

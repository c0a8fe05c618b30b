/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/conf.h"
#include "proto/control.pb-c.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static uint64_t cpu_us(uint64_t *max_rss)
{
	struct rusage u = { 0 };

	getrusage(RUSAGE_SELF, &u);
	if (max_rss)
		*max_rss = (uint64_t)u.ru_maxrss * 1024;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* ---- notices ---- */

static void tell(int fd, Vial__Control__Notice *n)
{
	struct chan c;

	chan_init(&c, fd);
	if (chan_send(&c, &n->base) < 0)
		log_debug("the launcher is gone");
	chan_fini(&c);
}

void control_tell_refused(int plan_fd, const struct err *e)
{
	Vial__Control__Refused r = VIAL__CONTROL__REFUSED__INIT;
	Vial__Control__Notice n = VIAL__CONTROL__NOTICE__INIT;
	struct err copy = *e;

	r.error = (uint32_t)copy.code;
	r.message = copy.msg;
	n.of_case = VIAL__CONTROL__NOTICE__OF_REFUSED;
	n.refused = &r;
	tell(plan_fd, &n);
}

void control_tell_running(struct control *c)
{
	Vial__Control__Running r = VIAL__CONTROL__RUNNING__INIT;
	Vial__Control__Notice n = VIAL__CONTROL__NOTICE__INIT;

	r.start_us = now_us() - c->started_us;
	r.cpu_us = cpu_us(NULL);
	n.of_case = VIAL__CONTROL__NOTICE__OF_RUNNING;
	n.running = &r;
	tell(c->plan.fd, &n);
}

void control_tell_ended(struct control *c)
{
	static const Vial__Control__Ended__Reason reasons[] = {
		[END_NONE] = VIAL__CONTROL__ENDED__REASON__FAILED,
		[END_POWEROFF] = VIAL__CONTROL__ENDED__REASON__POWEROFF,
		[END_REBOOT] = VIAL__CONTROL__ENDED__REASON__REBOOT,
		[END_PANIC] = VIAL__CONTROL__ENDED__REASON__PANIC,
		[END_CRASH] = VIAL__CONTROL__ENDED__REASON__CRASH,
		[END_STOPPED] = VIAL__CONTROL__ENDED__REASON__STOPPED,
	};
	Vial__Control__Ended r = VIAL__CONTROL__ENDED__INIT;
	Vial__Control__Notice n = VIAL__CONTROL__NOTICE__INIT;

	r.reason = reasons[c->machine->end];
	r.detail = c->machine->end_why;
	r.cpu_us = cpu_us(&r.max_rss_bytes);
	n.of_case = VIAL__CONTROL__NOTICE__OF_ENDED;
	n.ended = &r;
	tell(c->plan.fd, &n);
}

/* ---- the control socket ---- */

static void client_drop(struct control_client *cl)
{
	loop_del(cl->ctl->loop, &cl->watch);
	close(cl->watch.fd);
	if (cl->fd >= 0)
		close(take_fd(&cl->fd));
	chan_fini(&cl->chan);
	cl->open = false;
}

static void fill_stats(const struct control *c, Vial__Control__Stats *s)
{
	const struct machine *m = c->machine;
	struct dev_stats dev = { 0 };

	s->cpu_us = cpu_us(&s->max_rss_bytes);
	for (unsigned i = 0; i < m->nvcpus; i++) {
		s->exits += m->vcpu[i].exits;
		s->mmio_exits += m->vcpu[i].mmio_exits;
		s->pio_exits += m->vcpu[i].pio_exits;
	}
	s->console_bytes = m->console.bytes;
	s->console_dropped = m->console.dropped;
	s->uptime_us = now_us() - c->started_us;
	s->paused = m->paused;
	machine_dev_stats(m, &dev);
	s->disk_read_bytes = dev.disk_read_bytes;
	s->disk_write_bytes = dev.disk_write_bytes;
	s->returned_bytes = dev.returned_bytes;
	s->net_rx_bytes = dev.net_rx_bytes;
	s->net_tx_bytes = dev.net_tx_bytes;
	s->net_dropped = dev.net_dropped;
	s->ram_bytes = mem_size(&m->mem);
}

/* ---- interfaces that come and go ---- */

/* What a plan's interface must be (plan.c), of one that comes late. */
static int check_plug(const Vial__Control__Plug *p, struct err *e)
{
	if (p->mac.len != CONF_MAC || p->mac.data[0] & 1)
		return err_set(e, EINVAL, "mac: not that of an interface");
	if (p->mtu > CONF_MAX_MTU || (p->mtu && p->mtu < CONF_MIN_MTU))
		return err_set(e, EINVAL, "mtu: not %d to %d", CONF_MIN_MTU,
			       CONF_MAX_MTU);
	if (p->rx_bytes > CONF_MAX_RATE || p->tx_bytes > CONF_MAX_RATE)
		return err_set(e, EINVAL, "rate: more than 2^40 a second");
	return 0;
}

static int plug(struct control_client *cl, const Vial__Control__Plug *p,
		Vial__Control__Plugged *out, struct err *e)
{
	struct dev_conf conf = { .type = DEV_NET };
	int r = check_plug(p, e);

	if (r < 0)
		return r;
	if (cl->fd < 0)
		return err_set(e, EBADF, "no tap came with the call");
	conf.net.fd = cl->fd;
	conf.net.mtu = (uint16_t)p->mtu;
	conf.net.rx.bytes = p->rx_bytes;
	conf.net.tx.bytes = p->tx_bytes;
	memcpy(conf.net.mac, p->mac.data, sizeof(conf.net.mac));
	r = machine_plug(cl->ctl->machine, &conf, e);
	if (r < 0)
		return r;
	take_fd(&cl->fd);
	out->slot = (uint32_t)r;
	out->address = machine_slot_at(out->slot).v;
	return 0;
}

static void put_error(Vial__Control__Reply *reply, struct err *e)
{
	reply->error = (uint32_t)e->code;
	reply->message = e->msg;
}

static void client_answer(struct control_client *cl,
			  const Vial__Control__Call *call)
{
	struct control *c = cl->ctl;
	Vial__Control__Stats stats = VIAL__CONTROL__STATS__INIT;
	Vial__Control__Plugged plugged = VIAL__CONTROL__PLUGGED__INIT;
	Vial__Control__Reply reply = VIAL__CONTROL__REPLY__INIT;
	struct err e;

	switch (call->op_case) {
	case VIAL__CONTROL__CALL__OP_STATS:
		fill_stats(c, &stats);
		reply.stats = &stats;
		break;
	case VIAL__CONTROL__CALL__OP_STOP:
		machine_end(c->machine, END_STOPPED, "stopped on request");
		break;
	case VIAL__CONTROL__CALL__OP_PAUSE:
		machine_pause(c->machine);
		break;
	case VIAL__CONTROL__CALL__OP_RESUME:
		machine_go(c->machine);
		break;
	case VIAL__CONTROL__CALL__OP_PLUG:
		if (plug(cl, call->plug, &plugged, &e) < 0)
			put_error(&reply, &e);
		else
			reply.plugged = &plugged;
		break;
	case VIAL__CONTROL__CALL__OP_UNPLUG:
		if (machine_unplug(c->machine, call->unplug->slot, &e) < 0)
			put_error(&reply, &e);
		break;
	default:
		reply.error = ENOSYS;
		reply.message = (char[]){ "unknown call" };
		break;
	}
	/* A client that does not read its few replies is not worth keeping. */
	if (chan_put(&cl->chan, &reply.base) < 0 || chan_flush(&cl->chan) != 1)
		client_drop(cl);
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct control_client *cl =
		container_of(w, struct control_client, watch);
	ProtobufCMessage *m;
	int r = chan_fill_fd(&cl->chan, &cl->fd);

	(void)events;
	if (r < 0) {
		client_drop(cl);
		return;
	}
	while (cl->open &&
	       (m = chan_next(&cl->chan, &vial__control__call__descriptor,
			      &r))) {
		client_answer(cl, (Vial__Control__Call *)m);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	if (cl->open && r < 0)
		client_drop(cl);
}

static void control_accept(struct watch *w, uint32_t events)
{
	struct control *c = container_of(w, struct control, listen);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e;

	(void)events;
	if (fd < 0)
		return;
	for (unsigned i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		struct control_client *cl = &c->client[i];

		if (cl->open)
			continue;
		cl->ctl = c;
		cl->watch = (struct watch){ .fd = fd,
					    .name = "control client",
					    .ready = client_ready };
		if (loop_add(c->loop, &cl->watch, EPOLLIN, &e) < 0)
			break;
		chan_init(&cl->chan, fd);
		cl->fd = -1;
		cl->open = true;
		return;
	}
	close(fd);
}

/* Nothing comes on the plan socket after the plan but its end. */
static void plan_ready(struct watch *w, uint32_t events)
{
	struct control *c = container_of(w, struct control, plan);

	(void)events;
	loop_del(c->loop, w);
	if (c->tied)
		machine_end(c->machine, END_STOPPED, "the client has gone");
}

int control_init(struct control *c, struct machine *m, struct loop *loop,
		 int listen_fd, int plan_fd, bool tied, struct err *e)
{
	int r = 0;

	c->machine = m;
	c->loop = loop;
	c->tied = tied;
	c->listen = (struct watch){ .fd = listen_fd,
				    .name = "control",
				    .ready = control_accept };
	c->plan = (struct watch){ .fd = plan_fd,
				  .name = "plan",
				  .ready = plan_ready };
	if (listen_fd >= 0)
		r = loop_add(loop, &c->listen, EPOLLIN, e);
	if (r == 0)
		r = loop_add(loop, &c->plan, EPOLLIN | EPOLLRDHUP, e);
	return r;
}

void control_fini(struct control *c)
{
	for (unsigned i = 0; i < CONTROL_MAX_CLIENTS; i++)
		if (c->client[i].open)
			client_drop(&c->client[i]);
	if (c->loop) {
		loop_del(c->loop, &c->listen);
		loop_del(c->loop, &c->plan);
	}
	c->loop = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/plan.h"

#include "base/auto.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define MIB (1ull << 20)
#define SECTOR 512
#define MAX_CONSOLE (1ull << 30)

/* isalnum() asks the locale; a name must not depend on it. */
static bool id_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool printable(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* Copies src into dst if it is at most max bytes, all of which pass ok(). */
static int copy_text(char *dst, size_t max, const char *src,
		     bool (*ok)(unsigned char), const char *name, struct err *e)
{
	size_t len = src ? strnlen(src, max + 1) : 0;

	if (len > max)
		return err_set(e, EINVAL, "%s: longer than %zu bytes", name,
			       max);
	for (size_t i = 0; i < len; i++)
		if (!ok((unsigned char)src[i]))
			return err_set(e, EINVAL,
				       "%s: byte 0x%02x at %zu is not allowed",
				       name, (unsigned char)src[i], i);
	if (len)
		memcpy(dst, src, len);
	dst[len] = '\0';
	return 0;
}

/* 0 on the wire means there is none. */
static int copy_fd(int *dst, uint32_t fd, const char *name, struct err *e)
{
	*dst = -1;
	if (fd == 0)
		return 0;
	if (fd < PLAN_FIRST_FD || fd > INT_MAX)
		return err_set(e, EINVAL,
			       "%s: descriptor %" PRIu32 " cannot be one of a "
			       "plan",
			       name, fd);
	*dst = (int)fd;
	return 0;
}

static int need_fd(int *dst, uint32_t fd, const char *name, struct err *e)
{
	if (fd == 0)
		return err_set(e, EINVAL, "%s: missing", name);
	return copy_fd(dst, fd, name, e);
}

static int check_rate(const Vial__Plan__Rate *r, uint64_t *bytes, uint64_t *ops,
		      const char *name, struct err *e)
{
	*bytes = r ? r->bytes : 0;
	*ops = r ? r->ops : 0;
	if (*bytes > CONF_MAX_RATE || *ops > CONF_MAX_RATE)
		return err_set(e, EINVAL, "%s: more than 2^40 a second", name);
	return 0;
}

static int check_disk(const Vial__Plan__Disk *d, struct conf_disk *out,
		      struct err *e)
{
	if (copy_text(out->serial, CONF_SERIAL_MAX, d->serial, printable,
		      "serial", e) < 0)
		return -EINVAL;
	if (d->n_base_fds > CONF_MAX_LAYERS)
		return err_set(e, EINVAL, "base_fds: %zu layers, at most %d",
			       d->n_base_fds, CONF_MAX_LAYERS);
	out->nbase = (unsigned)d->n_base_fds;
	for (unsigned i = 0; i < out->nbase; i++)
		if (need_fd(&out->base_fds[i], d->base_fds[i], "base_fds", e) <
		    0)
			return -EINVAL;
	if (copy_fd(&out->overlay_fd, d->overlay_fd, "overlay_fd", e) < 0)
		return -EINVAL;
	if (d->size_bytes % SECTOR || d->size_bytes > CONF_MAX_DISK)
		return err_set(e, EINVAL,
			       "size_bytes: %" PRIu64 " is not a whole number "
			       "of sectors up to 1 PiB",
			       d->size_bytes);
	out->size_bytes = d->size_bytes;
	if (check_rate(d->rate, &out->rate_bytes, &out->rate_ops, "rate", e) <
	    0)
		return -EINVAL;
	out->plain = d->plain;
	if (out->plain && (out->nbase || out->overlay_fd < 0))
		return err_set(e, EINVAL, "plain: is one file and no layers");
	if (out->nbase == 0 && out->overlay_fd < 0)
		return err_set(e, EINVAL, "neither a layer nor an overlay");
	if (out->nbase == 0 && out->size_bytes == 0 && !out->plain)
		return err_set(e, EINVAL,
			       "size_bytes: missing, and no layer tells it");
	return 0;
}

/* The guest's agent finds a disk by its serial. */
static int check_serials(const struct monitor_conf *c, struct err *e)
{
	for (unsigned i = 0; i < c->ndisks; i++)
		for (unsigned j = 0; j < i; j++)
			if (c->disk[i].serial[0] &&
			    strcmp(c->disk[i].serial, c->disk[j].serial) == 0)
				return err_set(e, EINVAL,
					       "disks %u and %u: both have "
					       "serial %s",
					       j, i, c->disk[i].serial);
	return 0;
}

static int check_disks(const Vial__Plan__Plan *p, struct monitor_conf *c,
		       struct err *e)
{
	if (p->n_disks > CONF_MAX_DISKS)
		return err_set(e, EINVAL, "disks: %zu of them, at most %d",
			       p->n_disks, CONF_MAX_DISKS);
	c->ndisks = (unsigned)p->n_disks;
	for (unsigned i = 0; i < c->ndisks; i++)
		if (check_disk(p->disks[i], &c->disk[i], e) < 0)
			return err_wrap(e, "disk %u", i);
	return check_serials(c, e);
}

static int check_share(const Vial__Plan__Share *s, struct conf_share *out,
		       struct err *e)
{
	if (copy_text(out->tag, CONF_TAG_MAX, s->tag, printable, "tag", e) < 0)
		return -EINVAL;
	if (out->tag[0] == '\0')
		return err_set(e, EINVAL, "tag: missing");
	return need_fd(&out->socket_fd, s->socket_fd, "socket_fd", e);
}

/* The guest tells them apart by their tags. */
static int check_shares(const Vial__Plan__Plan *p, struct monitor_conf *c,
			struct err *e)
{
	if (p->n_shares > CONF_MAX_SHARES)
		return err_set(e, EINVAL, "shares: %zu of them, at most %d",
			       p->n_shares, CONF_MAX_SHARES);
	c->nshares = (unsigned)p->n_shares;
	for (unsigned i = 0; i < c->nshares; i++) {
		if (check_share(p->shares[i], &c->share[i], e) < 0)
			return err_wrap(e, "share %u", i);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(c->share[i].tag, c->share[j].tag) == 0)
				return err_set(e, EINVAL,
					       "shares %u and %u: both have "
					       "tag %s",
					       j, i, c->share[i].tag);
	}
	return 0;
}

/* A unicast address: frames of a guest must be able to come from it. */
static int check_mac(uint8_t *out, const ProtobufCBinaryData *mac,
		     struct err *e)
{
	if (mac->len != CONF_MAC)
		return err_set(e, EINVAL, "mac: %zu bytes, not %d", mac->len,
			       CONF_MAC);
	if (mac->data[0] & 1)
		return err_set(e, EINVAL, "mac: is a group's");
	memcpy(out, mac->data, CONF_MAC);
	return 0;
}

static int check_queues(const Vial__Plan__Net *n, struct conf_net *out,
			struct err *e)
{
	if (n->n_more_tap_fds > CONF_NET_MORE)
		return err_set(e, EINVAL, "more_tap_fds: %zu, at most %d",
			       n->n_more_tap_fds, CONF_NET_MORE);
	if (n->n_more_tap_fds && out->stream)
		return err_set(e, EINVAL, "more_tap_fds: of a stream");
	out->nmore = (unsigned)n->n_more_tap_fds;
	for (unsigned i = 0; i < out->nmore; i++)
		if (need_fd(&out->more[i], n->more_tap_fds[i], "more_tap_fds",
			    e) < 0)
			return -EINVAL;
	return 0;
}

static int check_net(const Vial__Plan__Net *n, struct conf_net *out,
		     struct err *e)
{
	if (!n->tap_fd == !n->stream_fd)
		return err_set(e, EINVAL, "one of tap_fd and stream_fd");
	out->stream = n->stream_fd;
	if (n->mtu > CONF_MAX_MTU || (n->mtu && n->mtu < CONF_MIN_MTU))
		return err_set(e, EINVAL, "mtu: %" PRIu32 " is not %d to %d",
			       n->mtu, CONF_MIN_MTU, CONF_MAX_MTU);
	out->mtu = (uint16_t)n->mtu;
	if (check_mac(out->mac, &n->mac, e) < 0 ||
	    check_queues(n, out, e) < 0 ||
	    check_rate(n->rx, &out->rx.bytes, &out->rx.ops, "rx", e) < 0 ||
	    check_rate(n->tx, &out->tx.bytes, &out->tx.ops, "tx", e) < 0)
		return -EINVAL;
	return out->stream ? need_fd(&out->fd, n->stream_fd, "stream_fd", e)
			   : need_fd(&out->fd, n->tap_fd, "tap_fd", e);
}

static int check_nets(const Vial__Plan__Plan *p, struct monitor_conf *c,
		      struct err *e)
{
	if (p->n_nets > CONF_MAX_NETS)
		return err_set(e, EINVAL, "nets: %zu of them, at most %d",
			       p->n_nets, CONF_MAX_NETS);
	c->nnets = (unsigned)p->n_nets;
	if (p->spare_nets > CONF_MAX_NETS - c->nnets)
		return err_set(e, EINVAL,
			       "spare_nets: %" PRIu32 ", at most %d with nets",
			       p->spare_nets, CONF_MAX_NETS);
	c->spare_nets = p->spare_nets;
	for (unsigned i = 0; i < c->nnets; i++)
		if (check_net(p->nets[i], &c->net[i], e) < 0)
			return err_wrap(e, "net %u", i);
	return 0;
}

static int check_console_rate(const Vial__Plan__Plan *p, struct monitor_conf *c,
			      struct err *e)
{
	uint64_t ops;

	if (check_rate(p->console_rate, &c->console_rate, &ops, "console_rate",
		       e) < 0)
		return -EINVAL;
	if (ops)
		return err_set(e, EINVAL, "console_rate: ops are not counted");
	return 0;
}

static int check_id(const Vial__Plan__Plan *p, struct monitor_conf *c,
		    struct err *e)
{
	if (copy_text(c->id, CONF_ID_MAX, p->id, id_char, "id", e) < 0)
		return -EINVAL;
	if (c->id[0] == '\0')
		return err_set(e, EINVAL, "id: missing");
	if (c->id[0] == '.' || c->id[0] == '-')
		return err_set(e, EINVAL, "id: begins with '%c'", c->id[0]);
	return 0;
}

static int check_shape(const Vial__Plan__Plan *p, struct monitor_conf *c,
		       struct err *e)
{
	if (p->vcpus < 1 || p->vcpus > CONF_MAX_VCPUS)
		return err_set(e, EINVAL, "vcpus: %" PRIu32 ", not 1 to %d",
			       p->vcpus, CONF_MAX_VCPUS);
	if (p->ram_bytes % MIB || p->ram_bytes < CONF_MIN_RAM ||
	    p->ram_bytes > CONF_MAX_RAM)
		return err_set(e, EINVAL,
			       "ram_bytes: %" PRIu64 " is not a whole MiB from "
			       "32 MiB to 1 TiB",
			       p->ram_bytes);
	if (p->console_max_bytes > MAX_CONSOLE)
		return err_set(e, EINVAL,
			       "console_max_bytes: %" PRIu64 " is more than 1 "
			       "GiB",
			       p->console_max_bytes);
	c->vcpus = p->vcpus;
	c->ram_bytes = p->ram_bytes;
	c->console_max_bytes = p->console_max_bytes;
	c->tied = p->tied;
	c->verbose = p->verbose;
	c->balloon = p->balloon;
	return 0;
}

int plan_check(const Vial__Plan__Plan *p, struct monitor_conf *conf,
	       struct err *e)
{
	memset(conf, 0, sizeof(*conf));
	if (p->generation != PLAN_GENERATION)
		return err_set(e, EINVAL,
			       "generation: %" PRIu32 ", this monitor speaks "
			       "%d: vial and vial-vmm are of different "
			       "versions",
			       p->generation, PLAN_GENERATION);
	if (check_id(p, conf, e) < 0 || check_shape(p, conf, e) < 0 ||
	    copy_text(conf->cmdline, CONF_CMDLINE_MAX, p->cmdline, printable,
		      "cmdline", e) < 0 ||
	    need_fd(&conf->kvm_fd, p->kvm_fd, "kvm_fd", e) < 0 ||
	    need_fd(&conf->kernel_fd, p->kernel_fd, "kernel_fd", e) < 0 ||
	    copy_fd(&conf->initrd_fd, p->initrd_fd, "initrd_fd", e) < 0 ||
	    copy_fd(&conf->console_fd, p->console_fd, "console_fd", e) < 0 ||
	    copy_fd(&conf->control_fd, p->control_fd, "control_fd", e) < 0 ||
	    copy_fd(&conf->vsock_fd, p->vsock_fd, "vsock_fd", e) < 0 ||
	    copy_fd(&conf->lock_fd, p->lock_fd, "lock_fd", e) < 0 ||
	    check_console_rate(p, conf, e) < 0 || check_disks(p, conf, e) < 0 ||
	    check_shares(p, conf, e) < 0 || check_nets(p, conf, e) < 0)
		return -EINVAL;
	return 0;
}

int plan_decode(const void *bytes, size_t len, struct monitor_conf *conf,
		struct err *e)
{
	Vial__Plan__Plan *p = vial__plan__plan__unpack(NULL, len, bytes);
	int r;

	if (!p)
		return err_set(e, EPROTO, "not a plan message");
	r = plan_check(p, conf, e);
	vial__plan__plan__free_unpacked(p, NULL);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "machine/machine.h"
#include "virtio/mmio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define FDT_ROOM 16384
#define CMDLINE_ROOM 4096

void machine_init(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->vm.fd = -1;
	m->end_watch.fd = -1;
	m->defer_watch.fd = -1;
	m->ack_fd = -1;
	pthread_cond_init(&m->deferred, NULL);
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->end_lock, NULL);
}

static int build_ram(struct machine *m, struct err *e)
{
	struct arch_range range[MEM_MAX_REGIONS];
	unsigned n = arch_ram(m->conf->ram_bytes, range);
	int r;

	m->mem.shared = m->conf->shared_ram;
	for (unsigned i = 0; i < n; i++) {
		r = mem_add(&m->mem, range[i].base, range[i].size, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int build_vm(struct machine *m, struct err *e)
{
	int r = kvm_open(&m->vm, m->conf->kvm_fd, e);

	if (r == 0)
		r = arch_vm_init(&m->vm, e);
	if (r == 0)
		r = kvm_add_mem(&m->vm, &m->mem, e);
	return r;
}

/* ---- the fixed devices ---- */

static void serial_bus_read(void *own, uint32_t off, void *dst, uint32_t len)
{
	serial_read(own, off, dst, len);
}

static void serial_bus_write(void *own, uint32_t off, const void *src,
			     uint32_t len)
{
	serial_write(own, off, src, len);
}

static int build_serial(struct machine *m, struct err *e)
{
	struct bus_range range = { .name = "serial",
				   .base = arch_map.serial,
				   .size = SERIAL_REGS,
				   .own = &m->serial,
				   .read = serial_bus_read,
				   .write = serial_bus_write };
	int r = serial_log_init(&m->console, m->conf->console_fd,
				m->conf->console_max_bytes,
				m->conf->console_rate, m->loop, e);

	if (r == 0)
		r = serial_init(&m->serial, serial_log_put, &m->console, e);
	if (r == 0)
		r = kvm_irqfd(&m->vm, m->serial.irq_fd, arch_map.serial_gsi, e);
	if (r == 0)
		r = bus_add(arch_map.serial_pio ? &m->pio : &m->mmio, &range,
			    e);
	return r;
}

static void power_told(void *ctx, enum power_event ev)
{
	struct machine *m = ctx;

	if (ev == POWER_OFF)
		machine_end(m, END_POWEROFF, "");
	else
		machine_end(m, END_PANIC, "");
}

static void reset_read(void *own, uint32_t off, void *dst, uint32_t len)
{
	(void)own;
	(void)off;
	memset(dst, 0, len);
}

static void reset_write(void *own, uint32_t off, const void *src, uint32_t len)
{
	(void)off;
	(void)len;
	if (*(const uint8_t *)src == arch_map.reset_value)
		machine_end(own, END_REBOOT, "");
}

static int build_power(struct machine *m, struct err *e)
{
	struct bus_range off = { .name = "poweroff",
				 .base = arch_map.power.v,
				 .size = MMIO_SIZE,
				 .own = &m->power,
				 .read = power_read,
				 .write = power_write };
	struct bus_range panic = { .name = "pvpanic",
				   .base = arch_map.pvpanic.v,
				   .size = PVPANIC_BYTES,
				   .own = &m->power,
				   .read = pvpanic_read,
				   .write = pvpanic_write };
	struct bus_range reset = { .name = "reset",
				   .base = arch_map.reset_port,
				   .size = 1,
				   .own = m,
				   .read = reset_read,
				   .write = reset_write };
	int r;

	m->power = (struct power){ .told = power_told, .ctx = m };
	r = bus_add(&m->mmio, &off, e);
	if (r == 0)
		r = bus_add(&m->mmio, &panic, e);
	if (r == 0 && arch_map.has_reset)
		r = bus_add(&m->pio, &reset, e);
	return r;
}

/* ---- the kernel ---- */

static int build_kernel(struct machine *m, struct err *e)
{
	const struct machine_conf *c = m->conf;
	autofree void *fdt = malloc(FDT_ROOM);
	char cmdline[CMDLINE_ROOM];
	int len, n;

	if (!fdt)
		return err_set(e, ENOMEM, "device tree: out of memory");
	n = snprintf(cmdline, sizeof(cmdline), "%s%s%s", arch_map.cmdline,
		     c->cmdline[0] ? " " : "", c->cmdline);
	if (n < 0 || (size_t)n >= sizeof(cmdline))
		return err_set(e, E2BIG, "kernel command line too long");
	if (arch_load(c->kernel_fd, c->initrd_fd, &m->mem, &m->boot, e) < 0)
		return -e->code;
	len = machine_fdt(m, cmdline, fdt, FDT_ROOM, e);
	if (len < 0)
		return len;
	return arch_handover(&m->mem, &m->boot, cmdline, fdt, (size_t)len, e);
}

/* ---- all of it ---- */

static void end_ready(struct watch *w, uint32_t events)
{
	struct machine *m = container_of(w, struct machine, end_watch);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		m->conf->ended(m->conf->ctx);
}

static int build_end(struct machine *m, struct err *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return err_sys(e, "eventfd");
	m->end_watch =
		(struct watch){ .fd = fd, .name = "end", .ready = end_ready };
	return loop_add(m->loop, &m->end_watch, EPOLLIN, e);
}

int machine_build(struct machine *m, const struct machine_conf *conf,
		  struct loop *loop, struct err *e)
{
	int r;

	m->conf = conf;
	m->loop = loop;
	if ((r = build_ram(m, e)) < 0 || (r = build_vm(m, e)) < 0 ||
	    (r = build_end(m, e)) < 0 || (r = build_power(m, e)) < 0 ||
	    (r = build_serial(m, e)) < 0 || (r = slot_build_all(m, e)) < 0 ||
	    (r = build_kernel(m, e)) < 0)
		return r;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a plan message: what passes keeps every promise of conf.h. */
#include "base/auto.h"
#include "monitor/plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void must_be_text(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	must(len <= max);
	for (size_t i = 0; i < len; i++)
		must(s[i] >= 0x20 && s[i] < 0x7f);
}

static void must_be_fd(int fd, int needed)
{
	must(fd >= PLAN_FIRST_FD || (fd == -1 && !needed));
}

static void must_be_disk(const struct conf_disk *d)
{
	must(d->nbase <= CONF_MAX_LAYERS);
	must_be_text(d->serial, CONF_SERIAL_MAX);
	for (unsigned i = 0; i < d->nbase; i++)
		must_be_fd(d->base_fds[i], 1);
	must_be_fd(d->overlay_fd, d->nbase == 0);
	must(d->size_bytes % 512 == 0 && d->size_bytes <= CONF_MAX_DISK);
	must(!d->plain || (d->nbase == 0 && d->overlay_fd >= 0));
	must(d->nbase > 0 || d->size_bytes > 0 || d->plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct monitor_conf c;
	struct err e = { 0 };
	int r = plan_decode(data, size, &c, &e);

	if (r < 0) {
		must(r == -e.code && e.msg[0] != '\0');
		must(memchr(e.msg, '\0', sizeof(e.msg)) != NULL);
		return 0;
	}
	must(c.id[0] != '\0' && !strchr(c.id, '/'));
	must_be_text(c.id, CONF_ID_MAX);
	must_be_text(c.cmdline, CONF_CMDLINE_MAX);
	must(c.vcpus >= 1 && c.vcpus <= CONF_MAX_VCPUS);
	must(c.ram_bytes >= CONF_MIN_RAM && c.ram_bytes <= CONF_MAX_RAM);
	must_be_fd(c.kvm_fd, 1);
	must_be_fd(c.kernel_fd, 1);
	must_be_fd(c.initrd_fd, 0);
	must_be_fd(c.console_fd, 0);
	must_be_fd(c.control_fd, 0);
	must_be_fd(c.vsock_fd, 0);
	must(c.ndisks <= CONF_MAX_DISKS);
	for (unsigned i = 0; i < c.ndisks; i++)
		must_be_disk(&c.disk[i]);
	must(c.nshares <= CONF_MAX_SHARES);
	for (unsigned i = 0; i < c.nshares; i++) {
		must(c.share[i].tag[0] != '\0');
		must_be_text(c.share[i].tag, CONF_TAG_MAX);
		must_be_fd(c.share[i].socket_fd, 1);
	}
	must(c.nnets + c.spare_nets <= CONF_MAX_NETS);
	for (unsigned i = 0; i < c.nnets; i++) {
		must_be_fd(c.net[i].fd, 1);
		must(!(c.net[i].mac[0] & 1));
		must(c.net[i].mtu == 0 || c.net[i].mtu >= CONF_MIN_MTU);
	}
	return 0;
}

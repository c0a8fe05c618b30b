/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nic.h"

#include "agent/net.h"
#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRIVER "/sys/bus/platform/drivers/virtio-mmio/"

/* Who runs as root here may have put anything in these places. */
static int tell_driver(const char *verb, uint64_t device, struct err *e)
{
	char name[40], path[80];
	autoclose int fd = -1;

	/* As the kernel names what the device tree has. */
	snprintf(name, sizeof(name), "%" PRIx64 ".virtio", device);
	snprintf(path, sizeof(path), DRIVER "%s", verb);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (write(fd, name, strlen(name)) < 0)
		return err_sys(e, "%s %s", verb, name);
	return 0;
}

int nic_add(const Vial__Agent__AddLink *m, struct err *e)
{
	struct err ignored;

	if (!m->link)
		return err_set(e, EINVAL, "not an interface");
	/* The driver has it when this returns. */
	if (tell_driver("bind", m->device, e) < 0)
		return -e->code;
	if (net_add(m->link, e) == 0)
		return 0;
	tell_driver("unbind", m->device, &ignored);
	return -e->code;
}

int nic_remove(uint64_t device, struct err *e)
{
	int r = tell_driver("unbind", device, e);

	return r == -ENODEV ? 0 : r; /* no driver has it */
}

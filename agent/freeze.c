/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/freeze.h"

#include "agent/mount.h"
#include "base/auto.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* The host keeps its map of the disk when it is told to flush. */
static int flush_disk(struct err *e)
{
	char path[280];
	autoclose int fd = -1;

	if (mount_find_disk("root", path, sizeof(path), e) < 0)
		return -e->code;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "flush %s", path);
	return 0;
}

int freeze_root(struct freeze *f, struct caller *by, struct err *e)
{
	autoclose int fd = -1;

	if (f->root >= 0)
		return err_set(e, EBUSY,
			       "the disk of the box is being read already");
	fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", f->path);
	/* One that is mounted read-only is still as it is. */
	if (ioctl(fd, FIFREEZE, 0) < 0)
		return err_sys(e, "hold the root disk");
	f->root = take_fd(&fd);
	f->by = by;
	if (flush_disk(e) < 0) {
		freeze_end(f);
		return -e->code;
	}
	return 0;
}

void freeze_disowned(struct freeze *f, const struct caller *by)
{
	if (f->by == by)
		freeze_end(f);
}

void freeze_end(struct freeze *f)
{
	if (f->root < 0)
		return;
	if (ioctl(f->root, FITHAW, 0) < 0)
		log_err("the root disk stays frozen: %s", strerror(errno));
	close(take_fd(&f->root));
	f->by = NULL;
}

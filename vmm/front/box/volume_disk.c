/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of a volume. */
#include "box/volume.h"

#include "base/auto.h"
#include "box/mke2fs.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#define JOURNAL_FROM (1ull << 30) /* smaller ones get what mke2fs thinks */

int volume_make_disk(int dir, uint64_t size, struct err *e)
{
	/* A journal that does not fill the host's disk. */
	static const char *const options[] = {
		"-E", "lazy_journal_init=1,root_owner=0:0", "-J", "size=32",
		NULL
	};
	static const char *const small[] = {
		"-E", "lazy_journal_init=1,root_owner=0:0", NULL
	};
	autoclose int fd = openat(dir, "disk.ext4",
				  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "disk.ext4");
	if (mke2fs_run(fd, size, size >= JOURNAL_FROM ? options : small, e) < 0)
		return -e->code;
	return fsync(fd) < 0 ? err_sys(e, "disk.ext4") : 0;
}

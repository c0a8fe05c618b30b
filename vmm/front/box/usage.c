/* SPDX-License-Identifier: Apache-2.0 */
#include "box/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512 /* of st_blocks, whatever the file system's are */

/* Of the regular files in a directory, but for those that are somebody else's
 * as well, such as the disk of an image; nameless: only those without a name.
 * Takes fd over. */
static uint64_t sum(int fd, bool nameless)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	uint64_t bytes = 0;
	struct stat st;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((ent = readdir(d)))
		if (fstatat(dirfd(d), ent->d_name, &st,
			    nameless ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink == (nameless ? 0 : 1))
			bytes += (uint64_t)st.st_blocks * BLOCK;
	closedir(d);
	return bytes;
}

uint64_t usage_box(const struct box *b, const struct box_info *info)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	uint64_t bytes = sum(openat(b->dir, ".", flags), false);
	char path[32];

	if (!info->alive || info->pid <= 0)
		return bytes;
	snprintf(path, sizeof(path), "/proc/%d/fd", info->pid);
	return bytes + sum(open(path, flags), true);
}

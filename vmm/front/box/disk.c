/* SPDX-License-Identifier: Apache-2.0 */
#include "box/disk.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The ext4 superblock: where it is, and the fields that are looked at. */
#define SUPER_OFF 1024
#define SUPER_LEN 1024
#define SUPER_BLOCKS_LO 0x4
#define SUPER_BLOCK_LOG 0x18
#define SUPER_MAGIC 0x38
#define SUPER_INCOMPAT 0x60
#define SUPER_BLOCKS_HI 0x150
#define MAGIC 0xef53
#define INCOMPAT_64BIT 0x80
#define BLOCK_LOG_MAX 6 /* 64 KiB */

static uint32_t le32_at(const uint8_t *p, size_t off)
{
	uint32_t v;

	memcpy(&v, p + off, sizeof(v));
	return le32toh(v);
}

static int check_super(int fd, const char *path, uint64_t size, struct err *e)
{
	uint8_t sb[SUPER_LEN];
	ssize_t n = fd_pread_full(fd, sb, sizeof(sb), SUPER_OFF);
	uint64_t blocks;
	uint32_t log;
	uint16_t magic;

	if (n < 0)
		return err_set(e, (int)-n, "image %s: read: %s", path,
			       strerror((int)-n));
	memcpy(&magic, sb + SUPER_MAGIC, sizeof(magic));
	if (n < SUPER_LEN || le16toh(magic) != MAGIC)
		return err_set(e, EINVAL,
			       "image %s: not an ext4 file system "
			       "(see 'vial help images')",
			       path);
	log = le32_at(sb, SUPER_BLOCK_LOG);
	blocks = le32_at(sb, SUPER_BLOCKS_LO);
	if (le32_at(sb, SUPER_INCOMPAT) & INCOMPAT_64BIT)
		blocks |= (uint64_t)le32_at(sb, SUPER_BLOCKS_HI) << 32;
	if (log > BLOCK_LOG_MAX || blocks == 0 || blocks >> 44)
		return err_set(e, EINVAL,
			       "image %s: the ext4 superblock is "
			       "damaged (e2fsck -f repairs copies)",
			       path);
	if (size < blocks << (10 + log))
		return err_set(e, EINVAL,
			       "image %s: truncated: the file has "
			       "%" PRIu64 " bytes, its file system %" PRIu64,
			       path, size, blocks << (10 + log));
	return 0;
}

int disk_open_image(const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT && !strchr(path, '/'))
		return err_set(e, ENOENT,
			       "Unable to find image '%s': there "
			       "is no such file (see 'vial help images')",
			       path);
	if (fd < 0)
		return err_sys(e, "image %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "image %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL,
			       "image %s: not a regular file (see "
			       "'vial help images')",
			       path);
	if (check_super(fd, path, (uint64_t)st.st_size, e) < 0)
		return -e->code;
	if (st.st_size % 512)
		return err_set(e, EINVAL,
			       "image %s: its size is not a whole "
			       "number of 512-byte sectors",
			       path);
	return take_fd(&fd);
}

int disk_open_overlay(struct err *e)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];
	autoclose int data = where_data(dir, e);
	int fd;

	if (data < 0)
		return data;
	fd = openat(data, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL &&
	    errno != ENOENT)
		return err_sys(e, "disk of the box in %s", dir);
	/* File systems without O_TMPFILE: a name for a moment. */
	snprintf(path, sizeof(path), "%s/disk.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "disk of the box in %s", dir);
	unlink(path);
	return fd;
}

int disk_open_kept(int boxdir, struct err *e)
{
	int fd = openat(boxdir, "disk",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "disk of the box") : fd;
}

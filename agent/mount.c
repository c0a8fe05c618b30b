/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/mount.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_ROOT "/.root"
#define SHM_DEFAULT (64u << 20)
/* In no header of user space. */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
/* The superblock, and the fields that are looked at. */
#define SUPER_OFF 1024
#define SUPER_LEN 1024
#define SUPER_BLOCKS_LO 0x4
#define SUPER_BLOCK_LOG 0x18
#define SUPER_INCOMPAT 0x60
#define SUPER_BLOCKS_HI 0x150
#define INCOMPAT_64BIT 0x80
#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct mount_point {
	const char *type, *at, *data;
	unsigned long flags;
	mode_t mode;
	bool optional;
};

/* Order matters: each is made inside those before it. devpts and mqueue are
 * the guest's only ones, so nothing asks for a new instance. */
static const struct mount_point points[] = {
	{ "proc", "/proc", NULL, SAFE, 0555, false },
	{ "sysfs", "/sys", NULL, SAFE, 0555, false },
	{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID, 0755, false },
	{ "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666",
	  MS_NOSUID | MS_NOEXEC, 0755, false },
	{ "tmpfs", "/dev/shm", "", SAFE, 01777, false },
	{ "mqueue", "/dev/mqueue", NULL, SAFE, 0755, true },
	{ "cgroup2", "/sys/fs/cgroup", NULL, SAFE, 0755, true },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

int mount_early(struct err *e)
{
	if (mkdir("/dev", 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir /dev");
	/* A kernel may have done it already. */
	if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755") < 0 &&
	    errno != EBUSY)
		return err_sys(e, "mount /dev");
	return 0;
}

static int mount_point(const char *dir, const struct mount_point *p,
		       const char *data, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s", dir, p->at);
	if (mkdir(path, p->mode) < 0 && errno != EEXIST && !p->optional)
		return err_sys(e, "mkdir %s", p->at);
	if (mount(p->type, path, p->type, p->flags, data) < 0 &&
	    errno != EBUSY && !p->optional)
		return err_sys(e, "mount %s", p->at);
	return 0;
}

int mount_system(const char *dir, uint64_t shm_bytes, struct err *e)
{
	char shm[64];

	snprintf(shm, sizeof(shm), "mode=1777,size=%" PRIu64,
		 shm_bytes ? shm_bytes : SHM_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		const struct mount_point *p = &points[i];
		bool is_shm = strcmp(p->type, "tmpfs") == 0;
		int r = mount_point(dir, p, is_shm ? shm : p->data, e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%s", dir, links[i][1]);
		if (symlink(links[i][0], path) < 0 && errno != EEXIST)
			return err_sys(e, "link %s", links[i][1]);
	}
	return 0;
}

static bool disk_has_serial(const char *disk, const char *serial)
{
	char path[320], text[64];
	autoclose int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/block/%s/serial", disk);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, serial) == 0;
}

int mount_find_disk(const char *serial, char *path, size_t room, struct err *e)
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *d;
	bool found = false;

	if (!dir)
		return err_sys(e, "open /sys/block");
	while (!found && (d = readdir(dir))) {
		found = disk_has_serial(d->d_name, serial);
		snprintf(path, room, "/dev/%s", d->d_name);
	}
	closedir(dir);
	if (!found)
		return err_set(e, ENODEV, "no disk has this serial");
	return 0;
}

/* What the kernel's few errors mean here. */
static int disk_explain(struct err *e, const char *path, const char *fstype)
{
	int code = errno;

	switch (code) {
	case EINVAL:
		return err_set(e, code, "%s: not an %s file system", path,
			       fstype);
	case ENODEV:
		return err_set(e, code, "%s: the kernel has no %s", path,
			       fstype);
	case EUCLEAN:
	case EBADMSG:
	case EIO:
		return err_set(e, code, "%s: damaged %s file system: %s", path,
			       fstype, strerror(code));
	case EROFS:
	case EACCES:
		return err_set(e, code, "%s: the disk cannot be written to",
			       path);
	default:
		return err_sys(e, "mount %s", path);
	}
}

static uint32_t super_u32(const uint8_t *super, size_t at)
{
	uint32_t v;

	memcpy(&v, super + at, sizeof(v));
	return le32toh(v);
}

void mount_grow(const char *disk, const char *at)
{
	autoclose int dev = open(disk, O_RDONLY | O_CLOEXEC);
	autoclose int fs = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t size, has, blocks;
	uint8_t super[SUPER_LEN];
	uint32_t log;

	if (dev < 0 || fs < 0 || ioctl(dev, BLKGETSIZE64, &size) < 0 ||
	    fd_pread_full(dev, super, sizeof(super), SUPER_OFF) != SUPER_LEN)
		return;
	log = 10 + super_u32(super, SUPER_BLOCK_LOG);
	has = super_u32(super, SUPER_BLOCKS_LO);
	if (super_u32(super, SUPER_INCOMPAT) & INCOMPAT_64BIT)
		has |= (uint64_t)super_u32(super, SUPER_BLOCKS_HI) << 32;
	blocks = log < 32 ? size >> log : 0;
	if (blocks <= has)
		return;
	if (ioctl(fs, EXT4_IOC_RESIZE_FS, &blocks) < 0)
		log_warn("%s: not grown to the size of its disk: %s", at,
			 strerror(errno));
}

static int root_attach(const struct mount_root *r, struct err *e)
{
	const char *fstype = *r->fstype ? r->fstype : "ext4";
	char path[280];
	bool done;

	if (mount_find_disk(r->serial, path, sizeof(path), e) < 0)
		return -e->code;
	if (mkdir(NEW_ROOT, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir " NEW_ROOT);
	/* Mount points and names are still to be made in it, where it can be
	 * written to at all. */
	done = mount(path, NEW_ROOT, fstype, 0, NULL) == 0;
	if (!done && r->readonly && (errno == EROFS || errno == EACCES))
		done = mount(path, NEW_ROOT, fstype, MS_RDONLY, NULL) == 0;
	if (!done)
		return disk_explain(e, path, fstype);
	if (strcmp(fstype, "ext4") == 0)
		mount_grow(path, NEW_ROOT);
	return 0;
}

static int root_switch(struct err *e)
{
	/* The initramfs stays in memory until the end; what it can do without
	 * is given back. The program itself goes on from its open file. */
	unlink("/init");
	if (chdir(NEW_ROOT) < 0)
		return err_sys(e, "enter the new root");
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(e, "move the new root");
	if (chroot(".") < 0 || chdir("/") < 0)
		return err_sys(e, "chroot");
	/* As an init system would have it: nested containers may share mounts
	 * with their host. Nothing depends on it. */
	if (mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0)
		log_warn("mounts stay private");
	return 0;
}

int mount_root(const struct mount_root *r, struct err *e)
{
	/* Where serial numbers are. The new root gets a /sys of its own. */
	mkdir("/sys", 0555);
	if (mount("sysfs", "/sys", "sysfs", SAFE, NULL) < 0 && errno != EBUSY)
		return err_sys(e, "mount /sys");
	if (root_attach(r, e) < 0)
		return err_wrap(e, "root: disk \"%s\"", r->serial);
	if (mount_system(NEW_ROOT, r->shm_bytes, e) < 0 || root_switch(e) < 0)
		return err_wrap(e, "root");
	return 0;
}

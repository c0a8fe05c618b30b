/* SPDX-License-Identifier: Apache-2.0 */
#include "run/plan.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "box/limits.h"
#include "box/disk.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The dummy driver makes a link when it starts (9 ms of 338 to the first line,
 * counted lab); whoever wants one adds it. */
#define KERNEL_CMDLINE "quiet dummy.numdummies=0"

/* More vCPUs than this help few jobs and cost every one of them time. */
#define CPUS_DEFAULT_MAX 8
/* One decompresses, one writes. */
#define BUILDER_CPUS 2u
#define BUILDER_RAM (512ull << 20)
/* Archivers fill up the last block; none has larger ones. */
#define CPIO_BLOCK (16 << 10)

unsigned plan_host_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return MAX((unsigned)CPU_COUNT(&set), 1u);
}

static uint64_t meminfo(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	unsigned long long kib;

	if (!at || sscanf(at + strlen(key), " %llu", &kib) != 1)
		return 0;
	return kib << 10;
}

void plan_host_memory(uint64_t *total, uint64_t *available)
{
	autoclose int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;

	*total = *available = 0;
	if (fd < 0 || fd_slurp(fd, &text, 64 << 10) <= 0)
		return;
	*total = meminfo(text, "MemTotal:");
	*available = meminfo(text, "MemAvailable:");
}

int plan_open_kvm(struct err *e)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return err_set(e, errno,
			       "/dev/kvm: no permission: join the "
			       "group that owns it ('usermod -aG kvm USER', "
			       "then log in again; see 'vial doctor')");
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return err_set(e, errno,
			       "/dev/kvm: %s: this host has no KVM, "
			       "or its module is not loaded (see 'vial "
			       "doctor')",
			       strerror(errno));
	return err_sys(e, "/dev/kvm");
}

static int open_part(const char *path, const char *what, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "%s %s", what, path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s %s: not a regular file", what,
			       path);
	if (st.st_size == 0)
		return err_set(e, EINVAL, "%s %s: the file is empty", what,
			       path);
	return take_fd(&fd);
}

/* A kernel must say what it is in its first bytes, so that a wrong file is
 * named here and not by a machine that does not start. */
static int check_kernel(int fd, const char *path, struct err *e)
{
	uint8_t head[0x206];
	ssize_t n = fd_pread_full(fd, head, sizeof(head), 0);

	if (n == (ssize_t)sizeof(head) &&
	    (memcmp(head, "\177ELF", 4) == 0 ||
	     memcmp(head + 0x202, "HdrS", 4) == 0 ||
	     memcmp(head + 0x38, "ARM\x64", 4) == 0))
		return 0;
	return err_set(e, EINVAL,
		       "kernel %s: neither an ELF vmlinux nor a "
		       "bzImage nor an Image",
		       path);
}

/* name NULL: the usual one. */
static int open_kernel(const char *name, struct err *e)
{
	char path[PATH_MAX];
	autoclose int fd = -1;

	if (name)
		snprintf(path, sizeof(path), "%s", name);
	else if (where_part(WHERE_KERNEL, path, e) < 0)
		return -e->code;
	fd = open_part(path, "kernel", e);
	if (fd < 0 || check_kernel(fd, path, e) < 0)
		return -e->code;
	return take_fd(&fd);
}

/* An archive that is cut off boots a kernel that finds no agent; its last
 * member is how to know. One that is compressed is the kernel's to judge. */
static int check_initramfs(int fd, const char *path, struct err *e)
{
	static const char magic[] = "070701", last[] = "TRAILER!!!";
	char head[sizeof(magic) - 1], tail[CPIO_BLOCK];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > CPIO_BLOCK ? size - CPIO_BLOCK : 0;
	ssize_t n = fd_pread_full(fd, head, sizeof(head), 0);

	if (n != sizeof(head) || memcmp(head, magic, sizeof(head)) != 0)
		return 0;
	n = fd_pread_full(fd, tail, sizeof(tail), (uint64_t)from);
	if (n > 0 && memmem(tail, (size_t)n, last, strlen(last)))
		return 0;
	return err_set(e, EINVAL, "initramfs %s: truncated: build it again",
		       path);
}

static int open_initramfs(enum where_part which, struct err *e)
{
	char path[PATH_MAX];
	autoclose int fd = -1;

	if (where_part(which, path, e) < 0)
		return -e->code;
	fd = open_part(path, "initramfs", e);
	if (fd < 0 || check_initramfs(fd, path, e) < 0)
		return -e->code;
	return take_fd(&fd);
}

static int check_memory(const struct spec *s, struct err *e)
{
	uint64_t total, available;

	plan_host_memory(&total, &available);
	if (total && s->ram_bytes > total)
		return err_set(e, ENOMEM,
			       "--memory: %" PRIu64 "m is more "
			       "than the %" PRIu64 "m this host has",
			       s->ram_bytes >> 20, total >> 20);
	return 0;
}

/* Its file system may grow, and never shrinks. docker's callers ask for little
 * of an image that has much; they get what there is, and a word. */
static void fit_disk(struct limits *l, const struct spec *s)
{
	struct stat st;

	if (!l->disk_bytes ||
	    stat(s->image_path ? s->image_path : s->image, &st) < 0 ||
	    l->disk_bytes >= (uint64_t)st.st_size)
		return;
	log_warn("--storage-opt size=%" PRIu64 ": the image has %" PRIu64
		 " bytes, which it keeps",
		 l->disk_bytes, (uint64_t)st.st_size);
	l->disk_bytes = 0;
}

/* Paths to copy in must be there before a machine is started for them. */
static int check_copies(const struct spec *s, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < s->in.n; i++) {
		if (stat(s->in.v[i].host, &st) < 0)
			return err_sys(e, "--copy-in: %s", s->in.v[i].host);
		if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
			return err_set(e, EINVAL,
				       "--copy-in: %s: neither a "
				       "directory nor a regular file",
				       s->in.v[i].host);
	}
	for (size_t i = 0; i < s->out.n; i++)
		if (stat(s->out.v[i].host, &st) == 0 && !S_ISDIR(st.st_mode))
			return err_set(e, ENOTDIR,
				       "--copy-out: %s: not a "
				       "directory",
				       s->out.v[i].host);
	return 0;
}

int plan_open(struct plan *p, const struct spec *s, struct err *e)
{
	const char *cmdline = getenv("VIAL_KERNEL_ARGS");
	unsigned cpus = plan_host_cpus();

	*p = (struct plan)PLAN_INIT;
	p->limits = s->limits;
	if (limits_check(&p->limits, &cpus, e) < 0)
		return -e->code;
	fit_disk(&p->limits, s);
	p->vcpus = s->cpus ? s->cpus : MIN(cpus, CPUS_DEFAULT_MAX);
	p->ram_bytes = s->ram_bytes;
	p->verbose = s->debug;
	p->cmdline = cmdline ? cmdline : KERNEL_CMDLINE;
	if (check_copies(s, e) < 0 || check_memory(s, e) < 0 ||
	    where_part(WHERE_VMM, p->vmm, e) < 0 ||
	    (p->image = disk_open_image(
		     s->image_path ? s->image_path : s->image, e)) < 0 ||
	    (p->kernel = open_kernel(s->kernel, e)) < 0 ||
	    (p->initramfs = open_initramfs(WHERE_INITRAMFS, e)) < 0 ||
	    (p->kvm = plan_open_kvm(e)) < 0) {
		plan_close(p);
		return -e->code;
	}
	return 0;
}

int plan_open_builder(struct plan *p, struct err *e)
{
	const char *cmdline = getenv("VIAL_KERNEL_ARGS");

	*p = (struct plan)PLAN_INIT;
	p->vcpus = MIN(plan_host_cpus(), BUILDER_CPUS);
	p->ram_bytes = BUILDER_RAM;
	p->cmdline = cmdline ? cmdline : KERNEL_CMDLINE;
	if (where_part(WHERE_VMM, p->vmm, e) < 0 ||
	    (p->kernel = open_kernel(NULL, e)) < 0 ||
	    (p->initramfs = open_initramfs(WHERE_BUILDER, e)) < 0 ||
	    (p->kvm = plan_open_kvm(e)) < 0) {
		plan_close(p);
		return -e->code;
	}
	return 0;
}

int plan_open_disk(struct plan *p, int boxdir, struct err *e)
{
	p->overlay = boxdir < 0 ? disk_open_overlay(e)
				: disk_open_kept(boxdir, e);
	return p->overlay < 0 ? p->overlay : 0;
}

void plan_close(struct plan *p)
{
	int *const fds[] = { &p->kvm, &p->kernel, &p->initramfs, &p->image,
			     &p->overlay };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (*fds[i] >= 0)
			close(take_fd(fds[i]));
}

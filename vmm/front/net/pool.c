/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pool.h"

#include "base/auto.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Three ranges in which nobody sets up networks by default. */
static const struct range {
	in_addr_t base;
	unsigned blocks;
} ranges[] = {
	{ 0x0ad50000, 0x4000 }, /* 10.213.0.0/16 */
	{ 0xac1cd500, 0x40 },	/* 172.28.213.0/24 */
	{ 0xc0a8d500, 0x40 },	/* 192.168.213.0/24 */
};

#define BLOCK 4
#define ROUTES_MAX (4u << 20)

static bool line_collides(const char *line, in_addr_t base)
{
	unsigned long to, mask;
	char name[32];
	in_addr_t first, last;

	if (sscanf(line, "%31s %lx %*x %*x %*d %*d %*d %lx", name, &to,
		   &mask) != 3 ||
	    mask == 0 || is_host_link(name))
		return false;
	first = ntohl((in_addr_t)to);
	last = first | ~ntohl((in_addr_t)mask);
	return first < base + BLOCK && base <= last;
}

bool pool_collides(const char *text, in_addr_t base)
{
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (line_collides(line, base))
			return true;
	return false;
}

static int open_dir(const char *dir, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", dir);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM, "%s can be written by others", dir);
	return take_fd(&fd);
}

static void name_of(unsigned block, char name[16])
{
	snprintf(name, 16, "%u", block);
}

/* A descriptor when it is ours now, -1 when it is somebody's. */
static int lock_block(int dir, unsigned block)
{
	char name[16];
	autoclose int fd = -1;
	struct stat st;

	name_of(block, name);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	/* Its holder may have removed it just before. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -1;
	return take_fd(&fd);
}

/* Who holds a lease may not remove its file, having become somebody else; so
 * those whose holders have ended go with the next lease. */
static void sweep(int dir, unsigned mine)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *x;
	char own[16];

	name_of(mine, own);
	while (d && (x = readdir(d)) != NULL) {
		autoclose int fd = -1;

		if (x->d_name[strspn(x->d_name, "0123456789")] ||
		    strcmp(x->d_name, own) == 0)
			continue;
		fd = openat(dir, x->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir, x->d_name, 0);
	}
	if (d)
		closedir(d);
	else if (copy >= 0)
		close(copy);
}

static void set_addr(struct addr_plan *a, in_addr_t base)
{
	a->host = base;
	a->up = base + 1;
	a->up_prefix = 31;
	a->gateway = base + 2;
	a->guest = base + 3;
	a->prefix = 31;
	a->resolver = a->gateway;
}

/* From anywhere on: who was last is not told by who is next. */
static int take_from(struct pool_lease *l, const struct range *r,
		     unsigned before, const char *routes, struct addr_plan *a)
{
	unsigned start = 0;

	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		start = 0;
	for (unsigned i = 0; i < r->blocks; i++) {
		unsigned at = (start + i) % r->blocks;
		in_addr_t base = r->base + BLOCK * at;

		if (pool_collides(routes, base))
			continue;
		l->fd = lock_block(l->dir, before + at);
		if (l->fd < 0)
			continue;
		l->block = before + at;
		set_addr(a, base);
		return 0;
	}
	return -1;
}

int pool_take(struct pool_lease *l, const char *dir, struct addr_plan *a,
	      struct err *e)
{
	autoclose int fd = open("/proc/net/route", O_RDONLY | O_CLOEXEC);
	autofree char *routes = NULL;
	unsigned before = 0;

	if (fd < 0 || fd_slurp(fd, &routes, ROUTES_MAX) < 0)
		return err_sys(e, "/proc/net/route");
	l->dir = open_dir(dir ? dir : POOL_DIR, e);
	if (l->dir < 0)
		return l->dir;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (take_from(l, &ranges[i], before, routes, a) == 0) {
			sweep(l->dir, l->block);
			return 0;
		}
		before += ranges[i].blocks;
	}
	return err_set(e, EADDRNOTAVAIL,
		       "no addresses are left: 10.213.0.0/16, 172.28.213.0/24 "
		       "and 192.168.213.0/24 are the host's or in use");
}

void pool_give(struct pool_lease *l)
{
	char name[16];

	if (l->fd >= 0) {
		name_of(l->block, name);
		unlinkat(l->dir, name, 0);
		close(take_fd(&l->fd));
	}
	if (l->dir >= 0)
		close(take_fd(&l->dir));
}

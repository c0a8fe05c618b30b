/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - all that can be seen of a file tree, a line for each entry.
 *
 * usage: tree [DIR]
 *
 * Without DIR it is the root without what is mounted on it, which takes the
 * right to mount. Entries in order of their names, each with
 *
 *   path, type, mode, owner, group, links, date, device or size,
 *   sha256 of the content or target of the link, extended attributes
 *
 * with tabs between; what would break a line is \xHH. Hard links are told by
 * the first name of the same inode ("=PATH"). Sizes of folders and numbers of
 * inodes are the file system's business, and left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <nettle/sha2.h>

#define NAME_BYTES (64u << 10)
#define VALUE_BYTES (64u << 10)

struct seen {
	dev_t dev;
	ino_t ino;
	char *path;
};

static struct seen *seen;
static size_t nseen;
static dev_t root_dev;

static void die(const char *what)
{
	fprintf(stderr, "tree: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void show(const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '\\')
			putchar(p[i]);
		else
			printf("\\x%02x", p[i]);
}

static void show_content(int dir, const char *name)
{
	static uint8_t buf[64 << 10];
	uint8_t sum[SHA256_DIGEST_SIZE];
	struct sha256_ctx c;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die(name);
	sha256_init(&c);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sha256_update(&c, (size_t)n, buf);
	if (n < 0)
		die(name);
	close(fd);
	sha256_digest(&c, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		printf("%02x", sum[i]);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By /proc/self/fd, as links have no descriptor that answers. */
static void show_xattrs(const char *path)
{
	static char names[NAME_BYTES], value[VALUE_BYTES];
	char *list[256];
	size_t n = 0;
	ssize_t len = llistxattr(path, names, sizeof(names));

	for (char *p = names; len > 0 && p < names + len; p += strlen(p) + 1)
		if (n < 256)
			list[n++] = p;
	qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++) {
		len = lgetxattr(path, list[i], value, sizeof(value));
		/* What overlayfs keeps for itself is no part of a tree. */
		if (len < 0 || strncmp(list[i], "trusted.overlay.", 16) == 0)
			continue;
		putchar(i ? ' ' : '\t');
		show(list[i], strlen(list[i]));
		putchar('=');
		show(value, (size_t)len);
	}
}

/* The first name of an inode, or NULL when this is it. */
static const char *first_name(const struct stat *st, const char *path)
{
	for (size_t i = 0; i < nseen; i++)
		if (seen[i].ino == st->st_ino && seen[i].dev == st->st_dev)
			return seen[i].path;
	seen = realloc(seen, (nseen + 1) * sizeof(*seen));
	if (!seen)
		die("memory");
	seen[nseen++] = (struct seen){ .dev = st->st_dev,
				       .ino = st->st_ino,
				       .path = strdup(path) };
	return NULL;
}

static void show_what(int dir, const char *name, const struct stat *st,
		      const char *path)
{
	const char *first = S_ISDIR(st->st_mode) || st->st_nlink < 2
				  ? NULL
				  : first_name(st, path);
	char to[PATH_MAX];
	ssize_t n;

	putchar('\t');
	if (first) {
		putchar('=');
		show(first, strlen(first));
	} else if (S_ISREG(st->st_mode)) {
		show_content(dir, name);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, to, sizeof(to));
		if (n < 0)
			die(path);
		show(to, (size_t)n);
	}
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return 's';
	}
}

static void line(int dir, const char *name, const struct stat *st,
		 const char *path)
{
	char proc[PATH_MAX + 32];

	show(path, strlen(path));
	printf("\t%c\t%o\t%u\t%u\t%lu\t%lld.%09ld\t", type_of(st->st_mode),
	       st->st_mode & 07777, st->st_uid, st->st_gid,
	       S_ISDIR(st->st_mode) ? 0 : (unsigned long)st->st_nlink,
	       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf("%u:%u", major(st->st_rdev), minor(st->st_rdev));
	else
		printf("%lld",
		       S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size);
	show_what(dir, name, st, path);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", dir, name);
	show_xattrs(proc);
	putchar('\n');
}

static size_t names_of(int fd, char ***out)
{
	DIR *d = fdopendir(dup(fd));
	const struct dirent *de;
	char **v = NULL;
	size_t n = 0;

	if (!d)
		die("read a folder");
	while ((de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		v = realloc(v, (n + 1) * sizeof(*v));
		if (!v)
			die("memory");
		v[n++] = strdup(de->d_name);
	}
	closedir(d);
	if (n)
		qsort(v, n, sizeof(*v), compare);
	*out = v;
	return n;
}

static void walk(int dir, const char *name, const char *path);

static void walk_into(int dir, const char *name, const char *path)
{
	int fd = openat(dir, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	static char below[NAME_BYTES];
	char **names;
	size_t n, len = strlen(path);

	if (fd < 0)
		die(path);
	n = names_of(fd, &names);
	for (size_t i = 0; i < n; i++) {
		char *one;

		snprintf(below, sizeof(below), "%s/%s", len == 1 ? "" : path,
			 names[i]);
		one = strdup(below);
		walk(fd, names[i], one);
		free(one);
		free(names[i]);
	}
	free(names);
	close(fd);
}

static void walk(int dir, const char *name, const char *path)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		die(path);
	/* overlayfs gives what is no folder another device. */
	if (S_ISDIR(st.st_mode) && st.st_dev != root_dev)
		return;
	line(dir, name, &st, path);
	if (S_ISDIR(st.st_mode))
		walk_into(dir, name, path);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY)
			  : (int)syscall(SYS_open_tree, AT_FDCWD, "/",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die(argc > 1 ? argv[1] : "the root without its mounts");
	root_dev = st.st_dev;
	walk(fd, ".", "/");
	return fflush(stdout) == 0 ? 0 : 1;
}

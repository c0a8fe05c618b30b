/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/place.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void place_init(struct place *p, int root, struct inoset *made)
{
	*p = (struct place){ .root = root, .made = made, .fd = -1 };
}

void place_fini(struct place *p)
{
	place_forget(p);
}

void place_forget(struct place *p)
{
	if (p->fd >= 0)
		close(take_fd(&p->fd));
}

/* ---- names ---- */

int place_clean(const char *name, char out[PATH_MAX], struct err *e)
{
	size_t n = 0;

	for (const char *at = name; *at; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");

		if (len == 2 && at[0] == '.' && at[1] == '.') {
			if (n == 0)
				return err_set(e, EPERM,
					       "'%.128s' leads out of the "
					       "image",
					       name);
			while (n > 0 && out[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && *at == '.')) {
			if (n + len + 2 > PATH_MAX)
				return err_set(e, ENAMETOOLONG,
					       "'%.64s...': the name is "
					       "longer than %d bytes",
					       name, PATH_MAX - 1);
			if (n > 0)
				out[n++] = '/';
			memcpy(out + n, at, len);
			n += len;
		}
		at += len;
	}
	out[n] = '\0';
	return 0;
}

/* ---- folders ---- */

static int open_dir(int root, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, root, *name ? name : ".", &how,
			    sizeof(how));
}

static int make_one(struct place *p, int in, const char *name, struct err *e)
{
	struct stat st;

	/* What is there and cannot be entered is a link that leads nowhere:
	 * the caller tries once more, and says so. */
	if (mkdirat(in, name, 0755) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "make '%.128s'", name);
	if (fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "'%.128s'", name);
	if (inoset_add(p->made, st.st_ino) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

/* The folder of that clean name, with all above it made. */
static int make_dirs(struct place *p, const char *dir, struct err *e)
{
	autoclose int in = open_dir(p->root, "");
	char at[PATH_MAX];
	size_t len = 0;

	while (in >= 0 && dir[len]) {
		size_t from = len;
		int next;

		len += strcspn(dir + len, "/");
		memcpy(at, dir, len);
		at[len] = '\0';
		next = open_dir(p->root, at);
		if (next < 0 && errno == ENOENT) {
			if (make_one(p, in, at + from, e) < 0)
				return -e->code;
			next = open_dir(p->root, at);
		}
		if (next < 0)
			return err_sys(e, "folder '%.128s'", at);
		close(in);
		in = next;
		len += dir[len] == '/';
	}
	return in < 0 ? err_sys(e, "folder '%.128s'", dir) : take_fd(&in);
}

int place_parent(struct place *p, const char *name, bool make,
		 const char **base, struct err *e)
{
	const char *slash = strrchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;
	char dir[PATH_MAX];

	*base = slash ? slash + 1 : *name ? name : ".";
	memcpy(dir, name, len);
	dir[len] = '\0';
	if (p->fd >= 0 && strcmp(dir, p->dir) == 0)
		return p->fd;
	place_forget(p);
	p->fd = open_dir(p->root, dir);
	if (p->fd < 0 && errno == ENOENT && make) {
		p->fd = make_dirs(p, dir, e);
		if (p->fd < 0)
			return -e->code;
	}
	if (p->fd < 0 && !make && (errno == ENOTDIR || errno == ELOOP))
		errno = ENOENT;
	if (p->fd < 0)
		return err_sys(e, "folder '%.128s'", dir);
	memcpy(p->dir, dir, len + 1);
	return p->fd;
}

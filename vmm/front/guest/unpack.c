/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/unpack.h"

#include "base/auto.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_BYTES (128u << 10)

struct unpack {
	struct archive *in, *out;
	const struct unpack_how *how;
	int fd;
	uint8_t *buf;
	struct unpack_stats *st;
};

static int why(struct archive *a, const char *what, struct err *e)
{
	return err_lib(e, archive_errno(a), what, archive_error_string(a));
}

static la_ssize_t from_fd(struct archive *a, void *ctx, const void **block)
{
	const struct unpack *u = ctx;
	ssize_t n;

	do
		n = read(u->fd, u->buf, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(a, errno, "read: %s", strerror(errno));
	*block = u->buf;
	return n;
}

/* ---- what is let in ---- */

static bool is_dots(const char *s, size_t len)
{
	return len == 2 && s[0] == '.' && s[1] == '.';
}

/* What is below top, "" for top itself; NULL: it is elsewhere. */
static const char *below(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (path[0] == '.' && path[1] == '/')
		path += 1 + strspn(path + 1, "/");
	if (strcmp(top, ".") == 0)
		return strcmp(path, ".") == 0 ? "" : path;
	if (strncmp(path, top, len) != 0 ||
	    (path[len] != '\0' && path[len] != '/'))
		return NULL;
	return path + len + strspn(path + len, "/");
}

/* Relative, without "..", and top or below it. A "./" in front is allowed. */
static bool path_ok(const char *path, const char *top)
{
	if (*path == '/' || !below(path, top))
		return false;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (is_dots(path, n))
			return false;
		path += n;
		path += strspn(path, "/");
	}
	return true;
}

static unsigned depth(const char *path)
{
	unsigned n = 0;

	for (;;) {
		size_t len = strcspn(path, "/");

		if (len > 0 && !(len == 1 && path[0] == '.'))
			n++;
		if (!path[len])
			return n;
		path += len + 1;
	}
}

/* ".." only in front, and not as many as would leave the first component.
 * The directories of the path are real ones (links are not followed while
 * unpacking), so those lead to where they say; a ".." further on could follow
 * another link and is refused. */
bool unpack_link_inside(const char *path, const char *target)
{
	/* Directories between the first component and the link. */
	unsigned room = depth(path), ups = 0;
	bool named = false;

	if (!*target || *target == '/' || room < 2)
		return false;
	room -= 2;
	while (*target) {
		size_t len = strcspn(target, "/");

		if (is_dots(target, len) && named)
			return false;
		if (is_dots(target, len))
			ups++;
		else if (len > 0 && !(len == 1 && target[0] == '.'))
			named = true;
		target += len;
		target += strspn(target, "/");
	}
	return ups <= room;
}

static void leave_out(struct unpack *u, const char *path)
{
	if (u->st->left_out++ == 0)
		snprintf(u->st->first_left_out, sizeof(u->st->first_left_out),
			 "%s", path);
}

/* 1: take it, 0: leave it out, negative: the archive is hostile. */
static int judge(struct unpack *u, struct archive_entry *entry, struct err *e)
{
	const char *path = archive_entry_pathname(entry);
	const char *hard = archive_entry_hardlink(entry);
	const char *link = archive_entry_symlink(entry);
	mode_t type = archive_entry_filetype(entry);

	if (!path || !path_ok(path, u->how->top))
		return err_set(e, EPERM,
			       "the guest's archive names '%.100s', "
			       "which is not below '%s'",
			       path ? path : "", u->how->top);
	if (hard && !path_ok(hard, u->how->top))
		return err_set(e, EPERM,
			       "the guest's archive links to "
			       "'%.100s', which is not below '%s'",
			       hard, u->how->top);
	if (hard || type == AE_IFREG || type == AE_IFDIR)
		return 1;
	return type == AE_IFLNK && link &&
	       (u->how->all_links || unpack_link_inside(path, link));
}

/* ---- under another name ---- */

/* path, judged already, as it is called in dir; NULL: no memory. */
static char *renamed(const struct unpack *u, const char *path)
{
	const char *rest = below(path, u->how->top), *name = u->how->name;
	char *out;

	if (strcmp(name, ".") == 0)
		return strdup(*rest ? rest : ".");
	if (asprintf(&out, "%s%s%s", name, *rest ? "/" : "", rest) < 0)
		return NULL;
	return out;
}

static int rename_entry(const struct unpack *u, struct archive_entry *entry,
			struct err *e)
{
	const char *hard = archive_entry_hardlink(entry);
	autofree char *path = NULL, *link = NULL;

	if (!u->how->name)
		return 0;
	path = renamed(u, archive_entry_pathname(entry));
	link = hard ? renamed(u, hard) : NULL;
	if (!path || (hard && !link))
		return err_set(e, ENOMEM, "out of memory");
	archive_entry_set_pathname(entry, path);
	if (hard)
		archive_entry_set_hardlink(entry, link);
	return 0;
}

/* Whether what is there and what comes are both folders, or both not. A slash
 * behind the name would follow a link. */
static int clash(const char *name, bool dir, struct err *e)
{
	autofree char *plain = strdup(name);
	size_t len = strlen(name);
	struct stat st;

	if (!plain)
		return err_set(e, ENOMEM, "out of memory");
	while (len > 1 && plain[len - 1] == '/')
		plain[--len] = '\0';
	if (lstat(plain, &st) < 0 || S_ISDIR(st.st_mode) == dir)
		return 0;
	return err_set(e, EEXIST,
		       dir ? "cannot overwrite non-directory \"%.128s\" with a "
			     "directory"
			   : "cannot overwrite directory \"%.128s\" with a "
			     "non-directory",
		       plain);
}

/* ---- doing it ---- */

static int unpack_data(struct unpack *u, const char *name, struct err *e)
{
	for (;;) {
		const void *block;
		la_int64_t off;
		size_t len;
		int r = archive_read_data_block(u->in, &block, &len, &off);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return why(u->in, name, e);
		/* A full disk is only a warning to libarchive. */
		if (archive_write_data_block(u->out, block, len, off) <
		    ARCHIVE_OK)
			return why(u->out, name, e);
		u->st->bytes += len;
	}
}

static int unpack_entry(struct unpack *u, struct archive_entry *entry,
			struct err *e)
{
	int r = judge(u, entry, e);
	bool dir = archive_entry_filetype(entry) == AE_IFDIR;
	const char *name;

	if (r < 0)
		return r;
	if (r == 0) {
		leave_out(u, archive_entry_pathname(entry));
		return 0;
	}
	if (rename_entry(u, entry, e) < 0)
		return -e->code;
	name = archive_entry_pathname(entry);
	if (u->how->no_overwrite_dir) {
		if (dir && strcmp(name, ".") == 0)
			return 0;
		if (clash(name, dir, e) < 0)
			return -e->code;
	}
	archive_entry_set_perm(entry, archive_entry_perm(entry) & 0777);
	if (archive_write_header(u->out, entry) < ARCHIVE_WARN)
		return why(u->out, name, e);
	u->st->entries++;
	if (archive_entry_size(entry) > 0 && unpack_data(u, name, e) < 0)
		return -e->code;
	if (archive_write_finish_entry(u->out) < ARCHIVE_WARN)
		return why(u->out, name, e);
	return 0;
}

static int unpack_all(struct unpack *u, struct err *e)
{
	for (;;) {
		struct archive_entry *entry;
		int r = archive_read_next_header(u->in, &entry);

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return why(u->in, "the guest's archive", e);
		if (unpack_entry(u, entry, e) < 0)
			return -e->code;
	}
	/* Times of directories are set now. */
	if (archive_write_close(u->out) < ARCHIVE_WARN)
		return why(u->out, "unpack", e);
	return 0;
}

static int unpack_open(struct unpack *u, struct err *e)
{
	int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
		    ARCHIVE_EXTRACT_SECURE_NODOTDOT |
		    ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

	if (u->how->modes)
		flags |= ARCHIVE_EXTRACT_PERM;
	if (u->how->owners)
		flags |= ARCHIVE_EXTRACT_OWNER;
	u->in = archive_read_new();
	u->out = archive_write_disk_new();
	u->buf = malloc(READ_BYTES);
	if (!u->in || !u->out || !u->buf)
		return err_set(e, ENOMEM, "out of memory");
	archive_read_support_format_tar(u->in);
	archive_read_support_format_empty(u->in);
	archive_write_disk_set_options(u->out, flags);
	if (archive_read_open(u->in, u, NULL, from_fd, NULL) < ARCHIVE_WARN)
		return why(u->in, "the guest's archive", e);
	return 0;
}

static int enter_dir(const char *dir, bool make, struct err *e)
{
	autoclose int fd = -1;

	if (make && mkdir(dir, 0777) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchdir(fd) < 0)
		return err_sys(e, "%s", dir);
	unpack_confine(fd);
	return 0;
}

int unpack_into(int fd, const struct unpack_how *how, struct unpack_stats *st,
		struct err *e)
{
	struct unpack u = { .fd = fd, .how = how, .st = st };
	int r;

	*st = (struct unpack_stats){ 0 };
	r = enter_dir(how->dir, how->make_dir, e);
	if (r == 0)
		r = unpack_open(&u, e);
	if (r == 0)
		r = unpack_all(&u, e);
	archive_read_free(u.in);
	archive_write_free(u.out);
	free(u.buf);
	return r;
}

int unpack_tree(int fd, const char *dir, const char *top,
		struct unpack_stats *st, struct err *e)
{
	const struct unpack_how how = { .dir = dir,
					.top = top,
					.make_dir = true };

	return unpack_into(fd, &how, st, e);
}

void unpack_confine(int dirfd)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1,
	};
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = attr.handled_access_fs &
				  ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE,
		.parent_fd = dirfd,
	};
	autoclose int rules = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	/* The first version would forbid hard links between directories. */
	if (abi < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr),
			     0);
	if (rules < 0 || syscall(SYS_landlock_add_rule, rules,
				 LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return;
	/* A second wall: where there is none, the first must do. */
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return;
}

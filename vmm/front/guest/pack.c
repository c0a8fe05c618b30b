/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/pack.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
	struct archive *in, *out;
	struct archive_entry_linkresolver *links;
	const struct pack_how *how;
	bool dir; /* what is packed is one, and the working directory */
	int fd;
	struct pack_stats *st;
};

static int why(struct archive *a, const char *what, struct err *e)
{
	return err_lib(e, archive_errno(a), what, archive_error_string(a));
}

static la_ssize_t to_fd(struct archive *a, void *ctx, const void *buf,
			size_t len)
{
	const struct pack *p = ctx;
	int r = fd_write_full(p->fd, buf, len);

	if (r < 0) {
		archive_set_error(a, -r, "the guest takes no more: %s",
				  strerror(-r));
		return -1;
	}
	return (la_ssize_t)len;
}

static int pack_data(struct pack *p, const char *name, struct err *e)
{
	for (;;) {
		const void *block;
		la_int64_t off;
		size_t len;
		int r = archive_read_data_block(p->in, &block, &len, &off);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return why(p->in, name, e);
		if (archive_write_data(p->out, block, len) < 0)
			return why(p->out, name, e);
		p->st->bytes += len;
	}
}

/* What is read as "." and "./x" is called name and name/x. */
static int pack_name(const struct pack *p, struct archive_entry *entry,
		     struct err *e)
{
	const char *top = p->how->name;
	const char *name = archive_entry_pathname(entry);
	autofree char *path = NULL;

	if (!p->dir || strcmp(name, ".") == 0) {
		archive_entry_set_pathname(entry, top);
		return 0;
	}
	if (strcmp(top, ".") == 0)
		return 0;
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	if (asprintf(&path, "%s/%s", top, name) < 0)
		return err_set(e, ENOMEM, "out of memory");
	archive_entry_set_pathname(entry, path);
	return 0;
}

static int pack_entry(struct pack *p, struct archive_entry *entry,
		      struct err *e)
{
	const char *name = archive_entry_pathname(entry);
	struct archive_entry *spare = NULL;
	int r;

	if (!name || archive_entry_filetype(entry) == AE_IFSOCK)
		return 0;
	if (p->dir && p->how->skip_top && strcmp(name, ".") == 0)
		return 0;
	if (pack_name(p, entry, e) < 0)
		return -e->code;
	name = archive_entry_pathname(entry);
	archive_entry_set_uname(entry, NULL);
	archive_entry_set_gname(entry, NULL);
	archive_entry_linkify(p->links, &entry, &spare);
	if (!entry)
		return 0;
	r = archive_write_header(p->out, entry);
	if (r < ARCHIVE_WARN)
		return why(p->out, name, e);
	p->st->entries++;
	if (archive_entry_size(entry) > 0)
		return pack_data(p, name, e);
	return 0;
}

static int pack_all(struct pack *p, struct err *e)
{
	struct archive_entry *entry = archive_entry_new2(p->in);
	int r = entry ? 0 : err_set(e, ENOMEM, "out of memory");

	while (r == 0) {
		int got = archive_read_next_header2(p->in, entry);

		if (got == ARCHIVE_EOF)
			break;
		if (got < ARCHIVE_WARN)
			r = why(p->in, "read", e);
		if (r == 0 && archive_read_disk_can_descend(p->in))
			archive_read_disk_descend(p->in);
		if (r == 0)
			r = pack_entry(p, entry, e);
		archive_entry_clear(entry);
	}
	archive_entry_free(entry);
	if (r == 0 && archive_write_close(p->out) < ARCHIVE_WARN)
		r = why(p->out, "write", e);
	return r;
}

static int pack_open(struct pack *p, const char *path, struct err *e)
{
	p->in = archive_read_disk_new();
	p->out = archive_write_new();
	p->links = archive_entry_linkresolver_new();
	if (!p->in || !p->out || !p->links)
		return err_set(e, ENOMEM, "out of memory");
	archive_entry_linkresolver_set_strategy(
		p->links, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
	/* The path itself may be a link; what is below stays one. */
	if (p->how->physical)
		archive_read_disk_set_symlink_physical(p->in);
	else
		archive_read_disk_set_symlink_hybrid(p->in);
	archive_read_disk_set_behavior(
		p->in, ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_XATTR |
			       ARCHIVE_READDISK_NO_FFLAGS |
			       ARCHIVE_READDISK_NO_SPARSE);
	if (archive_read_disk_open(p->in, path) < ARCHIVE_WARN)
		return why(p->in, path, e);
	archive_write_set_format_pax_restricted(p->out);
	archive_write_set_bytes_per_block(p->out, 128 << 10);
	archive_write_set_bytes_in_last_block(p->out, 1);
	if (archive_write_open(p->out, p, NULL, to_fd, NULL) < ARCHIVE_WARN)
		return why(p->out, "write", e);
	return 0;
}

int pack_as(const struct pack_how *how, int fd, struct pack_stats *st,
	    struct err *e)
{
	struct pack p = { .fd = fd, .st = st, .how = how };
	struct stat sb;
	int r;

	if ((how->physical ? lstat(how->path, &sb) : stat(how->path, &sb)) < 0)
		return err_sys(e, "%s", how->path);
	p.dir = S_ISDIR(sb.st_mode);
	if (p.dir && chdir(how->path) < 0)
		return err_sys(e, "%s", how->path);
	r = pack_open(&p, p.dir ? "." : how->path, e);
	if (r == 0)
		r = pack_all(&p, e);
	archive_entry_linkresolver_free(p.links);
	archive_read_free(p.in);
	archive_write_free(p.out);
	return r;
}

int pack_tree(const char *path, const char *as_name, int skip_top, int fd,
	      struct pack_stats *st, struct err *e)
{
	struct pack_how how = { .path = path,
				.name = as_name,
				.skip_top = skip_top };
	struct stat sb;

	if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
		how.name = ".";
	return pack_as(&how, fd, st, e);
}

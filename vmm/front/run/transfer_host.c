/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_host.c - the host's side of a copy: its names, and the jobs of the
 * child that reads or writes its files. */
#include "run/transfer_priv.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_BYTES 65536

bool work_raw(const struct work *w)
{
	return strcmp(w->t->host, "-") == 0;
}

/* ---- names ---- */

static int clean_here(struct work *w, struct err *e)
{
	char cwd[PATH_MAX];

	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, "working directory");
	return cp_clean(cwd, w->t->host, w->here, e);
}

int work_look_here(struct work *w, struct cp_end *src, struct err *e)
{
	struct stat st;

	if (clean_here(w, e) < 0)
		return -e->code;
	if ((w->t->follow ? stat : lstat)(w->here, &st) < 0)
		return err_sys(e, "%s", w->here);
	if (S_ISSOCK(st.st_mode))
		return err_set(e, EINVAL, "%s: a socket cannot be copied",
			       w->here);
	if (S_ISREG(st.st_mode))
		w->total = (uint64_t)st.st_size;
	*src = (struct cp_end){ .path = w->here,
				.exists = true,
				.is_dir = S_ISDIR(st.st_mode) };
	return 0;
}

/* The destination here, as the links at its end lead. A link to what is not
 * there says where it is to be. */
static int look_dst(struct work *w, struct cp_end *dst, struct err *e)
{
	char real[PATH_MAX];
	struct stat st;
	ssize_t n;

	*dst = (struct cp_end){ .path = w->here };
	if (stat(w->here, &st) == 0) {
		if (!realpath(w->here, real))
			return err_sys(e, "%s", w->here);
		dst->exists = true;
		dst->is_dir = S_ISDIR(st.st_mode);
		snprintf(w->here, sizeof(w->here), "%s", real);
		if (dst->is_dir || S_ISREG(st.st_mode))
			return 0;
		return err_set(e, EINVAL,
			       "destination \"%s\" must be a directory or a "
			       "regular file",
			       w->t->host);
	}
	n = readlink(w->here, real, sizeof(real) - 1);
	if (n > 0) {
		char to[PATH_MAX];

		real[n] = '\0';
		if (cp_follow(w->here, real, to, e) < 0)
			return -e->code;
		snprintf(w->here, sizeof(w->here), "%s", to);
	}
	return 0;
}

int work_aim_here(struct work *w, const struct cp_end *src, struct err *e)
{
	struct cp_target to;
	struct cp_end dst;
	struct stat st;

	if (clean_here(w, e) < 0 || look_dst(w, &dst, e) < 0 ||
	    cp_aim(src, &dst, &to, e) < 0)
		return -e->code;
	if (to.parent && (stat(to.dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return err_set(e, ENOENT,
			       "invalid output path: directory \"%s\" does not "
			       "exist",
			       to.dir);
	snprintf(w->here, sizeof(w->here), "%s", to.dir);
	snprintf(w->name, sizeof(w->name), "%s", to.name);
	return 0;
}

/* ---- what the child counts ---- */

int work_share(struct work *w, struct err *e)
{
	void *p = mmap(NULL, sizeof(*w->moved), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "memory to count in");
	w->moved = p;
	return 0;
}

void work_unshare(struct work *w)
{
	if (w->moved)
		munmap(w->moved, sizeof(*w->moved));
	w->moved = NULL;
}

uint64_t work_moved(const struct work *w)
{
	const volatile struct moved *m = w->moved;

	return m->in.bytes + m->out.bytes + m->raw;
}

/* ---- the child ---- */

static int job_pack(const void *arg, int fd, struct copy_result *res,
		    struct err *e)
{
	const struct work *w = arg;
	const struct pack_how how = { .path = w->here,
				      .name = w->name,
				      .physical = !w->t->follow };

	(void)res;
	if (pack_as(&how, fd, &w->moved->in, e) < 0)
		return -e->code;
	shutdown(fd, SHUT_WR);
	return 0;
}

static int job_unpack(const void *arg, int fd, struct copy_result *res,
		      struct err *e)
{
	const struct work *w = arg;
	const struct unpack_how how = { .dir = w->here,
					.top = w->top,
					.name = w->name,
					.all_links = true,
					.modes = true,
					.owners = w->t->owners &&
						  geteuid() == 0,
					.no_overwrite_dir = true };
	int r = unpack_into(fd, &how, &w->moved->out, e);

	res->left_out = w->moved->out.left_out;
	memcpy(res->first_left_out, w->moved->out.first_left_out,
	       sizeof(res->first_left_out));
	return r;
}

/* Bytes as they are. EPIPE from here would be taken for the agent's. */
static int job_raw(const void *arg, int fd, struct copy_result *res,
		   struct err *e)
{
	const struct work *w = arg;
	int from = w->t->in ? STDIN_FILENO : fd;
	int to = w->t->in ? fd : STDOUT_FILENO;
	static uint8_t block[RAW_BYTES];

	(void)res;
	for (;;) {
		ssize_t n = read(from, block, sizeof(block));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			break;
		r = fd_write_full(to, block, (size_t)n);
		if (r < 0)
			return err_set(e, -r, "write: %s", strerror(-r));
		w->moved->raw += (uint64_t)n;
	}
	if (w->t->in)
		shutdown(fd, SHUT_WR);
	return 0;
}

copy_job *work_job(const struct work *w)
{
	if (work_raw(w))
		return job_raw;
	return w->t->in ? job_pack : job_unpack;
}

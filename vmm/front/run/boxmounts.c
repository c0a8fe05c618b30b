/* SPDX-License-Identifier: Apache-2.0 */
#include "run/boxmounts.h"

#include "base/auto.h"
#include "box/disk.h"
#include "box/volume_use.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the host ---- */

/* As docker does for -v: with everything above it. */
static int make_dirs(const char *path, struct err *e)
{
	autofree char *copy = strdup(path);

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	for (char *at = copy + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make %s", copy);
		*at = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", copy);
	return 0;
}

static int check_bind(const struct spec_mount *m, struct err *e)
{
	struct stat st;

	if (stat(m->source, &st) == 0)
		return 0;
	if (errno == ENOENT && m->make)
		return make_dirs(m->source, e);
	return err_sys(e, "mount source %s", m->source);
}

static int open_share(struct boxmounts *b, const struct spec_mounts *m,
		      int log_fd, struct err *e)
{
	struct share_dir dirs[SHARE_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].kind != MOUNT_BIND)
			continue;
		if (n == SHARE_MAX)
			return err_set(e, E2BIG,
				       "at most %d folders of the host",
				       SHARE_MAX);
		if (check_bind(&m->v[i], e) < 0)
			return -e->code;
		dirs[n++] =
			(struct share_dir){ m->v[i].source, m->v[i].readonly };
	}
	if (n == 0)
		return 0;
	if (share_start(&b->share, dirs, n, log_fd, e) < 0)
		return err_wrap(e, "share");
	return 0;
}

/* Who has it, of those that run; the volume knows only who came last. */
static int explain_busy(const char *volume, const char *user, struct err *e)
{
	struct volume_uses uses = { 0 };
	struct err ignored;
	char names[120];

	if (volume_use_scan(&uses, &ignored) == 0 &&
	    volume_use_running(&uses, volume, user, names, sizeof(names)))
		err_set(e, EBUSY,
			"volume %.64s: volume is in use - [%s] "
			"(one box may write to it, or many read it with :ro)",
			volume, names);
	volume_use_fini(&uses);
	return -EBUSY;
}

static int open_volume(const struct spec_mount *m, const char *user, bool brief,
		       struct err *e)
{
	const struct volume_conf conf = { .name = m->source,
					  .anonymous = m->anonymous };
	char name[VOLUME_NAME_MAX + 1];
	int fd;

	if (m->anonymous && brief)
		return volume_open_nameless(e);
	if (m->anonymous && volume_create(&conf, name, e) < 0)
		return -e->code;
	fd = volume_open(m->source, user, true, m->readonly, e);
	return fd == -EBUSY ? explain_busy(m->source, user, e) : fd;
}

static int open_volumes(struct boxmounts *b, const struct spec_mounts *m,
			const char *user, bool brief, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		int fd;

		if (m->v[i].kind != MOUNT_VOLUME)
			continue;
		if (b->ndisks == BOXMOUNTS_DISKS)
			return err_set(e, E2BIG, "at most %d volumes",
				       BOXMOUNTS_DISKS);
		fd = open_volume(&m->v[i], user, brief, e);
		if (fd < 0)
			return fd;
		b->readonly[b->ndisks] = m->v[i].readonly;
		b->scratch[b->ndisks] = -1;
		b->disk[b->ndisks++] = fd;
		if (!m->v[i].readonly)
			continue;
		fd = disk_open_overlay(e);
		if (fd < 0)
			return fd;
		b->scratch[b->ndisks - 1] = fd;
	}
	return 0;
}

int boxmounts_open(struct boxmounts *b, const struct spec_mounts *m,
		   const char *user, bool brief, int log_fd, struct err *e)
{
	*b = (struct boxmounts)BOXMOUNTS_INIT;
	if (open_volumes(b, m, user, brief, e) < 0 ||
	    open_share(b, m, log_fd, e) < 0) {
		boxmounts_close(b);
		return -e->code;
	}
	return 0;
}

void boxmounts_hand_on(struct boxmounts *b)
{
	while (b->ndisks > 0) {
		close(b->disk[--b->ndisks]);
		if (b->scratch[b->ndisks] >= 0)
			close(b->scratch[b->ndisks]);
	}
	if (b->share.fd >= 0)
		close(take_fd(&b->share.fd));
}

void boxmounts_close(struct boxmounts *b)
{
	boxmounts_hand_on(b);
	share_stop(&b->share);
}

bool boxmounts_outlive(const struct spec_mounts *m, bool brief)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == MOUNT_VOLUME && !m->v[i].readonly &&
		    !(brief && m->v[i].anonymous))
			return true;
	return false;
}

void boxmounts_remove_anonymous(const struct spec_mounts *m)
{
	struct volume_uses uses;
	struct err ignored;

	if (volume_use_scan(&uses, &ignored) < 0)
		return;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == MOUNT_VOLUME && m->v[i].anonymous &&
		    volume_use_count(&uses, m->v[i].source) == 0)
			volume_remove(m->v[i].source, NULL, &ignored);
	volume_use_fini(&uses);
}

/* ---- the guest ---- */

#define SOURCE_MAX 12

struct entry {
	Vial__Agent__Mount mount;
	char source[SOURCE_MAX], subpath[SOURCE_MAX];
	size_t order;
};

static unsigned depth(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* What lies above another goes first; else as the user wrote them. */
static int in_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	unsigned dx = depth(x->mount.target), dy = depth(y->mount.target);

	if (dx != dy)
		return dx < dy ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void fill(struct entry *en, const struct spec_mount *m, unsigned *binds,
		 unsigned *volumes)
{
	Vial__Agent__Mount *out = &en->mount;

	vial__agent__mount__init(out);
	out->target = m->target;
	out->readonly = m->readonly;
	switch (m->kind) {
	case MOUNT_BIND:
		out->kind = VIAL__AGENT__MOUNT__KIND__VIRTIOFS;
		snprintf(en->subpath, sizeof(en->subpath), "%u", (*binds)++);
		break;
	case MOUNT_VOLUME:
		out->kind = VIAL__AGENT__MOUNT__KIND__DISK;
		out->populate = !m->nocopy;
		snprintf(en->source, sizeof(en->source), "v%u", (*volumes)++);
		break;
	case MOUNT_TMPFS:
		out->kind = VIAL__AGENT__MOUNT__KIND__TMPFS;
		break;
	}
}

/* Pointers into entries, once these have their places. */
static void point(struct entry *en, const struct spec_mounts *m)
{
	static char tag[] = BOXMOUNTS_TAG;
	const struct spec_mount *from = &m->v[en->order];
	Vial__Agent__Mount *out = &en->mount;

	if (from->kind == MOUNT_BIND) {
		out->source = tag;
		out->subpath = en->subpath;
	} else if (from->kind == MOUNT_VOLUME) {
		out->source = en->source;
		if (from->subpath)
			out->subpath = from->subpath;
	} else if (from->options) {
		out->options = from->options;
	}
}

int boxmounts_setup(const struct spec_mounts *m, Vial__Agent__Setup *setup,
		    void **room, struct err *e)
{
	unsigned binds = 0, volumes = 0;
	struct entry *en;

	*room = NULL;
	if (m->n == 0)
		return 0;
	en = calloc(m->n, sizeof(*en) + sizeof(void *));
	if (!en)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n; i++) {
		fill(&en[i], &m->v[i], &binds, &volumes);
		en[i].order = i;
	}
	qsort(en, m->n, sizeof(*en), in_order);
	setup->mounts = (Vial__Agent__Mount **)(void *)(en + m->n);
	setup->n_mounts = m->n;
	for (size_t i = 0; i < m->n; i++) {
		point(&en[i], m);
		setup->mounts[i] = &en[i].mount;
	}
	*room = en;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/changes.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/disk.h"
#include "builder/builder_priv.h"
#include "guest/hold.h"
#include "run/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a guest may take to write down what it has in memory. */
#define HOLD_MS 120000

/* ---- its disks ---- */

/* What a box writes to begins with a name once there is something in it. */
static bool is_used(int fd)
{
	static const char magic[] = { 'V', 'I', 'A', 'L', 'C', 'O', 'W', '1' };
	char head[sizeof(magic)];

	return fd_pread_full(fd, head, sizeof(head), 0) == sizeof(head) &&
	       memcmp(head, magic, sizeof(head)) == 0;
}

static bool has_written(const struct box *b)
{
	autoclose int fd =
		openat(b->dir, "disk", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	/* What cannot be opened is the work's to say. */
	return fd < 0 ? errno != ENOENT : is_used(fd);
}

static int add_disk(struct boxmounts *m, int fd, bool above, struct err *e)
{
	unsigned i = m->ndisks;

	if (fd < 0)
		return -e->code;
	m->disk[i] = fd;
	m->readonly[i] = true;
	m->above[i] = above;
	m->scratch[i] = -1;
	m->ndisks++;
	if (above)
		return 0;
	m->scratch[i] = disk_open_overlay(e);
	return m->scratch[i] < 0 ? -e->code : 0;
}

/* The box's own, if it has written anything. */
static int add_written(struct boxmounts *m, const struct box *b,
		       const struct box_info *info, struct err *e)
{
	autoclose int fd =
		openat(b->dir, "disk", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "disk of the box");
	/* That of a box that goes when it ends has no name. */
	if (fd < 0 && info->brief && info->alive) {
		fd = keep_disk(b->dir, e);
		if (fd < 0)
			return fd;
	}
	if (fd < 0 || !is_used(fd))
		return 0;
	return add_disk(m, take_fd(&fd), true, e);
}

/* An image that is a file of the user's is nobody's base: in a layer all is
 * new then. */
static int open_disks(struct build *w, const struct box *b,
		      const struct box_info *info, const struct spec *s,
		      enum changes_form form, struct err *e)
{
	const char *path = s->image_path ? s->image_path : s->image;

	if (s->image_id || form == CHANGES_LIST) {
		w->image = disk_open_image(path, e);
		w->scratch = w->image < 0 ? -1 : disk_open_overlay(e);
		if (w->scratch < 0)
			return -e->code;
	}
	if (add_disk(&w->disk, disk_open_image(path, e), false, e) < 0)
		return -e->code;
	return add_written(&w->disk, b, info, e);
}

/* ---- the work ---- */

/* Those that end a program wait while a box is paused by it: see below. */
static void enders(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static bool is_interrupted(void)
{
	sigset_t all, now;

	enders(&all);
	if (sigpending(&now) < 0)
		return false;
	sigandset(&now, &now, &all);
	return !sigisemptyset(&now);
}

static void said(struct build *w, const char *bytes, size_t n)
{
	const struct changes_how *how = w->arg;
	struct err e;

	if (!w->why.code && is_interrupted())
		err_set(&w->why, EINTR, "interrupted");
	if (!w->why.code && how->take(how->arg, bytes, n, &e) < 0)
		w->why = e;
}

static char **make_words(enum changes_form form, size_t *n)
{
	const char *const words[] = {
		"/vial-unpack",
		"--changes",
		form == CHANGES_LIST ? "list" : "layer",
	};
	char **v = calloc(ARRAY_LEN(words), sizeof(*v));

	for (*n = 0; v && *n < ARRAY_LEN(words); ++*n) {
		v[*n] = strdup(words[*n]);
		if (!v[*n])
			return v;
	}
	return v;
}

static int work(const struct box *b, const struct box_info *info,
		const struct spec *s, const struct changes_how *how,
		struct err *e)
{
	struct build w;

	build_init(&w);
	w.said = said;
	w.arg = (void *)(uintptr_t)how;
	/* Its end, with status 0, says that all was said. */
	w.done = true;
	w.argv = make_words(how->form, &w.argc);
	if (w.argc < 3)
		err_set(e, ENOMEM, "out of memory");
	else if (open_disks(&w, b, info, s, how->form, e) == 0)
		return build_run(&w, e);
	build_fini(&w);
	return -e->code;
}

/* ---- the box ---- */

static int set_pause(const struct box *b, bool pause, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Nothing nothing = VIAL__KEEP__NOTHING__INIT;

	m.op_case = pause ? VIAL__KEEP__CALL__OP_PAUSE
			  : VIAL__KEEP__CALL__OP_UNPAUSE;
	m.pause = &nothing;
	return keep_ask(b->dir, &m, e);
}

/* What a box that is paused has in memory only it can write down: it goes on
 * for that moment. */
static int read_held(const struct box *b, const struct box_info *info,
		     const struct spec *s, const struct changes_how *how,
		     struct err *e)
{
	bool paused = state_is(info, "paused"), pause = paused || how->pause;
	struct hold h = { .open = false };
	struct err ignored;
	sigset_t all;
	int r = 0;

	/* Who interrupts us finds the box as it was. */
	enders(&all);
	if (paused) {
		sigprocmask(SIG_BLOCK, &all, NULL);
		r = set_pause(b, false, e);
	}
	if (r < 0)
		return r;
	r = hold_begin(&h, b->dir, HOLD_MS, e);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (pause && (r == 0 || paused)) {
		int n = set_pause(b, true, r == 0 ? e : &ignored);

		pause = n == 0;
		r = r == 0 ? n : r;
	}
	if (r == 0) {
		r = work(b, info, s, how, e);
		if (pause && !paused)
			(void)set_pause(b, false, &ignored);
	}
	hold_end(&h);
	return r;
}

/* Its command may end meanwhile, and with it the box: what was frozen by then
 * is what is read. */
static int read_running(const struct box *b, const struct box_info *info,
			const struct spec *s, const struct changes_how *how,
			struct err *e)
{
	sigset_t was;
	int r;

	sigprocmask(SIG_BLOCK, NULL, &was);
	r = read_held(b, info, s, how, e);
	sigprocmask(SIG_SETMASK, &was, NULL);
	return r;
}

int changes_read(struct box *b, struct box_info *info, const struct spec *s,
		 const struct changes_how *how, struct err *e)
{
	int r = state_take(b, info, e);

	if (r < 0)
		return r;
	/* One that has written nothing has nothing to list. */
	if (r == 0 && how->form == CHANGES_LIST && !has_written(b))
		return 0;
	return r > 0 ? read_running(b, info, s, how, e)
		     : work(b, info, s, how, e);
}

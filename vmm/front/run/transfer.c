/* SPDX-License-Identifier: Apache-2.0 */
#include "run/transfer.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/report.h"
#include "guest/ask.h"
#include "run/transfer_priv.h"
#include "run/visit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 200

/* ---- what the agent says ---- */

/* A string of the agent's may be as long as a message. */
static void copy_path(char out[PATH_MAX], const char *s)
{
	snprintf(out, PATH_MAX, "%s", strlen(s) < PATH_MAX ? s : "");
}

static void on_stat(struct work *w, const Vial__Agent__StatReply *m)
{
	w->seen.error = (int)m->error;
	w->seen.mode = m->mode;
	w->seen.size = m->size;
	w->seen.resolved_mode = m->resolved_mode;
	copy_path(w->seen.link, m->link_target);
	copy_path(w->seen.resolved, m->resolved);
	w->answered = true;
}

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct work *w = container_of(g, struct work, agent);

	switch (ev->ev_case) {
	case VIAL__AGENT__EVENT__EV_STAT:
		if (ev->stat->key == w->key)
			on_stat(w, ev->stat);
		break;
	case VIAL__AGENT__EVENT__EV_TAR_DONE:
		if (ev->tar_done->key == w->key)
			w->answered = true;
		break;
	case VIAL__AGENT__EVENT__EV_FAILED:
		if (ev->failed->key != w->key)
			break;
		err_set(&w->failed, EIO, "%s",
			*ev->failed->message ? ev->failed->message : "failed");
		report_clean(w->failed.msg);
		break;
	default:
		break;
	}
}

static void lost(struct guest *g, const struct err *why)
{
	struct work *w = container_of(g, struct work, agent);

	w->lost = *why;
}

/* Until the agent has answered, and our child, when there is one, is done. */
static bool done(const struct work *w)
{
	if (w->failed.code || w->lost.code)
		return true;
	if (w->visit && w->visit->over(w->visit))
		return true;
	return w->answered && !w->copy.running;
}

static bool is_paused(const struct work *w)
{
	struct box_info info;
	struct err ignored;

	return w->box && state_read(w->box, &info, &ignored) == 0 &&
	       state_is(&info, "paused");
}

/* Nothing has happened for a while. A slow disk or a user may be the reason,
 * and a pause; a guest that is none the less there says so when it is asked. */
static int still_there(struct work *w, unsigned patience_ms, struct err *e)
{
	if (is_paused(w))
		return 0;
	if (ask_alive(w->boxdir, patience_ms, e) == 0 || is_paused(w)) {
		*e = (struct err){ 0 };
		return 0;
	}
	if (e->code == ETIME)
		return err_set(e, ETIME,
			       "the guest has not answered for %u s (vial kill "
			       "ends it)",
			       2 * patience_ms / 1000);
	return -e->code;
}

static int wait_for(struct work *w, struct err *e)
{
	unsigned half = ask_patience_ms() / 2;
	uint64_t moved = 0, since = now_us();

	while (!done(w)) {
		int r = loop_once(w->loop, TICK_MS);

		if (r < 0)
			return err_set(e, -r, "wait: %s", strerror(-r));
		if (w->copy.running && w->t->moved)
			w->t->moved(w->t->arg, work_moved(w), w->total);
		if (w->copy.running && work_moved(w) != moved) {
			moved = work_moved(w);
			since = now_us();
		}
		if (now_us() - since < half * 1000ull)
			continue;
		if (still_there(w, half, e) < 0)
			return -e->code;
		since = now_us();
	}
	if (w->failed.code) {
		*e = w->failed;
		return -e->code;
	}
	if (w->answered && !w->copy.running)
		return 0;
	return err_set(e, EPIPE, "the box ended before the copy did");
}

static int look(struct work *w, const char *path, struct err *e)
{
	w->key = guest_key();
	w->answered = false;
	guest_stat(&w->agent, w->key, path);
	return wait_for(w, e);
}

/* ---- the stream ---- */

static void copied(struct copy *c)
{
	struct work *w = container_of(c, struct work, copy);
	const struct err *why = &c->result.err;

	/* Where the agent takes no more, it says itself why. */
	if (why->code &&
	    !(w->t->in && (why->code == EPIPE || why->code == ECONNRESET)) &&
	    !w->failed.code)
		w->failed = *why;
}

static void ask(struct work *w)
{
	Vial__Agent__PutTar put = VIAL__AGENT__PUT_TAR__INIT;
	Vial__Agent__GetTar get = VIAL__AGENT__GET_TAR__INIT;

	if (w->t->in) {
		put.key = w->key;
		put.path = w->there;
		put.no_overwrite_dir = true;
		/* An archive of the user's own says whose things are. */
		if (!w->t->owners && !work_raw(w))
			put.user = guest_text("0:0");
		guest_send(&w->agent, &put.base);
	} else {
		get.key = w->key;
		get.path = w->there;
		get.follow = w->t->follow;
		guest_send(&w->agent, &get.base);
	}
}

static int stream(struct work *w, struct err *e)
{
	autoclose int fd = -1;
	int r;

	w->key = guest_key();
	w->answered = false;
	w->copy.done = copied;
	ask(w);
	fd = dial_stream(w->boxdir, w->key, VIAL__AGENT__STREAM__WHICH__TAR, e);
	if (fd < 0)
		return fd;
	r = copy_start(&w->copy, w->loop, work_job(w), w, fd, e);
	if (r == 0)
		r = wait_for(w, e);
	if (r == 0 && w->copy.result.err.code) {
		*e = w->copy.result.err;
		r = -e->code;
	}
	copy_fini(&w->copy);
	w->t->left_out = w->copy.result.left_out;
	memcpy(w->t->first_left_out, w->copy.result.first_left_out,
	       sizeof(w->t->first_left_out));
	report_clean(w->t->first_left_out);
	return r;
}

/* ---- what is where ---- */

static int not_found(const struct work *w, const char *path, struct err *e)
{
	return err_set(e, ENOENT, "Could not find the file %s in box %s", path,
		       w->t->box);
}

/* What is at the destination in the box, as the link at its end leads. */
static int look_there(struct work *w, struct cp_end *dst, struct err *e)
{
	uint32_t mode;

	if (look(w, w->there, e) < 0)
		return -e->code;
	*dst = (struct cp_end){ .path = w->there,
				.exists = w->seen.error == 0 };
	mode = w->seen.mode;
	if (dst->exists && S_ISLNK(mode)) {
		char to[PATH_MAX];

		dst->exists = *w->seen.resolved;
		mode = w->seen.resolved_mode;
		if (cp_follow(w->there,
			      dst->exists ? w->seen.resolved : w->seen.link, to,
			      e) < 0)
			return -e->code;
		snprintf(w->there, sizeof(w->there), "%s", to);
	}
	dst->is_dir = dst->exists && S_ISDIR(mode);
	if (!dst->exists || dst->is_dir || S_ISREG(mode))
		return 0;
	return err_set(e, EINVAL,
		       "destination \"%s:%s\" must be a directory or a regular "
		       "file",
		       w->t->box, w->t->guest);
}

static int aim_in(struct work *w, struct err *e)
{
	struct cp_end src = { 0 }, dst = { 0 };
	struct cp_target to;

	if ((!work_raw(w) && work_look_here(w, &src, e) < 0) ||
	    look_there(w, &dst, e) < 0)
		return -e->code;
	if (work_raw(w))
		return dst.is_dir ? 0
				  : err_set(e, ENOTDIR,
					    "destination \"%s:%s\" must be a "
					    "directory",
					    w->t->box, w->t->guest);
	if (cp_aim(&src, &dst, &to, e) < 0)
		return -e->code;
	if (to.parent) {
		if (look(w, to.dir, e) < 0)
			return -e->code;
		if (w->seen.error || !S_ISDIR(w->seen.resolved_mode))
			return not_found(w, to.dir, e);
	}
	snprintf(w->there, sizeof(w->there), "%s", to.dir);
	snprintf(w->name, sizeof(w->name), "%s", to.name);
	return 0;
}

static int aim_out(struct work *w, struct err *e)
{
	struct cp_end src = { .path = w->there, .exists = true };
	uint32_t mode;

	if (look(w, w->there, e) < 0)
		return -e->code;
	mode = w->t->follow ? w->seen.resolved_mode : w->seen.mode;
	if (w->seen.error || mode == 0)
		return not_found(w, w->t->guest, e);
	src.is_dir = S_ISDIR(mode);
	if (S_ISREG(mode))
		w->total = w->seen.size;
	cp_base(w->there, w->top);
	return work_raw(w) ? 0 : work_aim_here(w, &src, e);
}

/* ---- as a whole ---- */

static int work_do(struct work *w, struct err *e)
{
	int r;

	w->agent.heard = heard;
	w->agent.lost = lost;
	r = cp_clean("/", w->t->guest, w->there, e);
	if (r == 0)
		r = work_share(w, e);
	if (r == 0)
		r = guest_open(&w->agent, w->loop, w->boxdir, e);
	if (r == 0)
		r = w->t->in ? aim_in(w, e) : aim_out(w, e);
	if (r == 0)
		r = stream(w, e);
	guest_close(&w->agent);
	work_unshare(w);
	return r;
}

static int in_running(struct transfer *t, const struct box *b, struct err *e)
{
	struct work w = { .t = t, .box = b, .boxdir = b->dir };
	struct loop loop;
	int r = loop_init(&loop, NULL, e);

	if (r < 0)
		return r;
	w.loop = &loop;
	r = work_do(&w, e);
	loop_fini(&loop);
	return r;
}

struct visitor {
	struct transfer *t;
	int r;
	struct err e;
};

static void in_visited(void *arg, const struct run_visit *v)
{
	struct visitor *me = arg;
	struct work w = {
		.t = me->t, .loop = v->loop, .boxdir = v->boxdir, .visit = v
	};

	me->r = work_do(&w, &me->e);
}

static bool runs(const struct box_info *info)
{
	return info->alive &&
	       (state_is(info, "running") || state_is(info, "paused"));
}

int transfer_run(struct transfer *t, struct box *b, struct box_info *info,
		 struct err *e)
{
	struct visitor me = { .t = t };
	struct stat st;
	int r = 1;

	/* A stream that breaks is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	/* No guest is booted for what is not there. */
	if (t->in && strcmp(t->host, "-") != 0 && lstat(t->host, &st) < 0)
		return err_sys(e, "%s", t->host);
	if (!runs(info)) {
		r = visit_box(b, info, in_visited, &me, e);
		if (r == 0 && me.r < 0)
			*e = me.e;
		r = r == 0 ? me.r : r;
	}
	if (r <= 0)
		return r;
	if (state_is(info, "paused"))
		return err_set(e, EBUSY,
			       "box %s is paused, unpause it before cp",
			       t->box);
	return in_running(t, b, e);
}

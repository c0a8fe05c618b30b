/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of a builder: made, told what to do, listened to, ended. */
#include "builder/builder_priv.h"

#include "base/auto.h"
#include "box/report.h"
#include "box/where.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "builder-"
/* What is younger may be about to be locked. */
#define SWEEP_SECONDS 60
#define BOOT_MS 120000
#define CONSOLE_TAIL 2048

/* ---- its directory ---- */

static void sweep_one(int root, const char *name)
{
	struct box b = BOX_INIT;
	struct stat st;

	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    time(NULL) - st.st_mtime < SWEEP_SECONDS)
		return;
	snprintf(b.id, sizeof(b.id), "%.*s", BOX_ID_LEN, name);
	b.root = fcntl(root, F_DUPFD_CLOEXEC, 3);
	b.dir = openat(root, name,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b.dir >= 0 && !state_alive(&b))
		state_remove(&b);
	state_close(&b);
}

static void sweep(int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;

	while (d && (de = readdir(d)))
		if (strncmp(de->d_name, PREFIX, strlen(PREFIX)) == 0)
			sweep_one(root, de->d_name);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

static int make_box(struct box *b, struct box_info *info, struct err *e)
{
	*info = (struct box_info){ .brief = true };
	state_new_id(info->id);
	snprintf(b->id, sizeof(b->id), PREFIX "%.*s", BOX_SHORT_LEN, info->id);
	b->root = where_boxes(WHERE_BRIEF, e);
	if (b->root < 0)
		return b->root;
	sweep(b->root);
	if (mkdirat(b->root, b->id, 0700) < 0)
		return err_sys(e, "make %s", b->id);
	b->dir = openat(b->root, b->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0)
		return err_sys(e, "%s", b->id);
	return state_lock(b, e);
}

/* ---- what the agent says ---- */

static void on_exited(struct build *w, const Vial__Agent__Exited *m)
{
	w->exited = true;
	w->status = m->signal ? 128 + (int)m->signal : (int)m->status;
	if (m->oom_killed && !w->why.code)
		err_set(&w->why, ENOMEM,
			"the builder needs more memory than it has");
}

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct build *w = container_of(g, struct build, guest);

	switch (ev->ev_case) {
	case VIAL__AGENT__EVENT__EV_STARTED:
		w->up = true;
		timer_set(&w->limit, 0);
		break;
	case VIAL__AGENT__EVENT__EV_EXITED:
		on_exited(w, ev->exited);
		break;
	case VIAL__AGENT__EVENT__EV_FAILED:
		if (!w->why.code)
			err_set(&w->why, EIO, "%.200s", ev->failed->message);
		break;
	default:
		break;
	}
}

/* The last line of its console may know more. */
static void lost(struct guest *g, const struct err *why)
{
	struct build *w = container_of(g, struct build, guest);
	autofree char *tail =
		state_tail(&w->launch.box, "console.log", CONSOLE_TAIL);
	char *line;

	if (w->exited || w->why.code)
		return;
	while (tail && *tail && tail[strlen(tail) - 1] == '\n')
		tail[strlen(tail) - 1] = '\0';
	line = tail ? strrchr(tail, '\n') : NULL;
	line = line ? line + 1 : tail;
	err_set(&w->why, EIO, "the builder's machine is gone: %.180s",
		line && *line ? line : why->msg);
}

static void too_late(struct timer *t)
{
	struct build *w = container_of(t, struct build, limit);

	if (!w->why.code)
		err_set(&w->why, ETIMEDOUT,
			"the builder's machine did not start in %d seconds",
			BOOT_MS / 1000);
}

/* ---- what is asked of it ---- */

static int ask_setup(struct build *w, struct err *e)
{
	Vial__Agent__Setup m = VIAL__AGENT__SETUP__INIT;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	m.hostname = guest_text("builder");
	m.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	r = guest_send(&w->guest, &m.base);
	return r < 0 ? err_set(e, -r, "set-up: %s", strerror(-r)) : 0;
}

static int ask_work(struct build *w, struct err *e)
{
	Vial__Agent__Exec m = VIAL__AGENT__EXEC__INIT;
	int r;

	w->key = guest_key();
	m.key = w->key;
	m.argv = w->argv;
	m.n_argv = w->argc;
	m.stdin = w->feeds;
	m.stdout = m.stderr = true;
	m.privileged = true;
	m.kill_rest = true;
	r = guest_send(&w->guest, &m.base);
	return r < 0 ? err_set(e, -r, "builder: %s", strerror(-r)) : 0;
}

/* ---- as a whole ---- */

static int start(struct build *w, struct err *e)
{
	struct plan plan = PLAN_INIT;
	struct box_info info;
	struct box b = BOX_INIT;
	int r = plan_open_builder(&plan, e);

	plan.mounts = &w->disk;
	plan.image = take_fd(&w->image);
	plan.overlay = take_fd(&w->scratch);
	if (r == 0)
		r = make_box(&b, &info, e);
	if (r == 0)
		r = launch_start(&w->launch, &plan, &b, &info, e);
	else if (b.dir >= 0)
		state_remove(&b);
	state_close(&b);
	plan_close(&plan);
	return r;
}

static int converse(struct build *w, struct err *e)
{
	w->guest.heard = heard;
	w->guest.lost = lost;
	if (loop_init(&w->loop, NULL, e) < 0)
		return -e->code;
	if (timer_init(&w->limit, &w->loop, "boot", too_late, e) < 0 ||
	    guest_open(&w->guest, &w->loop, w->launch.box.dir, e) < 0 ||
	    ask_setup(w, e) < 0 || ask_work(w, e) < 0 ||
	    build_streams(w, e) < 0)
		return -e->code;
	timer_set(&w->limit, BOOT_MS);
	while (!w->why.code && !(w->exited && w->out.ended && w->err.ended)) {
		int r = loop_once(&w->loop, -1);

		if (r < 0)
			return err_set(e, -r, "wait: %s", strerror(-r));
	}
	return 0;
}

/* What the guest says of itself counts for nothing unless all of it fits. */
static int verdict(struct build *w, struct err *e)
{
	if (w->why.code)
		*e = w->why;
	else if (w->status == 0 && w->done)
		return 0;
	else if (w->err.len > 0)
		err_set(e, EBADMSG, "%.*s", (int)strcspn(w->err.text, "\n"),
			w->err.text);
	else
		err_set(e, EIO, "the builder ended with status %d", w->status);
	report_clean(e->msg);
	return -e->code;
}

void build_init(struct build *w)
{
	*w = (struct build){ .launch = LAUNCH_INIT,
			     .disk = BOXMOUNTS_INIT,
			     .image = -1,
			     .scratch = -1 };
	w->loop.epfd = -1;
	w->feed.fd = w->out.watch.fd = w->err.watch.fd = -1;
}

void build_fini(struct build *w)
{
	guest_close(&w->guest);
	build_streams_close(w);
	launch_end(&w->launch, NULL);
	boxmounts_close(&w->disk);
	auto_close_(&w->image);
	auto_close_(&w->scratch);
	if (w->loop.epfd >= 0) {
		timer_fini(&w->limit, &w->loop);
		loop_fini(&w->loop);
	}
	for (size_t i = 0; w->argv && i < w->argc; i++)
		free(w->argv[i]);
	free(w->argv);
	w->argv = NULL;
}

int build_run(struct build *w, struct err *e)
{
	/* A stream that breaks is an error like others. */
	void (*pipe_was)(int) = signal(SIGPIPE, SIG_IGN);
	int r = start(w, e);

	if (r == 0)
		r = converse(w, e);
	if (r == 0)
		r = verdict(w, e);
	build_fini(w);
	signal(SIGPIPE, pipe_was);
	return r;
}

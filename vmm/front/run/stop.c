/* SPDX-License-Identifier: Apache-2.0 */
#include "run/stop.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/control.h"
#include "run/keep.h"
#include "box/state.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define WAIT_US (30 * 1000000ull)
#define POLL_NS 10000000

int stop_box(const char *id, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t until = now_us() + WAIT_US;
	struct box b;
	int r;

	if (state_open(&b, id, e) < 0)
		return e->code == ENOENT ? 0 : -e->code;
	r = control_stop(b.dir, e);
	while (r == 0 && state_alive(&b)) {
		if (now_us() > until)
			r = err_set(e, ETIMEDOUT, "box %s does not end", id);
		else
			nanosleep(&pause, NULL);
	}
	state_close(&b);
	return r;
}

/* False: nobody hears it. */
static bool ask_keeper(const struct box *b, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Stop s = VIAL__KEEP__STOP__INIT;
	autoclose int fd = keep_dial(b->dir, e);
	Vial__Keep__Answer *a;
	bool ended = false;

	m.op_case = VIAL__KEEP__CALL__OP_STOP;
	m.stop = &s;
	s.signal = SIGKILL;
	if (fd < 0 || keep_send(fd, &m, NULL, 0, e) < 0)
		return false;
	while (!ended && (a = keep_recv(fd)) != NULL) {
		ended = a->ended != NULL;
		vial__keep__answer__free_unpacked(a, NULL);
	}
	return true;
}

/* The keeper's last word comes a moment before its end. */
static bool let_go(const struct box *b)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t until = now_us() + WAIT_US / 10;

	while (state_alive(b)) {
		if (now_us() > until)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

int stop_kill(const struct box_info *info, struct err *e)
{
	struct err ignored;
	bool ended = false;
	struct box b;

	/* Nothing runs in one that is paused. */
	if (!state_is(info, "paused") &&
	    state_open(&b, info->id, &ignored) == 0) {
		ended = ask_keeper(&b, &ignored) && let_go(&b);
		state_close(&b);
	}
	return ended ? 0 : stop_box(info->id, e);
}

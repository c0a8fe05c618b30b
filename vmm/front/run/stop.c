/* SPDX-License-Identifier: Apache-2.0 */
#include "run/stop.h"

#include "base/auto.h"
#include "base/fd.h"
#include "proto/chan.h"
#include "proto/control.pb-c.h"
#include "run/sock.h"
#include "run/state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define WAIT_US (30 * 1000000ull)
#define POLL_NS 10000000

static int ask(const struct box *b, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	Vial__Control__Empty empty = VIAL__CONTROL__EMPTY__INIT;
	autoclose int fd = sock_connect(b->dir, "control.sock", e);
	struct chan c;
	int r;

	if (fd < 0)
		return err_wrap(e, "box %s", b->id);
	call.op_case = VIAL__CONTROL__CALL__OP_STOP;
	call.stop = &empty;
	chan_init(&c, fd);
	r = chan_send(&c, &call.base);
	chan_fini(&c);
	return r < 0 ? err_set(e, -r, "box %s: %s", b->id, strerror(-r)) : 0;
}

int stop_box(const char *id, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t until = now_us() + WAIT_US;
	struct box b;
	int r;

	if (state_open(&b, id, e) < 0)
		return e->code == ENOENT ? 0 : -e->code;
	r = ask(&b, e);
	while (r == 0 && state_alive(&b)) {
		if (now_us() > until)
			r = err_set(e, ETIMEDOUT, "box %s does not end", id);
		else
			nanosleep(&pause, NULL);
	}
	state_close(&b);
	return r;
}

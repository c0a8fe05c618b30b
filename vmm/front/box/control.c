/* SPDX-License-Identifier: Apache-2.0 */
#include "box/control.h"

#include "base/auto.h"
#include "proto/chan.h"
#include "box/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define PATIENCE_S 10

/* What a call may bring besides an error; each may be NULL. */
struct answer {
	Vial__Control__Stats *stats;
	Vial__Control__Plugged *plugged;
};

static int take(const Vial__Control__Reply *reply, const struct answer *a,
		struct err *e)
{
	if (reply->error)
		return err_set(e, (int)reply->error, "%s", reply->message);
	if (a->stats && reply->stats)
		*a->stats = *reply->stats;
	if (a->plugged && !reply->plugged)
		return err_set(e, EPROTO, "the monitor gave half an answer");
	if (a->plugged)
		*a->plugged = *reply->plugged;
	return 0;
}

/* fd goes with it; -1: none. */
static int ask(int boxdir, const Vial__Control__Call *call, int fd_along,
	       const struct answer *a, struct err *e)
{
	const struct timeval limit = { .tv_sec = PATIENCE_S };
	autoclose int fd = sock_connect(boxdir, "control.sock", e);
	Vial__Control__Reply *reply;
	struct chan c;
	int r;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	chan_init(&c, fd);
	r = fd_along < 0 ? chan_send(&c, &call->base)
			 : chan_send_fd(&c, &call->base, fd_along);
	reply = r < 0 ? NULL
		      : (void *)chan_recv(&c, &vial__control__reply__descriptor,
					  e);
	if (r < 0)
		err_set(e, -r, "the monitor: %s", strerror(-r));
	else if (!reply)
		r = -e->code;
	else
		r = take(reply, a, e);
	if (reply)
		vial__control__reply__free_unpacked(reply, NULL);
	chan_fini(&c);
	return r;
}

static const struct answer nothing;
static Vial__Control__Empty empty = VIAL__CONTROL__EMPTY__INIT;

int control_pause(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_PAUSE;
	call.pause = &empty;
	return ask(boxdir, &call, -1, &nothing, e);
}

int control_resume(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_RESUME;
	call.resume = &empty;
	return ask(boxdir, &call, -1, &nothing, e);
}

int control_stop(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_STOP;
	call.stop = &empty;
	return ask(boxdir, &call, -1, &nothing, e);
}

int control_plug(int boxdir, int tap, Vial__Control__Plug *plug,
		 Vial__Control__Plugged *out, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	const struct answer a = { .plugged = out };

	*out = (Vial__Control__Plugged)VIAL__CONTROL__PLUGGED__INIT;
	call.op_case = VIAL__CONTROL__CALL__OP_PLUG;
	call.plug = plug;
	return ask(boxdir, &call, tap, &a, e);
}

int control_unplug(int boxdir, unsigned slot, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	Vial__Control__Unplug unplug = VIAL__CONTROL__UNPLUG__INIT;

	unplug.slot = slot;
	call.op_case = VIAL__CONTROL__CALL__OP_UNPLUG;
	call.unplug = &unplug;
	return ask(boxdir, &call, -1, &nothing, e);
}

int control_stats(int boxdir, Vial__Control__Stats *out, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;
	const struct answer a = { .stats = out };

	*out = (Vial__Control__Stats)VIAL__CONTROL__STATS__INIT;
	call.op_case = VIAL__CONTROL__CALL__OP_STATS;
	call.stats = &empty;
	return ask(boxdir, &call, -1, &a, e);
}

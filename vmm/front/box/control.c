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

static int ask(int boxdir, const Vial__Control__Call *call,
	       Vial__Control__Stats *stats, struct err *e)
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
	r = chan_send(&c, &call->base);
	reply = r < 0 ? NULL
		      : (void *)chan_recv(&c, &vial__control__reply__descriptor,
					  e);
	if (r < 0)
		err_set(e, -r, "the monitor: %s", strerror(-r));
	else if (!reply)
		r = -e->code;
	else if (reply->error)
		r = err_set(e, (int)reply->error, "%s", reply->message);
	else if (stats && reply->stats)
		*stats = *reply->stats;
	if (reply)
		vial__control__reply__free_unpacked(reply, NULL);
	chan_fini(&c);
	return r;
}

static Vial__Control__Empty empty = VIAL__CONTROL__EMPTY__INIT;

int control_pause(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_PAUSE;
	call.pause = &empty;
	return ask(boxdir, &call, NULL, e);
}

int control_resume(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_RESUME;
	call.resume = &empty;
	return ask(boxdir, &call, NULL, e);
}

int control_stop(int boxdir, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	call.op_case = VIAL__CONTROL__CALL__OP_STOP;
	call.stop = &empty;
	return ask(boxdir, &call, NULL, e);
}

int control_stats(int boxdir, Vial__Control__Stats *out, struct err *e)
{
	Vial__Control__Call call = VIAL__CONTROL__CALL__INIT;

	*out = (Vial__Control__Stats)VIAL__CONTROL__STATS__INIT;
	call.op_case = VIAL__CONTROL__CALL__OP_STATS;
	call.stats = &empty;
	return ask(boxdir, &call, out, e);
}

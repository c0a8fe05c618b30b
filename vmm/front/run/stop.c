/* SPDX-License-Identifier: Apache-2.0 */
#include "run/stop.h"

#include "base/fd.h"
#include "run/control.h"
#include "run/state.h"

#include <errno.h>
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/hold.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct hold *h = container_of(g, struct hold, guest);

	if (ev->ev_case == VIAL__AGENT__EVENT__EV_FROZEN)
		h->done = true;
	else if (ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED)
		err_set(&h->why, EIO, "the guest refuses: %.200s",
			ev->failed->message);
}

static void lost(struct guest *g, const struct err *why)
{
	container_of(g, struct hold, guest)->why = *why;
}

static int ask(struct hold *h, struct err *e)
{
	Vial__Agent__Freeze m = VIAL__AGENT__FREEZE__INIT;
	int r = guest_send(&h->guest, &m.base);

	return r < 0 ? err_set(e, -r, "the guest: %s", strerror(-r)) : 0;
}

static int await(struct hold *h, unsigned patience_ms, struct err *e)
{
	uint64_t until = now_us() + patience_ms * 1000ull, now;

	while (!h->done && !h->why.code) {
		now = now_us();
		if (now >= until)
			return err_set(e, ETIME, "the guest does not answer");
		if (loop_once(&h->loop, (int)((until - now) / 1000) + 1) < 0)
			return err_set(e, EIO, "wait for the guest");
	}
	if (h->done)
		return 0;
	*e = h->why;
	return -e->code;
}

int hold_begin(struct hold *h, int boxdir, unsigned patience_ms, struct err *e)
{
	*h = (struct hold){ .guest = { .heard = heard, .lost = lost } };
	if (loop_init(&h->loop, NULL, e) < 0)
		return -e->code;
	h->open = true;
	if (guest_open(&h->guest, &h->loop, boxdir, e) < 0 || ask(h, e) < 0 ||
	    await(h, patience_ms, e) < 0) {
		hold_end(h);
		return -e->code;
	}
	return 0;
}

void hold_end(struct hold *h)
{
	if (!h->open)
		return;
	guest_close(&h->guest);
	loop_fini(&h->loop);
	h->open = false;
}
